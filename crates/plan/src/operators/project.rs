use functions::dynamic;
use kql::ast::{self, ExprKind, NamePattern, Names as AstNames, Reorder, ReorderBy};
use kql::{Code, Diagnostic, Span, Type, suggest};

use crate::binder::Binder;
use crate::error::{Result, Stop, error};
use crate::expr::{Entry, EntryName, Row};
use crate::names::Names;
use crate::relation::{Column, Output, Relation, Visible};
use crate::scope::Scope;

/// `T | project a, b = …`.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    columns: &'q [ast::NamedExpr],
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let outputs = outputs(binder, columns, &input, scope)?;
    input.project(outputs, span)
}

/// The columns that a list of named expressions makes.
pub(crate) fn outputs<'q>(
    binder: &mut Binder<'_>,
    columns: &'q [ast::NamedExpr],
    input: &Relation,
    scope: &Scope<'q>,
) -> Result<Vec<Output>> {
    // Explicit names are taken first, so that implied ones give way.
    let mut names = Names::new(columns.iter().flat_map(explicit_names));
    let mut given: Vec<String> = Vec::new();
    let mut outputs = Vec::with_capacity(columns.len());
    for column in columns {
        if matches!(column.expr.kind, ExprKind::Star) {
            for column in input.visible() {
                outputs.push(Output {
                    name: names.unique(&column.name),
                    ..Output::keep(column)
                });
            }
            continue;
        }
        for Entry { name, value } in binder.all_entries(column, scope, Row::of(input))? {
            let name = match name {
                EntryName::Said(name) if given.contains(&name) => {
                    let message = format!("the column `{name}` is given twice");
                    return Err(error(Code::Ambiguous, column.span(), message));
                }
                EntryName::Said(name) => {
                    given.push(name.clone());
                    name
                }
                EntryName::Implied(name) | EntryName::Made(name) => names.unique(&name),
                EntryName::None => names.unnamed(),
            };
            outputs.push(Output::new(name, value));
        }
    }
    Ok(outputs)
}

/// The names that a query says for a column, or for the columns that a function gives.
pub(super) fn explicit_names(column: &ast::NamedExpr) -> impl Iterator<Item = String> {
    let names: &[ast::Name] = match &column.names {
        AstNames::None => &[],
        AstNames::One(name) => std::slice::from_ref(name),
        AstNames::Many(names) => names,
    };
    names.iter().map(|name| name.text.clone())
}

/// `T | project-away a, b*`: a pattern that fits nothing is no mistake, a name is.
pub(crate) fn away(input: Relation, patterns: &[NamePattern], span: Span) -> Result<Relation> {
    check_names(&input, patterns)?;
    let outputs = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .filter(|column| !patterns.iter().any(|pattern| pattern.matches(&column.name)))
        .map(Output::keep)
        .collect();
    input.project(outputs, span)
}

/// `T | project-keep a, b*`: the columns stay in their order.
pub(crate) fn keep(input: Relation, patterns: &[NamePattern], span: Span) -> Result<Relation> {
    check_names(&input, patterns)?;
    let outputs = input
        .visible()
        .filter(|column| patterns.iter().any(|pattern| pattern.matches(&column.name)))
        .map(Output::keep)
        .collect();
    input.project(outputs, span)
}

/// `T | project-by-names "a", dynamic(["b", "c*"])`: names that no column has count for nothing.
pub(crate) fn by_names<'q>(
    binder: &mut Binder<'_>,
    names: &'q [ast::Expr],
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let mut chosen: Vec<&Column> = Vec::new();
    for expr in names {
        for name in names_in(binder, expr, scope)? {
            let pattern = NamePattern {
                wildcard: name.contains('*'),
                text: name,
                span: expr.span,
            };
            let fitting = input.visible().filter(|c| pattern.matches(&c.name));
            let fitting: Vec<&Column> = fitting
                .filter(|column| chosen.iter().all(|known| known.name != column.name))
                .collect();
            chosen.extend(fitting);
        }
    }
    if chosen.is_empty() {
        let message = "`project-by-names` leaves no column";
        return Err(error(Code::UnknownColumn, span, message));
    }
    let outputs = chosen.into_iter().map(Output::keep).collect();
    input.project(outputs, span)
}

/// The names that an argument of `project-by-names` holds.
fn names_in<'q>(
    binder: &mut Binder<'_>,
    expr: &'q ast::Expr,
    scope: &Scope<'q>,
) -> Result<Vec<String>> {
    if let ExprKind::Call(call) = &expr.kind
        && let ("column_names_of", [table]) = (call.name.text.as_str(), call.args.as_slice())
    {
        let table = binder.table_expr(&table.expr, scope)?;
        return Ok(table.visible().map(|column| column.name.clone()).collect());
    }
    let value = binder.scalar(expr, scope, Row::NONE)?;
    match (value.ty, value.constant_text()) {
        (Type::String, Some(name)) => Ok(vec![name.to_owned()]),
        (Type::Dynamic, Some(list)) if dynamic::kind(list) == dynamic::Kind::Array => {
            let names = dynamic::elements(list).map(|name| dynamic::to_text(name).into_owned());
            Ok(names.collect())
        }
        _ => Err(error(
            Code::Constant,
            expr.span,
            "expected a constant name or a constant array of names",
        )),
    }
}

