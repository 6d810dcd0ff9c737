//! Types of expressions, as far as they matter: a `string` has no null, and a sum of no timespans
//! is a timespan.

use kql::Type;
use kql::ast::{BinaryOp, Expr, ExprKind, Literal};

/// The type of an expression over some columns.
pub(super) fn type_of(expr: &Expr, columns: &[(String, Type)]) -> Type {
    let of = |expr: &Expr| type_of(expr, columns);
    match &expr.kind {
        ExprKind::Name(name) => {
            let column = columns.iter().find(|(known, _)| known == name);
            column.map_or(Type::Dynamic, |(_, ty)| *ty)
        }
        ExprKind::Literal(literal) => constant(literal),
        ExprKind::Unary(_, operand) => of(operand),
        ExprKind::Binary(op, left, right) => arithmetic(*op, of(left), of(right)),
        ExprKind::Logical(..) | ExprKind::Between(_) | ExprKind::Membership(_) => Type::Bool,
        ExprKind::Member(..) | ExprKind::Index(..) => Type::Dynamic,
        ExprKind::Call(call) => {
            let arg = |index: usize| {
                call.args
                    .get(index)
                    .map_or(Type::Dynamic, |arg| of(&arg.expr))
            };
            match call.name.text.as_str() {
                "strcat" | "tolower" | "toupper" | "reverse" | "substring" | "replace_string"
                | "extract" | "tostring" | "trim" => Type::String,
                "iff" | "case" => arg(1),
                "coalesce" | "min" | "max" | "minif" | "maxif" | "percentile" | "bin" | "sum"
                | "sumif" | "abs" | "round" => arg(0),
                "avg" | "avgif" if matches!(arg(0), Type::Timespan | Type::Decimal) => arg(0),
                "avg" | "avgif" | "toreal" | "sqrt" | "stdev" | "stdevp" | "variance"
                | "variancep" => Type::Real,
                "isnull" | "isnotnull" | "isempty" | "isnotempty" | "not" | "isnan" | "isinf"
                | "isfinite" => Type::Bool,
                "todatetime" | "startofday" | "startofweek" | "startofmonth" | "startofyear"
                | "endofday" | "endofmonth" => Type::Datetime,
                "toguid" => Type::Guid,
                "todecimal" => Type::Decimal,
                "split" | "pack_array" | "bag_pack" | "make_list" | "make_set" | "make_bag"
                | "make_list_if" | "make_set_if" => Type::Dynamic,
                _ => Type::Long,
            }
        }
        _ => Type::Dynamic,
    }
}

fn constant(literal: &Literal) -> Type {
    match literal {
        Literal::Bool(_) => Type::Bool,
        Literal::Int(_) => Type::Int,
        Literal::Long(_) => Type::Long,
        Literal::Real(_) => Type::Real,
        Literal::Decimal(_) => Type::Decimal,
        Literal::String(_) => Type::String,
        Literal::Datetime(_) => Type::Datetime,
        Literal::Timespan(_) => Type::Timespan,
        Literal::Guid(_) => Type::Guid,
        Literal::Dynamic(_) | Literal::Type(_) => Type::Dynamic,
    }
}

fn arithmetic(op: BinaryOp, left: Type, right: Type) -> Type {
    use BinaryOp as Op;
    if !matches!(
        op,
        Op::Add | Op::Subtract | Op::Multiply | Op::Divide | Op::Modulo
    ) {
        return Type::Bool;
    }
    match (left, right) {
        (Type::Datetime, Type::Datetime) => Type::Timespan,
        (Type::Datetime, _) | (_, Type::Datetime) => Type::Datetime,
        (Type::Timespan, Type::Timespan) if op == Op::Divide => Type::Real,
        (Type::Timespan, _) | (_, Type::Timespan) => Type::Timespan,
        (Type::Decimal, _) | (_, Type::Decimal) => Type::Decimal,
        (Type::Real, _) | (_, Type::Real) => Type::Real,
        _ => Type::Long,
    }
}

/// What a cell without a value holds.
pub(super) fn absent(ty: Type) -> super::Value {
    match ty {
        Type::String => super::Value::text(""),
        _ => super::Value::Null,
    }
}
