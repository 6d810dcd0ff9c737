use kql::ast::{self, Operator, OperatorKind as Kind};
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint, unsupported};
use crate::expr::Row;
use crate::relation::Relation;
use crate::scope::Scope;
use crate::typed::Typed;

/// `T | partition by column (…)`: what a subquery gives for the rows of each value, one after another.
///
/// All strategies mean the same; the bound of 64 values that one of them has does not apply.
/// <https://learn.microsoft.com/kusto/query/partition-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    partition: &'q ast::Partition,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    check_strategy(&partition.params)?;
    if partition.braces || partition.subquery.source.is_some() {
        return Err(unsupported(
            span,
            "a `partition` whose subquery has a source of its own",
        ));
    }
    let input = input.settled(span)?;
    let outer = input.parts.clone();
    input.no_stand_ins("`partition`", span)?;
    let key = key(binder, &partition.by, &input, scope)?;
    let mut input = input;
    let mut parts = outer.clone().unwrap_or_default();
    if !parts.by.contains(&key) {
        parts.by.push(key);
    }
    input.parts = Some(parts);
    if counts_nothing(&partition.subquery) {
        input = super::mv_apply::with_stand_in(input, span)?;
    }
    let rows = subquery(binder, &partition.subquery, scope, input)?;
    let mut rows = rows.without_stand_ins(span)?.unordered();
    rows.parts = outer;
    rows.name = None;
    Ok(rows)
}

/// The field of the column whose values make the parts.
fn key<'q>(
    binder: &mut Binder<'_>,
    by: &'q ast::Expr,
    input: &Relation,
    scope: &Scope<'q>,
) -> Result<String> {
    let ast::ExprKind::Name(name) = &by.kind else {
        return Err(error(Code::Semantic, by.span, "`partition` takes a column"));
    };
    let value: Typed = binder.scalar(by, scope, Row::of(input))?;
    let Some(column) = input.column(name) else {
        return Err(super::project::unknown_column(input, name, by.span));
    };
    if value.ty == Type::Dynamic {
        return Err(error_with_hint(
            Code::Type,
            by.span,
            "a dynamic value can't tell parts apart",
            "convert it first, with `tostring(…)` for example",
        ));
    }
    Ok(column.field.clone())
}

fn check_strategy(params: &[ast::Param]) -> Result<()> {
    for param in params {
        let name = param.name.text.as_str();
        if name == "hint.strategy" && !matches!(param.text(), Some("native" | "shuffle" | "legacy"))
        {
            let message = "the strategy of a `partition` is `native`, `shuffle` or `legacy`";
            return Err(error(Code::Parameter, param.value_span(), message));
        }
    }
    Ok(())
}

/// Binds a subquery on rows that are divided in parts.
pub(super) fn subquery<'q>(
    binder: &mut Binder<'_>,
    subquery: &'q ast::Pipeline,
    scope: &Scope<'q>,
    input: Relation,
) -> Result<Relation> {
    if let Some(source) = &subquery.source {
        return Err(unsupported(
            source.span,
            "a subquery with a source of its own",
        ));
    }
    for operator in &subquery.operators {
        if !is_row_local(operator) && !runs_on_parts(operator) {
            let what = super::name_of(operator);
            return Err(unsupported(
                operator.keyword,
                format!("{what} in the subquery of `mv-apply` or `partition`"),
            ));
        }
    }
    binder.pipeline(subquery, scope, Some(input))
}

/// Whether an operator works on each row alone.
pub(super) fn is_row_local(operator: &Operator) -> bool {
    matches!(
        &operator.kind,
        Kind::Where(_)
            | Kind::Extend(_)
            | Kind::Project(_)
            | Kind::ProjectAway(_)
            | Kind::ProjectKeep(_)
            | Kind::ProjectRename(_)
            | Kind::ProjectReorder(_)
            | Kind::Parse(_)
            | Kind::ParseKv(_)
            | Kind::ProjectByNames(_)
            | Kind::MvExpand(_)
    ) && !reads_other_rows(operator)
}

fn runs_on_parts(operator: &Operator) -> bool {
    matches!(
        &operator.kind,
        Kind::Where(_)
            | Kind::Extend(_)
            | Kind::Project(_)
            | Kind::Count(_)
            | Kind::Distinct(_)
            | Kind::MakeSeries(_)
            | Kind::MvApply(_)
            | Kind::MvExpand(_)
            | Kind::Partition(_)
            | Kind::Sample(_)
            | Kind::SampleDistinct(..)
            | Kind::Scan(_)
            | Kind::Search(_)
            | Kind::Serialize(_)
            | Kind::Sort(_)
            | Kind::Summarize(_)
            | Kind::Take(_)
            | Kind::Top(_)
            | Kind::TopHitters(_)
    )
}

/// Whether an operator may call a window function: its text, at any depth, names one.
fn reads_other_rows(operator: &Operator) -> bool {
    let text = super::text_of(operator);
    crate::expr::window::NAMES
        .iter()
        .any(|name| text.contains(name))
}

/// Whether a subquery may give a row for a part that has none left.
pub(super) fn counts_nothing(subquery: &ast::Pipeline) -> bool {
    subquery
        .operators
        .iter()
        .any(|operator| match &operator.kind {
            Kind::Count(_) => true,
            Kind::Summarize(summarize) => summarize.by.as_ref().is_none_or(Vec::is_empty),
            _ => false,
        })
}
