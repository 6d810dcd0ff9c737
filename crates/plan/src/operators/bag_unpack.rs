use datafusion_common::ScalarValue;
use datafusion_expr::{LogicalPlanBuilder, lit};
use functions::aggregate::aggregates;
use functions::dynamic;
use kql::ast::{self, ColumnDecl, Literal, ParamValue};
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint};
use crate::expr::{Row, conversion};
use crate::relation::{Column, Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// Most columns that `bag_unpack` makes.
const COLUMNS_MAX: usize = 500;

/// `T | evaluate bag_unpack(bag [, prefix [, conflict [, ignored]]]) [: (schema)]`.
///
/// The columns depend on the data, so unless a schema is given the keys are gathered first.
/// <https://learn.microsoft.com/kusto/query/bag-unpack-plugin>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    evaluate: &'q ast::Evaluate,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let [bag, prefix, conflict, ignored] = arguments(&evaluate.plugin.call)?;
    let Some(bag) = bag else {
        return Err(error(
            Code::Arity,
            evaluate.plugin.span,
            "`bag_unpack` takes a column",
        ));
    };
    let bag_value = binder.scalar(&bag.expr, scope, Row::of(&input))?;
    let ast::ExprKind::Name(bag_name) = &bag.expr.kind else {
        return Err(error(
            Code::Semantic,
            bag.expr.span,
            "`bag_unpack` takes a column",
        ));
    };
    if bag_value.ty != Type::Dynamic {
        let message = format!(
            "the column `{bag_name}` is a {}, not a dynamic",
            bag_value.ty
        );
        return Err(error_with_hint(
            Code::Type,
            bag.expr.span,
            message,
            "read it with `parse_json(…)`",
        ));
    }
    let mut text = |arg: Option<&'q ast::NamedExpr>| match arg {
        None => Ok(None),
        Some(arg) => constant_text(binder, &arg.expr, scope).map(Some),
    };
    let prefix = text(prefix)?.unwrap_or_default();
    let conflict = text(conflict)?.unwrap_or_else(|| "error".into());
    let ignored: Vec<String> = text(ignored)?
        .map(|list| {
            dynamic::elements(&list)
                .map(|key| dynamic::to_text(key).into_owned())
                .collect()
        })
        .unwrap_or_default();
    for param in &evaluate.params {
        if let ParamValue::Literal(Literal::Dynamic(_), at) = &param.value {
            return Err(error(Code::Parameter, *at, "unknown hint"));
        }
    }
    let unpack = Unpack {
        input: &input,
        bag: bag_value,
        bag_name,
        prefix,
        conflict: Conflict::read(&conflict, span)?,
        ignored,
        span,
    };
    let outputs = match &evaluate.schema {
        Some(columns) => unpack.declared(binder, columns, evaluate.with_source)?,
        None => unpack.found(binder)?,
    };
    input.project(outputs, span)
}

/// The arguments by parameter: in order, or by name.
fn arguments(call: &ast::Call) -> Result<[Option<&ast::NamedExpr>; 4]> {
    const NAMES: [&str; 4] = [
        "column",
        "OutputColumnPrefix",
        "columnsConflict",
        "ignoredProperties",
    ];
    let mut places = [None; 4];
    for (index, arg) in call.args.iter().enumerate() {
        let place = match &arg.names {
            ast::Names::One(name) => NAMES.iter().position(|known| name.text == *known),
            _ => (index < NAMES.len()).then_some(index),
        };
        let Some(place) = place else {
            let message = format!("`bag_unpack` takes {}", NAMES.join(", "));
            return Err(error(Code::Arity, arg.span(), message));
        };
        if places[place].replace(arg).is_some() {
            let message = format!("`{}` is given twice", NAMES[place]);
            return Err(error(Code::Semantic, arg.span(), message));
        }
    }
    Ok(places)
}

fn constant_text<'q>(
    binder: &mut Binder<'_>,
    expr: &'q ast::Expr,
    scope: &Scope<'q>,
) -> Result<String> {
    let value = binder.scalar(expr, scope, Row::NONE)?;
    match value.constant_text() {
        Some(text) => Ok(text.to_owned()),
        None => Err(error(Code::Constant, expr.span, "expected a constant")),
    }
}

/// What becomes of a key that is called as a column of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Conflict {
    Error,
    ReplaceSource,
    KeepSource,
}

impl Conflict {
    fn read(text: &str, span: Span) -> Result<Self> {
        match text {
            "error" => Ok(Self::Error),
            "replace_source" => Ok(Self::ReplaceSource),
            "keep_source" => Ok(Self::KeepSource),
            other => {
                let message = format!("`{other}` is no way to resolve conflicts");
                Err(error(Code::Parameter, span, message))
            }
        }
    }
}

struct Unpack<'a> {
    input: &'a Relation,
    bag: Typed,
    bag_name: &'a str,
    prefix: String,
    conflict: Conflict,
    ignored: Vec<String>,
    span: Span,
}

