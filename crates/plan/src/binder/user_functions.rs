//! Functions of the query: what their parameters are bound to, and what their bodies see.

use kql::ast::{self, ParameterKind};
use kql::{Code, Diagnostic, Span};

use super::Binder;
use crate::CALLS_MAX;
use crate::error::{Result, Stop, error};
use crate::expr::Row;
use crate::relation::Relation;
use crate::scope::{Binding, Scope};
use crate::typed::Typed;

/// A call of a function of the query: without parentheses, it has no arguments.
#[derive(Clone, Copy)]
pub(crate) struct Callee<'c, 'q> {
    pub(crate) name: &'c str,
    pub(crate) span: Span,
    pub(crate) args: &'q [ast::NamedExpr],
}

impl<'q> Callee<'q, 'q> {
    pub(crate) fn of(call: &'q ast::Call) -> Self {
        Self {
            name: &call.name.text,
            span: call.name.span,
            args: &call.args,
        }
    }
}

impl<'c> Callee<'c, '_> {
    pub(crate) fn bare(name: &'c str, span: Span) -> Self {
        Self {
            name,
            span,
            args: &[],
        }
    }
}

impl Binder<'_> {
    /// Binds the arguments of a user function to its parameters and its statements after them.
    pub(crate) fn enter_function<'q>(
        &mut self,
        callee: Callee<'_, 'q>,
        function: &'q ast::Function,
        defined_in: &Scope<'q>,
        caller: &Scope<'q>,
        row: Row<'_>,
        piped: Option<Relation>,
    ) -> Result<Scope<'q>> {
        self.count_call(callee.span)?;
        let mut scope = defined_in.clone();
        let mut piped = piped;
        let args = arguments(callee, function, piped.is_some())?;
        for (parameter, arg) in function.parameters.iter().zip(args) {
            let binding = match (&parameter.kind, piped.take(), arg) {
                (ParameterKind::Scalar(..), Some(_), _) => {
                    let message = format!("`{}` takes no table", callee.name);
                    return Err(error(Code::Type, callee.span, message));
                }
                (_, Some(relation), _) => Binding::Relation(Box::new(relation)),
                (ParameterKind::Scalar(ty, _), None, Some(arg)) => {
                    let value = self.scalar(arg, caller, row)?;
                    let value = self.convert(value, *ty, arg.span)?;
                    self.bound_value(value)
                }
                (ParameterKind::Scalar(ty, Some(default)), None, None) => {
                    Binding::Scalar(self.default_value(*ty, default, callee.span)?)
                }
                (ParameterKind::AnyTable, None, Some(arg)) => {
                    Binding::Relation(Box::new(self.table_in_value(arg, caller)?))
                }
                (ParameterKind::Table(columns), None, Some(arg)) => {
                    let relation = self.table_in_value(arg, caller)?;
                    check_columns(&relation, columns, arg.span)?;
                    Binding::Relation(Box::new(relation))
                }
                (_, None, None) => return Err(missing_argument(callee, parameter)),
            };
            scope = scope.with(&parameter.name.text, binding);
        }
        let (scope, _) = self.statements(&function.statements, scope)?;
        Ok(scope)
    }

    pub(super) fn bound_value<'q>(&self, value: Typed) -> Binding<'q> {
        if value.expr.any_column_refs() {
            Binding::OfRow(value, self.tables)
        } else {
            Binding::Scalar(value)
        }
    }

    /// The value of a row's that a name was bound to where tables were `tables` deep.
    ///
    /// <https://learn.microsoft.com/kusto/query/functions/user-defined-functions#restrictions>
    pub(crate) fn value_of_row(
        &self,
        value: &Typed,
        tables: usize,
        name: &str,
        span: Span,
    ) -> Result<Typed> {
        if tables == self.tables {
            return Ok(value.clone());
        }
        let message = format!("`{name}` depends on a row and can't be used in a table within");
        Err(error(Code::Semantic, span, message))
    }

    /// Binds a table that stands in a value, whose rows are not those that the value is of.
    pub(crate) fn table_in_value<'q>(
        &mut self,
        expr: &'q ast::Expr,
        scope: &Scope<'q>,
    ) -> Result<Relation> {
        self.tables += 1;
        let relation = self.table_expr(expr, scope)?;
        self.tables -= 1;
        Ok(relation)
    }

    /// The rows of a view, which is named as a table is.
    pub(crate) fn view<'q>(
        &mut self,
        name: &str,
        view: &'q ast::Function,
        defined_in: &Scope<'q>,
        span: Span,
    ) -> Result<Relation> {
        self.count_call(span)?;
        let (scope, _) = self.statements(&view.statements, defined_in.clone())?;
        let mut relation = self.table_expr(&view.body, &scope)?;
        relation.name = Some(name.to_owned());
        self.leave_function();
        Ok(relation)
    }

    fn count_call(&mut self, span: Span) -> Result<()> {
        self.calls += 1;
        if self.calls > CALLS_MAX {
            let message = format!("functions call each other more than {CALLS_MAX} deep");
            return Err(error(Code::Limit, span, message));
        }
        Ok(())
    }

    pub(crate) fn leave_function(&mut self) {
        self.calls -= 1;
    }
}

