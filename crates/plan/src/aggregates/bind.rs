//! Calls of aggregates.

use datafusion_expr::Expr;
use functions::aggregate::aggregates;
use kql::ast::{self, Call, ExprKind};
use kql::{Code, Span, Type};

use super::compute::Compute;
use super::{AggregateOutput, Groups, Spanned, is_ordered};
use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint, unsupported};
use crate::expr::Row;
use crate::names;
use crate::relation::Relation;
use crate::scope::Scope;
use crate::typed::Typed;

/// Most elements of a list or set.
const LIST_MAX: i64 = 1_048_576;
/// Most elements of the lists and sets of old: `makelist`, `makeset`.
const OLD_LIST_MAX: i64 = 128;
/// The accuracy that counts of distinct values have if none is said, and the greatest.
const ACCURACY: i64 = 1;
const ACCURACY_MAX: i64 = 4;

impl Binder<'_> {
    /// An aggregate within an expression: its first column.
    pub(crate) fn aggregate<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        groups: &Groups<'_>,
    ) -> Result<Typed> {
        let mut outputs = self.aggregate_outputs(call, span, scope, groups)?;
        if outputs.is_empty() {
            return Err(error(Code::Arity, span, "the aggregate gives no column"));
        }
        Ok(outputs.swap_remove(0).value)
    }

    /// The number of rows of each group.
    pub(crate) fn count_rows(&mut self, groups: &Groups<'_>, span: Span) -> Typed {
        let mut compute = Compute {
            binder: self,
            groups,
            filter: None,
            span,
        };
        compute.count()
    }

    /// The sum of a number over the rows of each group.
    pub(crate) fn sum_rows(
        &mut self,
        value: Typed,
        groups: &Groups<'_>,
        span: Span,
    ) -> Result<Typed> {
        let mut compute = Compute {
            binder: self,
            groups,
            filter: None,
            span,
        };
        compute.sum(value)
    }

    /// The columns of an aggregate.
    pub(crate) fn aggregate_outputs<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        groups: &Groups<'_>,
    ) -> Result<Vec<AggregateOutput>> {
        let input = groups.input;
        let row = Row::of(input);
        let name = call.name.text.as_str();
        match name {
            "arg_max" | "argmax" => return self.arg_extreme(call, span, scope, groups, true),
            "arg_min" | "argmin" => return self.arg_extreme(call, span, scope, groups, false),
            "take_any" | "any" | "take_anyif" | "anyif" => {
                return self.take_any(call, span, scope, groups);
            }
            _ => {}
        }
        if name == "count"
            && call
                .args
                .iter()
                .any(|arg| matches!(arg.expr.kind, ExprKind::Star))
        {
            return Err(error_with_hint(
                Code::Semantic,
                span,
                "`count(*)` is SQL",
                "KQL writes `count()`",
            ));
        }
        let mut args: Vec<Spanned> = Vec::with_capacity(call.args.len());
        for arg in call.exprs() {
            args.push((self.scalar(arg, scope, row)?, arg.span));
        }
        if name.starts_with("percentile") {
            return self.percentiles(call, args, span, groups);
        }
        let value = self.plain_aggregate(call, args, span, groups)?;
        let name = names::implicit(&ast::Expr {
            kind: ExprKind::Call(call.clone()),
            span,
        });
        Ok(vec![AggregateOutput { name, value }])
    }

    fn plain_aggregate(
        &mut self,
        call: &Call,
        mut args: Vec<Spanned>,
        span: Span,
        groups: &Groups<'_>,
    ) -> Result<Typed> {
        let name = call.name.text.as_str();
        let (base, filter) = self.condition(name, &mut args, span)?;
        let mut compute = Compute {
            binder: self,
            groups,
            filter,
            span,
        };
        let result = match base {
            "count" | "cnt" if args.len() > 1 => {
                return Err(error(Code::Arity, span, "`count` takes no arguments"));
            }
            "count" | "cnt" => {
                // Of old, `count` takes the predicate of `countif`; of other values it counts all,
                // nulls among them.
                if name == "count" && !args.is_empty() {
                    let (value, _) = args.remove(0);
                    compute.filter = (value.ty == Type::Bool).then_some(value.expr);
                }
                compute.count()
            }
            _ if args.is_empty() => {
                return Err(error(Code::Arity, span, format!("`{name}` takes a value")));
            }
            _ => {
                let value = args.remove(0).0;
                compute.of_value(base, value, &mut args)?
            }
        };
        if let Some((_, extra)) = args.first() {
            return Err(error(
                Code::Arity,
                *extra,
                format!("`{name}` takes no further arguments"),
            ));
        }
        Ok(result)
    }

    /// What an `…if` aggregate is without its predicate, which is taken from the arguments: it stands
    /// after the values.
    fn condition<'n>(
        &mut self,
        name: &'n str,
        args: &mut Vec<Spanned>,
        span: Span,
    ) -> Result<(&'n str, Option<Expr>)> {
        let at = match name {
            "countif" => 0,
            "sumif" | "avgif" | "minif" | "maxif" | "stdevif" | "varianceif" | "variancepif"
            | "dcountif" | "count_distinctif" | "hll_if" | "make_list_if" | "make_set_if"
            | "make_bag_if" => 1,
            "covarianceif" | "covariancepif" => 2,
            _ => return Ok((name, None)),
        };
        if args.len() <= at {
            return Err(error(
                Code::Arity,
                span,
                format!("`{name}` takes a value and a predicate"),
            ));
        }
        let (predicate, at) = args.remove(at);
        let predicate = match predicate.ty {
            Type::Bool => predicate,
            Type::Dynamic => self.convert(predicate, Type::Bool, at)?,
            ty => {
                return Err(error(
                    Code::Type,
                    at,
                    format!("expected a bool, found a {ty}"),
                ));
            }
        };
        let base = name.trim_end_matches("if").trim_end_matches('_');
        Ok((base, Some(predicate.expr)))
    }

    /// `arg_max(key, values…)`, `arg_max(key, *)`.
    fn arg_extreme<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        groups: &Groups<'_>,
        largest: bool,
    ) -> Result<Vec<AggregateOutput>> {
        let input = groups.input;
        let Some((key, values)) = call.args.split_first() else {
            return Err(error(
                Code::Arity,
                span,
                format!("`{}` takes a key and values", call.name.text),
            ));
        };
        let key_value = self.scalar(&key.expr, scope, Row::of(input))?;
        if !is_ordered(key_value.ty) {
            let hint = "convert it, with `tolong(…)` for example";
            let message = format!("a {} has no order", key_value.ty);
            return Err(error_with_hint(Code::Type, key.expr.span, message, hint));
        }
        let key_name = argument_name(key)?;
        let extreme = if largest { "max" } else { "min" };
        let stem = key_name.as_deref().unwrap_or_default();
        // The aggregates of old name their columns after the extreme and the key.
        let is_old = !call.name.text.contains('_');
        let key_column = match &key_name {
            Some(name) if !is_old => name.clone(),
            _ => format!("{extreme}_{stem}"),
        };
        let mut columns = vec![(Some(key_column), key_value.clone())];
        for picked in self.picked_columns(values, scope, groups, Some(&key_value))? {
            let name = match picked.name {
                Some(name) if !is_old => name,
                Some(name) => format!("{extreme}_{stem}_{name}"),
                None => format!("{extreme}_{stem}_arg{}", picked.argument + 1),
            };
            columns.push((Some(name), picked.value));
        }
        let mut compute = Compute {
            binder: self,
            groups,
            filter: None,
            span,
        };
        let picked = compute.pick(
            Some((key_value, largest)),
            columns.iter().map(|(_, v)| v.clone()).collect(),
        )?;
        Ok(named(columns, picked))
    }

    /// `take_any(values…)`, `take_any(*)`, `take_anyif(value, predicate)`.
    fn take_any<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        groups: &Groups<'_>,
    ) -> Result<Vec<AggregateOutput>> {
        let name = call.name.text.as_str();
        let (args, filter) = if name.ends_with("if") {
            let Some((predicate, args)) = call.args.split_last() else {
                return Err(error(
                    Code::Arity,
                    span,
                    format!("`{name}` takes a value and a predicate"),
                ));
            };
            let input = groups.input;
            (
                args,
                Some(self.predicate(&predicate.expr, scope, Row::of(input))?),
            )
        } else {
            (&call.args[..], None)
        };
        if args.is_empty() {
            return Err(error(Code::Arity, span, format!("`{name}` takes a value")));
        }
        let picked = self.picked_columns(args, scope, groups, None)?;
        let is_single = picked.len() == 1;
        let columns = picked.into_iter().map(|picked| {
            let argument = picked.argument;
            let column = match (name, picked.name) {
                ("any" | "anyif", None) if is_single => Some(format!("{name}_")),
                ("any" | "anyif", None) => Some(format!("{name}_arg{argument}")),
                ("any" | "anyif", Some(own)) => Some(format!("{name}_{own}")),
                ("take_any", None) => Some(format!("any_arg{argument}")),
                (_, own) => own,
            };
            (column, picked.value)
        });
        let columns: Vec<(Option<String>, Typed)> = columns.collect();
        // Of a single column, a value is taken that is there rather than none.
        // https://learn.microsoft.com/kusto/query/take-any-aggregation-function
        let key = match columns.as_slice() {
            [(_, value)] => Some((is_there(value), true)),
            _ => None,
        };
        let mut compute = Compute {
            binder: self,
            groups,
            filter,
            span,
        };
        let picked = compute.pick(key, columns.iter().map(|(_, v)| v.clone()).collect())?;
        Ok(named(columns, picked))
    }

    /// Columns to pick. `*` stands for all that are neither groups nor given already, and beside it
    /// no column is given twice.
    fn picked_columns<'q>(
        &mut self,
        args: &'q [ast::NamedExpr],
        scope: &Scope<'q>,
        groups: &Groups<'_>,
        key: Option<&Typed>,
    ) -> Result<Vec<Picked>> {
        let input: &Relation = groups.input;
        let is_star = |arg: &ast::NamedExpr| matches!(arg.expr.kind, ExprKind::Star);
        let has_star = args.iter().any(is_star);
        let mut given: Vec<Expr> = groups.by.clone();
        given.extend(key.map(|key| key.expr.clone()));
        let mut columns = Vec::new();
        for (argument, arg) in args.iter().enumerate() {
            let values = if is_star(arg) {
                let all = input.visible();
                all.map(|column| (Some(column.name.clone()), column.value()))
                    .collect()
            } else {
                let value = self.scalar(&arg.expr, scope, Row::of(input))?;
                vec![(argument_name(arg)?, value)]
            };
            for (name, value) in values {
                if matches!(value.expr, Expr::Column(_)) {
                    if has_star && given.contains(&value.expr) {
                        continue;
                    }
                    given.push(value.expr.clone());
                }
                columns.push(Picked {
                    name,
                    argument,
                    value,
                });
            }
        }
        Ok(columns)
    }
}

