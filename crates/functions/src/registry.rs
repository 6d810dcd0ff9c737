//! Which functions there are, and which of their overloads fits a call.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::array::ArrayRef;
use datafusion_common::Result;
use datafusion_expr::{AggregateUDF, ScalarUDF};
use kql::Type;

use crate::args::Args;
use crate::{aggregate, scalar, udf};

/// A scalar function of KQL.
pub struct ScalarFunction {
    /// The name, as KQL writes it.
    pub name: &'static str,
    /// Other names of the same function, old ones among them.
    pub aliases: &'static [&'static str],
    /// What it gives, in one line.
    pub doc: &'static str,
    /// The name that a column gets from it when none is said.
    pub result_name: ResultName,
    /// The forms in which it can be called; of those that fit, the nearest is taken.
    pub overloads: &'static [Overload],
    /// Whether it gives a new value each time, so that a call is no constant.
    pub volatile: bool,
}

/// One form of a function.
pub struct Overload {
    /// The parameters; those that may be left out come last.
    pub params: &'static [Param],
    /// How many arguments must be given.
    pub required: usize,
    /// Whether the last parameter may be given any number of times more.
    pub variadic: bool,
    /// The type of the result.
    pub returns: Returns,
    /// The kernel.
    pub eval: Eval,
    /// The kernel for constants of the query, where it differs.
    pub folded: Option<Eval>,
}

/// A kernel: arguments in, one array of `args.rows()` rows out.
pub type Eval = fn(&Args<'_>) -> Result<ArrayRef>;

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Param {
    /// Values of one type; arguments that convert without loss are converted.
    Is(Type),
    /// As `Is`, and it must be a constant.
    Const(Type),
    /// Any scalar, taken as text the way `tostring()` does.
    Text,
    /// Any scalar, taken as JSON.
    Json,
}

/// The type of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// Always this.
    Is(Type),
    /// Several columns, as `extend` and the like take them; where one is taken, it is the first.
    ///
    /// A column that no name is given to is called `function_argument_name`, after the first
    /// argument; that part is empty if the argument has no name of its own.
    Columns(&'static [ResultColumn]),
}

/// A column of a result that has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResultColumn {
    /// The end of the column's name, and the field of the struct that holds it.
    pub name: &'static str,
    /// The type of its values.
    pub ty: Type,
}

/// How a column is named after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultName {
    /// Not at all: `Column1`, `Column2`, …
    None,
    /// As its first argument would be.
    FirstArgument,
    /// As its only argument would be.
    OnlyArgument,
    /// A prefix, `_`, and the name of the first argument.
    Prefix(&'static str),
    /// This.
    Fixed(&'static str),
}

impl ScalarFunction {
    /// A function with one form.
    pub const fn new(
        name: &'static str,
        doc: &'static str,
        overloads: &'static [Overload],
    ) -> Self {
        Self {
            name,
            aliases: &[],
            doc,
            result_name: ResultName::None,
            overloads,
            volatile: false,
        }
    }

    /// The same with other names.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// The same whose columns are named after the first argument.
    #[must_use]
    pub const fn named_after_argument(mut self) -> Self {
        self.result_name = ResultName::FirstArgument;
        self
    }

    /// The same with a way to name its columns.
    #[must_use]
    pub const fn result_name(mut self, name: ResultName) -> Self {
        self.result_name = name;
        self
    }

    /// The same, giving a new value each time.
    #[must_use]
    pub const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// The smallest and largest number of arguments; `None` is no bound.
    pub fn arity(&self) -> (usize, Option<usize>) {
        let least = self.overloads.iter().map(|o| o.required).min().unwrap_or(0);
        let most = self
            .overloads
            .iter()
            .map(|o| {
                if o.variadic {
                    None
                } else {
                    Some(o.params.len())
                }
            })
            .reduce(|a, b| Some(a?.max(b?)))
            .unwrap_or(Some(0));
        (least, most)
    }

    /// The form nearest to arguments of these types, by index; `None` if none fits.
    pub fn select(&self, args: &[Type]) -> Option<usize> {
        let fitting = self
            .overloads
            .iter()
            .enumerate()
            .filter_map(|(index, overload)| {
                overload.distance(args).map(|distance| (distance, index))
            });
        fitting.min().map(|(_, index)| index)
    }
}

impl Overload {
    /// A form in which all parameters are required.
    pub const fn new(params: &'static [Param], returns: Type, eval: Eval) -> Self {
        Self {
            params,
            required: params.len(),
            variadic: false,
            returns: Returns::Is(returns),
            eval,
            folded: None,
        }
    }

    /// A form that gives several columns: its kernel gives a struct with a field for each.
    pub const fn columns(
        params: &'static [Param],
        columns: &'static [ResultColumn],
        eval: Eval,
    ) -> Self {
        Self {
            params,
            required: params.len(),
            variadic: false,
            returns: Returns::Columns(columns),
            eval,
            folded: None,
        }
    }

    /// The same, of which only the first `required` arguments must be given.
    #[must_use]
    pub const fn required(mut self, required: usize) -> Self {
        self.required = required;
        self
    }

    /// The same, whose last parameter may be repeated.
    #[must_use]
    pub const fn variadic(mut self) -> Self {
        self.variadic = true;
        self
    }

    /// The same with another kernel for constants of the query.
    #[must_use]
    pub const fn folded(mut self, eval: Eval) -> Self {
        self.folded = Some(eval);
        self
    }

    /// The parameter that argument `index` goes to.
    pub fn param(&self, index: usize) -> Option<Param> {
        match self.params.get(index) {
            Some(param) => Some(*param),
            None if self.variadic => self.params.last().copied(),
            None => None,
        }
    }

    /// How far arguments of these types are from the parameters; `None` if they don't fit.
    fn distance(&self, args: &[Type]) -> Option<u32> {
        if args.len() < self.required {
            return None;
        }
        args.iter().enumerate().try_fold(0, |sum, (index, ty)| {
            let distance = match self.param(index)? {
                Param::Is(wanted) | Param::Const(wanted) => conversion_distance(*ty, wanted)?,
                Param::Text => u32::from(*ty != Type::String) * 10,
                Param::Json => u32::from(*ty != Type::Dynamic) * 10,
            };
            Some(sum + distance)
        })
    }

    /// The type of the result; if it has several columns, of the first.
    pub fn return_type(&self) -> Type {
        match self.returns {
            Returns::Is(ty) => ty,
            Returns::Columns(columns) => columns[0].ty,
        }
    }

    /// The columns of the result, if it has several.
    pub fn result_columns(&self) -> Option<&'static [ResultColumn]> {
        match self.returns {
            Returns::Is(_) => None,
            Returns::Columns(columns) => Some(columns),
        }
    }
}