/// Refuses parameters of one name, and one without a default after those with one.
pub(super) fn check_parameters(function: &ast::Function) -> Result<()> {
    let mut optional = false;
    for (index, parameter) in function.parameters.iter().enumerate() {
        let (name, span) = (&parameter.name.text, parameter.name.span);
        let before = &function.parameters[..index];
        if before.iter().any(|known| known.name.text == *name) {
            let message = format!("the parameter `{name}` is given twice");
            return Err(error(Code::Ambiguous, span, message));
        }
        let has_default = matches!(parameter.kind, ParameterKind::Scalar(_, Some(_)));
        if optional && !has_default {
            let message = format!("the parameter `{name}` stands after one with a default");
            return Err(error(Code::Syntax, span, message));
        }
        optional = has_default;
    }
    Ok(())
}

/// The argument of each parameter. Those without a name are in order; none stands after one with a
/// name that is out of it.
fn arguments<'q>(
    callee: Callee<'_, 'q>,
    function: &ast::Function,
    piped: bool,
) -> Result<Vec<Option<&'q ast::Expr>>> {
    let parameters = &function.parameters;
    let mut args = vec![None; parameters.len()];
    let mut disordered = false;
    for (next, arg) in (usize::from(piped)..).zip(callee.args) {
        let place = match &arg.names {
            ast::Names::One(name) => {
                let found = parameters.iter().position(|p| p.name.text == name.text);
                let found = found.ok_or_else(|| {
                    let names = parameters.iter().map(|p| p.name.text.as_str());
                    let message = format!("`{}` has no parameter `{}`", callee.name, name.text);
                    Diagnostic::error(Code::Semantic, name.span, message)
                        .with_hint_opt(kql::suggest::did_you_mean(&name.text, names))
                })?;
                disordered |= found != next;
                found
            }
            _ if disordered => {
                let message = "an argument without a name stands after one out of order";
                return Err(error(Code::Semantic, arg.expr.span, message));
            }
            _ => next,
        };
        let Some(slot) = args.get_mut(place) else {
            let message = format!(
                "`{}` takes at most {} arguments, found {}",
                callee.name,
                parameters.len(),
                callee.args.len() + usize::from(piped)
            );
            return Err(error(Code::Arity, callee.span, message));
        };
        if slot.replace(&arg.expr).is_some() || (piped && place == 0) {
            let name = &parameters[place].name.text;
            let message = format!("the parameter `{name}` is given twice");
            return Err(error(Code::Semantic, arg.span(), message));
        }
    }
    Ok(args)
}

/// Refuses names of arguments, which only the query's own functions have.
pub(crate) fn no_names(call: &ast::Call) -> Result<()> {
    for arg in &call.args {
        if !matches!(arg.names, ast::Names::None) {
            let message = format!("the arguments of `{}` have no names", call.name.text);
            return Err(error(Code::Semantic, arg.span(), message));
        }
    }
    Ok(())
}

fn missing_argument(callee: Callee<'_, '_>, parameter: &ast::Parameter) -> Stop {
    let message = format!(
        "`{}` needs a value for `{}`",
        callee.name, parameter.name.text
    );
    error(Code::Arity, callee.span, message)
}

fn check_columns(relation: &Relation, columns: &[ast::ColumnDecl], span: Span) -> Result<()> {
    for column in columns {
        let name = &column.name.text;
        match relation.column(name) {
            None => {
                return Err(error(
                    Code::Type,
                    span,
                    format!("the table lacks the column `{name}`"),
                ));
            }
            Some(found) if found.ty != column.ty => {
                let message = format!("the column `{name}` is a {}, not a {}", found.ty, column.ty);
                return Err(error(Code::Type, span, message));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
