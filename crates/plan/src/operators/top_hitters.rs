use kql::ast;
use kql::{Code, Span, Type};

use super::{summarize, take};
use crate::aggregates::Groups;
use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint};
use crate::expr::Row;
use crate::names::{self, Names};
use crate::relation::{OrderKey, Output, Relation, Visible};
use crate::scope::Scope;

/// `T | top-hitters n of value [by x]`: the values with the most rows, or with the greatest sums of
/// `x`. The result is exact here, where Kusto's is an estimate.
///
/// <https://learn.microsoft.com/kusto/query/top-hitters-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    hitters: &'q ast::TopHitters,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let count = take::row_count(binder, &hitters.count, scope)?;
    let input = input.settled(span)?.unordered();
    let value = binder.scalar(&hitters.of.expr, scope, Row::of(&input))?;
    if value.ty == Type::Dynamic {
        return Err(error_with_hint(
            Code::Type,
            hitters.of.span(),
            "a dynamic value can't be a group",
            "convert it, with `tostring(…)` for example",
        ));
    }
    let mut names = Names::new([]);
    let name = name_of(&hitters.of);
    let name = match &name {
        Some(name) => names.unique(name),
        None => names.unnamed(),
    };
    let keys = vec![(name.clone(), value)];
    let groups = Groups::new(&input, summarize::key_columns(&input, &keys));
    let output = match &hitters.by {
        Some(by) => {
            let term = binder.scalar(&by.expr, scope, Row::of(&input))?;
            if !term.ty.is_numeric() {
                let message = format!("a sum takes numbers, found a {}", term.ty);
                return Err(error(Code::Type, by.span(), message));
            }
            let of = name_of(by).unwrap_or_default();
            let sum = binder.sum_rows(term, &groups, span)?;
            Output::new(names.unique(&format!("approximate_sum_{of}")), sum)
        }
        None => {
            let rows = binder.count_rows(&groups, span);
            Output::new(names.unique(&format!("approximate_count_{name}")), rows)
        }
    };
    let keys = keys.into_iter().map(|(_, value)| value).collect();
    let rows = summarize::finish(binder, groups, keys, vec![output], span)?;
    let mut outputs: Vec<Output> = rows.columns[..2].iter().map(Output::keep).collect();
    let total = rows.columns[1].value();
    let place = match total.ty {
        Type::Real => binder.invoke("__sort_key", vec![total], span)?,
        _ => total,
    };
    outputs.push(Output {
        visible: Visible::Never,
        ..Output::new("#sort", place)
    });
    let mut rows = rows.project(outputs, span)?;
    let key = |index: usize| OrderKey {
        field: rows.columns[index].field.clone(),
        ascending: false,
        nulls_first: false,
    };
    // Of equal values the greater come first, so that they are the same every time.
    rows.order = vec![key(2), key(0)];
    rows.serialized = true;
    rows.total = rows.parts.is_none();
    rows.limit(count, span)
}

fn name_of(expr: &ast::NamedExpr) -> Option<String> {
    match &expr.names {
        ast::Names::One(name) => Some(name.text.clone()),
        _ => names::implicit(&expr.expr),
    }
}
