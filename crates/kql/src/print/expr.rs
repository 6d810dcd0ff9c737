//! Expressions, with no more parentheses than they need.

use super::Printer;
use crate::ast::{BinaryOp, Call, Expr, ExprKind, Literal, LogicalOp, NamedExpr, UnaryOp};
use crate::value::{Json, datetime, timespan};

/// How tightly a form binds; a form in a place that binds tighter needs parentheses.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Level {
    Or,
    And,
    Equality,
    Relational,
    Additive,
    Multiplicative,
    StringOperator,
    Signed,
    Path,
}

fn binary_level(op: BinaryOp) -> Level {
    match op {
        BinaryOp::Add | BinaryOp::Subtract => Level::Additive,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => Level::Multiplicative,
        BinaryOp::Equal | BinaryOp::NotEqual => Level::Equality,
        BinaryOp::Less | BinaryOp::LessOrEqual | BinaryOp::Greater | BinaryOp::GreaterOrEqual => {
            Level::Relational
        }
        _ => Level::StringOperator,
    }
}

/// The level that the right operand of a left-associative operator needs.
fn tighter(level: Level) -> Level {
    match level {
        Level::Or => Level::And,
        Level::And => Level::Equality,
        Level::Equality => Level::Relational,
        Level::Relational => Level::Additive,
        Level::Additive => Level::Multiplicative,
        Level::Multiplicative => Level::StringOperator,
        Level::StringOperator => Level::Signed,
        Level::Signed | Level::Path => Level::Path,
    }
}

fn level(expr: &Expr) -> Level {
    match &expr.kind {
        ExprKind::Logical(LogicalOp::Or, _) => Level::Or,
        ExprKind::Logical(LogicalOp::And, _) => Level::And,
        ExprKind::Between(_) | ExprKind::Membership(_) => Level::Equality,
        ExprKind::Binary(op, ..) => binary_level(*op),
        ExprKind::Unary(..) => Level::Signed,
        ExprKind::Literal(Literal::Long(Some(value))) if *value < 0 => Level::Signed,
        ExprKind::Literal(Literal::Real(Some(value)))
            if value.is_sign_negative() && value.is_finite() =>
        {
            Level::Signed
        }
        _ => Level::Path,
    }
}

impl Printer {
    pub(super) fn expr(&mut self, expr: &Expr) {
        self.at_level(expr, Level::Or);
    }

    fn at_level(&mut self, expr: &Expr, needed: Level) {
        if level(expr) < needed {
            self.word("(");
            self.bare(expr);
            self.word(")");
        } else {
            self.bare(expr);
        }
    }

