use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, LogicalPlanBuilder, Operator, binary_expr, lit};
use datafusion_functions_aggregate::{count::count_udaf, min_max};
use functions::aggregate::aggregates;
use functions::scalar::internal::{self, SERIES_MAX};
use kql::ast;
use kql::{Code, Span, Type};

use super::summarize;
use crate::aggregates::Groups;
use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint, unsupported};
use crate::expr::Row;
use crate::names::{self, Names};
use crate::relation::{Column, Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::{Typed, column};

/// `T | make-series n = count() default = 0 on time from a to b step c by k`: arrays with a value for
/// each bin of an axis, those without rows included.
///
/// Rows are first grouped by bin, and the bins of each group then become arrays.
/// <https://learn.microsoft.com/kusto/query/make-series-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    series: &'q ast::MakeSeries,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    input.no_stand_ins("`make-series`", span)?;
    let axis = Axis::bind(binder, series, &input, scope)?;
    let is_kept_empty = keeps_empty(series, &axis)?;
    let said = series.by.iter().chain([&series.axis]);
    let said = said.chain(series.aggregates.iter().map(|aggregate| &aggregate.expr));
    let said = said.filter_map(|column| match &column.names {
        ast::Names::One(name) => Some(name.text.clone()),
        _ => None,
    });
    let mut names = Names::new(said);
    let input = input.filter(axis.within(), span)?;
    let keys = summarize::group_keys(binder, None, &series.by, &input, scope, &mut names)?;
    let bin = axis.bin();
    let mut key_columns = summarize::key_columns(&input, &keys);
    key_columns.push(Column {
        name: "#bin".to_owned(),
        field: input.fresh("#bin"),
        ty: Type::Long,
        visible: Visible::Never,
    });
    let mut values: Vec<Typed> = keys.into_iter().map(|(_, value)| value).collect();
    values.push(bin);
    let width = values.len();
    let groups = Groups::new(&input, key_columns);
    let mut outputs = Vec::new();
    let mut defaults = Vec::new();
    for aggregate in &series.aggregates {
        let before = outputs.len();
        let expr = &aggregate.expr;
        summarize::aggregate_outputs(binder, expr, scope, &groups, &mut names, &mut outputs)?;
        if outputs.len() != before + 1 {
            let message = "a series takes an aggregate of one column";
            return Err(error(Code::Aggregate, expr.span(), message));
        }
        let ty = outputs[before].value.ty;
        defaults.push(default_json(binder, aggregate, ty, scope)?);
    }
    for output in &mut outputs {
        output.value = binder.convert(output.value.clone(), Type::Dynamic, span)?;
    }
    let bins = summarize::finish(binder, groups, values, outputs, span)?;
    let axis_name = match &series.axis.names {
        ast::Names::One(name) => name.text.clone(),
        _ => match names::implicit(&series.axis.expr) {
            Some(name) => names.unique(&name),
            None => names.unnamed(),
        },
    };
    let rows = Bins {
        bins,
        width,
        defaults,
    };
    rows.arrays(&axis, &axis_name, is_kept_empty, span)
}

/// Whether there is a row even of no rows.
fn keeps_empty(series: &ast::MakeSeries, axis: &Axis) -> Result<bool> {
    let mut kept = false;
    for param in &series.params {
        match (param.name.text.as_str(), param.text()) {
            ("kind", Some("nonempty")) if series.by.is_empty() && axis.last.is_some() => {
                kept = true;
            }
            ("kind", Some("nonempty")) => {
                let what = "`kind=nonempty` with `by`, or without `from` and `to`,";
                return Err(unsupported(param.value_span(), what));
            }
            ("kind", _) => {
                let message = "the kind of a `make-series` is `nonempty`";
                return Err(error(Code::Parameter, param.value_span(), message));
            }
            _ => {}
        }
    }
    Ok(kept)
}

/// The value of an empty bin as JSON.
fn default_json<'q>(
    binder: &mut Binder<'_>,
    aggregate: &'q ast::SeriesAggregate,
    ty: Type,
    scope: &Scope<'q>,
) -> Result<String> {
    let at = aggregate.expr.span();
    if !ty.is_numeric() {
        let message = format!("a series takes numbers, and this aggregate gives a {ty}");
        return Err(error(Code::Type, at, message));
    }
    let (default, at) = match &aggregate.default {
        Some(default) => (binder.scalar(default, scope, Row::NONE)?, default.span),
        None => (Typed::long(0), at),
    };
    let Some(value) = default.constant() else {
        return Err(error(Code::Constant, at, "the default must be a constant"));
    };
    if value.is_null() {
        return Ok("null".to_owned());
    }
    let default = match (default.ty, ty) {
        (Type::Real, Type::Int | Type::Long) => Typed::long(default.constant_long(at, i64::MIN)?),
        (Type::Long, Type::Int) => default,
        _ => binder.convert(default, ty, at)?,
    };
    let json = binder.convert(default, Type::Dynamic, at)?;
    Ok(json.constant_text().unwrap_or("null").to_owned())
}

