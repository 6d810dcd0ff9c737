use kql::ast::{self, NamePattern, UnionSource};
use kql::{Code, Span, Type};

use super::union;
use crate::binder::Binder;
use crate::error::{Result, error};
use crate::expr::search::{self, Letters};
use crate::relation::{Output, Relation, Visible};
use crate::scope::Scope;
use crate::tabular::missing;
use crate::typed::Typed;

/// The column that names the table of a row.
const TABLE: &str = "$table";

/// `search "term" and n > 1`, `search in (T, U*) …`, `T | search …`: the rows that fit, of whatever
/// table, with all columns.
///
/// A table that has none of the columns of the predicate is left out, unless the predicate looks into
/// every column.
/// <https://learn.microsoft.com/kusto/query/search-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    search: &'q ast::Search,
    span: Span,
    scope: &Scope<'q>,
    input: Option<Relation>,
) -> Result<Relation> {
    let letters = letters(&search.params)?;
    if let Some(input) = input {
        if !search.tables.is_empty() {
            let message = "`search in (…)` begins a query and takes no rows";
            return Err(error(Code::Semantic, span, message));
        }
        let predicate = binder.search_predicate(&search.predicate, scope, &input, letters)?;
        let table = input.name.clone();
        let rows = input.filter(predicate, span)?;
        return named(rows, &table.unwrap_or_else(|| argument(0)), span);
    }
    let tables = tables(binder, &search.tables, scope, span)?;
    let legs = relevant(tables, &search.predicate, scope, span)?;
    let mut fitting = Vec::with_capacity(legs.len());
    for leg in legs {
        let predicate = binder.search_predicate(&search.predicate, scope, &leg, letters)?;
        fitting.push(leg.filter(predicate, span)?);
    }
    let options = union::Options {
        inner: false,
        with_source: Some(TABLE.to_owned()),
        fuzzy: false,
    };
    let rows = union::combine(fitting, &options, span)?;
    Ok(Relation { name: None, ..rows })
}

fn argument(index: usize) -> String {
    format!("search_arg{index}")
}

fn letters(params: &[ast::Param]) -> Result<Letters> {
    let mut letters = Letters::Alike;
    for param in params {
        letters = match (param.name.text.as_str(), param.text()) {
            ("kind", Some("default" | "case_insensitive")) => Letters::Alike,
            ("kind", Some("case_sensitive")) => Letters::Apart,
            _ => {
                let message = "the kind of a `search` is `case_insensitive` or `case_sensitive`";
                return Err(error(Code::Parameter, param.value_span(), message));
            }
        };
    }
    Ok(letters)
}

/// The tables named, or all in scope.
fn tables<'q>(
    binder: &mut Binder<'_>,
    sources: &'q [UnionSource],
    scope: &Scope<'q>,
    span: Span,
) -> Result<Vec<Relation>> {
    if sources.is_empty() {
        let all = NamePattern {
            text: "*".to_owned(),
            wildcard: true,
            span,
        };
        return union::matching(binder, None, &all, scope);
    }
    let mut tables = Vec::new();
    for source in sources {
        tables.extend(union::leg(binder, source, scope)?);
    }
    for (index, table) in tables.iter_mut().enumerate() {
        table.name.get_or_insert_with(|| argument(index));
    }
    Ok(tables)
}

/// The tables that a predicate can speak of. Columns of the predicate that only some of them have are
/// null in the others.
fn relevant(
    tables: Vec<Relation>,
    predicate: &ast::Expr,
    scope: &Scope<'_>,
    span: Span,
) -> Result<Vec<Relation>> {
    let mut names = Vec::new();
    search::names(predicate, &mut names);
    let mut columns: Vec<(&str, Type)> = Vec::new();
    for name in names {
        let found = tables.iter().find_map(|table| table.column(name));
        if let Some(found) = found
            && columns.iter().all(|(known, _)| *known != name)
        {
            columns.push((name, found.ty));
        }
    }
    let all = search::reads_all_columns(predicate, scope);
    let mut legs = Vec::with_capacity(tables.len());
    for table in tables {
        let has = |name: &str| table.column(name).is_some();
        if !all && !columns.iter().any(|(name, _)| has(name)) {
            continue;
        }
        let mut outputs: Vec<Output> = table.columns.iter().map(Output::keep).collect();
        let width = outputs.len();
        for (name, ty) in &columns {
            if !has(name) {
                // A union would show it anyway; it is empty here.
                outputs.push(Output::new(*name, missing(*ty)));
            }
        }
        let name = table.name.clone();
        let leg = match outputs.len() == width {
            true => table,
            false => table.project(outputs, span)?,
        };
        legs.push(Relation { name, ..leg });
    }
    if legs.is_empty() {
        let message = "no table has the columns of this `search`";
        return Err(error(Code::UnknownColumn, predicate.span, message));
    }
    Ok(legs)
}

/// The rows with the name of their table as the first column.
fn named(rows: Relation, table: &str, span: Span) -> Result<Relation> {
    if rows.column(TABLE).is_some() {
        let message = format!("there is a column `{TABLE}` already");
        return Err(error(Code::Ambiguous, span, message));
    }
    let mut outputs = vec![Output::new(TABLE, Typed::string(table))];
    outputs.extend(
        rows.columns
            .iter()
            .filter(|column| column.visible != Visible::Never)
            .map(Output::keep),
    );
    rows.project(outputs, span)
}
