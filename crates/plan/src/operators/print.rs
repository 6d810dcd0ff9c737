use kql::Span;
use kql::ast;

use crate::binder::Binder;
use crate::error::Result;
use crate::expr::{Entry, EntryName, Row};
use crate::names::Names;
use crate::operators::project::explicit_names;
use crate::relation::{Output, Relation};
use crate::scope::Scope;

/// `print a = …, …`: one row; columns without a name are `print_0`, `print_1`, …
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    columns: &'q [ast::NamedExpr],
    span: Span,
    scope: &Scope<'q>,
) -> Result<Relation> {
    let mut names = Names::new(columns.iter().flat_map(explicit_names));
    let mut outputs = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        for Entry { name, value } in binder.entries(column, scope, Row::NONE)? {
            let name = match name {
                EntryName::Said(name) => name,
                EntryName::Made(name) => names.unique(&name),
                EntryName::Implied(_) | EntryName::None => names.unique(&format!("print_{index}")),
            };
            outputs.push(Output::new(name, value));
        }
    }
    binder.single_row(outputs, span)
}