/// The axis: its values in the rows, and its bins.
struct Axis {
    value: Typed,
    span: Span,
    origin: ScalarValue,
    /// Values from here on count, and values before there.
    from: Option<ScalarValue>,
    to: Option<ScalarValue>,
    step: ScalarValue,
    /// The number of the first bin and of the last one, where they are the same for all groups.
    first: Option<i64>,
    last: Option<i64>,
}

impl Axis {
    fn bind<'q>(
        binder: &mut Binder<'_>,
        series: &'q ast::MakeSeries,
        input: &Relation,
        scope: &Scope<'q>,
    ) -> Result<Self> {
        let span = series.axis.expr.span;
        let value = binder.scalar(&series.axis.expr, scope, Row::of(input))?;
        let value = match value.ty {
            Type::Int => binder.convert(value, Type::Long, span)?,
            Type::Long | Type::Real | Type::Datetime | Type::Timespan => value,
            ty => {
                let message = format!("the axis of a series can't be a {ty}");
                return Err(error(Code::Type, span, message));
            }
        };
        let step_ty = match value.ty {
            Type::Datetime => Type::Timespan,
            ty => ty,
        };
        let step = constant(binder, &series.step, step_ty, scope)?;
        if !is_positive(&step) {
            let message = "the step of a series must be positive";
            return Err(error(Code::Constant, series.step.span, message));
        }
        let mut bound = |expr: Option<&'q ast::Expr>| {
            expr.map(|expr| constant(binder, expr, value.ty, scope))
                .transpose()
        };
        let (from, to) = (bound(series.from.as_ref())?, bound(series.to.as_ref())?);
        let axis = Self {
            origin: match &from {
                Some(from) => from.clone(),
                None => crate::typed::null_value(value.ty),
            },
            value,
            span,
            from,
            to,
            step,
            first: None,
            last: None,
        };
        axis.bounded(binder, series)
    }

    /// Finds the bins at which all series begin and end.
    fn bounded(mut self, binder: &mut Binder<'_>, series: &ast::MakeSeries) -> Result<Self> {
        if self.from.is_none() {
            return match &series.to {
                None => Ok(self),
                Some(to) => Err(unsupported(
                    to.span,
                    "`make-series` with `to` and no `from`",
                )),
            };
        }
        self.first = Some(0);
        let (Some(from), Some(to)) = (&self.from, &self.to) else {
            return Ok(self);
        };
        let last = last_bin(from, to, &self.step, series.in_range);
        let Some(last) = last.filter(|last| *last < SERIES_MAX as i64) else {
            let message = format!("a series has at most {SERIES_MAX} bins");
            return Err(error(Code::Limit, series.step.span, message));
        };
        self.last = Some(last);
        if series.in_range {
            self.check_aligned(binder)?;
            self.to = None;
        }
        Ok(self)
    }

    /// `in range(…)` counts bins as `bin()` does, which is clear only of a start that begins a bin.
    fn check_aligned(&self, binder: &mut Binder<'_>) -> Result<()> {
        let Some(from) = &self.from else {
            return Ok(());
        };
        let start = Typed::new(lit(from.clone()), self.value.ty);
        let step_ty = match self.value.ty {
            Type::Datetime => Type::Timespan,
            ty => ty,
        };
        let step = Typed::new(lit(self.step.clone()), step_ty);
        let bin = binder.invoke("bin", vec![start, step], self.span)?;
        if bin.constant() == Some(from) {
            return Ok(());
        }
        Err(error_with_hint(
            Code::Unsupported,
            self.span,
            "`in range(…)` whose start does not begin a bin is not supported",
            "write `from … to … step …`, or `bin(…)` the start",
        ))
    }

    /// The bin of a row.
    fn bin(&self) -> Typed {
        let args = vec![
            self.value.expr.clone(),
            lit(self.origin.clone()),
            lit(self.step.clone()),
        ];
        Typed::new(internal::series_bin().call(args), Type::Long)
    }

    /// Whether a row lies on the axis.
    fn within(&self) -> Expr {
        let value = || self.value.expr.clone();
        let mut within = value().is_not_null();
        if let Some(from) = &self.from {
            within = within.and(binary_expr(value(), Operator::GtEq, lit(from.clone())));
        }
        if let Some(to) = &self.to {
            within = within.and(binary_expr(value(), Operator::Lt, lit(to.clone())));
        } else if let Some(last) = self.last {
            within = within.and(self.bin().expr.lt_eq(lit(last)));
        }
        within
    }
}

