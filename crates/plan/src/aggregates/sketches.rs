//! Percentiles, counts of distinct values, and other aggregates that are about a whole distribution.

use std::sync::Arc;

use datafusion_common::ScalarValue;
use datafusion_expr::{AggregateUDF, Expr, lit, when};
use datafusion_functions_aggregate::{bit_and_or_xor, count, covariance};
use functions::aggregate::aggregates;
use functions::dynamic;
use functions::scalar::internal;
use kql::ast::Call;
use kql::{Code, Span, Type};

use super::compute::Compute;
use super::{AggregateOutput, Groups, Spanned};
use crate::binder::Binder;
use crate::error::{At, Result, error};
use crate::names;
use crate::typed::Typed;

impl Binder<'_> {
    /// `percentile(value, p)`, `percentiles(value, p, …)`; with weights `percentilew`,
    /// `percentilesw`; as an array `percentiles_array`, `percentilesw_array`.
    ///
    /// <https://learn.microsoft.com/kusto/query/percentiles-aggregation-function>
    pub(super) fn percentiles(
        &mut self,
        call: &Call,
        args: Vec<Spanned>,
        span: Span,
        groups: &Groups<'_>,
    ) -> Result<Vec<AggregateOutput>> {
        let name = call.name.text.as_str();
        let (is_weighted, is_array) = (
            matches!(name, "percentilew" | "percentilesw" | "percentilesw_array"),
            name.ends_with("_array"),
        );
        let mut args = args.into_iter();
        let value = args.next();
        let weight = if is_weighted { args.next() } else { None };
        let rest: Vec<Spanned> = args.collect();
        let is_one = matches!(name, "percentile" | "percentilew");
        let (Some((value, at)), false) = (value, rest.is_empty() || is_one && rest.len() > 1)
        else {
            let weight = if is_weighted { ", weights" } else { "" };
            let percentiles = if is_one {
                "a percentile"
            } else {
                "percentiles"
            };
            let message = format!("`{name}` takes values{weight} and {percentiles}");
            return Err(error(Code::Arity, span, message));
        };
        let base = names::implicit(&call.args[0].expr).unwrap_or_default();
        let percentiles = self.constant_percentiles(rest, is_array)?;
        let mut compute = Compute {
            binder: self,
            groups,
            filter: None,
            span,
        };
        let (value, weight) = compute.sketched(value, weight, at)?;
        if is_array {
            let value = compute.percentiles_array(value, weight, &percentiles)?;
            let name = Some(format!("percentiles_{base}"));
            return Ok(vec![AggregateOutput { name, value }]);
        }
        let outputs = percentiles.into_iter().map(|percentile| AggregateOutput {
            name: Some(format!(
                "percentile_{base}_{}",
                percentile.to_string().replace('.', "_")
            )),
            value: compute.percentile(value.clone(), weight.clone(), percentile),
        });
        Ok(outputs.collect())
    }

    /// The percentiles that are asked for: constants, or a single array of them.
    fn constant_percentiles(&mut self, args: Vec<Spanned>, is_array: bool) -> Result<Vec<f64>> {
        let number = "a percentile is a constant number from 0 to 100";
        let mut percentiles = Vec::with_capacity(args.len());
        let is_single = args.len() == 1;
        for (arg, at) in args {
            let first = percentiles.len();
            match arg.constant() {
                Some(ScalarValue::Utf8View(Some(json)))
                    if is_array && is_single && arg.ty == Type::Dynamic =>
                {
                    let elements = dynamic::elements(json).map(|element| {
                        let is_number = matches!(
                            dynamic::kind(element),
                            dynamic::Kind::Long | dynamic::Kind::Real
                        );
                        dynamic::to_real(element).filter(|_| is_number)
                    });
                    percentiles.extend(elements.map(|element| element.unwrap_or(f64::NAN)));
                }
                Some(_) if arg.ty.is_numeric() => {
                    let real = match arg.ty {
                        Type::Decimal => self.invoke("toreal", vec![arg], at)?,
                        _ => self.convert(arg, Type::Real, at)?,
                    };
                    percentiles.push(match real.constant() {
                        Some(ScalarValue::Float64(Some(value))) => *value,
                        _ => f64::NAN,
                    });
                }
                _ => return Err(error(Code::Constant, at, number)),
            }
            let found = &percentiles[first..];
            if found.is_empty() || found.iter().any(|p| !(0.0..=100.0).contains(p)) {
                return Err(error(Code::Constant, at, number));
            }
        }
        Ok(percentiles)
    }
}

