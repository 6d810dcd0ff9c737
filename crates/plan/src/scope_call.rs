//! `workspace("…").Table` and the like: whose table is meant.

use kql::Code;
use kql::ast::{self, ExprKind, Literal};

use crate::error::{Result, error, unsupported};

/// Whether an expression names whose tables are meant, rather than a value.
pub(crate) fn is_scope_call(expr: &ast::Expr) -> bool {
    matches!(&expr.kind, ExprKind::Call(call)
        if matches!(call.name.text.as_str(), "workspace" | "app" | "resource" | "database" | "cluster"))
        || matches!(&expr.kind, ExprKind::MemberCall(base, _) if is_scope_call(base))
}

/// The workspace that `workspace("…")` names.
pub(crate) fn scope_name(expr: &ast::Expr) -> Result<Option<String>> {
    let ExprKind::Call(call) = &expr.kind else {
        return match is_scope_call(expr) {
            true => Err(unsupported(expr.span, "a table of another cluster")),
            false => Ok(None),
        };
    };
    match (call.name.text.as_str(), call.args.as_slice()) {
        ("workspace" | "resource", [arg]) => match &arg.expr.kind {
            ExprKind::Literal(Literal::String(name)) => Ok(Some(name.clone())),
            _ => Err(error(
                Code::Constant,
                arg.expr.span,
                "a workspace must be a literal string",
            )),
        },
        ("workspace" | "resource", _) => Err(error(
            Code::Arity,
            call.name.span,
            "`workspace` takes one name",
        )),
        (name @ ("app" | "database" | "cluster"), _) => {
            Err(unsupported(call.name.span, format!("`{name}()`")))
        }
        _ => Ok(None),
    }
}