/// How far a type is from another that it converts to on its own; `None` if it does not.
///
/// Numbers widen, and a dynamic value may stand where any scalar is wanted.
pub fn conversion_distance(from: Type, to: Type) -> Option<u32> {
    Some(match (from, to) {
        (from, to) if from == to => 0,
        (Type::Int, Type::Long) => 1,
        (Type::Int, Type::Real) => 3,
        (Type::Long, Type::Real) => 2,
        (Type::Int | Type::Long, Type::Decimal) => 4,
        (Type::Real, Type::Decimal) => 5,
        // A dynamic number may have a fraction, so it is taken for a real where both will do.
        (Type::Dynamic, Type::Int | Type::Long) => 25,
        (Type::Dynamic, _) => 20,
        (Type::Guid, Type::String) => 20,
        _ => return None,
    })
}

struct Registry {
    by_name: HashMap<&'static str, &'static ScalarFunction>,
    udfs: HashMap<(&'static str, usize), Arc<ScalarUDF>>,
    columns_udfs: HashMap<(&'static str, usize), Arc<ScalarUDF>>,
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut by_name = HashMap::new();
    let mut udfs = HashMap::new();
    let mut columns_udfs = HashMap::new();
    for function in scalar::all() {
        for name in std::iter::once(&function.name).chain(function.aliases) {
            let previous = by_name.insert(*name, function);
            assert!(previous.is_none(), "two functions are named {name}");
        }
        for (index, overload) in function.overloads.iter().enumerate() {
            let key = (function.name, index);
            udfs.insert(key, Arc::new(udf::scalar_udf(function, index)));
            if overload.result_columns().is_some() {
                columns_udfs.insert(key, Arc::new(udf::columns_udf(function, index)));
            }
        }
    }
    Registry {
        by_name,
        udfs,
        columns_udfs,
    }
});

/// The scalar function of that name or alias; letter case counts.
pub fn scalar(name: &str) -> Option<&'static ScalarFunction> {
    REGISTRY.by_name.get(name).copied()
}

/// The names of all scalar functions, aliases included.
pub fn scalar_names() -> impl Iterator<Item = &'static str> {
    REGISTRY.by_name.keys().copied()
}

/// The DataFusion function of a form of a function.
pub fn scalar_udf(function: &ScalarFunction, overload: usize) -> Arc<ScalarUDF> {
    Arc::clone(&REGISTRY.udfs[&(function.name, overload)])
}

/// The DataFusion function that gives all columns of a form of a function, as a struct; `None` if
/// it gives a single value. [`scalar_udf`] gives its first column.
pub fn columns_udf(function: &ScalarFunction, overload: usize) -> Option<Arc<ScalarUDF>> {
    let key = (function.name, overload);
    REGISTRY.columns_udfs.get(&key).map(Arc::clone)
}

/// Every DataFusion scalar function that a plan may hold. Plans cross the network with functions by
/// name, so each side must know them all.
pub fn scalar_udfs() -> Vec<Arc<ScalarUDF>> {
    let mut udfs: Vec<_> = REGISTRY.udfs.values().cloned().collect();
    udfs.extend(REGISTRY.columns_udfs.values().cloned());
    udfs.extend(scalar::internal());
    udfs
}

/// Every DataFusion aggregate of ours that a plan may hold.
pub fn aggregate_udfs() -> Vec<Arc<AggregateUDF>> {
    aggregate::udafs()
}