impl Unpack<'_> {
    /// The table's columns but for the bag, then those of all keys.
    fn found(&self, binder: &mut Binder<'_>) -> Result<Vec<Output>> {
        let mut keys = self.keys(binder)?;
        let mut outputs: Vec<Output> = Vec::new();
        let columns = self.input.columns.iter();
        for column in columns.filter(|column| column.visible != Visible::Never) {
            let at = keys
                .iter()
                .position(|(key, _)| self.output(key) == column.name);
            match at.map(|at| keys.remove(at)) {
                None if column.name == self.bag_name => {}
                None => outputs.push(Output::keep(column)),
                // A key of the bag column's own name takes its place.
                Some((key, ty)) if column.name == self.bag_name || self.replaces(&key)? => {
                    outputs.push(Output::new(&*column.name, self.value(binder, &key, ty)?));
                }
                Some(_) => outputs.push(Output::keep(column)),
            }
        }
        for (key, ty) in keys {
            outputs.push(Output::new(
                self.output(&key),
                self.value(binder, &key, ty)?,
            ));
        }
        if outputs.is_empty() {
            outputs.push(Output {
                visible: Visible::Never,
                ..Output::new("#none", Typed::new(lit(0_i64), Type::Long))
            });
        }
        Ok(outputs)
    }

    /// The columns that a schema says, in its order: those of the table that it names, those of keys,
    /// and nulls where there is neither. All columns of the table may come before.
    fn declared(
        &self,
        binder: &mut Binder<'_>,
        columns: &[ColumnDecl],
        with_source: bool,
    ) -> Result<Vec<Output>> {
        let source = |name: &str| {
            let column = self.input.column(name);
            column.filter(|column| column.name != self.bag_name)
        };
        // What keys there are matters only where one may be called as a column of the table.
        let is_source = |column: &ColumnDecl| source(&column.name.text).is_some();
        let keys = match self.conflict {
            Conflict::KeepSource => Vec::new(),
            _ if !columns.iter().any(is_source) => Vec::new(),
            _ => self.keys(binder)?,
        };
        let mut outputs: Vec<Output> = Vec::new();
        if with_source {
            let sources = self.input.visible();
            outputs.extend(
                sources
                    .filter(|column| column.name != self.bag_name)
                    .map(Output::keep),
            );
        }
        for (index, column) in columns.iter().enumerate() {
            let name = &column.name.text;
            if columns[..index]
                .iter()
                .any(|other| other.name.text == *name)
            {
                let message = format!("the column `{name}` is given twice");
                return Err(error(Code::Ambiguous, column.name.span, message));
            }
            let key = keys.iter().find(|(key, _)| self.output(key) == *name);
            let is_replaced = match key {
                Some((key, _)) if is_source(column) => self.replaces(key)?,
                _ => false,
            };
            let output = match source(name).filter(|_| !is_replaced) {
                Some(source) if source.ty == column.ty => Output::keep(source),
                Some(source) => {
                    let message = format!("the column `{name}` is a {}", source.ty);
                    return Err(error(Code::Type, column.name.span, message));
                }
                None => Output::new(&**name, self.declared_value(binder, column)?),
            };
            match outputs.iter_mut().find(|known| known.name == *name) {
                Some(known) => *known = output,
                None => outputs.push(output),
            }
        }
        Ok(outputs)
    }

    fn declared_value(&self, binder: &mut Binder<'_>, column: &ColumnDecl) -> Result<Typed> {
        let key = column.name.text.strip_prefix(&*self.prefix);
        match key.filter(|key| self.ignored.iter().all(|ignored| ignored != key)) {
            Some(key) => self.value(binder, key, column.ty),
            None => Ok(Typed::null(column.ty)),
        }
    }

    /// The name of a key's column.
    fn output(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// Whether a key that is called as a column of the table takes its place.
    fn replaces(&self, key: &str) -> Result<bool> {
        if self.conflict == Conflict::Error {
            let message = format!("the key `{key}` is also a column");
            let hint = "give a prefix, or `replace_source` or `keep_source`";
            return Err(error_with_hint(Code::Ambiguous, self.span, message, hint));
        }
        Ok(self.conflict == Conflict::ReplaceSource)
    }

    /// The value of a key.
    fn value(&self, binder: &mut Binder<'_>, key: &str, ty: Type) -> Result<Typed> {
        let step = binder.convert(Typed::string(key), Type::Dynamic, self.span)?;
        let member = binder.invoke("__path", vec![self.bag.clone(), step], self.span)?;
        match ty {
            Type::Dynamic => Ok(member),
            ty => binder.invoke(conversion(ty), vec![member], self.span),
        }
    }

    /// The keys of all bags with the types of their values, in order of keys.
    fn keys(&self, binder: &mut Binder<'_>) -> Result<Vec<(String, Type)>> {
        let schema = aggregates()
            .bag_schema
            .call(vec![self.bag.expr.clone()])
            .alias("schema");
        let plan = self
            .input
            .builder(self.span)?
            .aggregate(Vec::<datafusion_expr::Expr>::new(), vec![schema])
            .and_then(LogicalPlanBuilder::build)
            .at(self.span)?;
        let column = Column::new("schema", Type::Dynamic, Visible::Always);
        let rows = binder.ask(self.input.derived(plan, vec![column]), false, self.span)?;
        let value = ScalarValue::try_from_array(rows.column(0), 0).at(self.span)?;
        let text = value.try_as_str().flatten().unwrap_or("{}");
        let keys = dynamic::members(text).map(|(key, ty)| {
            let ty = Type::from_name(&dynamic::string_value(ty)).unwrap_or(Type::Dynamic);
            (key.into_owned(), ty)
        });
        let keys: Vec<(String, Type)> = keys
            .filter(|(key, _)| !self.ignored.contains(key))
            .collect();
        if keys.len() > COLUMNS_MAX {
            let message = format!(
                "the bags have {} keys; the limit is {COLUMNS_MAX}",
                keys.len()
            );
            return Err(error(Code::Limit, self.span, message));
        }
        Ok(keys)
    }
}
