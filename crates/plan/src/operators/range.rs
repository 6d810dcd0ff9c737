use datafusion_common::ScalarValue;
use kql::ast;
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error};
use crate::expr::Row;
use crate::relation::Relation;
use crate::scope::Scope;
use crate::typed::Typed;

/// Most rows that `range` makes.
const ROWS_MAX: i128 = 10_000_000;

/// `range x from a to b step c`: equally spaced numbers, instants or timespans.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    range: &'q ast::Range,
    span: Span,
    scope: &Scope<'q>,
) -> Result<Relation> {
    let from = binder.scalar(&range.from, scope, Row::NONE)?;
    let to = binder.scalar(&range.to, scope, Row::NONE)?;
    let step = binder.scalar(&range.step, scope, Row::NONE)?;
    let ty = match (from.ty, to.ty, step.ty) {
        (Type::Datetime, Type::Datetime, Type::Timespan) => Type::Datetime,
        (Type::Timespan, Type::Timespan, Type::Timespan) => Type::Timespan,
        (a, b, c) if a.is_integer() && b.is_integer() && c.is_integer() => {
            if a == Type::Int && b == Type::Int && c == Type::Int {
                Type::Int
            } else {
                Type::Long
            }
        }
        (a, b, c) if a.is_numeric() && b.is_numeric() && c.is_numeric() => Type::Real,
        (a, b, c) => {
            let message = format!("`range` does not go from a {a} to a {b} by a {c}");
            return Err(error(Code::Type, span, message));
        }
    };
    let cells = if ty == Type::Real {
        let bound = |binder: &mut Binder<'_>, value: Typed, at: Span| -> Result<f64> {
            match binder.convert(value, Type::Real, at)?.constant() {
                Some(ScalarValue::Float64(Some(value))) => Ok(*value),
                _ => Err(error(Code::Constant, at, "expected a constant number")),
            }
        };
        let from = bound(binder, from, range.from.span)?;
        let to = bound(binder, to, range.to.span)?;
        reals(from, to, bound(binder, step, range.step.span)?, span)?
    } else {
        let whole = |value: &Typed, at: Span| -> Result<i64> {
            match value.constant() {
                Some(
                    ScalarValue::Int64(Some(value)) | ScalarValue::DurationNanosecond(Some(value)),
                ) => Ok(*value),
                Some(ScalarValue::Int32(Some(value))) => Ok(i64::from(*value)),
                Some(ScalarValue::TimestampNanosecond(Some(value), _)) => Ok(*value),
                _ => Err(error(Code::Constant, at, "expected a constant")),
            }
        };
        let (from, to) = (whole(&from, range.from.span)?, whole(&to, range.to.span)?);
        wholes(from, to, whole(&step, range.step.span)?, ty, span)?
    };
    let rows = binder.values(vec![(range.name.text.clone(), ty, cells)], span)?;
    Ok(rows.serialized(true))
}

fn check_count(count: i128, span: Span) -> Result<()> {
    if count > ROWS_MAX {
        let message = format!("`range` would make {count} rows; the limit is {ROWS_MAX}");
        return Err(error(Code::Limit, span, message));
    }
    Ok(())
}

fn wholes(from: i64, to: i64, step: i64, ty: Type, span: Span) -> Result<Vec<ScalarValue>> {
    if step == 0 {
        return Err(error(
            Code::Constant,
            span,
            "the step of a `range` can't be 0",
        ));
    }
    let (from, to, step) = (i128::from(from), i128::from(to), i128::from(step));
    let distance = to - from;
    let count = if distance.signum() * step.signum() < 0 {
        0
    } else {
        distance / step + 1
    };
    check_count(count, span)?;
    Ok((0..count)
        .map(|index| {
            // Every value lies between two longs, so it is one.
            let value = (from + index * step) as i64;
            match ty {
                Type::Int => ScalarValue::Int32(Some(value as i32)),
                Type::Datetime => ScalarValue::TimestampNanosecond(Some(value), Some("UTC".into())),
                Type::Timespan => ScalarValue::DurationNanosecond(Some(value)),
                _ => ScalarValue::Int64(Some(value)),
            }
        })
        .collect())
}

fn reals(from: f64, to: f64, step: f64, span: Span) -> Result<Vec<ScalarValue>> {
    let count = ((to - from) / step).floor() + 1.0;
    if step == 0.0 || !count.is_finite() {
        return Err(error(Code::Constant, span, "the `range` has no end"));
    }
    check_count(count as i128, span)?;
    let count = count.max(0.0) as i64;
    Ok((0..count)
        .map(|index| ScalarValue::Float64(Some(from + index as f64 * step)))
        .collect())
}
