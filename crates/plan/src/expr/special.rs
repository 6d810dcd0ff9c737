//! Calls that are more than a kernel on their arguments: conditions, the clock, tables as values.

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, lit, not, when};
use kql::ast::{self, Call, ExprKind, Literal};
use kql::{Code, Span, Type};

use super::call::expect_args;
use super::compare::{common_type, is_missing};
use super::{Row, conversion};
use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint};
use crate::relation::Output;
use crate::scope::Scope;
use crate::typed::Typed;

/// The special forms, for "did you mean".
pub(super) const NAMES: &[&str] = &[
    "ago",
    "bag_pack_columns",
    "bin_auto",
    "case",
    "coalesce",
    "column_ifexists",
    "column_names_of",
    "iff",
    "iif",
    "ingestion_time",
    "iscolumnexists",
    "isnotnull",
    "isnull",
    "not",
    "now",
    "pack_all",
    "toscalar",
];

/// What of KQL is known and not run, by the name of a function.
pub(super) fn unsupported_function(name: &str) -> Option<String> {
    const KNOWN: &[&str] = &[
        "cluster",
        "database",
        "external_table",
        "materialized_view",
        "current_principal",
        "current_principal_details",
        "current_principal_is_member_of",
        "cursor_after",
        "cursor_before_or_at",
        "cursor_current",
        "extent_id",
        "extent_tags",
        "app",
        "resource",
        "arg",
        "adx",
        "geo_info_from_ip_address",
        "parse_user_agent",
        "series_periods_detect",
        "series_periods_validate",
        "hash_combine",
        "hash_many",
    ];
    (KNOWN.contains(&name) || name.starts_with("geo_")).then(|| format!("`{name}()`"))
}

