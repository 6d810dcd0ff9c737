//! Typed views of a kernel's arguments, and builders of its result.
//!
//! A kernel reads argument `i` of row `row` as `args.str(i)?.get(row)`, whether it came as an array
//! or as a constant; `None` is null.

mod results;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray, StringViewArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal128Type, DurationNanosecondType, Float64Type, Int32Type,
    Int64Type, TimestampNanosecondType,
};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::ColumnarValue;
use kql::Type;

pub use results::*;

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

/// The Arrow type of a KQL type.
pub fn data_type(ty: Type) -> DataType {
    schema::arrow::data_type(ty)
}
