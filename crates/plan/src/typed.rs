//! Expressions with their KQL type.

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, cast, lit};
use kql::{Code, Span, Type};
use schema::arrow::data_type;

use crate::error::{At, Result, error};

/// A DataFusion expression and the KQL type of its values, which Arrow's type does not tell.
#[derive(Clone, Debug)]
pub(crate) struct Typed {
    pub(crate) expr: Expr,
    pub(crate) ty: Type,
}

impl Typed {
    pub(crate) fn new(expr: Expr, ty: Type) -> Self {
        Self { expr, ty }
    }

    /// A column, by the name of its field.
    pub(crate) fn column(name: &str, ty: Type) -> Self {
        Self::new(column(name), ty)
    }

    pub(crate) fn string(text: impl Into<String>) -> Self {
        Self::new(lit(ScalarValue::Utf8View(Some(text.into()))), Type::String)
    }

    pub(crate) fn long(value: i64) -> Self {
        Self::new(lit(value), Type::Long)
    }

    pub(crate) fn bool(value: bool) -> Self {
        Self::new(lit(value), Type::Bool)
    }

    pub(crate) fn datetime(nanos: Option<i64>) -> Self {
        let value = ScalarValue::TimestampNanosecond(nanos, Some("UTC".into()));
        Self::new(lit(value), Type::Datetime)
    }

    pub(crate) fn timespan(nanos: Option<i64>) -> Self {
        Self::new(lit(ScalarValue::DurationNanosecond(nanos)), Type::Timespan)
    }

    /// The null of a type; a string's is `""`.
    pub(crate) fn null(ty: Type) -> Self {
        Self::new(lit(null_value(ty)), ty)
    }

    /// The value of a constant.
    pub(crate) fn constant(&self) -> Option<&ScalarValue> {
        match &self.expr {
            Expr::Literal(value, _) => Some(value),
            _ => None,
        }
    }

    /// The text of a constant string.
    pub(crate) fn constant_text(&self) -> Option<&str> {
        self.constant()?.try_as_str().flatten()
    }

    /// Whether a value may be null.
    pub(crate) fn may_be_null(&self) -> bool {
        match self.constant() {
            Some(value) => value.is_null(),
            None => self.ty != Type::String,
        }
    }

    /// A number as a wider one.
    pub(crate) fn widen(self, ty: Type, span: Span) -> Result<Self> {
        if self.ty == ty {
            return Ok(self);
        }
        if let Some(value) = self.constant() {
            let value = value.cast_to(&data_type(ty)).at(span)?;
            return Ok(Self::new(lit(value), ty));
        }
        Ok(Self::new(cast(self.expr, data_type(ty)), ty))
    }

    /// A constant whole number of at least `least`.
    pub(crate) fn constant_long(&self, span: Span, least: i64) -> Result<i64> {
        let value = match self.constant() {
            Some(ScalarValue::Int64(Some(value))) => *value,
            Some(ScalarValue::Int32(Some(value))) => i64::from(*value),
            Some(ScalarValue::Float64(Some(value))) if value.fract() == 0.0 => *value as i64,
            Some(_) => return Err(error(Code::Constant, span, "expected a whole number")),
            None => return Err(error(Code::Constant, span, "expected a constant")),
        };
        if value < least {
            return Err(error(
                Code::Constant,
                span,
                format!("expected at least {least}, found {value}"),
            ));
        }
        Ok(value)
    }
}

/// A column of a plan, by the name of its field; nothing in the name is taken apart.
pub(crate) fn column(name: &str) -> Expr {
    Expr::Column(datafusion_common::Column::new_unqualified(name))
}

/// The null of a type; a string's is `""`.
pub(crate) fn null_value(ty: Type) -> ScalarValue {
    match ty {
        Type::String => ScalarValue::Utf8View(Some(String::new())),
        // Every other Arrow type that stands for a KQL type has a null.
        ty => ScalarValue::try_new_null(&data_type(ty)).unwrap_or(ScalarValue::Null),
    }
}