fn constant<'q>(
    binder: &mut Binder<'_>,
    expr: &'q ast::Expr,
    ty: Type,
    scope: &Scope<'q>,
) -> Result<ScalarValue> {
    let value = binder.scalar(expr, scope, Row::NONE)?;
    let value = binder.convert(value, ty, expr.span)?;
    match value.constant() {
        Some(value) if !value.is_null() => Ok(value.clone()),
        _ => Err(error(Code::Constant, expr.span, "expected a constant")),
    }
}

/// The last bin from the one that `from` begins: the one before `to`, or with `to` in it.
fn last_bin(
    from: &ScalarValue,
    to: &ScalarValue,
    step: &ScalarValue,
    inclusive: bool,
) -> Option<i64> {
    if let (
        ScalarValue::Float64(Some(from)),
        ScalarValue::Float64(Some(to)),
        ScalarValue::Float64(Some(step)),
    ) = (from, to, step)
    {
        let bins = (to - from) / step;
        let last = if inclusive {
            bins.floor()
        } else {
            bins.ceil() - 1.0
        };
        return last.is_finite().then_some(last as i64);
    }
    let (from, to, step) = (whole(from)?, whole(to)?, whole(step)?);
    let last = if inclusive {
        (to - from).div_euclid(step)
    } else {
        (to - from - 1).div_euclid(step)
    };
    i64::try_from(last).ok()
}

fn whole(value: &ScalarValue) -> Option<i128> {
    match value {
        ScalarValue::Int64(value)
        | ScalarValue::DurationNanosecond(value)
        | ScalarValue::TimestampNanosecond(value, _) => value.map(i128::from),
        _ => None,
    }
}

fn is_positive(step: &ScalarValue) -> bool {
    match step {
        ScalarValue::Int64(Some(step)) | ScalarValue::DurationNanosecond(Some(step)) => *step > 0,
        ScalarValue::Float64(Some(step)) => *step > 0.0 && step.is_finite(),
        _ => false,
    }
}

/// Rows that each hold a group's values of a bin.
struct Bins {
    bins: Relation,
    /// How many columns come before the values: those of the group, and the bin.
    width: usize,
    defaults: Vec<String>,
}

impl Bins {
    /// Makes the bins of each group into arrays.
    fn arrays(self, axis: &Axis, name: &str, keep_empty: bool, span: Span) -> Result<Relation> {
        let bins = &self.bins;
        let (keys, rest) = bins.columns.split_at(self.width - 1);
        let bin = || column(&rest[0].field);
        let bound = |bound: Option<i64>| lit(ScalarValue::Int64(bound));
        let mut columns: Vec<Column> = keys.to_vec();
        let mut aggregates_of: Vec<Expr> = Vec::new();
        for (value, default) in rest[1..].iter().zip(&self.defaults) {
            let field = bins.fresh(&value.name);
            let args = vec![
                bin(),
                column(&value.field),
                bound(axis.first),
                bound(axis.last),
                Typed::string(default.as_str()).expr,
            ];
            aggregates_of.push(aggregates().series.call(args).alias(&field));
            columns.push(Column {
                field,
                ty: Type::Dynamic,
                ..value.clone()
            });
        }
        let visible = columns.len();
        let parts = [
            ("#first", min_max::min_udaf().call(vec![bin()])),
            ("#last", min_max::max_udaf().call(vec![bin()])),
            ("#bins", count_udaf().call(vec![bin()])),
        ];
        for (name, part) in parts {
            let field = bins.fresh(name);
            aggregates_of.push(part.alias(&field));
            columns.push(Column {
                name: name.to_owned(),
                field,
                ty: Type::Long,
                visible: Visible::Never,
            });
        }
        let by = keys.iter().map(|key| column(&key.field));
        let plan = bins
            .builder(span)?
            .aggregate(
                by.chain(bins.part_keys(true)).collect::<Vec<_>>(),
                aggregates_of,
            )
            .and_then(LogicalPlanBuilder::build)
            .at(span)?;
        let mut series = bins.grouped(plan, columns, true);
        if !keep_empty {
            let any = column(&series.columns[visible + 2].field).gt(lit(0_i64));
            series = series.filter(any, span)?;
        }
        let end = |said: Option<i64>, index: usize| match said {
            Some(bin) => lit(bin),
            None => column(&series.columns[visible + index].field),
        };
        let args = vec![
            end(axis.first, 0),
            end(axis.last, 1),
            lit(axis.origin.clone()),
            lit(axis.step.clone()),
        ];
        let places = Typed::new(internal::series_axis().call(args), Type::Dynamic);
        let mut outputs: Vec<Output> = series.columns[..visible].iter().map(Output::keep).collect();
        outputs.push(Output::new(name, places));
        series.project(outputs, span)
    }
}
