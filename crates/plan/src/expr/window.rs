//! Window functions: calls that read other rows.

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, lit};
use functions::window::windows;
use kql::ast::Call;
use kql::{Code, Span, Type};

use super::call::expect_args;
use super::{Mode, Row};
use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint};
use crate::relation::Relation;
use crate::scope::Scope;
use crate::typed::Typed;

/// The window functions.
pub(crate) const NAMES: &[&str] = &[
    "next",
    "prev",
    "row_cumsum",
    "row_number",
    "row_rank_dense",
    "row_rank_min",
    "row_window_session",
];

impl Binder<'_> {
    /// The value of a window function; `None` if the call is none.
    pub(super) fn window<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Option<Typed>> {
        let name = call.name.text.as_str();
        if !NAMES.contains(&name) {
            return Ok(None);
        }
        let rows = serialized_rows(name, span, row)?;
        Ok(Some(match name {
            "row_number" => self.row_number(call, span, scope, rows)?,
            "row_cumsum" => self.row_cumsum(call, span, scope, rows)?,
            "row_rank_dense" | "row_rank_min" => self.row_rank(call, span, scope, rows)?,
            "row_window_session" => self.row_window_session(call, span, scope, rows)?,
            _ => self.neighbor(call, span, scope, rows)?,
        }))
    }

    fn row_number<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        rows: &Relation,
    ) -> Result<Typed> {
        expect_args(call, span, 0..=2)?;
        let start = match call.args.first() {
            Some(arg) => {
                let start = self.scalar(&arg.expr, scope, Row::NONE)?;
                start.constant_long(arg.expr.span, i64::MIN)?
            }
            None => 1,
        };
        let args = vec![lit(start), self.restart(call, 1, scope, rows)?];
        let number = rows.window(&windows().row_number, args, span)?;
        Ok(Typed::new(number, Type::Long))
    }

    fn row_cumsum<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        rows: &Relation,
    ) -> Result<Typed> {
        expect_args(call, span, 1..=2)?;
        let term = self.scalar(&call.args[0].expr, scope, Row::of(rows))?;
        if !term.ty.is_numeric() {
            let at = call.args[0].expr.span;
            let message = format!("`row_cumsum` takes a number, found a {}", term.ty);
            let hint = "convert it, with `tolong(…)` or `toreal(…)`";
            return Err(error_with_hint(Code::Type, at, message, hint));
        }
        let args = vec![term.expr, self.restart(call, 1, scope, rows)?];
        let sum = rows.window(&windows().row_cumsum, args, span)?;
        Ok(Typed::new(sum, term.ty))
    }

    fn row_rank<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        rows: &Relation,
    ) -> Result<Typed> {
        expect_args(call, span, 1..=2)?;
        let term = self.scalar(&call.args[0].expr, scope, Row::of(rows))?;
        if term.ty == Type::Dynamic {
            let at = call.args[0].expr.span;
            let message = format!("`{}` takes no dynamic value", call.name.text);
            let hint = "convert it, with `tostring(…)` for example";
            return Err(error_with_hint(Code::Type, at, message, hint));
        }
        let args = vec![term.expr, self.restart(call, 1, scope, rows)?];
        let function = match call.name.text.as_str() {
            "row_rank_min" => &windows().row_rank_min,
            _ => &windows().row_rank_dense,
        };
        let rank = rows.window(function, args, span)?;
        Ok(Typed::new(rank, Type::Long))
    }

    fn row_window_session<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        rows: &Relation,
    ) -> Result<Typed> {
        expect_args(call, span, 3..=4)?;
        let mut args = Vec::with_capacity(4);
        for (arg, ty) in call
            .exprs()
            .zip([Type::Datetime, Type::Timespan, Type::Timespan])
        {
            let from = if ty == Type::Datetime {
                Row::of(rows)
            } else {
                Row::NONE
            };
            let value = self.scalar(arg, scope, from)?;
            let value = self.convert(value, ty, arg.span)?;
            if ty == Type::Timespan && value.may_be_null() {
                return Err(error(
                    Code::Constant,
                    arg.span,
                    "expected a constant timespan",
                ));
            }
            args.push(value.expr);
        }
        args.push(self.restart(call, 3, scope, rows)?);
        let began = rows.window(&windows().row_window_session, args, span)?;
        Ok(Typed::new(began, Type::Datetime))
    }

    /// `prev(value [, offset [, default]])`, `next(…)`.
    fn neighbor<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        rows: &Relation,
    ) -> Result<Typed> {
        expect_args(call, span, 1..=3)?;
        let args: Vec<_> = call.exprs().collect();
        let value = self.scalar(args[0], scope, Row::of(rows))?;
        let offset = match args.get(1) {
            Some(arg) => {
                let offset = self.scalar(arg, scope, Row::NONE)?;
                offset.constant_long(arg.span, 0)?
            }
            None => 1,
        };
        let default = match args.get(2) {
            Some(arg) => {
                let default = self.scalar(arg, scope, Row::NONE)?;
                let is_null = default.constant().is_some_and(ScalarValue::is_null);
                let default = match is_null {
                    true => Typed::null(value.ty),
                    false => self.convert(default, value.ty, arg.span)?,
                };
                if default.constant().is_none() {
                    return Err(error(
                        Code::Constant,
                        arg.span,
                        "the default must be a constant",
                    ));
                }
                default
            }
            None => Typed::null(value.ty),
        };
        let function = match call.name.text.as_str() {
            "prev" => &windows().prev,
            _ => &windows().next,
        };
        let args = vec![value.expr, lit(offset), default.expr];
        Ok(Typed::new(rows.window(function, args, span)?, value.ty))
    }

    /// The argument that says where counting begins anew; never, if it is left out.
    fn restart<'q>(
        &mut self,
        call: &'q Call,
        index: usize,
        scope: &Scope<'q>,
        rows: &Relation,
    ) -> Result<Expr> {
        match call.args.get(index) {
            Some(arg) => self.boolean(&arg.expr, scope, Row::of(rows), Mode::Value),
            None => Ok(lit(false)),
        }
    }
}

/// The rows that a window function reads.
///
/// <https://learn.microsoft.com/kusto/query/serialize-operator> tells which operators put rows in
/// an order that counts.
fn serialized_rows<'r>(name: &str, span: Span, row: Row<'r>) -> Result<&'r Relation> {
    match row.columns {
        Some(rows) if rows.serialized && row.groups.is_none() => Ok(rows),
        Some(_) if row.groups.is_none() => Err(error_with_hint(
            Code::Semantic,
            span,
            format!("`{name}` needs rows that are in order"),
            "put `sort by …` or `serialize` before it",
        )),
        _ => Err(error(
            Code::Semantic,
            span,
            format!("`{name}` can't stand here: it reads the rows around its own"),
        )),
    }
}
