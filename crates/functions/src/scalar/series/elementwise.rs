//! Arithmetic, comparison and mathematics of each element.

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion_common::Result;
use kql::Type::{Dynamic, Long, Real};

use super::{Number, read, write_numbers};
use crate::args::{self, Args, Prim, Str};
use crate::registry::{Overload, Param::Is, ScalarFunction};

/// A function of two series of which one may be a number, which then stands for a series of it.
macro_rules! of_two {
    ($name:literal, $doc:literal, $eval:expr) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[
                Overload::new(&[Is(Dynamic), Is(Dynamic)], Dynamic, $eval),
                Overload::new(&[Is(Dynamic), Is(Long)], Dynamic, $eval),
                Overload::new(&[Is(Dynamic), Is(Real)], Dynamic, $eval),
                Overload::new(&[Is(Long), Is(Dynamic)], Dynamic, $eval),
                Overload::new(&[Is(Real), Is(Dynamic)], Dynamic, $eval),
            ],
        )
    };
}

macro_rules! comparison {
    ($name:literal, $doc:literal, $op:tt) => {
        of_two!($name, $doc, |a| compare(a, |x, y| x $op y, |x, y| x $op y))
    };
}

macro_rules! of_one {
    ($name:literal, $doc:literal, $op:expr) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[Overload::new(&[Is(Dynamic)], Dynamic, |a| {
                let op: fn(Number) -> Option<Number> = $op;
                map(a, op)
            })],
        )
    };
    ($name:literal, $doc:literal, real $op:expr) => {
        of_one!($name, $doc, |x| {
            let op: fn(f64) -> f64 = $op;
            Some(Number::Real(op(x.real())))
        })
    };
}

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    of_two!("series_add", "The sums of two series' elements.", |a| {
        arithmetic(a, i64::wrapping_add, |x, y| x + y)
    }),
    of_two!(
        "series_subtract",
        "The differences of two series' elements.",
        |a| arithmetic(a, i64::wrapping_sub, |x, y| x - y)
    ),
    of_two!(
        "series_multiply",
        "The products of two series' elements.",
        |a| arithmetic(a, i64::wrapping_mul, |x, y| x * y)
    ),
    of_two!(
        "series_divide",
        "The quotients of two series' elements, as reals.",
        |a| real_arithmetic(a, |x, y| x / y)
    ),
    of_two!(
        "series_pow",
        "The elements of a series to the power of another's, as reals.",
        |a| real_arithmetic(a, f64::powf)
    ),
    comparison!("series_equals", "Which elements of two series are equal.", ==),
    comparison!("series_not_equals", "Which elements of two series are not equal.", !=),
    comparison!("series_less", "Which elements of a series are less than another's.", <),
    comparison!("series_less_equals", "Which elements of a series are at most another's.", <=),
    comparison!("series_greater", "Which elements of a series are greater than another's.", >),
    comparison!("series_greater_equals", "Which elements of a series are at least another's.", >=),
    of_one!("series_abs", "The elements without their signs.", |x| {
        Some(match x {
            Number::Long(x) => Number::Long(x.wrapping_abs()),
            Number::Real(x) => Number::Real(x.abs()),
        })
    }),
    of_one!("series_sign", "-1, 0 or 1 for each element.", |x| match x {
        Number::Long(x) => Some(Number::Long(x.signum())),
        Number::Real(x) if x.is_nan() => None,
        Number::Real(x) => Some(Number::Long(i64::from(x > 0.0) - i64::from(x < 0.0))),
    }),
    of_one!("series_floor", "The elements rounded down.", real f64::floor),
    of_one!("series_ceiling", "The elements rounded up.", real f64::ceil),
    of_one!("series_exp", "e to the power of each element.", real f64::exp),
    of_one!("series_log", "The natural logarithms of the elements.", real f64::ln),
    of_one!("series_sin", "The sines of the elements.", real f64::sin),
    of_one!("series_cos", "The cosines of the elements.", real f64::cos),
    of_one!("series_tan", "The tangents of the elements.", real f64::tan),
    of_one!("series_asin", "The angles of which the elements are sines.", real f64::asin),
    of_one!("series_acos", "The angles of which the elements are cosines.", real f64::acos),
    of_one!("series_atan", "The angles of which the elements are tangents.", real f64::atan),
];

fn map(a: &Args<'_>, op: fn(Number) -> Option<Number>) -> Result<ArrayRef> {
    let series = a.str(0)?;
    let mut numbers = Vec::new();
    args::written_option(a.rows(), |row, out| {
        if !read(series.get(row), &mut numbers)? {
            return Ok(false);
        }
        write_numbers(out, numbers.iter().map(|number| number.and_then(op)));
        Ok(true)
    })
}