    fn bare(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Literal(literal) => self.literal(literal),
            ExprKind::Name(name) => self.name(name, false),
            ExprKind::Star => self.word("*"),
            ExprKind::Unary(op, operand) => {
                self.word(match op {
                    UnaryOp::Minus => "-",
                    UnaryOp::Plus => "+",
                });
                self.at_level(operand, Level::Signed);
            }
            ExprKind::Binary(op, left, right) => {
                let level = binary_level(*op);
                let chains = matches!(level, Level::Additive | Level::Multiplicative);
                self.at_level(left, if chains { level } else { tighter(level) });
                self.word(" ");
                self.word(op.as_str());
                self.word(" ");
                self.at_level(right, tighter(level));
            }
            ExprKind::Logical(op, operands) => {
                let (word, level) = match op {
                    LogicalOp::And => (" and ", Level::And),
                    LogicalOp::Or => (" or ", Level::Or),
                };
                for (index, operand) in operands.iter().enumerate() {
                    if index > 0 {
                        self.word(word);
                    }
                    self.at_level(operand, tighter(level));
                }
            }
            ExprKind::Between(between) => {
                self.at_level(&between.value, Level::Relational);
                self.word(if between.negated {
                    " !between ("
                } else {
                    " between ("
                });
                self.at_level(&between.low, Level::Additive);
                self.word(" .. ");
                self.at_level(&between.high, Level::Additive);
                self.word(")");
            }
            ExprKind::Membership(membership) => {
                self.at_level(&membership.value, Level::Relational);
                self.word(" ");
                self.word(membership.op.as_str());
                self.word(" (");
                match membership.items.as_slice() {
                    [only] => self.tabular_or_scalar(only, " "),
                    items => self.list(items, Self::expr),
                }
                self.word(")");
            }
            ExprKind::Call(call) => self.call(call),
            ExprKind::Member(base, name) => {
                self.before_point(base);
                self.ident(name);
            }
            ExprKind::MemberCall(base, call) => {
                self.before_point(base);
                self.call(call);
            }
            ExprKind::Index(base, index) => {
                self.at_level(base, Level::Path);
                self.word("[");
                self.expr(index);
                self.word("]");
            }
            ExprKind::Pipeline(pipeline) => self.inline(pipeline),
            ExprKind::DataTable(table) => {
                self.word("datatable");
                self.schema(&table.columns);
                self.word(" [");
                self.list(&table.values, Self::expr);
                self.word("]");
            }
            ExprKind::ExternalData(data) => {
                self.word("externaldata");
                self.schema(&data.columns);
                self.word(" [");
                self.list(&data.uris, Self::expr);
                self.word("]");
                self.properties(&data.properties);
            }
        }
    }

    fn before_point(&mut self, base: &Expr) {
        // `1.x` would be a number and a unit.
        if let ExprKind::Literal(Literal::Long(Some(0..))) = &base.kind {
            self.word("(");
            self.bare(base);
            self.word(")");
        } else {
            self.at_level(base, Level::Path);
        }
        self.word(".");
    }

    pub(super) fn call(&mut self, call: &Call) {
        self.name(&call.name.text, true);
        self.word("(");
        match call.args.as_slice() {
            [only] => {
                self.names(&only.names);
                self.tabular_or_scalar(&only.expr, " ");
            }
            args => self.list(args, Self::named),
        }
        self.word(")");
    }

    pub(super) fn named(&mut self, named: &NamedExpr) {
        self.names(&named.names);
        self.expr(&named.expr);
    }

    pub(super) fn literal(&mut self, literal: &Literal) {
        let null = |value: bool, text: String| if value { "null".to_owned() } else { text };
        let (ty, text) = match literal {
            Literal::String(text) => return self.string(text),
            Literal::Bool(Some(value)) => return self.word(if *value { "true" } else { "false" }),
            Literal::Long(Some(value)) => return self.word(&value.to_string()),
            Literal::Real(Some(value)) if value.is_finite() => {
                return self.word(&format!("{value:?}"));
            }
            Literal::Dynamic(value) => {
                self.word("dynamic(");
                self.json(value);
                return self.word(")");
            }
            Literal::Bool(None) => ("bool", "null".to_owned()),
            Literal::Long(None) => ("long", "null".to_owned()),
            Literal::Int(value) => ("int", null(value.is_none(), value.unwrap_or(0).to_string())),
            Literal::Real(value) => ("real", value.map_or("null".into(), non_finite)),
            Literal::Decimal(value) => ("decimal", value.clone().unwrap_or_else(|| "null".into())),
            Literal::Datetime(value) => ("datetime", value.map_or("null".into(), datetime::format)),
            Literal::Timespan(value) => ("timespan", value.map_or("null".into(), timespan::format)),
            Literal::Guid(value) => ("guid", value.clone().unwrap_or_else(|| "null".into())),
            Literal::Type(ty) => ("typeof", ty.name().to_owned()),
        };
        self.word(ty);
        self.word("(");
        self.word(&text);
        self.word(")");
    }
}

impl Printer {
    /// A value inside `dynamic(…)`: JSON, and KQL for the numbers that JSON lacks.
    fn json(&mut self, value: &Json) {
        match value {
            Json::Real(value) if !value.is_finite() => {
                self.literal(&Literal::Real(Some(*value)));
            }
            Json::Array(values) => {
                self.word("[");
                self.list(values, Self::json);
                self.word("]");
            }
            Json::Object(members) => {
                self.word("{");
                self.list(members, |printer, (key, value)| {
                    printer.string(key);
                    printer.word(": ");
                    printer.json(value);
                });
                self.word("}");
            }
            plain => self.word(&plain.to_text()),
        }
    }
}

fn non_finite(value: f64) -> String {
    if value.is_nan() {
        "nan".into()
    } else if value > 0.0 {
        "+inf".into()
    } else {
        "-inf".into()
    }
}
