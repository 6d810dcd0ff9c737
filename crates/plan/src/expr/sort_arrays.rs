//! `array_sort_asc()` and `array_sort_desc()` of several arrays: the first is sorted and the others are
//! moved alike.
//!
//! <https://learn.microsoft.com/kusto/query/array-sort-asc-function>

use kql::ast::Call;
use kql::{Span, Type};

use super::Row;
use crate::binder::Binder;
use crate::error::Result;
use crate::names;
use crate::scope::{Binding, Scope};
use crate::typed::Typed;

/// Sorted arrays: one as itself, several as an array of them.
pub(super) struct Sorted {
    pub(super) value: Typed,
    /// The names of the columns that the arrays make.
    pub(super) names: Vec<String>,
}

impl Binder<'_> {
    /// What a call sorts; `None` if it is none that sorts arrays.
    pub(super) fn sorted<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Option<Sorted>> {
        let name = call.name.text.as_str();
        let sorts = matches!(name, "array_sort_asc" | "array_sort_desc");
        if !sorts || call.args.is_empty() || matches!(scope.get(name), Some(Binding::Function(..)))
        {
            return Ok(None);
        }
        crate::binder::no_names(call)?;
        let args = self.bound_args(call, scope, row)?;
        let mut args: Vec<Typed> = args.into_iter().map(|(arg, _)| arg).collect();
        let nulls_last = match args.last() {
            Some(last) if last.ty == Type::Bool && args.len() > 1 => args.pop(),
            _ => None,
        };
        let arrays = call.args.iter().take(args.len()).enumerate();
        let names = arrays.map(|(index, arg)| match names::implicit(&arg.expr) {
            Some(name) if !name.is_empty() => format!("{name}_sorted"),
            _ => format!("array{index}_sorted"),
        });
        let names: Vec<String> = names.collect();
        let nulls_last = nulls_last.unwrap_or_else(|| Typed::bool(true));
        let value = if args.len() == 1 {
            args.push(nulls_last);
            self.invoke(name, args, span)?
        } else {
            args.insert(0, nulls_last);
            self.invoke(&format!("__{name}"), args, span)?
        };
        Ok(Some(Sorted { value, names }))
    }
}