impl Compute<'_, '_, '_> {
    /// Values and weights as a sketch takes them.
    fn sketched(
        &mut self,
        value: Typed,
        weight: Option<Spanned>,
        at: Span,
    ) -> Result<(Typed, Option<Expr>)> {
        let value = match value.ty {
            Type::Int => self.binder.convert(value, Type::Long, at)?,
            Type::Decimal => self.binder.invoke("toreal", vec![value], at)?,
            Type::Long | Type::Real | Type::Datetime | Type::Timespan => value,
            ty => return Err(error(Code::Type, at, format!("a {ty} has no percentiles"))),
        };
        let weight = match weight {
            None => None,
            Some((weight, at)) => match weight.ty {
                Type::Int | Type::Long => Some(self.binder.convert(weight, Type::Long, at)?.expr),
                ty => {
                    let message = format!("a weight is a whole number, not a {ty}");
                    return Err(error(Code::Type, at, message));
                }
            },
        };
        Ok((value, weight))
    }

    fn percentile(&mut self, value: Typed, weight: Option<Expr>, percentile: f64) -> Typed {
        let ty = value.ty;
        let args = std::iter::once(value.expr).chain(weight).collect();
        let sketch = self.part(Arc::clone(&aggregates().sketch), args, false);
        let name = lit(ScalarValue::Utf8View(Some(ty.name().to_owned())));
        let found = internal::percentile().call(vec![sketch, lit(percentile), name]);
        Typed::new(found, ty)
    }

    fn percentiles_array(
        &mut self,
        value: Typed,
        weight: Option<Expr>,
        percentiles: &[f64],
    ) -> Result<Typed> {
        let args = std::iter::once(value.expr).chain(weight).collect();
        let digest = self.part(Arc::clone(&aggregates().tdigest), args, false);
        let mut call = vec![Typed::new(digest, Type::Dynamic)];
        call.extend(percentiles.iter().map(|p| Typed::new(lit(*p), Type::Real)));
        self.binder
            .invoke("percentiles_array_tdigest", call, self.span)
    }

    pub(super) fn tdigest(&mut self, value: Typed, weight: Option<Spanned>) -> Result<Typed> {
        let (value, weight) = self.sketched(value, weight, self.span)?;
        let args = std::iter::once(value.expr).chain(weight).collect();
        let digest = self.part(Arc::clone(&aggregates().tdigest), args, false);
        Ok(Typed::new(digest, Type::Dynamic))
    }

    /// Several sketches, which are dynamic values, as one.
    pub(super) fn merged(&mut self, value: Typed, udaf: &Arc<AggregateUDF>) -> Result<Typed> {
        if value.ty != Type::Dynamic {
            return Err(self.refuse(udaf.name().trim_start_matches("kql_"), value.ty));
        }
        let merged = self.part(Arc::clone(udaf), vec![value.expr], false);
        Ok(Typed::new(merged, Type::Dynamic))
    }

    /// About how many different values there are.
    pub(super) fn dcount(&mut self, value: Typed, accuracy: i64) -> Typed {
        let args = vec![value.expr, lit(accuracy)];
        let count = self.part(Arc::clone(&aggregates().dcount), args, false);
        Typed::new(count, Type::Long)
    }

    pub(super) fn hll(&mut self, value: Typed, accuracy: i64) -> Typed {
        let args = vec![value.expr, lit(accuracy)];
        let set = self.part(Arc::clone(&aggregates().hll), args, false);
        Typed::new(set, Type::Dynamic)
    }

    /// The schema that admits all values.
    pub(super) fn schema(&mut self, value: Typed) -> Result<Typed> {
        if value.ty != Type::Dynamic {
            return Err(self.refuse("buildschema", value.ty));
        }
        let udaf = Arc::clone(&aggregates().build_schema);
        let schema = self.part(udaf, vec![value.expr], false);
        Ok(Typed::new(schema, Type::Dynamic))
    }

    /// The covariance of pairs of which neither is null; of one pair it is 0, as the variance is.
    pub(super) fn covariance(&mut self, x: Typed, y: Typed, sample: bool) -> Result<Typed> {
        let mut reals = Vec::with_capacity(2);
        for value in [x, y] {
            reals.push(self.real(value, "covariance")?.expr);
        }
        let pairs = self.part(count::count_udaf(), reals.clone(), false);
        let udaf = match sample {
            true => covariance::covar_samp_udaf(),
            false => covariance::covar_pop_udaf(),
        };
        let covariance = self.part(udaf, reals, false);
        let few = when(pairs.clone().eq(lit(0_i64)), lit(f64::NAN))
            .when(pairs.eq(lit(1_i64)), lit(0.0_f64))
            .otherwise(covariance)
            .at(self.span)?;
        Ok(Typed::new(few, Type::Real))
    }

    /// All values joined bit by bit.
    pub(super) fn bits(&mut self, value: Typed, name: &str) -> Result<Typed> {
        if !matches!(value.ty, Type::Int | Type::Long) {
            return Err(self.refuse(name, value.ty));
        }
        let udaf = match name {
            "binary_all_and" => bit_and_or_xor::bit_and_udaf(),
            "binary_all_or" => bit_and_or_xor::bit_or_udaf(),
            _ => bit_and_or_xor::bit_xor_udaf(),
        };
        Ok(Typed::new(
            self.part(udaf, vec![value.expr], false),
            value.ty,
        ))
    }
}
