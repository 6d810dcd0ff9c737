//! The way from a tree to a bound query.

mod user_functions;

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
use crate::{RELATIONS_MAX, SUBPLANS_MAX};

pub(crate) use user_functions::{Callee, no_names};

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
        bin_size: None,
        bin_at: None,
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
    /// The size of the bins of `bin_auto()`, and where one of them begins.
    pub(crate) bin_size: Option<Typed>,
    pub(crate) bin_at: Option<Typed>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// The names of fields that the query has used so far.
    pub(crate) fields: Fields,
}

/// A tabular expression statement, its place and what it may name.
type Last<'q> = (&'q ast::Pipeline, Span, Scope<'q>);

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
                StatementKind::Set { name, value } => self.set(name, value.as_ref())?,
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

    /// Most options steer Kusto's engine; those that change what an answer is are not ignored.
    ///
    /// <https://learn.microsoft.com/kusto/api/rest/request-properties>
    fn set(&mut self, name: &ast::Name, value: Option<&Literal>) -> Result<()> {
        const CHANGING: &[&str] = &[
            "query_datetimescope_column",
            "query_datetimescope_from",
            "query_datetimescope_to",
            "query_now",
            "query_results_apply_getschema",
            "query_take_max_records",
            "validatepermissions",
        ];
        let option = name.text.as_str();
        if CHANGING.contains(&option) {
            return Err(unsupported(name.span, format!("`set {option}`")));
        }
        let bins = match option {
            "query_bin_auto_size" => &mut self.bin_size,
            "query_bin_auto_at" => &mut self.bin_at,
            _ => return Ok(()),
        };
        let Some(value) = value else {
            return Err(error(Code::Semantic, name.span, "the option needs a value"));
        };
        *bins = Some(crate::expr::literal(value, name.span)?);
        Ok(())
    }

    fn let_statement<'q>(&mut self, binding: &'q ast::Let, scope: &Scope<'q>) -> Result<Scope<'q>> {
        let name = &binding.name.text;
        let bound = match &binding.value {
            LetValue::Function(function) => {
                user_functions::check_parameters(function)?;
                Binding::Function(function, scope.clone())
            }
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
