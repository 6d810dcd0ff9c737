//! Typed views of a kernel's arguments, and builders of its result.
//!
//! A kernel reads argument `i` of row `row` as `args.str(i)?.get(row)`, whether it came as an array
//! or as a constant; `None` is null.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBuilder, PrimitiveArray, PrimitiveBuilder,
    StringViewArray, StringViewBuilder,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, DurationNanosecondType, Float64Type, Int32Type,
    Int64Type, TimestampNanosecondType,
};
use datafusion_common::{Result, ScalarValue, exec_err, internal_err};
use datafusion_expr::ColumnarValue;
use kql::Type;

/// Longest string that a function makes in one cell, in bytes.
pub const STRING_BYTES_MAX: usize = 16 << 20;

/// Most bytes of strings that a function makes for one batch.
pub const BATCH_BYTES_MAX: usize = 256 << 20;

/// Most elements of an array that a function makes.
pub const ELEMENTS_MAX: usize = 1_048_576;

/// The arguments of one call on one batch.
pub struct Args<'a> {
    values: &'a [ColumnarValue],
    rows: usize,
}

impl<'a> Args<'a> {
    /// Arguments for `rows` rows.
    pub fn new(values: &'a [ColumnarValue], rows: usize) -> Self {
        Self { values, rows }
    }

    /// How many rows the result has.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The argument as it came.
    ///
    /// # Errors
    /// If there is none, which is a bug of the caller.
    pub fn value(&self, index: usize) -> Result<&'a ColumnarValue> {
        match self.values.get(index) {
            Some(value) => Ok(value),
            None => internal_err!("missing argument {index}"),
        }
    }

    /// The argument as an array of all rows.
    ///
    /// # Errors
    /// If there is none.
    pub fn array(&self, index: usize) -> Result<ArrayRef> {
        self.value(index)?.to_array(self.rows)
    }

    /// A string, dynamic or guid argument.
    ///
    /// # Errors
    /// If it is of another type, which is a bug of the caller.
    pub fn str(&self, index: usize) -> Result<Str<'a>> {
        match self.value(index)? {
            ColumnarValue::Array(array) => match array.as_string_view_opt() {
                Some(array) => Ok(Str::Array(array)),
                None => internal_err!("argument {index} is {}, not a string", array.data_type()),
            },
            ColumnarValue::Scalar(scalar) => match scalar.try_as_str() {
                Some(text) => Ok(Str::Const(text)),
                None => internal_err!("argument {index} is {}, not a string", scalar.data_type()),
            },
        }
    }

    /// The string, dynamic or guid arguments from one on.
    ///
    /// # Errors
    /// As [`Self::str`].
    pub fn strs(&self, from: usize) -> Result<Vec<Str<'a>>> {
        (from..self.len()).map(|index| self.str(index)).collect()
    }

    /// The argument's text if it is a constant.
    pub fn const_str(&self, index: usize) -> Option<&'a str> {
        match self.values.get(index)? {
            ColumnarValue::Scalar(scalar) => scalar.try_as_str().flatten(),
            ColumnarValue::Array(_) => None,
        }
    }

    /// A bool argument.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn bool(&self, index: usize) -> Result<Bool<'a>> {
        match self.value(index)? {
            ColumnarValue::Array(array) => match array.as_boolean_opt() {
                Some(array) => Ok(Bool::Array(array)),
                None => internal_err!("argument {index} is {}, not a bool", array.data_type()),
            },
            ColumnarValue::Scalar(ScalarValue::Boolean(value)) => Ok(Bool::Const(*value)),
            ColumnarValue::Scalar(scalar) => {
                internal_err!("argument {index} is {}, not a bool", scalar.data_type())
            }
        }
    }

    /// An int argument.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn i32(&self, index: usize) -> Result<Prim<'a, Int32Type>> {
        self.primitive(index, |scalar| match scalar {
            ScalarValue::Int32(value) => Some(*value),
            _ => None,
        })
    }

    /// A long argument.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn i64(&self, index: usize) -> Result<Prim<'a, Int64Type>> {
        self.primitive(index, |scalar| match scalar {
            ScalarValue::Int64(value) => Some(*value),
            _ => None,
        })
    }

    /// A long argument that may be left out.
    ///
    /// # Errors
    /// As [`Self::i64`].
    pub fn i64_or(&self, index: usize, default: i64) -> Result<Prim<'a, Int64Type>> {
        if self.len() > index {
            self.i64(index)
        } else {
            Ok(Prim::Const(Some(default)))
        }
    }

    /// A real argument.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn f64(&self, index: usize) -> Result<Prim<'a, Float64Type>> {
        self.primitive(index, |scalar| match scalar {
            ScalarValue::Float64(value) => Some(*value),
            _ => None,
        })
    }

    /// A datetime argument, in nanoseconds since 1970.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn datetime(&self, index: usize) -> Result<Prim<'a, TimestampNanosecondType>> {
        self.primitive(index, |scalar| match scalar {
            ScalarValue::TimestampNanosecond(value, _) => Some(*value),
            _ => None,
        })
    }

    /// A timespan argument, in nanoseconds.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn timespan(&self, index: usize) -> Result<Prim<'a, DurationNanosecondType>> {
        self.primitive(index, |scalar| match scalar {
            ScalarValue::DurationNanosecond(value) => Some(*value),
            _ => None,
        })
    }

    /// A decimal argument, scaled by 10^18.
    ///
    /// # Errors
    /// If it is of another type.
    pub fn decimal(&self, index: usize) -> Result<Prim<'a, Decimal128Type>> {
        self.primitive(index, |scalar| match scalar {
            ScalarValue::Decimal128(value, ..) => Some(*value),
            _ => None,
        })
    }

    fn primitive<T: ArrowPrimitiveType>(
        &self,
        index: usize,
        scalar: impl Fn(&ScalarValue) -> Option<Option<T::Native>>,
    ) -> Result<Prim<'a, T>> {
        match self.value(index)? {
            ColumnarValue::Array(array) => match array.as_primitive_opt() {
                Some(array) => Ok(Prim::Array(array)),
                None => internal_err!("argument {index} is {}", array.data_type()),
            },
            ColumnarValue::Scalar(value) => match scalar(value) {
                Some(value) => Ok(Prim::Const(value)),
                None => internal_err!("argument {index} is {}", value.data_type()),
            },
        }
    }
}