impl Binder<'_> {
    /// The value of a special form; `None` if the call is none.
    pub(super) fn special<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Option<Typed>> {
        Ok(Some(match call.name.text.as_str() {
            "iff" | "iif" => {
                expect_args(call, span, 3..=3)?;
                self.case(call, scope, row)?
            }
            "case" => {
                if call.args.len() < 3 || call.args.len().is_multiple_of(2) {
                    let message =
                        "`case` takes conditions and values in turn, and a value for the rest";
                    return Err(error(Code::Arity, span, message));
                }
                self.case(call, scope, row)?
            }
            "coalesce" => self.coalesce(call, span, scope, row)?,
            "not" => {
                expect_args(call, span, 1..=1)?;
                let operand = self.boolean(&call.args[0].expr, scope, row, super::Mode::Value)?;
                match &operand {
                    Expr::Literal(ScalarValue::Boolean(Some(value)), _) => Typed::bool(!value),
                    _ => Typed::new(not(operand), Type::Bool),
                }
            }
            "isnull" | "isnotnull" | "notnull" => {
                expect_args(call, span, 1..=1)?;
                let value = self.scalar(&call.args[0].expr, scope, row)?;
                is_null(value, call.name.text == "isnull")
            }
            "now" => self.now(call, span, scope, false)?,
            "ago" => self.now(call, span, scope, true)?,
            "toscalar" => self.toscalar(call, span, scope)?,
            "column_ifexists" | "columnifexists" => {
                self.column_if_exists(call, span, scope, row)?
            }
            "ingestion_time" => {
                expect_args(call, span, 0..=0)?;
                self.name(schema::table::TIME_RECEIVED, span, scope, row)?
            }
            "pack_all" => self.pack_all(call, span, scope, row)?,
            "gettype" => {
                expect_args(call, span, 1..=1)?;
                let value = self.scalar(&call.args[0].expr, scope, row)?;
                match value.ty {
                    Type::Dynamic => self.invoke("gettype", vec![value], span)?,
                    ty => Typed::string(ty.name()),
                }
            }
            "iscolumnexists" => self.is_column(call, span, scope, row)?,
            "column_names_of" => self.column_names(call, span, scope)?,
            "bag_pack_columns" => self.pack_columns(call, span, scope, row)?,
            "estimate_data_size" => self.data_size(call, span, scope, row)?,
            "bin_auto" => self.bin_auto(call, span, scope, row)?,
            "extract" if call.args.len() == 4 => self.extract_typed(call, scope, row)?,
            "extract_json" | "extractjson" if call.args.len() == 3 => {
                self.extract_typed(call, scope, row)?
            }
            "percentile_tdigest" if call.args.len() == 3 => {
                self.percentile_typed(call, scope, row)?
            }
            _ => return Ok(None),
        }))
    }

    /// `iff` and `case`: a condition that is null counts as false.
    fn case<'q>(&mut self, call: &'q Call, scope: &Scope<'q>, row: Row<'_>) -> Result<Typed> {
        let args: Vec<_> = call.exprs().collect();
        let (otherwise, branches) = args.split_last().expect("the caller has counted");
        let mut conditions = Vec::new();
        let mut values = Vec::new();
        for pair in branches.chunks_exact(2) {
            conditions.push(self.boolean(pair[0], scope, row, super::Mode::Value)?);
            values.push((self.scalar(pair[1], scope, row)?, pair[1].span));
        }
        values.push((self.scalar(otherwise, scope, row)?, otherwise.span));
        let (mut values, ty) = self.unified(values, false)?;
        let mut otherwise = values.pop().expect("there is a value for the rest");
        let mut taken = Vec::new();
        for (condition, value) in conditions.into_iter().zip(values) {
            match condition {
                Expr::Literal(ScalarValue::Boolean(Some(true)), _) => {
                    otherwise = value;
                    break;
                }
                Expr::Literal(ScalarValue::Boolean(_), _) => {}
                condition => taken.push((condition, value)),
            }
        }
        let mut branches = taken.into_iter();
        let Some((condition, value)) = branches.next() else {
            return Ok(otherwise);
        };
        let mut case = when(condition, value.expr);
        for (condition, value) in branches {
            case = case.when(condition, value.expr);
        }
        Ok(Typed::new(
            case.otherwise(otherwise.expr).at(call.name.span)?,
            ty,
        ))
    }

    /// Values of branches as one type. Beside values of another type, dynamic ones are taken for that
    /// or, if `dynamic` says so, all are made dynamic.
    fn unified(&mut self, values: Vec<(Typed, Span)>, dynamic: bool) -> Result<(Vec<Typed>, Type)> {
        // A null says nothing of the type.
        let is_untyped = |value: &Typed| {
            value.ty == Type::Dynamic && value.constant().is_some_and(ScalarValue::is_null)
        };
        let mut ty: Option<Type> = None;
        for (value, span) in values.iter().filter(|(value, _)| !is_untyped(value)) {
            ty = Some(match ty {
                None => value.ty,
                Some(Type::Dynamic) if !dynamic => value.ty,
                Some(ty) if !dynamic && value.ty == Type::Dynamic => ty,
                Some(ty) => common_type(ty, value.ty).ok_or_else(|| {
                    let message = format!("the values are of types {ty} and {}", value.ty);
                    let hint = format!("convert one of them: `{}(…)`", conversion(ty));
                    error_with_hint(Code::Type, *span, message, hint)
                })?,
            });
        }
        let ty = ty.unwrap_or(Type::Dynamic);
        let values = values
            .into_iter()
            .map(|(value, span)| {
                if is_untyped(&value) {
                    Ok(Typed::null(ty))
                } else {
                    self.convert(value, ty, span)
                }
            })
            .collect::<Result<_>>()?;
        Ok((values, ty))
    }

    /// The first value that is not null; of strings, the first that is not empty.
    fn coalesce<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        expect_args(call, span, 1..=64)?;
        let args = self.bound_args(call, scope, row)?;
        let (mut values, ty) = self.unified(args, true)?;
        let last = values.pop().expect("there is an argument");
        let mut values = values.into_iter();
        let Some(first) = values.next() else {
            return Ok(last);
        };
        let mut case = when(not(is_missing(&first)), first.expr);
        for value in values {
            case = case.when(not(is_missing(&value)), value.expr);
        }
        Ok(Typed::new(case.otherwise(last.expr).at(span)?, ty))
    }

    /// `now([offset])`, `ago(span)`: constants of the query.
    fn now<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        ago: bool,
    ) -> Result<Typed> {
        expect_args(call, span, usize::from(ago)..=1)?;
        let now = Typed::datetime(Some(self.context.now));
        let Some(arg) = call.args.first() else {
            return Ok(now);
        };
        let offset = self.scalar(&arg.expr, scope, Row::NONE)?;
        if offset.ty != Type::Timespan {
            let message = format!("expected a timespan, found a {}", offset.ty);
            return Err(error_with_hint(
                Code::Type,
                arg.expr.span,
                message,
                "write a unit, as in `1h`",
            ));
        }
        self.invoke(
            if ago { "__subtract" } else { "__add" },
            vec![now, offset],
            span,
        )
    }

    /// The first cell of a table, as a constant.
    fn toscalar<'q>(&mut self, call: &'q Call, span: Span, scope: &Scope<'q>) -> Result<Typed> {
        expect_args(call, span, 1..=1)?;
        let arg = &call.args[0].expr;
        if !self.is_tabular(arg, scope) {
            return self.scalar(arg, scope, Row::NONE);
        }
        let relation = self.table_in_value(arg, scope)?;
        let Some(column) = relation.visible().next().cloned() else {
            return Err(error(Code::Semantic, arg.span, "the table has no columns"));
        };
        let relation = relation
            .limit(1, arg.span)?
            .project(vec![Output::keep(&column)], arg.span)?;
        let rows = self.ask(relation, true, span)?;
        if rows.num_rows() == 0 {
            return Ok(Typed::null(column.ty));
        }
        let value = ScalarValue::try_from_array(rows.column(0), 0).at(span)?;
        Ok(Typed::new(lit(value), column.ty))
    }

    fn column_if_exists<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        expect_args(call, span, 2..=2)?;
        let name = self.scalar(&call.args[0].expr, scope, Row::NONE)?;
        let Some(name) = name.constant_text().filter(|_| name.ty == Type::String) else {
            let at = call.args[0].expr.span;
            return Err(error(
                Code::Constant,
                at,
                "the column's name must be a constant string",
            ));
        };
        match row.columns.and_then(|relation| relation.column(name)) {
            Some(_) => self.name(name, span, scope, row),
            None => self.scalar(&call.args[1].expr, scope, row),
        }
    }

    /// `pack_all([ignore nulls and empties])`: all columns as a property bag.
    fn pack_all<'q>(
        &mut self,
        call: &'q Call,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        expect_args(call, span, 0..=1)?;
        let ignore = match call.args.first() {
            Some(arg) => {
                let value = self.scalar(&arg.expr, scope, Row::NONE)?;
                value.constant() == Some(&ScalarValue::Boolean(Some(true)))
            }
            None => false,
        };
        let Some(relation) = row.columns else {
            return Err(error(
                Code::Semantic,
                span,
                "there are no columns to pack here",
            ));
        };
        let mut args = Vec::new();
        for column in relation.visible() {
            args.push(Typed::string(&*column.name));
            args.push(column.value());
        }
        let function = if ignore { "__pack_present" } else { "bag_pack" };
        self.invoke(function, args, span)
    }

    /// `extract(regex, group, text, typeof(type))`, `extract_json(path, text, typeof(type))`.
    fn extract_typed<'q>(
        &mut self,
        call: &'q Call,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let args: Vec<_> = call.exprs().collect();
        let (wanted, args) = args.split_last().expect("the caller has counted");
        let ty = literal_type(wanted)?;
        let mut bound = Vec::new();
        for arg in args {
            bound.push(self.scalar(arg, scope, row)?);
        }
        let text = self.invoke(&call.name.text, bound, call.name.span)?;
        if ty == Type::String {
            return Ok(text);
        }
        self.invoke(conversion(ty), vec![text], call.name.span)
    }

    /// `percentile_tdigest(digest, percentile, typeof(type))`.
    fn percentile_typed<'q>(
        &mut self,
        call: &'q Call,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let args: Vec<_> = call.exprs().collect();
        let ty = literal_type(args[2])?;
        let digest = self.scalar(args[0], scope, row)?;
        let percentile = self.scalar(args[1], scope, row)?;
        let span = call.name.span;
        let value = self.invoke("percentile_tdigest", vec![digest, percentile], span)?;
        self.convert(value, ty, span)
    }
}

fn literal_type(arg: &ast::Expr) -> Result<Type> {
    match &arg.kind {
        ExprKind::Literal(Literal::Type(ty)) => Ok(*ty),
        _ => Err(error(Code::Type, arg.span, "expected `typeof(…)`")),
    }
}

fn is_null(value: Typed, wanted: bool) -> Typed {
    if value.ty == Type::String {
        return Typed::bool(!wanted);
    }
    match value.constant() {
        Some(constant) => Typed::bool(constant.is_null() == wanted),
        None if wanted => Typed::new(value.expr.is_null(), Type::Bool),
        None => Typed::new(value.expr.is_not_null(), Type::Bool),
    }
}
