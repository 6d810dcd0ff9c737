//! The way from a tree to a bound query.

use datafusion_expr::LogicalPlan;
use kql::ast::{self, LetValue, Literal, ParameterKind, StatementKind};
use kql::{Code, Diagnostic, Span, Type};

use crate::context::{Answer, QueryContext};
use crate::error::{Result, Stop, error, unsupported};
use crate::expr::Row;
use crate::host::Host;
use crate::relation::{Fields, Relation};
use crate::scope::{Binding, Scope};
use crate::typed::Typed;
use crate::{CALLS_MAX, RELATIONS_MAX, SUBPLANS_MAX};

/// What binding gave.
#[derive(Debug)]
pub enum Bound {
    /// A query that can run.
    Query(BoundQuery),
    /// A plan that must run first; bind again with its rows after the answers had so far.
    Needs(Needs),
}

/// A query ready to run.
#[derive(Debug)]
pub struct BoundQuery {
    /// The plan; its fields are the columns below.
    pub plan: LogicalPlan,
    /// The columns of the result with their types.
    pub columns: Vec<(String, Type)>,
    /// Whether the order of the rows is part of the answer.
    pub ordered: bool,
    /// How the result is to be drawn.
    pub visualization: Option<Visualization>,
    /// What the query's author should know.
    pub warnings: Vec<Diagnostic>,
}

/// A subplan whose rows decide how the query is bound.
#[derive(Debug)]
pub struct Needs {
    /// The plan.
    pub plan: LogicalPlan,
    /// Whether an answer without the rows of a missing shard would change the meaning of the query,
    /// rather than leave rows out.
    pub exact: bool,
}

/// What `render` asked for: the chart and its properties, as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visualization {
    /// The chart, such as `timechart`.
    pub chart: String,
    /// Properties by name; several names are joined by commas.
    pub properties: Vec<(String, String)>,
}

/// Binds a query. `answers` holds the rows of the subplans that earlier calls asked for, in order.
///
/// # Errors
/// What is wrong with the query, and where.
pub fn bind(
    query: &ast::Query,
    host: &dyn Host,
    context: &QueryContext,
    answers: &[Answer],
) -> std::result::Result<Bound, Diagnostic> {
    let mut binder = Binder {
        host,
        context,
        answers,
        asked: 0,
        calls: 0,
        relations: 0,
        tables: 0,
        warnings: Vec::new(),
        fields: Fields::default(),
    };
    match binder.query(query) {
        Ok(bound) => Ok(Bound::Query(bound)),
        Err(Stop::Needs(needs)) => Ok(Bound::Needs(*needs)),
        Err(Stop::Diagnostic(diagnostic)) => Err(*diagnostic),
    }
}

pub(crate) struct Binder<'a> {
    pub(crate) host: &'a dyn Host,
    pub(crate) context: &'a QueryContext,
    answers: &'a [Answer],
    /// How many subplans this pass has asked for.
    asked: usize,
    /// How many user functions are being bound, one inside another.
    calls: usize,
    /// How many relations this pass has read.
    relations: usize,
    /// How many tables are being bound whose rows make a value, one inside another.
    tables: usize,
    pub(crate) warnings: Vec<Diagnostic>,
    /// The names of fields that the query has used so far.
    pub(crate) fields: Fields,
}

