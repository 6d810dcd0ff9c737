//! Functions that give several columns, and how a projection names what its expressions give.

use arrow::array::Array;
use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, lit};
use functions::scalar::internal;
use functions::{ScalarFunction, registry};
use kql::ast::{self, ExprKind, NamedExpr, Names};
use kql::{Code, Span, Type};

use super::sort_arrays::Sorted;
use super::{Row, call};
use crate::binder::Binder;
use crate::error::{At, Result, error};
use crate::names;
use crate::scope::{Binding, Scope};
use crate::typed::Typed;

/// A column that an expression of a projection gives.
pub(crate) struct Entry {
    pub(crate) name: EntryName,
    pub(crate) value: Typed,
}

/// The name of a column.
pub(crate) enum EntryName {
    /// The query says it.
    Said(String),
    /// The expression implies it.
    Implied(String),
    /// It is one of several that a function gives, and made of the function's name.
    Made(String),
    /// There is none.
    None,
}

impl Binder<'_> {
    /// The columns that an expression gives: of a function that gives several, as many as are named,
    /// or all of them if none is.
    ///
    /// <https://learn.microsoft.com/kusto/query/extend-operator>
    pub(crate) fn entries<'q>(
        &mut self,
        column: &'q NamedExpr,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Vec<Entry>> {
        let mut entries = self.all_entries(column, scope, row)?;
        if !matches!(column.names, Names::None) {
            entries.retain(|entry| matches!(entry.name, EntryName::Said(_)));
        }
        Ok(entries)
    }

    /// The columns that an expression gives: of a function that gives several, all of them. This is
    /// what `project` does.
    ///
    /// <https://learn.microsoft.com/kusto/query/series-fit-2lines-function>
    pub(crate) fn all_entries<'q>(
        &mut self,
        column: &'q NamedExpr,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Vec<Entry>> {
        let said: &[ast::Name] = match &column.names {
            Names::None => &[],
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        };
        if let ExprKind::Call(call) = &column.expr.kind
            && let Some(function) = several_columns(call, scope)
        {
            let columns = self.columns(call, function, column.expr.span, scope, row)?;
            return named(columns, said, column.span());
        }
        if let ExprKind::Call(call) = &column.expr.kind
            && let Some(sorted) = self.sorted(call, column.expr.span, scope, row)?
        {
            let columns = self.sorted_columns(sorted, column.expr.span)?;
            return named(columns, said, column.span());
        }
        if said.len() > 1 {
            let message = "only functions that give several values take several names";
            return Err(error(Code::Semantic, column.span(), message));
        }
        let value = self.scalar(&column.expr, scope, row)?;
        let name = match said.first() {
            Some(name) => EntryName::Said(name.text.clone()),
            None => match names::implicit(&column.expr) {
                Some(name) => EntryName::Implied(name),
                None => EntryName::None,
            },
        };
        Ok(vec![Entry { name, value }])
    }

    /// The columns of sorted arrays, with their names.
    fn sorted_columns(&mut self, sorted: Sorted, span: Span) -> Result<Vec<(String, Typed)>> {
        let Sorted { value, mut names } = sorted;
        if names.len() == 1 {
            return Ok(names.pop().map(|name| (name, value)).into_iter().collect());
        }
        let columns = names.into_iter().enumerate().map(|(index, name)| {
            let index = self.convert(Typed::long(index as i64), Type::Dynamic, span)?;
            let array = self.invoke("__path", vec![value.clone(), index], span)?;
            Ok((name, array))
        });
        columns.collect()
    }

    /// The columns of a call, with their names.
    fn columns<'q>(
        &mut self,
        call: &'q ast::Call,
        function: &'static ScalarFunction,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Vec<(String, Typed)>> {
        crate::binder::no_names(call)?;
        call::check_arity(function, call, span)?;
        let args = self.bound_args(call, scope, row)?;
        let args = args.into_iter().map(|(arg, _)| arg).collect();
        let (index, args) = self.arguments(function, args, span)?;
        let columns = function.overloads[index].result_columns();
        let udf = registry::columns_udf(function, index);
        let (Some(columns), Some(udf)) = (columns, udf) else {
            let message = format!("`{}` does not give several columns here", function.name);
            return Err(error(Code::Semantic, span, message));
        };
        let values = call::evaluated(&udf, args, span)?;
        let argument = call.args.first().and_then(|arg| names::implicit(&arg.expr));
        let argument = argument.unwrap_or_default();
        columns
            .iter()
            .map(|column| {
                let made = format!("{}_{argument}_{}", function.name, column.name);
                Ok((
                    made,
                    Typed::new(field(&values, column.name, span)?, column.ty),
                ))
            })
            .collect()
    }
}

/// Columns with the names that are said for them, or with those made for them.
fn named(columns: Vec<(String, Typed)>, said: &[ast::Name], span: Span) -> Result<Vec<Entry>> {
    if said.len() > columns.len() {
        let given = said.len();
        let message = format!("there are {given} names for {} columns", columns.len());
        return Err(error(Code::Semantic, span, message));
    }
    let said = said.iter().map(|name| Some(name.text.clone()));
    let columns = columns.into_iter().zip(said.chain(std::iter::repeat(None)));
    Ok(columns
        .map(|((made, value), said)| Entry {
            name: said.map_or(EntryName::Made(made), EntryName::Said),
            value,
        })
        .collect())
}

/// The function of a call that gives several columns.
fn several_columns(call: &ast::Call, scope: &Scope<'_>) -> Option<&'static ScalarFunction> {
    let name = call.name.text.as_str();
    if matches!(scope.get(name), Some(Binding::Function(..))) {
        return None;
    }
    registry::scalar(name).filter(|function| gives_several(function))
}

/// Whether a function gives several columns.
pub(super) fn gives_several(function: &ScalarFunction) -> bool {
    let mut forms = function.overloads.iter();
    forms.all(|form| form.result_columns().is_some())
}

fn field(values: &Expr, name: &str, span: Span) -> Result<Expr> {
    if let Expr::Literal(ScalarValue::Struct(row), _) = values
        && let Some(column) = row.column_by_name(name).filter(|column| column.len() == 1)
    {
        return Ok(lit(ScalarValue::try_from_array(column, 0).at(span)?));
    }
    let name = lit(ScalarValue::Utf8View(Some(name.to_owned())));
    Ok(internal::field().call(vec![values.clone(), name]))
}