/// `T | project-rename new = old`.
pub(crate) fn rename(input: Relation, columns: &[ast::NamedExpr], span: Span) -> Result<Relation> {
    let mut renamed: Vec<(&str, &str)> = Vec::new();
    for column in columns {
        let (AstNames::One(new), ExprKind::Name(old)) = (&column.names, &column.expr.kind) else {
            return Err(error(Code::Semantic, column.span(), "expected `new = old`"));
        };
        if input.column(old).is_none() {
            return Err(unknown_column(&input, old, column.expr.span));
        }
        if renamed.iter().any(|(known, _)| known == old) {
            let message = format!("the column `{old}` is renamed twice");
            return Err(error(Code::Ambiguous, column.span(), message));
        }
        let taken = input.columns.iter().any(|c| c.name == new.text)
            && !columns
                .iter()
                .any(|c| matches!(&c.expr.kind, ExprKind::Name(n) if *n == new.text));
        if taken || renamed.iter().any(|(_, known)| *known == new.text) {
            let message = format!("there is a column `{}` already", new.text);
            return Err(error(Code::Ambiguous, new.span, message));
        }
        renamed.push((old, &new.text));
    }
    let outputs = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .map(|column| {
            let new = renamed
                .iter()
                .find(|(old, _)| *old == column.name)
                .map(|(_, new)| *new);
            Output {
                name: new.unwrap_or(&column.name).to_owned(),
                ..Output::keep(column)
            }
        })
        .collect();
    input.project(outputs, span)
}

/// `T | project-reorder a, b* asc`: the columns named come first, the rest as they were.
pub(crate) fn reorder(input: Relation, items: &[Reorder], span: Span) -> Result<Relation> {
    let mut ordered: Vec<&Column> = Vec::new();
    for item in items {
        check_names(&input, std::slice::from_ref(&item.pattern))?;
        let mut fitting: Vec<&Column> = input
            .visible()
            .filter(|column| item.pattern.matches(&column.name))
            .filter(|column| !ordered.iter().any(|known| known.name == column.name))
            .collect();
        match item.order {
            None => {}
            Some(ReorderBy::Asc) => fitting.sort_by_key(|column| column.name.to_lowercase()),
            Some(ReorderBy::Desc) => {
                fitting.sort_by_key(|column| std::cmp::Reverse(column.name.to_lowercase()));
            }
            Some(ReorderBy::GrannyAsc) => fitting.sort_by_key(|column| granny_key(&column.name)),
            Some(ReorderBy::GrannyDesc) => {
                fitting.sort_by_key(|column| std::cmp::Reverse(granny_key(&column.name)));
            }
        }
        ordered.extend(fitting);
    }
    let rest = input.columns.iter().filter(|column| {
        column.visible != Visible::Never && !ordered.iter().any(|known| known.name == column.name)
    });
    let outputs: Vec<Output> = ordered
        .iter()
        .copied()
        .chain(rest)
        .map(Output::keep)
        .collect();
    input.project(outputs, span)
}

/// A name as a person sorts it: runs of digits count as numbers.
fn granny_key(name: &str) -> Vec<(u8, u128, String)> {
    let mut key: Vec<(u8, u128, String)> = Vec::new();
    let mut chars = name.chars().peekable();
    while let Some(first) = chars.peek().copied() {
        let digits = first.is_ascii_digit();
        let mut run = String::new();
        while let Some(c) = chars.next_if(|c| c.is_ascii_digit() == digits) {
            run.extend(c.to_lowercase());
        }
        match run.parse::<u128>() {
            Ok(number) if digits => key.push((0, number, String::new())),
            _ => key.push((1, 0, run)),
        }
    }
    key
}

fn check_names(input: &Relation, patterns: &[NamePattern]) -> Result<()> {
    for pattern in patterns.iter().filter(|pattern| !pattern.wildcard) {
        if input.column(&pattern.text).is_none() {
            return Err(unknown_column(input, &pattern.text, pattern.span));
        }
    }
    Ok(())
}

/// The error for a name that is no column, with the nearest that is.
pub(crate) fn unknown_column(input: &Relation, name: &str, span: Span) -> Stop {
    let candidates = input.columns.iter().filter(|c| c.visible != Visible::Never);
    let hint = suggest::did_you_mean(name, candidates.map(|c| c.name.as_str()));
    Diagnostic::error(
        Code::UnknownColumn,
        span,
        format!("unknown column `{name}`"),
    )
    .with_hint_opt(hint)
    .into()
}
