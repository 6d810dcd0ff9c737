use kql::ast::{self, Names as AstNames};
use kql::{Code, Span};

use crate::binder::Binder;
use crate::error::{Result, error};
use crate::expr::Row;
use crate::names::{self, Names};
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
        let value = binder.scalar(&column.expr, scope, Row::of(&input))?;
        let name = match &column.names {
            AstNames::One(name) => name.text.clone(),
            AstNames::None => match names::implicit(&column.expr) {
                Some(name) => name,
                None => known.unnamed(),
            },
            AstNames::Many(_) => {
                let message = "only functions that give several values take several names";
                return Err(error(Code::Semantic, column.span(), message));
            }
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
    // The unseen columns stay with the order, which `project` carries along.
    outputs.retain(|output| output.visible != Visible::Never);
    input.project(outputs, span)
}