impl Compute<'_, '_, '_> {
    /// An aggregate of a value; what else it takes is taken from the arguments.
    fn of_value(&mut self, name: &str, value: Typed, args: &mut Vec<Spanned>) -> Result<Typed> {
        let aggregates = aggregates();
        match name {
            "sum" => self.sum(value),
            "avg" => self.avg(value),
            "min" => self.extreme(value, false),
            "max" => self.extreme(value, true),
            "stdev" => self.spread(value, true, true),
            "stdevp" => self.spread(value, true, false),
            "variance" => self.spread(value, false, true),
            "variancep" => self.spread(value, false, false),
            "covariance" | "covariancep" => {
                let Some((other, _)) = (!args.is_empty()).then(|| args.remove(0)) else {
                    let message = format!("`{name}` takes two values");
                    return Err(error(Code::Arity, self.span, message));
                };
                self.covariance(value, other, name == "covariance")
            }
            "binary_all_and" | "binary_all_or" | "binary_all_xor" => self.bits(value, name),
            "dcount" => Ok(self.dcount(value, accuracy(args)?)),
            "hll" => Ok(self.hll(value, accuracy(args)?)),
            "hll_merge" => self.merged(value, &aggregates.hll_merge),
            "tdigest_merge" | "merge_tdigest" => self.merged(value, &aggregates.tdigest_merge),
            "tdigest" => {
                let weight = (!args.is_empty()).then(|| args.remove(0));
                self.tdigest(value, weight)
            }
            "count_distinct" => self.count_distinct(value),
            "make_list" | "makelist" | "make_list_with_nulls" => {
                let size = list_size(args, name == "makelist")?;
                self.make_list(value, size, name == "make_list_with_nulls")
            }
            "make_set" | "makeset" => {
                let size = list_size(args, name == "makeset")?;
                self.make_set(value, size)
            }
            "make_bag" | "make_dictionary" => {
                let size = list_size(args, false)?;
                self.make_bag(value, size)
            }
            "buildschema" => self.schema(value),
            _ => Err(unsupported(self.span, format!("the aggregate `{name}`"))),
        }
    }
}

