//! KQL's aggregates over DataFusion's.

use std::sync::Arc;

use datafusion_common::ScalarValue;
use datafusion_expr::expr::AggregateFunction;
use datafusion_expr::{AggregateUDF, Expr, cast, lit, when};
use datafusion_functions_aggregate::{count, min_max, stddev, sum, variance};
use functions::aggregate::{aggregates, picked_field};
use functions::scalar::internal;
use functions::time::NANOS_PER_SECOND;
use kql::{Code, Span, Type};
use schema::arrow::data_type;

use super::{Groups, is_ordered};
use crate::binder::Binder;
use crate::error::{At, Result, error_with_hint};
use crate::typed::{Typed, column};

/// Computes one aggregate.
pub(super) struct Compute<'c, 'a, 'r> {
    pub(super) binder: &'c mut Binder<'a>,
    pub(super) groups: &'c Groups<'r>,
    /// Which rows count.
    pub(super) filter: Option<Expr>,
    pub(super) span: Span,
}

impl Compute<'_, '_, '_> {
    pub(super) fn part(&self, udaf: Arc<AggregateUDF>, args: Vec<Expr>, distinct: bool) -> Expr {
        let filter = self.filter.clone().map(Box::new);
        let call = AggregateFunction::new_udf(udaf, args, distinct, filter, Vec::new(), None);
        self.groups.part(Expr::AggregateFunction(call))
    }

    /// The number of rows; never null.
    pub(super) fn count(&mut self) -> Typed {
        Typed::new(
            self.part(count::count_udaf(), vec![lit(1_i64)], false),
            Type::Long,
        )
    }

    pub(super) fn count_of(&self, value: Expr) -> Expr {
        self.part(count::count_udaf(), vec![value], false)
    }

    pub(super) fn refuse(&self, what: &str, ty: Type) -> crate::error::Stop {
        let message = format!("`{what}` does not take a {ty}");
        let hint = match ty {
            Type::String | Type::Dynamic => "convert it, with `tolong(…)` or `toreal(…)`",
            _ => "convert it first",
        };
        error_with_hint(Code::Type, self.span, message, hint)
    }

    /// A sum of nothing is 0, and sums of longs wrap.
    pub(super) fn sum(&mut self, value: Typed) -> Result<Typed> {
        if value.ty == Type::Timespan {
            return self.sum_timespan(value.expr);
        }
        let value = self.addend(value)?;
        let (part, ty) = self.sum_part(value, "sum")?;
        let zero = match ty {
            Type::Real => lit(0.0_f64),
            Type::Decimal => lit(ScalarValue::Decimal128(
                Some(0),
                schema::arrow::DECIMAL_PRECISION,
                schema::arrow::DECIMAL_SCALE,
            )),
            _ => lit(0_i64),
        };
        let total = when(part.clone().is_null(), zero)
            .otherwise(part)
            .at(self.span)?;
        Ok(Typed::new(total, ty))
    }

    /// The sum of timespans, which fails where it is longer than a timespan.
    fn sum_timespan(&mut self, value: Expr) -> Result<Typed> {
        let ty = Type::Timespan;
        let (seconds, rest) = self.sums_of_nanos(value);
        let second = Typed::timespan(Some(NANOS_PER_SECOND));
        let seconds = vec![second, Typed::new(seconds, Type::Long)];
        let whole = self.binder.invoke("__multiply", seconds, self.span)?;
        let rest = Typed::new(cast(rest, data_type(ty)), ty);
        let total = self.binder.invoke("__add", vec![whole, rest], self.span)?;
        let total = when(total.expr.clone().is_null(), Typed::timespan(Some(0)).expr)
            .otherwise(total.expr)
            .at(self.span)?;
        Ok(Typed::new(total, ty))
    }

    /// A value as it is added.
    fn addend(&mut self, value: Typed) -> Result<Typed> {
        match value.ty {
            Type::Dynamic => self.binder.convert(value, Type::Real, self.span),
            Type::Int => self.binder.convert(value, Type::Long, self.span),
            Type::Bool => self.binder.invoke("tolong", vec![value], self.span),
            _ => Ok(value),
        }
    }

    /// The sum as DataFusion gives it, and the type of KQL's.
    fn sum_part(&mut self, value: Typed, what: &str) -> Result<(Expr, Type)> {
        let (expr, ty) = match value.ty {
            Type::Long | Type::Real | Type::Decimal => (value.expr, value.ty),
            ty => return Err(self.refuse(what, ty)),
        };
        let part = self.part(sum::sum_udaf(), vec![expr], false);
        // Sums of decimals come back wider than decimals are.
        let part = if ty == Type::Decimal {
            cast(part, data_type(ty))
        } else {
            part
        };
        Ok((part, ty))
    }

    /// An average of nothing is not a number; of times it is null.
    pub(super) fn avg(&mut self, value: Typed) -> Result<Typed> {
        if matches!(value.ty, Type::Datetime | Type::Timespan) {
            return self.mean_time(value);
        }
        // What is no number once it is converted does not count.
        let value = self.addend(value)?;
        let counted = value.expr.clone();
        let (total, ty) = self.sum_part(value, "avg")?;
        let count = self.count_of(counted);
        let real = data_type(Type::Real);
        Ok(match ty {
            Type::Decimal => {
                let count =
                    self.binder
                        .convert(Typed::new(count, Type::Long), Type::Decimal, self.span)?;
                self.binder
                    .invoke("__divide", vec![Typed::new(total, ty), count], self.span)?
            }
            _ => {
                let total = when(total.clone().is_null(), lit(0.0_f64))
                    .otherwise(cast(total, real.clone()))
                    .at(self.span)?;
                let (total, count) = (
                    Typed::new(total, Type::Real),
                    Typed::new(cast(count, real), Type::Real),
                );
                self.binder
                    .invoke("__divide", vec![total, count], self.span)?
            }
        })
    }

    /// The mean of datetimes or timespans.
    fn mean_time(&mut self, value: Typed) -> Result<Typed> {
        let second = || lit(NANOS_PER_SECOND);
        let count = self.count_of(value.expr.clone());
        let (seconds, rest) = self.sums_of_nanos(value.expr);
        let whole = seconds.clone() / count.clone() * second();
        let rest = (seconds % count.clone() * second() + rest) / count.clone();
        let mean = when(count.eq(lit(0_i64)), lit(ScalarValue::Int64(None)))
            .otherwise(whole + rest)
            .at(self.span)?;
        Ok(Typed::new(cast(mean, data_type(value.ty)), value.ty))
    }

    /// The sum of whole seconds and that of the rest in nanoseconds: the sum of all nanoseconds need
    /// not fit a long.
    fn sums_of_nanos(&mut self, value: Expr) -> (Expr, Expr) {
        let nanos = cast(value, data_type(Type::Long));
        let sum = |part: Expr| self.part(sum::sum_udaf(), vec![part], false);
        let seconds = sum(nanos.clone() / lit(NANOS_PER_SECOND));
        let rest = sum(nanos % lit(NANOS_PER_SECOND));
        (seconds, rest)
    }

    /// The least or greatest value; what is not a number is both.
    pub(super) fn extreme(&mut self, value: Typed, greatest: bool) -> Result<Typed> {
        let ty = value.ty;
        if !is_ordered(ty) {
            return Err(self.refuse(if greatest { "max" } else { "min" }, ty));
        }
        let udaf = |greatest| {
            if greatest {
                min_max::max_udaf()
            } else {
                min_max::min_udaf()
            }
        };
        // Bools have no order in DataFusion's aggregates.
        if ty == Type::Bool {
            let number = cast(value.expr, data_type(Type::Int));
            let part = self.part(udaf(greatest), vec![number], false);
            return Ok(Typed::new(cast(part, data_type(ty)), ty));
        }
        if ty == Type::Real {
            let key = internal::order_key().call(vec![value.expr, lit(!greatest)]);
            let part = self.part(udaf(greatest), vec![key], false);
            return Ok(Typed::new(internal::from_order_key().call(vec![part]), ty));
        }
        let part = self.part(udaf(greatest), vec![value.expr], false);
        let result = match ty {
            Type::String => non_null_string(part, self.span)?,
            _ => part,
        };
        Ok(Typed::new(result, ty))
    }

    /// Variance and standard deviation; of one value it is 0.
    pub(super) fn spread(&mut self, value: Typed, root: bool, sample: bool) -> Result<Typed> {
        let value = self.real(value, if root { "stdev" } else { "variance" })?;
        let udaf = match (root, sample) {
            (true, true) => stddev::stddev_udaf(),
            (true, false) => stddev::stddev_pop_udaf(),
            (false, true) => variance::var_samp_udaf(),
            (false, false) => variance::var_pop_udaf(),
        };
        let count = self.count_of(value.expr.clone());
        let spread = self.part(udaf, vec![value.expr], false);
        let few = when(count.clone().eq(lit(0_i64)), lit(f64::NAN))
            .when(count.eq(lit(1_i64)), lit(0.0_f64))
            .otherwise(spread)
            .at(self.span)?;
        Ok(Typed::new(few, Type::Real))
    }

    /// A number as a real.
    pub(super) fn real(&mut self, value: Typed, what: &str) -> Result<Typed> {
        match value.ty {
            Type::Decimal => self.binder.invoke("toreal", vec![value], self.span),
            Type::Int | Type::Long | Type::Real | Type::Dynamic => {
                self.binder.convert(value, Type::Real, self.span)
            }
            ty => Err(self.refuse(what, ty)),
        }
    }

    /// A value to be told from others: equal reals have one form.
    fn distinct_value(&mut self, value: Typed) -> Result<Typed> {
        match value.ty {
            Type::Real => self.binder.invoke("__one_form", vec![value], self.span),
            _ => Ok(value),
        }
    }

    pub(super) fn count_distinct(&mut self, value: Typed) -> Result<Typed> {
        let value = self.distinct_value(value)?;
        Ok(Typed::new(
            self.part(count::count_udaf(), vec![value.expr], true),
            Type::Long,
        ))
    }

    /// The place of each row in a list. Groups, which are in no order, lie by their values, so that
    /// the list is the same every time.
    fn place_in_list(&self) -> Result<Expr> {
        let input = self.groups.input;
        if input.order.is_empty() && input.grouped {
            return input.row_number(self.span);
        }
        self.place()
    }

    /// The place of each row, where the order of rows shows in the result; else the same for all.
    fn place(&self) -> Result<Expr> {
        let input = self.groups.input;
        let is_long = |field: &str| {
            let mut columns = input.columns.iter();
            columns.any(|c| c.field == field && c.ty == Type::Long)
        };
        match input.order.as_slice() {
            [] => Ok(lit(0_i64)),
            [key] if key.ascending && is_long(&key.field) => Ok(column(&key.field)),
            _ => input.row_number(self.span),
        }
    }

    pub(super) fn make_list(&mut self, value: Typed, size: i64, with_nulls: bool) -> Result<Typed> {
        // Nulls are left out, except those of dynamic values.
        let keep_nulls = with_nulls || value.ty == Type::Dynamic;
        let json = self.binder.convert(value, Type::Dynamic, self.span)?;
        let args = vec![json.expr, self.place_in_list()?, lit(size), lit(keep_nulls)];
        self.collection(&aggregates().make_list, args, "[]")
    }

    pub(super) fn make_set(&mut self, value: Typed, size: i64) -> Result<Typed> {
        let value = self.distinct_value(value)?;
        let json = self.binder.convert(value, Type::Dynamic, self.span)?;
        let args = vec![json.expr, self.place_in_list()?, lit(size)];
        self.collection(&aggregates().make_set, args, "[]")
    }

    pub(super) fn make_bag(&mut self, value: Typed, size: i64) -> Result<Typed> {
        if value.ty != Type::Dynamic {
            return Err(self.refuse("make_bag", value.ty));
        }
        self.collection(&aggregates().make_bag, vec![value.expr, lit(size)], "{}")
    }

    fn collection(
        &mut self,
        udaf: &Arc<AggregateUDF>,
        args: Vec<Expr>,
        empty: &str,
    ) -> Result<Typed> {
        let part = self.part(Arc::clone(udaf), args, false);
        let empty = lit(ScalarValue::Utf8View(Some(empty.to_owned())));
        let value = when(part.clone().is_null(), empty)
            .otherwise(part)
            .at(self.span)?;
        Ok(Typed::new(value, Type::Dynamic))
    }

    /// The values of one row: of the one with the least or greatest key, or of any.
    pub(super) fn pick(
        &mut self,
        key: Option<(Typed, bool)>,
        values: Vec<Typed>,
    ) -> Result<Vec<Typed>> {
        let types: Vec<Type> = values.iter().map(|value| value.ty).collect();
        let mut args = Vec::with_capacity(values.len() + 2);
        let udaf = match key {
            Some((key, greatest)) => {
                args.push(key.expr);
                if greatest {
                    &aggregates().arg_max
                } else {
                    &aggregates().arg_min
                }
            }
            None => &aggregates().take_any,
        };
        args.push(self.place()?);
        args.extend(values.into_iter().map(|value| value.expr));
        let picked = self.part(Arc::clone(udaf), args, false);
        types
            .into_iter()
            .enumerate()
            .map(|(index, ty)| {
                let name = lit(ScalarValue::Utf8View(Some(picked_field(index))));
                let field = internal::field().call(vec![picked.clone(), name]);
                let field = if ty == Type::String {
                    non_null_string(field, self.span)?
                } else {
                    field
                };
                Ok(Typed::new(field, ty))
            })
            .collect()
    }
}

/// A string that a group without rows left null.
fn non_null_string(value: Expr, span: Span) -> Result<Expr> {
    when(value.clone().is_null(), Typed::string("").expr)
        .otherwise(value)
        .at(span)
}
