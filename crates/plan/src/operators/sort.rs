use kql::ast::SortKey;
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error_with_hint};
use crate::expr::Row;
use crate::relation::{OrderKey, Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// `T | sort by a desc`: descending unless said; nulls come first ascending and last descending.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    keys: &'q [SortKey],
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let input = input.unordered();
    let mut outputs: Vec<Output> = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .map(Output::keep)
        .collect();
    let mut order = Vec::with_capacity(keys.len());
    let kept = outputs.len();
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
        let value = match value.ty {
            Type::Real => binder.invoke("__sort_key", vec![value], key.expr.expr.span)?,
            _ => value,
        };
        let ascending = key.ascending.unwrap_or(false);
        let field = match outputs[..kept]
            .iter()
            .find(|output| output.value.expr == value.expr)
        {
            Some(output) => output.name.clone(),
            None => add_unseen(&mut outputs, value),
        };
        order.push(OrderKey {
            field,
            ascending,
            nulls_first: key.nulls_first.unwrap_or(ascending),
        });
    }
    let mut relation = if outputs.len() > kept {
        input.project(outputs, span)?
    } else {
        input
    };
    relation.order = order;
    Ok(relation)
}

fn add_unseen(outputs: &mut Vec<Output>, value: Typed) -> String {
    let taken = |name: &str| outputs.iter().any(|output| output.name == name);
    let name = (0..)
        .map(|index| format!("#sort{index}"))
        .find(|name| !taken(name))
        .unwrap_or_default();
    outputs.push(Output {
        name: name.clone(),
        value,
        visible: Visible::Never,
    });
    name
}