/// A column that `arg_max` and the like pick.
struct Picked {
    name: Option<String>,
    /// Which of the arguments to pick it is.
    argument: usize,
    value: Typed,
}

/// The name that an argument gives its column: the one that is said, or its own.
fn argument_name(arg: &ast::NamedExpr) -> Result<Option<String>> {
    match &arg.names {
        ast::Names::None => Ok(names::implicit(&arg.expr)),
        ast::Names::One(name) => Ok(Some(name.text.clone())),
        ast::Names::Many(_) => Err(error(
            Code::Semantic,
            arg.span(),
            "an argument has one name",
        )),
    }
}

/// Whether a value is neither null nor empty.
fn is_there(value: &Typed) -> Typed {
    let expr = value.expr.clone();
    let expr = match value.ty {
        Type::String => expr.not_eq(Typed::string("").expr),
        _ => expr.is_not_null(),
    };
    Typed::new(expr, Type::Bool)
}

fn named(columns: Vec<(Option<String>, Typed)>, values: Vec<Typed>) -> Vec<AggregateOutput> {
    let names = columns.into_iter().map(|(name, _)| name);
    names
        .zip(values)
        .map(|(name, value)| AggregateOutput { name, value })
        .collect()
}

/// The accuracy of `dcount()` and `hll()`, if it is said.
fn accuracy(args: &mut Vec<Spanned>) -> Result<i64> {
    if args.is_empty() {
        return Ok(ACCURACY);
    }
    let (accuracy, at) = args.remove(0);
    let accuracy = accuracy.constant_long(at, 0)?;
    if accuracy > ACCURACY_MAX {
        let message = "the accuracy is a number from 0 to 4";
        return Err(error(Code::Constant, at, message));
    }
    Ok(accuracy)
}

/// The size that bounds a list, if it is said.
fn list_size(args: &mut Vec<Spanned>, old: bool) -> Result<i64> {
    let most = if old { OLD_LIST_MAX } else { LIST_MAX };
    if args.is_empty() {
        return Ok(most);
    }
    let (size, at) = args.remove(0);
    let size = size.constant_long(at, 0)?;
    Ok(size.min(LIST_MAX))
}
