use kql::Span;
use kql::ast::{self, Names as AstNames};

use crate::binder::Binder;
use crate::error::Result;
use crate::expr::Row;
use crate::names::Names;
use crate::relation::{Output, Relation};
use crate::scope::Scope;

/// `print a = …, …`: one row; columns without a name are `print_0`, `print_1`, …
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    columns: &'q [ast::NamedExpr],
    span: Span,
    scope: &Scope<'q>,
) -> Result<Relation> {
    let explicit = columns.iter().filter_map(|column| match &column.names {
        AstNames::One(name) => Some(name.text.clone()),
        _ => None,
    });
    let mut names = Names::new(explicit);
    let mut outputs = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let value = binder.scalar(&column.expr, scope, Row::NONE)?;
        let name = match &column.names {
            AstNames::One(name) => name.text.clone(),
            _ => names.unique(&format!("print_{index}")),
        };
        outputs.push(Output::new(name, value));
    }
    binder.single_row(outputs, span)
}
