//! `and` and `or`.

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, Operator, binary_expr, lit};
use kql::ast::LogicalOp;

/// Operands joined by `and` or `or` as a balanced tree, so that many do not nest deep.
pub(crate) fn balanced(op: LogicalOp, operands: Vec<Expr>) -> Expr {
    let operator = match op {
        LogicalOp::And => Operator::And,
        LogicalOp::Or => Operator::Or,
    };
    if let Some(value) = constant(op, &operands) {
        return lit(ScalarValue::Boolean(value));
    }
    let mut level = operands;
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(2));
        let mut items = level.into_iter();
        while let Some(left) = items.next() {
            next.push(match items.next() {
                Some(right) => binary_expr(left, operator, right),
                None => left,
            });
        }
        level = next;
    }
    level.pop().unwrap_or_else(|| lit(op == LogicalOp::And))
}

/// What constants joined by `and` or `or` are; `None` if some are no constants.
fn constant(op: LogicalOp, operands: &[Expr]) -> Option<Option<bool>> {
    let decides = op == LogicalOp::Or;
    operands.iter().try_fold(Some(!decides), |joined, operand| {
        let Expr::Literal(ScalarValue::Boolean(value), _) = operand else {
            return None;
        };
        Some(match (joined, *value) {
            (Some(joined), _) if joined == decides => Some(decides),
            (_, Some(value)) if value == decides => Some(decides),
            (None, _) | (_, None) => None,
            _ => Some(!decides),
        })
    })
}
