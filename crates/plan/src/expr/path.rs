//! `d.a`, `d["a"]`, `d[0]`: steps into a dynamic value.

use kql::ast::{self, ExprKind};
use kql::{Code, Type};

use super::Row;
use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint};
use crate::scope::Scope;
use crate::typed::Typed;

impl Binder<'_> {
    /// A path: all its steps go into one call, which skips through the document once.
    pub(super) fn path<'q>(
        &mut self,
        expr: &'q ast::Expr,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let mut steps: Vec<&'q ast::Expr> = Vec::new();
        let mut base = expr;
        while let ExprKind::Member(inner, _) | ExprKind::Index(inner, _) = &base.kind {
            steps.push(base);
            base = inner;
        }
        let sorted = match &base.kind {
            ExprKind::Call(call) if call.args.len() > 1 => {
                self.sorted(call, base.span, scope, row)?
            }
            _ => None,
        };
        let value = match sorted {
            Some(sorted) => sorted.value,
            None => self.scalar(base, scope, row)?,
        };
        if value.ty != Type::Dynamic {
            let message = format!("a {} has no members", value.ty);
            let at = steps.last().map_or(expr.span, |step| step.span);
            return Err(match value.ty {
                Type::String => error_with_hint(
                    Code::Type,
                    at,
                    message,
                    "if the string holds JSON, read it with `parse_json(…)`",
                ),
                _ => error(Code::Type, at, message),
            });
        }
        let mut args = vec![value];
        for step in steps.into_iter().rev() {
            args.push(match &step.kind {
                ExprKind::Member(_, name) => {
                    self.convert(Typed::string(&*name.text), Type::Dynamic, name.span)?
                }
                ExprKind::Index(_, index) => self.index(index, scope, row)?,
                _ => continue,
            });
        }
        self.invoke("__path", args, expr.span)
    }

    fn index<'q>(
        &mut self,
        index: &'q ast::Expr,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let value = self.scalar(index, scope, row)?;
        match value.ty {
            Type::String | Type::Int | Type::Long | Type::Dynamic => {
                self.convert(value, Type::Dynamic, index.span)
            }
            ty => Err(error(
                Code::Type,
                index.span,
                format!("an index is a long or a string, not a {ty}"),
            )),
        }
    }
}
