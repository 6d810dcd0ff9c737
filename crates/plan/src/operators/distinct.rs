use datafusion_expr::LogicalPlanBuilder;
use kql::ast;
use kql::{Code, Span, Type};

use super::project;
use crate::binder::Binder;
use crate::error::{At, Result, error_with_hint};
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
    if let Some(column) = projected.visible().find(|c| c.ty == Type::Dynamic) {
        return Err(error_with_hint(
            Code::Type,
            span,
            format!(
                "the column `{}` is dynamic, which `distinct` does not take",
                column.name
            ),
            "convert it, with `tostring(…)` for example",
        ));
    }
    let plan = projected
        .builder(span)?
        .distinct()
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    Ok(projected.with_plan(plan))
}