/// A series, or a number that stands for a series as long as the other.
pub(super) enum Operand<'a> {
    Series(Str<'a>),
    Long(Prim<'a, Int64Type>),
    Real(Prim<'a, Float64Type>),
}

impl<'a> Operand<'a> {
    pub(super) fn new(a: &Args<'a>, index: usize) -> Result<Self> {
        Ok(match a.value(index)?.data_type() {
            DataType::Int64 => Self::Long(a.i64(index)?),
            DataType::Float64 => Self::Real(a.f64(index)?),
            _ => Self::Series(a.str(index)?),
        })
    }

    /// Reads a row's value; `false` if it is neither an array nor a number.
    fn read(&self, row: usize, out: &mut Vec<Option<Number>>) -> Result<bool> {
        let scalar = match self {
            Self::Series(series) => return read(series.get(row), out),
            Self::Long(value) => value.get(row).map(Number::Long),
            Self::Real(value) => value.get(row).map(Number::Real),
        };
        out.clear();
        out.push(scalar);
        Ok(true)
    }

    fn is_scalar(&self) -> bool {
        !matches!(self, Self::Series(_))
    }
}

/// Two numbers that stand in the same place of two series; `None` if one is missing.
pub(super) type Pair = Option<(Number, Number)>;

/// Reads two operands side by side, row by row.
pub(super) struct Pairs<'a> {
    left: Operand<'a>,
    right: Operand<'a>,
    buffers: (Vec<Option<Number>>, Vec<Option<Number>>),
}

impl<'a> Pairs<'a> {
    pub(super) fn new(a: &Args<'a>) -> Result<Self> {
        Ok(Self {
            left: Operand::new(a, 0)?,
            right: Operand::new(a, 1)?,
            buffers: Default::default(),
        })
    }

    /// The pairs of a row, as many as the longer series has elements; `None` if an operand is no
    /// array.
    pub(super) fn row(&mut self, row: usize, out: &mut Vec<Pair>) -> Result<Option<Lengths>> {
        let (left, right) = (&mut self.buffers.0, &mut self.buffers.1);
        if !self.left.read(row, left)? || !self.right.read(row, right)? {
            return Ok(None);
        }
        let lengths = match (self.left.is_scalar(), self.right.is_scalar()) {
            (true, _) => Lengths(right.len(), right.len()),
            (_, true) => Lengths(left.len(), left.len()),
            _ => Lengths(left.len(), right.len()),
        };
        let at = |numbers: &[Option<Number>], is_scalar, index: usize| {
            numbers
                .get(if is_scalar { 0 } else { index })
                .copied()
                .flatten()
        };
        out.clear();
        out.extend((0..lengths.0.max(lengths.1)).map(|index| {
            let left = at(left, self.left.is_scalar(), index)?;
            Some((left, at(right, self.right.is_scalar(), index)?))
        }));
        Ok(Some(lengths))
    }
}

/// How many elements two operands have.
#[derive(Clone, Copy)]
pub(super) struct Lengths(pub(super) usize, pub(super) usize);

fn of_pairs(a: &Args<'_>, mut write: impl FnMut(&mut String, &[Pair])) -> Result<ArrayRef> {
    let mut operands = Pairs::new(a)?;
    let mut pairs = Vec::new();
    args::written_option(a.rows(), |row, out| {
        let present = operands.row(row, &mut pairs)?.is_some();
        if present {
            write(out, &pairs);
        }
        Ok(present)
    })
}

/// Longs give longs; a single real makes all of them reals.
fn arithmetic(
    a: &Args<'_>,
    longs: fn(i64, i64) -> i64,
    reals: fn(f64, f64) -> f64,
) -> Result<ArrayRef> {
    of_pairs(a, |out, pairs| {
        let has_reals = pairs
            .iter()
            .flatten()
            .any(|pair| !matches!(pair, (Number::Long(_), Number::Long(_))));
        write_numbers(
            out,
            pairs.iter().map(|pair| {
                Some(match (*pair)? {
                    (Number::Long(x), Number::Long(y)) if !has_reals => Number::Long(longs(x, y)),
                    (x, y) => Number::Real(reals(x.real(), y.real())),
                })
            }),
        );
    })
}

fn real_arithmetic(a: &Args<'_>, op: fn(f64, f64) -> f64) -> Result<ArrayRef> {
    of_pairs(a, |out, pairs| {
        write_numbers(
            out,
            pairs
                .iter()
                .map(|pair| pair.map(|(x, y)| Number::Real(op(x.real(), y.real())))),
        );
    })
}

fn compare(
    a: &Args<'_>,
    longs: fn(&i64, &i64) -> bool,
    reals: fn(&f64, &f64) -> bool,
) -> Result<ArrayRef> {
    of_pairs(a, |out, pairs| {
        out.push('[');
        for (index, pair) in pairs.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            out.push_str(match pair {
                None => "null",
                Some((Number::Long(x), Number::Long(y))) if longs(x, y) => "true",
                Some((Number::Long(_), Number::Long(_))) => "false",
                Some((x, y)) if reals(&x.real(), &y.real()) => "true",
                Some(_) => "false",
            });
        }
        out.push(']');
    })
}
