//! Function calls: special forms, functions of the registry, and the query's own.

use std::sync::Arc;

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, ScalarUDF, Volatility, lit};
use functions::{Param, ScalarFunction, registry};
use kql::ast::{self, Call};
use kql::{Code, Diagnostic, Span, Type, suggest};

use super::{Row, columns, special, window};
use crate::aggregates;
use crate::binder::{Binder, Callee};
use crate::error::{At, Result, Stop, error, error_with_hint};
use crate::scope::{Binding, Scope};
use crate::typed::Typed;

impl Binder<'_> {
    /// Calls a function of the query whose body is a value. Only the arguments read the row: the body
    /// sees its parameters and what was in scope where it was defined.
    ///
    /// <https://learn.microsoft.com/kusto/query/functions/user-defined-functions>
    pub(super) fn call_function<'q>(
        &mut self,
        callee: Callee<'_, 'q>,
        function: &'q ast::Function,
        defined_in: &Scope<'q>,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let inner = self.enter_function(callee, function, defined_in, scope, row, None)?;
        let value = self.scalar(&function.body, &inner, Row::NONE)?;
        self.leave_function();
        Ok(value)
    }

    pub(super) fn call<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let name = call.name.text.as_str();
        if let Some(Binding::Function(function, defined_in)) = scope.get(name) {
            let (function, defined_in) = (*function, defined_in.clone());
            return self.call_function(Callee::of(call), function, &defined_in, scope, row);
        }
        crate::binder::no_names(call)?;
        if let Some(value) = self.special(call, span, scope, row)? {
            return Ok(value);
        }
        if let Some(value) = self.window(call, span, scope, row)? {
            return Ok(value);
        }
        if aggregates::is_aggregate_call(call) {
            return match row.groups {
                Some(groups) => self.aggregate(call, span, scope, groups),
                None => Err(error_with_hint(
                    Code::Aggregate,
                    span,
                    format!("`{name}` is an aggregate and can't stand here"),
                    "aggregates stand in `summarize`",
                )),
            };
        }
        let function = match registry::scalar(name) {
            Some(function) if !name.starts_with("__") => function,
            _ => return Err(self.unknown_function(call, scope)),
        };
        check_arity(function, call, span)?;
        if columns::gives_several(function) {
            return Err(error_with_hint(
                Code::Semantic,
                span,
                format!("`{name}` gives several columns and can't stand here"),
                "name them first, as in `extend (a, b) = …`",
            ));
        }
        let mut args = Vec::with_capacity(call.args.len());
        for arg in &call.args {
            args.push(self.scalar(&arg.expr, scope, row)?);
        }
        self.registered(function, args, span)
    }

    fn unknown_function(&self, call: &Call, scope: &Scope<'_>) -> Stop {
        let name = call.name.text.as_str();
        if let Some(what) = special::unsupported_function(name) {
            return crate::error::unsupported(call.name.span, what);
        }
        let bindings = scope.bindings();
        let known = registry::scalar_names()
            .filter(|name| !name.starts_with("__"))
            .chain(special::NAMES.iter().copied())
            .chain(window::NAMES.iter().copied())
            .chain(aggregates::names());
        let mut candidates: Vec<&str> = known.map(|name| -> &str { name }).collect();
        for (name, binding) in &bindings {
            if matches!(binding, Binding::Function(..)) {
                candidates.push(name);
            }
        }
        candidates.sort_unstable();
        let hint = suggest::did_you_mean(name, candidates);
        let message = format!("unknown function `{name}`");
        Diagnostic::error(Code::UnknownFunction, call.name.span, message)
            .with_hint_opt(hint)
            .into()
    }
}

pub(super) fn check_arity(function: &ScalarFunction, call: &Call, span: Span) -> Result<()> {
    let (least, most) = function.arity();
    let given = call.args.len();
    if given >= least && most.is_none_or(|most| given <= most) {
        return Ok(());
    }
    let expected = match most {
        Some(most) if most == least => format!("{least}"),
        Some(most) => format!("{least} to {most}"),
        None => format!("{least} or more"),
    };
    let plural = if expected == "1" {
        "argument"
    } else {
        "arguments"
    };
    let message = format!(
        "`{}` takes {expected} {plural}, found {given}",
        call.name.text
    );
    Err(error(Code::Arity, span, message))
}

/// A call of a function, evaluated here if all arguments are constant and it gives the same each time.
pub(super) fn evaluated(udf: &Arc<ScalarUDF>, args: Vec<Expr>, span: Span) -> Result<Expr> {
    let constants: Option<Vec<ScalarValue>> = args
        .iter()
        .map(|expr| match expr {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        })
        .collect();
    let volatile = udf.signature().volatility == Volatility::Volatile;
    Ok(match constants {
        Some(constants) if !volatile => lit(functions::fold(udf, &constants).at(span)?),
        _ => udf.call(args),
    })
}

/// The error for arguments that fit none of a function's forms.
pub(super) fn no_overload(function: &ScalarFunction, types: &[Type], span: Span) -> Stop {
    let list = |types: &mut dyn Iterator<Item = String>| types.collect::<Vec<_>>().join(", ");
    let found = list(&mut types.iter().map(ToString::to_string));
    let forms: Vec<String> = function
        .overloads
        .iter()
        .map(|overload| {
            let params = list(&mut overload.params.iter().map(|param| match param {
                Param::Is(ty) | Param::Const(ty) => ty.to_string(),
                Param::Text | Param::Json => "any".to_owned(),
            }));
            format!("({params}{})", if overload.variadic { ", …" } else { "" })
        })
        .collect();
    let shown = forms.len().min(6);
    let mut expected = forms[..shown].join(" or ");
    if forms.len() > shown {
        expected.push_str(" or …");
    }
    let name = function.name.trim_start_matches('_');
    let message = format!("`{name}` takes {expected}, found ({found})");
    error_with_hint(
        Code::Type,
        span,
        message,
        "convert the arguments, as with `tostring(…)` or `tolong(…)`",
    )
}

impl Binder<'_> {
    /// The arguments of a special form, bound.
    pub(super) fn bound_args<'q>(
        &mut self,
        call: &'q Call,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Vec<(Typed, Span)>> {
        call.exprs()
            .map(|arg: &ast::Expr| Ok((self.scalar(arg, scope, row)?, arg.span)))
            .collect()
    }
}

/// Refuses a number of arguments that a special form does not take.
pub(super) fn expect_args(
    call: &Call,
    span: Span,
    counts: std::ops::RangeInclusive<usize>,
) -> Result<()> {
    let given = call.args.len();
    if counts.contains(&given) {
        return Ok(());
    }
    let (least, most) = (counts.start(), counts.end());
    let expected = if least == most {
        least.to_string()
    } else {
        format!("{least} to {most}")
    };
    let message = format!(
        "`{}` takes {expected} arguments, found {given}",
        call.name.text
    );
    Err(error(Code::Arity, span, message))
}
