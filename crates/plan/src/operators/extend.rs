use kql::ast;
use kql::{Code, Span};

use crate::binder::Binder;
use crate::error::{Result, error};
use crate::expr::{Entry, EntryName, Row};
use crate::names::Names;
use crate::relation::{Output, Relation, Visible};
use crate::scope::Scope;

/// `T | extend a = …`: columns of known names are replaced in place, others come last.
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    columns: &'q [ast::NamedExpr],
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let mut outputs: Vec<Output> = input.columns.iter().map(Output::keep).collect();
    let mut known = Names::new(input.columns.iter().map(|column| column.name.clone()));
    let mut set: Vec<String> = Vec::new();
    for column in columns {
        for Entry { name, value } in binder.entries(column, scope, Row::of(&input))? {
            let name = match name {
                EntryName::Said(name) | EntryName::Implied(name) => name,
                EntryName::Made(name) => known.unique(&name),
                EntryName::None => known.unnamed(),
            };
            if set.contains(&name) {
                let message = format!("the column `{name}` is set twice");
                return Err(error(Code::Ambiguous, column.span(), message));
            }
            set.push(name.clone());
            let output = Output::new(&*name, value);
            match outputs
                .iter_mut()
                .find(|other| other.name == name && other.visible != Visible::Never)
            {
                Some(other) => *other = output,
                None => outputs.push(output),
            }
        }
    }
    // The unseen columns stay with the order, which `project` carries along.
    outputs.retain(|output| output.visible != Visible::Never);
    input.project(outputs, span)
}
