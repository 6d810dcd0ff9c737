use kql::ast;
use kql::{Code, Span, Type};

use super::{join, summarize, take};
use crate::aggregates::Groups;
use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint, unsupported};
use crate::expr::Row;
use crate::names::{self, Names};
use crate::relation::{Column, OrderKey, Output, Parts, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// Most levels.
const LEVELS_MAX: usize = 16;

/// `T | top-nested 3 of a by sum(x), top-nested 2 of b by count()`: the values of `a` with the greatest
/// sums and, for each, the values of `b` with the greatest counts.
///
/// Each level groups all rows by its own values and those of the levels above, and is joined with what
/// those have kept.
/// <https://learn.microsoft.com/kusto/query/top-nested-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    levels: &'q [ast::TopNested],
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    if levels.len() > LEVELS_MAX {
        let message = format!("`top-nested` has more than {LEVELS_MAX} levels");
        return Err(error(Code::Limit, span, message));
    }
    let mut names = Names::new([]);
    let (input, values) = with_values(binder, levels, input, scope, &mut names, span)?;
    let mut kept: Option<Relation> = None;
    for (index, level) in levels.iter().enumerate() {
        let name = match &level.by.expr.names {
            ast::Names::One(name) => name.text.clone(),
            _ => format!("aggregated_{}", values[index].name),
        };
        let name = names.unique(&name);
        let top = top(binder, level, &input, &values[..=index], &name, scope, span)?;
        kept = Some(match kept {
            None => top,
            Some(above) => below(above, top, &values[..index], span)?,
        });
    }
    match kept {
        Some(rows) => Ok(rows),
        None => Err(error(Code::Semantic, span, "`top-nested` has no levels")),
    }
}

/// The rows with a column for the values of each level.
fn with_values<'q>(
    binder: &mut Binder<'_>,
    levels: &'q [ast::TopNested],
    input: Relation,
    scope: &Scope<'q>,
    names: &mut Names,
    span: Span,
) -> Result<(Relation, Vec<Column>)> {
    let mut outputs: Vec<Output> = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .map(Output::keep)
        .collect();
    let width = outputs.len();
    let mut columns = Vec::with_capacity(levels.len());
    for level in levels {
        if let Some(others) = &level.others {
            return Err(unsupported(others.span, "`with others`"));
        }
        let value = binder.scalar(&level.of.expr, scope, Row::of(&input))?;
        if value.ty == Type::Dynamic {
            return Err(error_with_hint(
                Code::Type,
                level.of.span(),
                "a dynamic value can't be a group",
                "convert it, with `tostring(…)` for example",
            ));
        }
        let name = match &level.of.names {
            ast::Names::One(name) => names.unique(&name.text),
            _ => match names::implicit(&level.of.expr) {
                Some(name) => names.unique(&name),
                None => names.unnamed(),
            },
        };
        columns.push(name);
        outputs.push(Output {
            visible: Visible::Never,
            ..Output::new("#value", value)
        });
    }
    let rows = input.project(outputs, span)?;
    let values = rows.columns[width..].iter().zip(columns);
    let values = values
        .map(|(column, name)| Column {
            name,
            visible: Visible::Always,
            ..column.clone()
        })
        .collect();
    Ok((rows, values))
}

/// The best values of a level below each value of the levels above it.
fn top<'q>(
    binder: &mut Binder<'_>,
    level: &'q ast::TopNested,
    input: &Relation,
    values: &[Column],
    name: &str,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let keys: Vec<(String, Typed)> = values
        .iter()
        .map(|column| (column.name.clone(), column.value()))
        .collect();
    let groups = Groups::new(input, summarize::key_columns(input, &keys));
    let mut outputs = Vec::new();
    let mut unused = Names::new([]);
    let by = &level.by.expr;
    summarize::aggregate_outputs(binder, by, scope, &groups, &mut unused, &mut outputs)?;
    let [aggregate] = outputs.as_mut_slice() else {
        let message = "`top-nested` takes an aggregate of one column";
        return Err(error(Code::Aggregate, by.span(), message));
    };
    name.clone_into(&mut aggregate.name);
    if aggregate.value.ty == Type::Dynamic {
        let message = "a dynamic value has no order";
        return Err(error(Code::Type, by.span(), message));
    }
    let keys = keys.into_iter().map(|(_, value)| value).collect();
    let grouped = summarize::finish(binder, groups, keys, outputs, span)?;
    match &level.count {
        None => Ok(grouped),
        Some(count) => {
            let count = take::row_count(binder, count, scope)?;
            best(binder, &level.by, grouped, count, span)
        }
    }
}

/// The first groups below each value of the levels above, in order of the last column.
fn best(
    binder: &mut Binder<'_>,
    by: &ast::SortKey,
    grouped: Relation,
    count: usize,
    span: Span,
) -> Result<Relation> {
    let width = grouped.columns.len();
    let mut outputs: Vec<Output> = grouped.columns.iter().map(Output::keep).collect();
    let aggregate = grouped.columns[width - 1].value();
    let place = match aggregate.ty {
        Type::Real => binder.invoke("__sort_key", vec![aggregate], span)?,
        _ => aggregate,
    };
    outputs.push(Output {
        visible: Visible::Never,
        ..Output::new("#sort", place)
    });
    let mut grouped = grouped.project(outputs, span)?;
    let ascending = by.ascending.unwrap_or(false);
    let key = |column: &Column, ascending, nulls_first| OrderKey {
        field: column.field.clone(),
        ascending,
        nulls_first,
    };
    let (above, own) = (&grouped.columns[..width - 2], &grouped.columns[width - 2]);
    // Values of equal rank lie in their own order, so that the same ones are kept every time.
    let order = vec![
        key(
            &grouped.columns[width],
            ascending,
            by.nulls_first.unwrap_or(ascending),
        ),
        key(own, true, true),
    ];
    let parts = Parts {
        by: above.iter().map(|column| column.field.clone()).collect(),
        ..Parts::default()
    };
    grouped.order = order;
    grouped.total = true;
    grouped.parts = Some(parts);
    let mut best = grouped.limit(count, span)?.unordered();
    best.parts = None;
    let outputs = best.columns[..width].iter().map(Output::keep).collect();
    best.project(outputs, span)
}

/// The values of a level beside those above it.
fn below(above: Relation, level: Relation, values: &[Column], span: Span) -> Result<Relation> {
    let field_of = |rows: &Relation, name: &str| {
        let found = rows.column(name).map(|column| column.field.clone());
        found.unwrap_or_else(|| name.to_owned())
    };
    let names: Vec<String> = values.iter().map(|column| column.name.clone()).collect();
    let left = names.iter().map(|name| field_of(&above, name)).collect();
    let right = names.iter().map(|name| field_of(&level, name)).collect();
    join::inner(above, level, (left, right), &names, span)
}
