use kql::Span;
use kql::ast::{self, ExprKind, Names as AstNames};

use super::mv_expand::{self, Options};
use super::partition;
use crate::binder::Binder;
use crate::error::Result;
use crate::relation::{Column, OrderKey, Output, Parts, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// `T | mv-apply a to typeof(long) on (…)`: what a subquery gives for the elements of each row, beside
/// the row's other columns. A row without elements gives nothing.
///
/// <https://learn.microsoft.com/kusto/query/mv-apply-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    apply: &'q ast::MvApply,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let options = Options::read(&apply.params)?;
    let limit = match &apply.limit {
        Some(limit) => Some(super::take::row_count(binder, limit, scope)? as i64),
        None => None,
    };
    let input = input.settled(span)?.without_dependencies(span)?;
    let outer = input.parts.clone();
    let serialized = input.serialized;
    let alone = apply.subquery.operators.iter().all(partition::is_row_local);
    if !alone {
        input.no_stand_ins("`mv-apply`", span)?;
    }
    let (input, key) = divide(input, apply, alone, span)?;
    let kept: Vec<Column> = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never && !is_applied(apply, &column.name))
        .cloned()
        .collect();
    let mut expanded =
        mv_expand::expand_columns(binder, &apply.columns, &options, limit, input, scope, span)?;
    expanded.total |= !alone;
    expanded.serialized = !alone;
    if partition::counts_nothing(&apply.subquery) {
        expanded = with_stand_in(expanded, span)?;
    }
    let applied = partition::subquery(binder, &apply.subquery, scope, expanded)?;
    let mut applied = if alone {
        applied
    } else {
        applied.without_stand_ins(span)?
    };
    // Rows that stand for an outer part stay with it.
    let stand_in = applied.parts.take().and_then(|parts| parts.stand_in);
    applied.parts = outer.map(|parts| Parts { stand_in, ..parts });
    match key {
        Some(key) => {
            applied.order.retain(|other| other.field != key.field);
            applied.order.insert(0, key);
        }
        None => applied = applied.unordered(),
    }
    applied.serialized = serialized;
    beside(kept, applied, span)
}

/// Makes each row a part of its own, unless the subquery works on every element alone. Gives the key
/// of the rows' order, if they have one.
fn divide(
    input: Relation,
    apply: &ast::MvApply,
    alone: bool,
    span: Span,
) -> Result<(Relation, Option<OrderKey>)> {
    let (mut input, key) = if input.order.is_empty() {
        (input, None)
    } else {
        let numbered = input.numbered(span)?;
        let key = numbered.order.first().cloned();
        (numbered, key)
    };
    let mut parts = input.parts.take().unwrap_or_default();
    if !alone {
        let identity = match &key {
            Some(key) => key.field.clone(),
            None => {
                let (identified, field) = input.with_identity(span)?;
                input = identified;
                field
            }
        };
        parts.by.push(identity);
    }
    let columns = input.columns.iter().filter(|column| {
        let known = parts.by.contains(&column.field) || parts.carried.contains(&column.field);
        column.visible != Visible::Never && !is_applied(apply, &column.name) && !known
    });
    let columns: Vec<String> = columns.map(|column| column.field.clone()).collect();
    parts.carried.extend(columns);
    if let Some(key) = &key
        && !parts.by.contains(&key.field)
        && !parts.carried.contains(&key.field)
    {
        parts.carried.push(key.field.clone());
    }
    input.parts = Some(parts);
    Ok((input, key))
}

/// A column that is true for rows which only stand for their part; at first there are none.
pub(super) fn with_stand_in(input: Relation, span: Span) -> Result<Relation> {
    let mut outputs: Vec<Output> = input.columns.iter().map(Output::keep).collect();
    let place = outputs.len();
    outputs.push(Output {
        name: "#stand_in".to_owned(),
        value: Typed::bool(false),
        visible: Visible::Never,
    });
    let mut input = input.project(outputs, span)?;
    let field = input.columns[place].field.clone();
    let parts = input.parts.take().unwrap_or_default();
    input.parts = Some(Parts {
        stand_in: Some(field),
        ..parts
    });
    Ok(input)
}

/// Whether a column is taken apart under its own name.
fn is_applied(apply: &ast::MvApply, name: &str) -> bool {
    apply.columns.iter().any(|column| {
        matches!(&column.expr.expr.kind, ExprKind::Name(known) if known == name)
            && match &column.expr.names {
                AstNames::None => true,
                AstNames::One(new) => new.text == name,
                AstNames::Many(_) => false,
            }
    })
}

/// The columns of the rows, in which those of the subquery take the place of others of their name.
fn beside(kept: Vec<Column>, applied: Relation, span: Span) -> Result<Relation> {
    let mut outputs: Vec<Output> = Vec::new();
    for column in &kept {
        let given = applied.visible().find(|given| given.name == column.name);
        outputs.push(match given {
            Some(given) => Output::keep(given),
            None => Output::keep(column),
        });
    }
    for given in applied.visible() {
        if kept.iter().all(|column| column.name != given.name) {
            outputs.push(Output::keep(given));
        }
    }
    applied.project(outputs, span)
}
