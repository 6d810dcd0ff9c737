use datafusion_expr::LogicalPlanBuilder;
use kql::Span;
use kql::ast;

use super::{project, take};
use crate::binder::Binder;
use crate::error::{At, Result};
use crate::relation::{OrderKey, Relation};
use crate::scope::Scope;

/// `T | sample n`: any `n` rows.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    count: &'q ast::Expr,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let count = take::row_count(binder, count, scope)?;
    input.settled(span)?.unordered().limit(count, span)
}

/// `T | sample-distinct n of column`: any `n` of its values; always the same, so that a query which
/// names the sample twice reads one.
pub(crate) fn distinct<'q>(
    binder: &mut Binder<'_>,
    count: &'q ast::Expr,
    of: &'q ast::NamedExpr,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let count = take::row_count(binder, count, scope)?;
    let input = input.settled(span)?.unordered();
    let values = project::bind(binder, std::slice::from_ref(of), input, scope, span)?;
    let plan = values
        .builder(span)?
        .distinct()
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    let mut values = values.with_plan(plan);
    values.order = vec![OrderKey {
        field: values.columns[0].field.clone(),
        ascending: true,
        nulls_first: true,
    }];
    Ok(values.limit(count, span)?.unordered())
}
