use datafusion_expr::{Expr, LogicalPlanBuilder};
use kql::ast::{self, ExprKind, NamedExpr, Names as AstNames};
use kql::{Code, Span, Type};

use crate::aggregates::{self, Groups};
use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint};
use crate::expr::Row;
use crate::names::{self, Names};
use crate::relation::{Column, Output, Relation, Visible, aliased};
use crate::scope::Scope;
use crate::typed::Typed;

/// `T | summarize aggregates by groups`.
///
/// Without `by` there is one row even of no rows; with it there is a row for each group.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    summarize: &'q ast::Summarize,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let by = summarize.by.as_deref().unwrap_or(&[]);
    // Names that are said win over names that are implied.
    let said = by
        .iter()
        .chain(&summarize.aggregates)
        .filter_map(|column| match &column.names {
            AstNames::One(name) => Some(name.text.clone()),
            _ => None,
        });
    let mut names = Names::new(said);
    let keys = group_keys(
        binder,
        summarize.bin.as_ref(),
        by,
        &input,
        scope,
        &mut names,
    )?;
    let mut groups = Groups::new(&input, key_columns(&input, &keys));
    groups.by = keys.iter().map(|(_, value)| value.expr.clone()).collect();
    let mut outputs = Vec::new();
    for aggregate in &summarize.aggregates {
        aggregate_outputs(binder, aggregate, scope, &groups, &mut names, &mut outputs)?;
    }
    let keys = keys.into_iter().map(|(_, value)| value).collect();
    finish(binder, groups, keys, outputs, span)
}

/// The columns that hold keys.
pub(super) fn key_columns(input: &Relation, keys: &[(String, Typed)]) -> Vec<Column> {
    let columns = keys.iter().map(|(name, value)| Column {
        field: input.fresh(name),
        name: name.clone(),
        ty: value.ty,
        visible: Visible::Always,
    });
    columns.collect()
}

/// The groups as rows: their keys, then the outputs over their aggregates.
pub(super) fn finish(
    binder: &mut Binder<'_>,
    groups: Groups<'_>,
    keys: Vec<Typed>,
    outputs: Vec<Output>,
    span: Span,
) -> Result<Relation> {
    let input = groups.input;
    let key_columns = groups.keys.clone();
    let has_keys = !keys.is_empty();
    let keys = keys.into_iter().zip(&key_columns);
    let keys: Vec<Expr> = keys
        .map(|(value, column)| aliased(value.expr, &column.field))
        .chain(input.part_keys(has_keys))
        .collect();
    let parts: Vec<Expr> = groups
        .into_parts()
        .into_iter()
        .map(|(name, expr)| expr.alias(name))
        .collect();
    if keys.is_empty() && parts.is_empty() {
        return binder.single_row(outputs, span);
    }
    let plan = input
        .builder(span)?
        .aggregate(keys, parts)
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    let visible = key_columns.len();
    let grouped = input.grouped(plan, key_columns, has_keys);
    let columns: Vec<Output> = grouped.columns[..visible]
        .iter()
        .map(Output::keep)
        .chain(outputs)
        .collect();
    grouped.project(columns, span)
}

pub(super) fn group_keys<'q>(
    binder: &mut Binder<'_>,
    bin: Option<&'q ast::Expr>,
    by: &'q [NamedExpr],
    input: &Relation,
    scope: &Scope<'q>,
    names: &mut Names,
) -> Result<Vec<(String, Typed)>> {
    let mut keys = Vec::with_capacity(by.len());
    for key in by {
        if let ExprKind::Call(call) = &key.expr.kind
            && aggregates::is_aggregate_call(call)
        {
            let message = format!("the aggregate `{}` can't be a group", call.name.text);
            return Err(error(Code::Aggregate, key.expr.span, message));
        }
        let mut value = binder.scalar(&key.expr, scope, Row::of(input))?;
        if let Some(bin) = bin
            && matches!(
                value.ty,
                Type::Datetime | Type::Timespan | Type::Long | Type::Real | Type::Int
            )
        {
            let bin = binder.scalar(bin, scope, Row::NONE)?;
            value = binder.invoke("bin", vec![value, bin], key.expr.span)?;
        }
        if value.ty == Type::Dynamic {
            return Err(error_with_hint(
                Code::Type,
                key.expr.span,
                "a dynamic value can't be a group",
                "convert it, with `tostring(…)` for example",
            ));
        }
        let name = match &key.names {
            AstNames::One(name) => name.text.clone(),
            _ => match names::implicit(&key.expr) {
                Some(name) => names.unique(&name),
                None => names.unnamed(),
            },
        };
        keys.push((name, value));
    }
    Ok(keys)
}

/// The columns of one entry: an aggregate may give several, an expression over aggregates gives one.
pub(super) fn aggregate_outputs<'q>(
    binder: &mut Binder<'_>,
    aggregate: &'q NamedExpr,
    scope: &Scope<'q>,
    groups: &Groups<'_>,
    names: &mut Names,
    outputs: &mut Vec<Output>,
) -> Result<()> {
    let is_call = matches!(&aggregate.expr.kind, ExprKind::Call(call)
        if aggregates::is_aggregate_call(call) && scope.get(&call.name.text).is_none());
    let columns = match &aggregate.expr.kind {
        ExprKind::Call(call) if is_call => {
            binder.aggregate_outputs(call, aggregate.expr.span, scope, groups)?
        }
        _ => {
            let row = Row {
                columns: Some(groups.input),
                groups: Some(groups),
            };
            let value = binder.scalar(&aggregate.expr, scope, row)?;
            if value.constant().is_none() && !groups.is_over_parts(&value.expr) {
                return Err(error_with_hint(
                    Code::Aggregate,
                    aggregate.expr.span,
                    "the expression aggregates nothing",
                    "aggregate it, as in `take_any(…)` or `max(…)`, or move it after `by`",
                ));
            }
            let name = names::implicit(&aggregate.expr);
            vec![aggregates::AggregateOutput { name, value }]
        }
    };
    let said: &[ast::Name] = match &aggregate.names {
        AstNames::None => &[],
        AstNames::One(name) => std::slice::from_ref(name),
        AstNames::Many(names) => names,
    };
    if said.len() > columns.len() {
        let message = format!(
            "there are {} names for {} columns",
            said.len(),
            columns.len()
        );
        return Err(error(Code::Semantic, aggregate.span(), message));
    }
    for (index, column) in columns.into_iter().enumerate() {
        let name = match (said.get(index), column.name) {
            (Some(name), _) if matches!(aggregate.names, AstNames::One(_)) => name.text.clone(),
            (Some(name), _) => names.unique(&name.text),
            (None, Some(name)) => names.unique(&name),
            (None, None) => names.unnamed(),
        };
        outputs.push(Output::new(name, column.value));
    }
    Ok(())
}