/// A tabular expression statement, its place and what it may name.
type Last<'q> = (&'q ast::Pipeline, Span, Scope<'q>);

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
    fn query(&mut self, query: &ast::Query) -> Result<BoundQuery> {
        let (_, last) = self.statements(&query.statements, Scope::default())?;
        let Some((pipeline, span, scope)) = last else {
            let span = query
                .statements
                .last()
                .map_or(Span::default(), |statement| statement.span);
            return Err(error(
                Code::Semantic,
                span,
                "the query has no tabular expression",
            ));
        };
        let relation = self.pipeline(pipeline, &scope, None)?;
        let ordered = !relation.order.is_empty();
        let relation = relation.finish(span)?;
        Ok(BoundQuery {
            plan: relation.plan.as_ref().clone(),
            columns: relation
                .columns
                .iter()
                .map(|c| (c.name.clone(), c.ty))
                .collect(),
            ordered,
            visualization: relation.visualization,
            warnings: std::mem::take(&mut self.warnings),
        })
    }

    /// Takes in statements; gives the scope after them and the last tabular expression, with the
    /// scope that it stands in.
    fn statements<'q>(
        &mut self,
        statements: &'q [ast::Statement],
        mut scope: Scope<'q>,
    ) -> Result<(Scope<'q>, Option<Last<'q>>)> {
        let mut last = None;
        for statement in statements {
            match &statement.kind {
                StatementKind::Let(binding) => scope = self.let_statement(binding, &scope)?,
                StatementKind::Query(pipeline) => {
                    last = Some((pipeline, statement.span, scope.clone()));
                }
                // Options steer Kusto's engine; none changes what an answer means here.
                StatementKind::Set { .. } => {}
                StatementKind::QueryParameters(parameters) => {
                    scope = self.query_parameters(parameters, &scope)?;
                }
                StatementKind::Pattern(name) => {
                    return Err(unsupported(name.span, "`declare pattern`"));
                }
                StatementKind::Alias(name, _) => {
                    return Err(unsupported(name.span, "`alias database`"));
                }
                StatementKind::Restrict(_) => {
                    return Err(unsupported(statement.span, "`restrict access`"));
                }
            }
        }
        Ok((scope, last))
    }

    fn let_statement<'q>(&mut self, binding: &'q ast::Let, scope: &Scope<'q>) -> Result<Scope<'q>> {
        let name = &binding.name.text;
        let bound = match &binding.value {
            LetValue::Function(function) => Binding::Function(function, scope.clone()),
            LetValue::EntityGroup(_) => {
                return Err(unsupported(binding.name.span, "`entity_group`"));
            }
            LetValue::Expr(expr) if self.is_tabular(expr, scope) => {
                Binding::Tabular(expr, scope.clone())
            }
            LetValue::Expr(expr) => {
                let value = self.scalar(expr, scope, Row::NONE)?;
                self.bound_value(value)
            }
        };
        Ok(scope.with(name, bound))
    }

    /// Parameters of a query take their defaults: nothing passes them values yet.
    fn query_parameters<'q>(
        &mut self,
        parameters: &'q [ast::Parameter],
        scope: &Scope<'q>,
    ) -> Result<Scope<'q>> {
        let mut scope = scope.clone();
        for parameter in parameters {
            let ParameterKind::Scalar(ty, Some(default)) = &parameter.kind else {
                let message = format!("the query parameter `{}` has no value", parameter.name.text);
                return Err(error(Code::Semantic, parameter.name.span, message));
            };
            let value = self.default_value(*ty, default, parameter.name.span)?;
            scope = scope.with(&parameter.name.text, Binding::Scalar(value));
        }
        Ok(scope)
    }

    /// A literal as a value of a parameter's type.
    fn default_value(&mut self, ty: Type, literal: &Literal, span: Span) -> Result<Typed> {
        let value = crate::expr::literal(literal, span)?;
        self.convert(value, ty, span)
    }

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

    fn bound_value<'q>(&self, value: Typed) -> Binding<'q> {
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

    pub(crate) fn leave_function(&mut self) {
        self.calls -= 1;
    }

    /// Counts a relation, so that views that name each other twice don't grow without bound.
    pub(crate) fn count_relation(&mut self, span: Span) -> Result<()> {
        self.relations += 1;
        if self.relations > RELATIONS_MAX {
            let message = format!(
                "the query reads more than {RELATIONS_MAX} tables, views counted each time"
            );
            return Err(error(Code::Limit, span, message));
        }
        Ok(())
    }

    /// The rows of a subplan, or the wish for them.
    pub(crate) fn ask(&mut self, relation: Relation, exact: bool, span: Span) -> Result<Answer> {
        let index = self.asked;
        self.asked += 1;
        if let Some(answer) = self.answers.get(index) {
            return Ok(answer.clone());
        }
        if index >= SUBPLANS_MAX {
            let message =
                format!("the query needs more than {SUBPLANS_MAX} subqueries before it runs");
            return Err(error(Code::Limit, span, message));
        }
        let plan = relation.finish(span)?.plan.as_ref().clone();
        Err(Stop::Needs(Box::new(Needs { plan, exact })))
    }
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
