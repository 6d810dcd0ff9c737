use kql::ast::SortKey;
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error_with_hint};
use crate::expr::Row;
use crate::relation::{OrderKey, Output, Relation, Visible};
use crate::scope::Scope;

/// `T | sort by a desc`: descending unless said; nulls come first ascending and last descending.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    keys: &'q [SortKey],
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    // Rows that the keys leave side by side stay as they lay.
    let (before, total) = (input.order.clone(), input.total);
    let mut outputs: Vec<Output> = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .map(Output::keep)
        .collect();
    let mut order: Vec<(usize, &SortKey)> = Vec::with_capacity(keys.len());
    for key in keys {
        let value = binder.scalar(&key.expr.expr, scope, Row::of(&input))?;
        if value.ty == Type::Dynamic {
            return Err(error_with_hint(
                Code::Type,
                key.expr.expr.span,
                "a dynamic value has no order",
                "convert it, with `tostring(…)` or `tolong(…)`",
            ));
        }
        // Reals sort by a key of their own, which puts what is not a number beside null.
        let ascending = key.ascending.unwrap_or(false);
        let nan_below = ascending == key.nulls_first.unwrap_or(ascending);
        let value = match (value.ty, nan_below) {
            (Type::Real, true) => binder.invoke("__sort_key", vec![value], key.expr.expr.span)?,
            (Type::Real, false) => {
                binder.invoke("__sort_key_nan_above", vec![value], key.expr.expr.span)?
            }
            _ => value,
        };
        let known = outputs
            .iter()
            .position(|output| output.value.expr == value.expr);
        let position = known.unwrap_or_else(|| {
            outputs.push(Output {
                name: "#sort".to_owned(),
                value,
                visible: Visible::Never,
            });
            outputs.len() - 1
        });
        order.push((position, key));
    }
    let mut relation = input.project(outputs, span)?;
    let order = order.into_iter().map(|(position, key)| {
        let ascending = key.ascending.unwrap_or(false);
        OrderKey {
            field: relation.columns[position].field.clone(),
            ascending,
            nulls_first: key.nulls_first.unwrap_or(ascending),
        }
    });
    let order: Vec<OrderKey> = order.collect();
    let rest = before
        .into_iter()
        .filter(|key| order.iter().all(|known| known.field != key.field));
    relation.order = order.iter().cloned().chain(rest).collect();
    relation.serialized = true;
    relation.total = total;
    Ok(relation)
}
