//! Values of the reference evaluator: their order, their equality, their text.

use std::cmp::Ordering;

use kql::value::{datetime, timespan};
use serde_json::Value as Json;

/// A value.
#[derive(Clone, Debug)]
pub enum Value {
    /// The null of any type but `string`.
    Null,
    /// `bool`.
    Bool(bool),
    /// `int`.
    Int(i32),
    /// `long`.
    Long(i64),
    /// `real`.
    Real(f64),
    /// `decimal`, in units of 10⁻¹⁸.
    Decimal(i128),
    /// `string`.
    String(String),
    /// `datetime`, in ticks since 0001-01-01.
    Datetime(i64),
    /// `timespan`, in ticks.
    Timespan(i64),
    /// `guid`.
    Guid(String),
    /// `dynamic`.
    Dynamic(Json),
}

impl Value {
    /// A string.
    pub fn text(text: impl Into<String>) -> Self {
        Self::String(text.into())
    }

    /// A dynamic value; that of nothing is null.
    pub fn json(json: Json) -> Self {
        match json {
            Json::Null => Self::Null,
            json => Self::Dynamic(json),
        }
    }

    /// Whether it is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// A whole number.
    pub fn whole(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(i64::from(*value)),
            Self::Long(value) => Some(*value),
            _ => None,
        }
    }

    /// A number that is not a decimal.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Real(value) => Some(*value),
            other => other.whole().map(|value| value as f64),
        }
    }

    /// The cell's text as answers show it.
    pub fn cell(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Long(value) => value.to_string(),
            Self::Real(value) => format!("{value:?}"),
            Self::Decimal(value) => {
                let unit = 1_000_000_000_000_000_000_u128;
                let sign = if *value < 0 { "-" } else { "" };
                let size = value.unsigned_abs();
                format!("{sign}{}.{:018}", size / unit, size % unit)
            }
            Self::String(value) | Self::Guid(value) => Json::from(value.as_str()).to_string(),
            Self::Datetime(ticks) => datetime::format(*ticks),
            Self::Timespan(ticks) => timespan::format(*ticks),
            Self::Dynamic(value) => value.to_string(),
        }
    }

    /// What `tostring()` makes of it; reals and decimals have no text that is laid down.
    pub fn to_text(&self) -> Option<String> {
        Some(match self {
            Self::Null => String::new(),
            Self::Bool(true) => "True".to_owned(),
            Self::Bool(false) => "False".to_owned(),
            Self::String(value) | Self::Guid(value) => value.clone(),
            Self::Dynamic(Json::String(value)) => value.clone(),
            Self::Dynamic(Json::Bool(_)) | Self::Real(_) | Self::Decimal(_) => return None,
            other => other.cell(),
        })
    }

    /// What it is within an array or a bag.
    pub fn to_json(&self) -> Option<Json> {
        Some(match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::from(*value),
            Self::Int(value) => Json::from(*value),
            Self::Long(value) => Json::from(*value),
            Self::Real(value) if value.is_finite() => Json::from(*value),
            Self::Real(_) | Self::Decimal(_) => return None,
            Self::String(value) | Self::Guid(value) => Json::from(value.as_str()),
            Self::Datetime(_) | Self::Timespan(_) => Json::from(self.cell()),
            Self::Dynamic(value) => value.clone(),
        })
    }

    /// How two values compare that are not null; nothing if one of them is not a number.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::Decimal(a), Self::Decimal(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) | (Self::Guid(a), Self::Guid(b)) => Some(a.cmp(b)),
            (Self::Datetime(a), Self::Datetime(b)) | (Self::Timespan(a), Self::Timespan(b)) => {
                Some(a.cmp(b))
            }
            (a, b) => match (a.whole(), b.whole()) {
                (Some(a), Some(b)) => Some(a.cmp(&b)),
                _ => a.number()?.partial_cmp(&b.number()?),
            },
        }
    }

    /// How two cells sort: what is not a number stands between null and all else.
    pub fn sort(&self, other: &Self, ascending: bool, nulls_first: bool) -> Ordering {
        let rank = |value: &Self| match value {
            Self::Null => 0,
            Self::Real(value) if value.is_nan() => 1,
            _ => 2,
        };
        let apart = rank(self).cmp(&rank(other));
        if apart.is_ne() {
            return if nulls_first { apart } else { apart.reverse() };
        }
        let order = self.compare(other).unwrap_or(Ordering::Equal);
        if ascending { order } else { order.reverse() }
    }
}
