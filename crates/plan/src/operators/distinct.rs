use datafusion_expr::LogicalPlanBuilder;
use kql::Span;
use kql::ast;

use super::project;
use crate::binder::Binder;
use crate::error::{At, Result};
use crate::relation::{Output, Relation};
use crate::scope::Scope;

/// `T | distinct a, b`, `T | distinct *`.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    distinct: &'q ast::Distinct,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let input = input.settled(span)?.unordered();
    let projected = if distinct.columns.is_empty() {
        let outputs: Vec<Output> = input.visible().map(Output::keep).collect();
        input.project(outputs, span)?
    } else {
        project::bind(binder, &distinct.columns, input, scope, span)?
    };
    let plan = projected
        .builder(span)?
        .distinct()
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    Ok(projected.with_plan(plan))
}
