//! What `summarize` means.

use std::collections::HashMap;

use kql::Type;
use kql::ast::{BinaryOp, Call, Expr, ExprKind, Literal, NamedExpr, Names, Summarize};
use serde_json::{Map, Value as Json};

use super::expr::Row;
use super::operators::{key, name_of};
use super::types::{absent, type_of};
use super::{Known, Scope, Table, Value, unknown};

/// The rows of a group.
struct Group<'a> {
    columns: &'a [(String, Type)],
    rows: Vec<&'a Vec<Value>>,
}

impl<'q> Scope<'q> {
    /// A row for each group; without groups one row, even of nothing.
    pub(super) fn summarize(&self, input: Table, summarize: &'q Summarize) -> Known<Table> {
        if summarize.bin.is_some() {
            return unknown("summarize with a bin of old");
        }
        let by = summarize.by.as_deref().unwrap_or_default();
        let mut groups: Vec<(Vec<Value>, Group<'_>)> = Vec::new();
        let mut known: HashMap<Vec<String>, usize> = HashMap::new();
        let empty = || Group {
            columns: &input.columns,
            rows: Vec::new(),
        };
        if summarize.by.is_none() {
            known.insert(Vec::new(), 0);
            groups.push((Vec::new(), empty()));
        }
        for cells in &input.rows {
            let row = Row {
                columns: &input.columns,
                cells,
            };
            let values = by.iter().map(|column| self.value(&column.expr, row));
            let values = values.collect::<Known<Vec<_>>>()?;
            let index = *known.entry(key(&values)).or_insert_with(|| {
                groups.push((values, empty()));
                groups.len() - 1
            });
            groups[index].1.rows.push(cells);
        }
        let mut columns = Vec::new();
        for column in by {
            columns.push((name_of(column)?, type_of(&column.expr, &input.columns)));
        }
        for aggregate in &summarize.aggregates {
            columns.extend(names(aggregate, &input.columns)?);
        }
        let mut rows = Vec::with_capacity(groups.len());
        for (mut cells, group) in groups {
            for aggregate in &summarize.aggregates {
                cells.extend(self.outputs(&aggregate.expr, &group)?);
            }
            rows.push(cells);
        }
        Ok(Table::new(columns, rows))
    }

    fn outputs(&self, expr: &'q Expr, group: &Group<'_>) -> Known<Vec<Value>> {
        if let ExprKind::Call(call) = &expr.kind
            && call.name.text == "percentiles"
        {
            let none = Row {
                columns: &[],
                cells: &[],
            };
            let args: Vec<&Expr> = call.exprs().collect();
            let mut values = Vec::new();
            for cells in &group.rows {
                let columns = group.columns;
                values.push(self.value(args[0], Row { columns, cells })?);
            }
            let ranks = args[1..].iter().map(|rank| self.value(rank, none));
            return ranks
                .map(|rank| nearest_rank(values.clone(), &rank?))
                .collect();
        }
        if let ExprKind::Call(call) = &expr.kind
            && let base @ ("arg_max" | "arg_min") = call.name.text.as_str()
        {
            return self.picked(call, base == "arg_max", group);
        }
        Ok(vec![self.of_group(expr, group)?])
    }

    /// An expression over aggregates.
    fn of_group(&self, expr: &'q Expr, group: &Group<'_>) -> Known<Value> {
        let none = Row {
            columns: &[],
            cells: &[],
        };
        match &expr.kind {
            ExprKind::Call(call) => self.aggregate(call, group),
            ExprKind::Literal(Literal::Long(_) | Literal::Real(_)) => self.value(expr, none),
            ExprKind::Binary(op @ (BinaryOp::Multiply | BinaryOp::Divide), left, right) => {
                let values = [self.of_group(left, group)?, self.of_group(right, group)?];
                match (op, values[0].number(), values[1].number()) {
                    (BinaryOp::Multiply, Some(a), Some(b)) => Ok(Value::Real(a * b)),
                    (_, Some(a), Some(b)) => Ok(Value::Real(a / b)),
                    _ => unknown("arithmetic on aggregates"),
                }
            }
            _ => unknown("an expression over aggregates"),
        }
    }

    fn aggregate(&self, call: &'q Call, group: &Group<'_>) -> Known<Value> {
        let name = call.name.text.as_str();
        let args: Vec<&Expr> = call.exprs().collect();
        let (base, condition) = match name {
            "countif" => ("count", args.first().copied()),
            "make_list_if" => ("make_list", args.get(1).copied()),
            "make_set_if" => ("make_set", args.get(1).copied()),
            _ => match name.strip_suffix("if") {
                Some(base) => (base, args.get(1).copied()),
                None => (name, None),
            },
        };
        let mut values = Vec::new();
        for cells in &group.rows {
            let row = Row {
                columns: group.columns,
                cells,
            };
            if let Some(condition) = condition
                && self.truth(condition, row)? != Some(true)
            {
                continue;
            }
            values.push(match base {
                "count" => Value::Null,
                _ => self.value(args[0], row)?,
            });
        }
        if base == "count" {
            return Ok(Value::Long(values.len() as i64));
        }
        let ty = type_of(args[0], group.columns);
        if base == "percentile" {
            let none = Row {
                columns: &[],
                cells: &[],
            };
            let percentile = self.value(args[1], none)?;
            return nearest_rank(values, &percentile);
        }
        let dynamic = ty == Type::Dynamic;
        let base = match base {
            "make_list_with_nulls" => "make_list",
            _ if base == "make_list" && dynamic => base,
            _ => {
                values.retain(|value| !value.is_null());
                base
            }
        };
        fold(base, &values, ty)
    }

    /// The values of the row whose first argument is least or greatest.
    fn picked(&self, call: &'q Call, greatest: bool, group: &Group<'_>) -> Known<Vec<Value>> {
        let args: Vec<&Expr> = call.exprs().collect();
        let mut best: Option<Vec<Value>> = None;
        for cells in &group.rows {
            let row = Row {
                columns: group.columns,
                cells,
            };
            let values = args
                .iter()
                .map(|arg| self.value(arg, row))
                .collect::<Known<Vec<_>>>()?;
            let better = best.as_ref().is_none_or(|best| {
                let order = values[0].compare(&best[0]);
                order.is_some_and(|order| {
                    if greatest {
                        order.is_gt()
                    } else {
                        order.is_lt()
                    }
                })
            });
            if better {
                best = Some(values);
            }
        }
        let nothing = || {
            args.iter()
                .map(|arg| absent(type_of(arg, group.columns)))
                .collect()
        };
        Ok(best.unwrap_or_else(nothing))
    }
}

/// The columns of an aggregate.
fn names(aggregate: &NamedExpr, columns: &[(String, Type)]) -> Known<Vec<(String, Type)>> {
    if let (Names::None, ExprKind::Call(call)) = (&aggregate.names, &aggregate.expr.kind)
        && call.name.text == "percentiles"
    {
        let args: Vec<&Expr> = call.exprs().collect();
        let ExprKind::Name(of) = &args[0].kind else {
            return unknown("percentiles of an expression");
        };
        let name = |rank: &&Expr| match &rank.kind {
            ExprKind::Literal(Literal::Long(Some(rank))) => Ok(format!("percentile_{of}_{rank}")),
            _ => unknown("a percentile with a fraction"),
        };
        let ty = type_of(args[0], columns);
        return args[1..].iter().map(|rank| Ok((name(rank)?, ty))).collect();
    }
    let Names::Many(names) = &aggregate.names else {
        return Ok(vec![(
            name_of(aggregate)?,
            type_of(&aggregate.expr, columns),
        )]);
    };
    let ExprKind::Call(call) = &aggregate.expr.kind else {
        return unknown("several names");
    };
    let types = call.exprs().map(|arg| type_of(arg, columns));
    Ok(names
        .iter()
        .map(|name| name.text.clone())
        .zip(types)
        .collect())
}

/// An aggregate of values that are not null.
fn fold(base: &str, values: &[Value], ty: Type) -> Known<Value> {
    match base {
        "sum" => sum(values, ty),
        "avg" => average(values, ty),
        "min" | "max" => Ok(extreme(values, base == "max", ty)),
        "count_distinct" => {
            let mut cells: Vec<String> = values.iter().map(Value::cell).collect();
            cells.sort();
            cells.dedup();
            Ok(Value::Long(cells.len() as i64))
        }
        "stdev" | "stdevp" | "variance" | "variancep" => {
            let numbers: Option<Vec<f64>> = values.iter().map(Value::number).collect();
            match numbers {
                Some(numbers) => Ok(spread(base, &numbers)),
                None => unknown("the spread of other values"),
            }
        }
        "make_list" | "make_set" => {
            let Some(mut list) = values
                .iter()
                .map(Value::to_json)
                .collect::<Option<Vec<_>>>()
            else {
                return unknown("JSON of a real");
            };
            if base == "make_set" {
                list.sort_by_key(ToString::to_string);
                list.dedup();
            }
            Ok(Value::Dynamic(Json::Array(list)))
        }
        "make_bag" => {
            let mut bag = Map::new();
            for value in values {
                let Value::Dynamic(Json::Object(members)) = value else {
                    return unknown("a bag of other values");
                };
                bag.extend(members.clone());
            }
            Ok(Value::Dynamic(Json::Object(bag)))
        }
        _ => unknown(format!("the aggregate {base}")),
    }
}

fn sum(values: &[Value], ty: Type) -> Known<Value> {
    let wholes = || values.iter().map(Value::whole).collect::<Option<Vec<_>>>();
    let spans = || {
        let span = |value: &Value| match value {
            Value::Timespan(ticks) => Some(*ticks),
            _ => None,
        };
        values.iter().map(span).collect::<Option<Vec<_>>>()
    };
    let decimals = || {
        let decimal = |value: &Value| match value {
            Value::Decimal(value) => Some(*value),
            _ => None,
        };
        values.iter().map(decimal).collect::<Option<Vec<_>>>()
    };
    Ok(match ty {
        Type::Timespan => match spans() {
            Some(spans) => Value::Timespan(spans.iter().sum()),
            None => return unknown("a sum of other values"),
        },
        Type::Decimal => match decimals() {
            Some(decimals) => Value::Decimal(decimals.iter().sum()),
            None => return unknown("a sum of other values"),
        },
        Type::Real => Value::Real(values.iter().filter_map(Value::number).sum::<f64>() + 0.0),
        _ => match wholes() {
            Some(wholes) => Value::Long(wholes.iter().fold(0, |a: i64, b| a.wrapping_add(*b))),
            None => return unknown("a sum of other values"),
        },
    })
}

/// An average of nothing is not a number; of timespans and decimals it is null.
fn average(values: &[Value], ty: Type) -> Known<Value> {
    let count = values.len() as i64;
    let wide = values
        .iter()
        .filter_map(Value::whole)
        .map(i128::from)
        .sum::<i128>();
    if i64::try_from(wide).is_err() {
        return unknown("an average beyond longs");
    }
    Ok(match (sum(values, ty)?, count) {
        (Value::Timespan(_) | Value::Decimal(_), 0) => Value::Null,
        (Value::Timespan(total), count) => match total % count {
            0 => Value::Timespan(total / count),
            _ => return unknown("parts of a tick"),
        },
        (Value::Decimal(_), _) => return unknown("an average of decimals"),
        (total, count) => Value::Real(total.number().unwrap_or(f64::NAN) / count as f64),
    })
}

/// What is not a number is both least and greatest.
fn extreme(values: &[Value], greatest: bool, ty: Type) -> Value {
    let not_a_number = |value: &&Value| matches!(value, Value::Real(v) if v.is_nan());
    if let Some(value) = values.iter().find(not_a_number) {
        return value.clone();
    }
    let order = |a: &&Value, b: &&Value| a.compare(b).unwrap_or(std::cmp::Ordering::Equal);
    let found = if greatest {
        values.iter().max_by(order)
    } else {
        values.iter().min_by(order)
    };
    found.cloned().unwrap_or_else(|| absent(ty))
}

fn spread(base: &str, numbers: &[f64]) -> Value {
    let count = numbers.len() as f64;
    let mean = numbers.iter().sum::<f64>() / count;
    let squares: f64 = numbers
        .iter()
        .map(|number| (number - mean) * (number - mean))
        .sum();
    let sample = !base.ends_with('p');
    let variance = match numbers.len() {
        0 => f64::NAN,
        1 => 0.0,
        _ => squares / if sample { count - 1.0 } else { count },
    };
    Value::Real(if base.starts_with("stdev") {
        variance.sqrt()
    } else {
        variance
    })
}

/// The value at a rank, which of few values is exact.
///
/// <https://learn.microsoft.com/kusto/query/percentiles-aggregation-function>
fn nearest_rank(mut values: Vec<Value>, percentile: &Value) -> Known<Value> {
    values.retain(|value| !value.is_null());
    let Some(percentile) = percentile.number() else {
        return unknown("a percentile that is none");
    };
    if values.iter().any(|value| matches!(value, Value::Real(_))) {
        return unknown("a percentile of reals");
    }
    values.sort_by(|a, b| a.sort(b, true, true));
    let rank = (percentile / 100.0 * values.len() as f64).ceil().max(1.0) as usize;
    Ok(values.get(rank - 1).cloned().unwrap_or(Value::Null))
}
