//! What expressions mean for one row.

use std::cmp::Ordering;

use kql::Type;
use kql::ast::{BinaryOp, Expr, ExprKind, Literal, LogicalOp, Membership, MembershipOp, UnaryOp};
use kql::value::Json as Written;
use serde_json::Value as Json;

use super::{Known, Scope, Value, text, unknown};

/// A row: its columns and their cells.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) columns: &'a [(String, Type)],
    pub(super) cells: &'a [Value],
}

impl<'q> Scope<'q> {
    /// The value of an expression for a row.
    pub(super) fn value(&self, expr: &'q Expr, row: Row<'_>) -> Known<Value> {
        match &expr.kind {
            ExprKind::Literal(constant) => literal(constant),
            ExprKind::Name(name) => match row.columns.iter().position(|(known, _)| known == name) {
                Some(position) => Ok(row.cells[position].clone()),
                None => unknown(format!("the name {name}")),
            },
            ExprKind::Unary(op, operand) => {
                let value = self.value(operand, row)?;
                match op {
                    UnaryOp::Plus => Ok(value),
                    UnaryOp::Minus => negated(&value),
                }
            }
            ExprKind::Binary(op, left, right) => {
                binary(*op, &self.value(left, row)?, &self.value(right, row)?)
            }
            ExprKind::Logical(op, operands) => {
                let values = operands.iter().map(|operand| self.truth(operand, row));
                let values = values.collect::<Known<Vec<_>>>()?;
                Ok(of_truth(match op {
                    LogicalOp::And => all(&values),
                    LogicalOp::Or => any(&values),
                }))
            }
            ExprKind::Between(between) => {
                let value = self.value(&between.value, row)?;
                let low = compared(
                    BinaryOp::GreaterOrEqual,
                    &value,
                    &self.value(&between.low, row)?,
                )?;
                let high = compared(
                    BinaryOp::LessOrEqual,
                    &value,
                    &self.value(&between.high, row)?,
                )?;
                let within = all(&[low, high]);
                Ok(of_truth(if between.negated {
                    within.map(|w| !w)
                } else {
                    within
                }))
            }
            ExprKind::Membership(membership) => self.membership(membership, row),
            ExprKind::Call(call) => self.call(call, row),
            ExprKind::Member(base, name) => match self.value(base, row)? {
                Value::Dynamic(Json::Object(mut bag)) => {
                    Ok(Value::json(bag.remove(&name.text).unwrap_or(Json::Null)))
                }
                Value::Dynamic(_) | Value::Null => Ok(Value::Null),
                _ => unknown("a member of a scalar"),
            },
            ExprKind::Index(base, index) => {
                element(&self.value(base, row)?, &self.value(index, row)?)
            }
            _ => unknown("an expression"),
        }
    }

    /// The value of a predicate.
    pub(super) fn truth(&self, expr: &'q Expr, row: Row<'_>) -> Known<Option<bool>> {
        match self.value(expr, row)? {
            Value::Bool(value) => Ok(Some(value)),
            Value::Null => Ok(None),
            _ => unknown("a predicate that is no bool"),
        }
    }

    fn membership(&self, membership: &'q Membership, row: Row<'_>) -> Known<Value> {
        let value = self.value(&membership.value, row)?;
        let mut items = Vec::new();
        for item in &membership.items {
            match &item.kind {
                ExprKind::Pipeline(_) => items.extend(self.first_column(item)?),
                _ => items.push(self.value(item, row)?),
            }
        }
        if value.is_null() && items.iter().any(Value::is_null) {
            return unknown("null among values that hold null");
        }
        let test = |op: BinaryOp| -> Known<Vec<Option<bool>>> {
            let tested = items
                .iter()
                .map(|item| truth_of(&binary(op, &value, item)?));
            tested.collect()
        };
        let not = |found: Option<bool>| found.map(|found| !found);
        Ok(of_truth(match membership.op {
            MembershipOp::In => any(&test(BinaryOp::Equal)?),
            MembershipOp::NotIn => not(any(&test(BinaryOp::Equal)?)),
            MembershipOp::InTilde => any(&test(BinaryOp::EqualTilde)?),
            MembershipOp::NotInTilde => not(any(&test(BinaryOp::EqualTilde)?)),
            MembershipOp::HasAny => any(&test(BinaryOp::Has)?),
            MembershipOp::HasAll => all(&test(BinaryOp::Has)?),
        }))
    }

