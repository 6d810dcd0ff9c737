//! Builders of a kernel's result.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, BooleanBuilder, PrimitiveBuilder, StringViewBuilder};
use arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, DurationNanosecondType, Float64Type, Int64Type,
    TimestampNanosecondType,
};
use datafusion_common::{Result, exec_err};
use kql::Type;

use super::{BATCH_BYTES_MAX, STRING_BYTES_MAX};

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