/// A string column or constant.
#[derive(Clone, Copy)]
pub enum Str<'a> {
    /// The same for every row.
    Const(Option<&'a str>),
    /// One for each row.
    Array(&'a StringViewArray),
}

impl<'a> Str<'a> {
    /// The value in a row; `None` is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Const(value) => *value,
            Self::Array(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }

    /// The value in a row; null is `""`.
    #[inline]
    pub fn text(&self, row: usize) -> &'a str {
        self.get(row).unwrap_or("")
    }
}

/// A bool column or constant.
#[derive(Clone, Copy)]
pub enum Bool<'a> {
    /// The same for every row.
    Const(Option<bool>),
    /// One for each row.
    Array(&'a BooleanArray),
}

impl Bool<'_> {
    /// The value in a row; `None` is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<bool> {
        match self {
            Self::Const(value) => *value,
            Self::Array(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// A column or constant of a primitive type.
pub enum Prim<'a, T: ArrowPrimitiveType> {
    /// The same for every row.
    Const(Option<T::Native>),
    /// One for each row.
    Array(&'a PrimitiveArray<T>),
}

// Derived, these would ask the same of `T`.
impl<T: ArrowPrimitiveType> Clone for Prim<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ArrowPrimitiveType> Copy for Prim<'_, T> {}

impl<T: ArrowPrimitiveType> Prim<'_, T> {
    /// The value in a row; `None` is null.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T::Native> {
        match self {
            Self::Const(value) => *value,
            Self::Array(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// A primitive result, row by row.
pub fn primitive<T: ArrowPrimitiveType>(
    rows: usize,
    mut value: impl FnMut(usize) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(rows);
    for row in 0..rows {
        builder.append_option(value(row));
    }
    Ok(Arc::new(builder.finish()))
}

/// A primitive result, row by row; an error ends the query.
///
/// # Errors
/// The first error of `value`.
pub fn try_primitive<T: ArrowPrimitiveType>(
    rows: usize,
    mut value: impl FnMut(usize) -> Result<Option<T::Native>>,
) -> Result<ArrayRef> {
    let mut builder = PrimitiveBuilder::<T>::with_capacity(rows);
    for row in 0..rows {
        builder.append_option(value(row)?);
    }
    Ok(Arc::new(builder.finish()))
}

/// A long result, row by row.
///
/// # Errors
/// None; the type suits kernels.
pub fn longs(rows: usize, value: impl FnMut(usize) -> Option<i64>) -> Result<ArrayRef> {
    primitive::<Int64Type>(rows, value)
}

/// A real result, row by row.
///
/// # Errors
/// None.
pub fn reals(rows: usize, value: impl FnMut(usize) -> Option<f64>) -> Result<ArrayRef> {
    primitive::<Float64Type>(rows, value)
}

/// A timespan result in nanoseconds, row by row.
///
/// # Errors
/// None.
pub fn timespans(rows: usize, value: impl FnMut(usize) -> Option<i64>) -> Result<ArrayRef> {
    primitive::<DurationNanosecondType>(rows, value)
}

/// A datetime result in nanoseconds since 1970, row by row; an error ends the query.
///
/// # Errors
/// The first error of `value`.
pub fn datetimes(
    rows: usize,
    mut value: impl FnMut(usize) -> Result<Option<i64>>,
) -> Result<ArrayRef> {
    let mut builder = PrimitiveBuilder::<TimestampNanosecondType>::with_capacity(rows)
        .with_data_type(schema::arrow::data_type(Type::Datetime));
    for row in 0..rows {
        builder.append_option(value(row)?);
    }
    Ok(Arc::new(builder.finish()))
}

/// A decimal result, scaled by 10^18, row by row; an error ends the query.
///
/// # Errors
/// The first error of `value`.
pub fn decimals(
    rows: usize,
    mut value: impl FnMut(usize) -> Result<Option<i128>>,
) -> Result<ArrayRef> {
    let mut builder = PrimitiveBuilder::<Decimal128Type>::with_capacity(rows)
        .with_data_type(schema::arrow::data_type(Type::Decimal));
    for row in 0..rows {
        builder.append_option(value(row)?);
    }
    Ok(Arc::new(builder.finish()))
}

/// A bool result, row by row.
///
/// # Errors
/// None.
pub fn bools(rows: usize, mut value: impl FnMut(usize) -> Option<bool>) -> Result<ArrayRef> {
    let mut builder = BooleanBuilder::with_capacity(rows);
    for row in 0..rows {
        builder.append_option(value(row));
    }
    Ok(Arc::new(builder.finish()))
}

/// A bool result, row by row; an error ends the query.
///
/// # Errors
/// The first error of `value`.
pub fn try_bools(
    rows: usize,
    mut value: impl FnMut(usize) -> Result<Option<bool>>,
) -> Result<ArrayRef> {
    let mut builder = BooleanBuilder::with_capacity(rows);
    for row in 0..rows {
        builder.append_option(value(row)?);
    }
    Ok(Arc::new(builder.finish()))
}

/// A bool result without nulls, row by row.
///
/// # Errors
/// None.
pub fn truths(rows: usize, value: impl FnMut(usize) -> bool) -> Result<ArrayRef> {
    let buffer = arrow::buffer::BooleanBuffer::collect_bool(rows, value);
    Ok(Arc::new(BooleanArray::new(buffer, None)))
}

/// Builds a string result and holds it under [`STRING_BYTES_MAX`] and [`BATCH_BYTES_MAX`].
pub struct Strings {
    builder: StringViewBuilder,
    bytes: usize,
}

impl Strings {
    /// For `rows` rows.
    pub fn new(rows: usize) -> Self {
        Self {
            builder: StringViewBuilder::with_capacity(rows),
            bytes: 0,
        }
    }

    /// Appends a value.
    ///
    /// # Errors
    /// If the value or the batch grows over its limit.
    pub fn push(&mut self, value: &str) -> Result<()> {
        check_string_bytes(value.len())?;
        self.bytes += value.len();
        if self.bytes > BATCH_BYTES_MAX {
            return exec_err!("a function made more than {BATCH_BYTES_MAX} bytes for one batch");
        }
        self.builder.append_value(value);
        Ok(())
    }

    /// Appends a value or null.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn push_option(&mut self, value: Option<&str>) -> Result<()> {
        match value {
            Some(value) => self.push(value),
            None => {
                self.builder.append_null();
                Ok(())
            }
        }
    }

    /// The array.
    pub fn finish(mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// Refuses a string that is too long to make.
///
/// # Errors
/// If `bytes` is over [`STRING_BYTES_MAX`].
pub fn check_string_bytes(bytes: usize) -> Result<()> {
    if bytes > STRING_BYTES_MAX {
        return exec_err!(
            "a function made a string of {bytes} bytes; the limit is {STRING_BYTES_MAX}"
        );
    }
    Ok(())
}

/// A string result, row by row, borrowed from the arguments.
///
/// # Errors
/// If a limit on strings is met.
pub fn strs<'a>(rows: usize, mut value: impl FnMut(usize) -> &'a str) -> Result<ArrayRef> {
    let mut out = Strings::new(rows);
    for row in 0..rows {
        out.push(value(row))?;
    }
    Ok(out.finish())
}

/// A string result, row by row, written into a buffer that is cleared for each.
///
/// # Errors
/// The first error of `write`, or a limit on strings.
pub fn written(
    rows: usize,
    mut write: impl FnMut(usize, &mut String) -> Result<()>,
) -> Result<ArrayRef> {
    let mut out = Strings::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        buffer.clear();
        write(row, &mut buffer)?;
        out.push(&buffer)?;
    }
    Ok(out.finish())
}

/// A dynamic or guid result, row by row, written into a buffer; `false` makes a null.
///
/// # Errors
/// The first error of `write`, or a limit on strings.
pub fn written_option(
    rows: usize,
    mut write: impl FnMut(usize, &mut String) -> Result<bool>,
) -> Result<ArrayRef> {
    let mut out = Strings::new(rows);
    let mut buffer = String::new();
    for row in 0..rows {
        buffer.clear();
        let present = write(row, &mut buffer)?;
        out.push_option(present.then_some(buffer.as_str()))?;
    }
    Ok(out.finish())
}

/// The Arrow type of a KQL type.
pub fn data_type(ty: Type) -> DataType {
    schema::arrow::data_type(ty)
}
