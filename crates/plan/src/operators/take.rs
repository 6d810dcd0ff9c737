use kql::Span;
use kql::ast;

use super::sort;
use crate::binder::Binder;
use crate::error::Result;
use crate::expr::Row;
use crate::relation::Relation;
use crate::scope::Scope;

/// `T | take n`: any `n` rows; the first ones if the rows are in order.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    count: &'q ast::Expr,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let count = row_count(binder, count, scope)?;
    input.limit(count, span)
}

/// `T | top n by key`.
pub(crate) fn top<'q>(
    binder: &mut Binder<'_>,
    top: &'q ast::Top,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let count = row_count(binder, &top.count, scope)?;
    let sorted = sort::bind(binder, std::slice::from_ref(&top.key), input, scope, span)?;
    sorted.limit(count, span)
}

/// A number of rows.
pub(crate) fn row_count<'q>(
    binder: &mut Binder<'_>,
    count: &'q ast::Expr,
    scope: &Scope<'q>,
) -> Result<usize> {
    let value = binder.scalar(count, scope, Row::NONE)?;
    let count = value.constant_long(count.span, 0)?;
    Ok(usize::try_from(count).unwrap_or(usize::MAX))
}
