//! Calls that ask what columns there are, or take columns by name.

use datafusion_common::ScalarValue;
use kql::ast::{Call, ExprKind};
use kql::{Code, Span, Type};

use super::Row;
use super::call::expect_args;
use crate::binder::Binder;
use crate::error::{Result, error};
use crate::relation::Column;
use crate::scope::Scope;
use crate::typed::Typed;

impl Binder<'_> {
    /// `iscolumnexists(name)`: whether there is a column of a name.
    pub(super) fn is_column<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        expect_args(call, span, 1..=1)?;
        let name = self.scalar(&call.args[0].expr, scope, Row::NONE)?;
        let Some(name) = name.constant_text().filter(|_| name.ty == Type::String) else {
            let message = "the column's name must be a constant string";
            return Err(error(Code::Constant, call.args[0].expr.span, message));
        };
        match row.columns {
            Some(relation) => Ok(Typed::bool(relation.column(name).is_some())),
            None => Err(error(Code::Semantic, span, "there are no columns here")),
        }
    }

    /// `column_names_of(T)`: the names of a table's columns, as an array.
    ///
    /// <https://learn.microsoft.com/kusto/query/column-names-of-function>
    pub(super) fn column_names<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
    ) -> Result<Typed> {
        expect_args(call, span, 1..=1)?;
        let relation = self.table_in_value(&call.args[0].expr, scope)?;
        let names = relation
            .visible()
            .map(|column| Typed::string(&*column.name));
        let names: Vec<Typed> = names.collect();
        self.invoke("pack_array", names, span)
    }

    /// `bag_pack_columns(a, b, …)`: a property bag of columns by their names.
    ///
    /// <https://learn.microsoft.com/kusto/query/bag-pack-columns-function>
    pub(super) fn pack_columns<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let mut args = Vec::with_capacity(2 * call.args.len());
        for arg in call.exprs() {
            let ExprKind::Name(name) = &arg.kind else {
                return Err(error(Code::Semantic, arg.span, "expected a column"));
            };
            args.push(Typed::string(&**name));
            args.push(self.scalar(arg, scope, row)?);
        }
        self.invoke("bag_pack", args, span)
    }

    /// `estimate_data_size(a, b, …)`, or of `*` for all columns: the sum of their sizes.
    ///
    /// <https://learn.microsoft.com/kusto/query/estimate-data-size-function>
    pub(super) fn data_size<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        expect_args(call, span, 1..=usize::MAX)?;
        let mut columns = Vec::new();
        for arg in call.exprs() {
            match (&arg.kind, row.columns) {
                (ExprKind::Star, Some(relation)) => {
                    columns.extend(relation.visible().map(Column::value));
                }
                _ => columns.push(self.scalar(arg, scope, row)?),
            }
        }
        let mut size = Typed::long(0);
        for column in columns {
            let bytes = self.invoke("estimate_data_size", vec![column], span)?;
            size = match size.constant() {
                Some(ScalarValue::Int64(Some(0))) => bytes,
                _ => self.invoke("__add", vec![size, bytes], span)?,
            };
        }
        Ok(size)
    }

    /// `bin_auto(value)`: bins as `set` statements say.
    ///
    /// <https://learn.microsoft.com/kusto/query/bin-auto-function>
    pub(super) fn bin_auto<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        expect_args(call, span, 1..=1)?;
        let value = self.scalar(&call.args[0].expr, scope, row)?;
        let Some(size) = self.bin_size.clone() else {
            let message = "`bin_auto` needs `set query_bin_auto_size = …` before the query";
            return Err(error(Code::Semantic, span, message));
        };
        match self.bin_at.clone() {
            Some(at) => self.invoke("bin_at", vec![value, size, at], span),
            None => self.invoke("bin", vec![value, size], span),
        }
    }
}