    /// The values of a table's first column.
    pub(super) fn first_column(&self, expr: &'q Expr) -> Known<Vec<Value>> {
        let table = self.table(expr)?;
        if table.open {
            return unknown("which rows are taken");
        }
        Ok(table
            .rows
            .into_iter()
            .map(|mut row| row.swap_remove(0))
            .collect())
    }
}

fn literal(constant: &Literal) -> Known<Value> {
    let some = |value: Option<Value>| value.unwrap_or(Value::Null);
    Ok(match constant {
        Literal::Bool(value) => some(value.map(Value::Bool)),
        Literal::Int(value) => some(value.map(Value::Int)),
        Literal::Long(value) => some(value.map(Value::Long)),
        Literal::Real(value) => some(value.map(Value::Real)),
        Literal::String(value) => Value::text(value.as_str()),
        Literal::Datetime(value) => some(value.map(Value::Datetime)),
        Literal::Timespan(value) => some(value.map(Value::Timespan)),
        Literal::Guid(value) => some(value.clone().map(Value::Guid)),
        Literal::Dynamic(value) => Value::json(json(value)),
        Literal::Decimal(Some(text)) => match decimal(text) {
            Some(value) => Value::Decimal(value),
            None => return unknown("a long decimal"),
        },
        Literal::Decimal(None) => Value::Null,
        Literal::Type(_) => return unknown("typeof"),
    })
}

fn json(written: &Written) -> Json {
    match written {
        Written::Null => Json::Null,
        Written::Bool(value) => Json::from(*value),
        Written::Long(value) => Json::from(*value),
        Written::Real(value) => Json::from(*value),
        Written::String(value) => Json::from(value.as_str()),
        Written::Array(values) => values.iter().map(json).collect(),
        Written::Object(members) => Json::Object(
            members
                .iter()
                .map(|(key, value)| (key.clone(), json(value)))
                .collect(),
        ),
    }
}

fn decimal(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction:0<18}");
    (fraction.len() <= 18)
        .then(|| digits.parse().ok())
        .flatten()
}

fn negated(value: &Value) -> Known<Value> {
    Ok(match value {
        Value::Null => Value::Null,
        Value::Real(value) => Value::Real(-value),
        Value::Timespan(ticks) => Value::Timespan(-ticks),
        Value::Decimal(value) => Value::Decimal(-value),
        other => match other.whole() {
            Some(value) => Value::Long(value.wrapping_neg()),
            None => return unknown("the negative of that"),
        },
    })
}

/// A binary operator; all but equality give null if a side is null.
fn binary(op: BinaryOp, left: &Value, right: &Value) -> Known<Value> {
    use BinaryOp as Op;
    match op {
        Op::Equal
        | Op::NotEqual
        | Op::Less
        | Op::LessOrEqual
        | Op::Greater
        | Op::GreaterOrEqual => Ok(of_truth(compared(op, left, right)?)),
        Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo => {
            arithmetic(op, left, right)
        }
        _ => match (left, right) {
            (Value::String(left), Value::String(right)) => match text::operate(op, left, right) {
                Some(found) => Ok(Value::Bool(found?)),
                None => unknown(op.as_str()),
            },
            _ => unknown("a string operator on another type"),
        },
    }
}

/// <https://learn.microsoft.com/kusto/query/scalar-data-types/null-values>
pub(super) fn compared(op: BinaryOp, left: &Value, right: &Value) -> Known<Option<bool>> {
    use BinaryOp as Op;
    if left.is_null() || right.is_null() {
        let both = left.is_null() && right.is_null();
        return Ok(match op {
            Op::Equal if !both => Some(false),
            Op::NotEqual if !both => Some(true),
            _ => None,
        });
    }
    if matches!(left, Value::Dynamic(_)) || matches!(right, Value::Dynamic(_)) {
        return unknown("a comparison of dynamic values");
    }
    let order = left.compare(right);
    Ok(Some(match op {
        Op::Equal => order == Some(Ordering::Equal),
        Op::NotEqual => order != Some(Ordering::Equal),
        Op::Less => order == Some(Ordering::Less),
        Op::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Op::Greater => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }))
}

fn arithmetic(op: BinaryOp, left: &Value, right: &Value) -> Known<Value> {
    use BinaryOp as Op;
    use Value::{Datetime, Decimal, Null, Real, Timespan};
    Ok(match (op, left, right) {
        (_, Null, _) | (_, _, Null) => Null,
        (Op::Subtract, Datetime(a), Datetime(b)) => Timespan(a - b),
        (Op::Add, Datetime(a), Timespan(b)) => Datetime(a + b),
        (Op::Subtract, Datetime(a), Timespan(b)) => Datetime(a - b),
        (Op::Add, Timespan(a), Timespan(b)) => Timespan(a + b),
        (Op::Subtract, Timespan(a), Timespan(b)) => Timespan(a - b),
        (Op::Divide, Timespan(a), Timespan(b)) => Real(*a as f64 / *b as f64),
        (Op::Multiply, Timespan(a), b) => match b.whole() {
            Some(b) => Timespan(a * b),
            None => return unknown("a timespan by a real"),
        },
        (Op::Add, Decimal(a), Decimal(b)) => Decimal(a + b),
        (Op::Subtract, Decimal(a), Decimal(b)) => Decimal(a - b),
        (op, a, b) => match (a.whole(), b.whole(), a.number(), b.number()) {
            (Some(a), Some(b), ..) => whole(op, a, b),
            (_, _, Some(a), Some(b)) => match op {
                Op::Add => Real(a + b),
                Op::Subtract => Real(a - b),
                Op::Multiply => Real(a * b),
                Op::Divide => Real(a / b),
                _ => return unknown("the remainder of reals"),
            },
            _ => return unknown("arithmetic on other types"),
        },
    })
}

/// Whole numbers wrap; dividing by zero gives null, and a remainder is not negative.
fn whole(op: BinaryOp, a: i64, b: i64) -> Value {
    match op {
        BinaryOp::Add => Value::Long(a.wrapping_add(b)),
        BinaryOp::Subtract => Value::Long(a.wrapping_sub(b)),
        BinaryOp::Multiply => Value::Long(a.wrapping_mul(b)),
        _ if b == 0 => Value::Null,
        BinaryOp::Divide => Value::Long(a.wrapping_div(b)),
        _ => Value::Long(a.wrapping_rem_euclid(b)),
    }
}

fn element(base: &Value, index: &Value) -> Known<Value> {
    match (base, index.whole()) {
        (Value::Null, _) => Ok(Value::Null),
        (Value::Dynamic(Json::Array(values)), Some(index)) => {
            let length = values.len() as i64;
            let index = if index < 0 { index + length } else { index };
            let found = usize::try_from(index)
                .ok()
                .and_then(|index| values.get(index));
            Ok(Value::json(found.cloned().unwrap_or(Json::Null)))
        }
        (Value::Dynamic(_), Some(_)) => Ok(Value::Null),
        _ => unknown("an index"),
    }
}

pub(super) fn truth_of(value: &Value) -> Known<Option<bool>> {
    match value {
        Value::Bool(value) => Ok(Some(*value)),
        Value::Null => Ok(None),
        _ => unknown("a predicate that is no bool"),
    }
}

pub(super) fn of_truth(truth: Option<bool>) -> Value {
    truth.map_or(Value::Null, Value::Bool)
}

/// `and`: false if one is false, else null if one is null.
fn all(values: &[Option<bool>]) -> Option<bool> {
    if values.contains(&Some(false)) {
        return Some(false);
    }
    (!values.contains(&None)).then_some(true)
}

/// `or`: true if one is true, else null if one is null.
fn any(values: &[Option<bool>]) -> Option<bool> {
    if values.contains(&Some(true)) {
        return Some(true);
    }
    (!values.contains(&None)).then_some(false)
}
