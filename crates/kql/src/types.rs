//! The scalar types of KQL.
//!
//! <https://learn.microsoft.com/kusto/query/scalar-data-types/>

use std::fmt;

/// A scalar data type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A signed 32-bit integer.
    Int,
    /// A signed 64-bit integer.
    Long,
    /// A 64-bit floating point number.
    Real,
    /// A decimal number.
    Decimal,
    /// Text; never null.
    String,
    /// An instant, counted in ticks of 100 ns, UTC.
    Datetime,
    /// A length of time, counted in ticks of 100 ns.
    Timespan,
    /// A JSON-like value: any scalar, an array, or a property bag.
    Dynamic,
    /// A 128-bit identifier.
    Guid,
}

impl Type {
    /// All types, in the order of the reference.
    pub const ALL: [Self; 10] = [
        Self::Bool,
        Self::Datetime,
        Self::Decimal,
        Self::Dynamic,
        Self::Guid,
        Self::Int,
        Self::Long,
        Self::Real,
        Self::String,
        Self::Timespan,
    ];

    /// The canonical name, as `getschema` and the query API print it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Long => "long",
            Self::Real => "real",
            Self::Decimal => "decimal",
            Self::String => "string",
            Self::Datetime => "datetime",
            Self::Timespan => "timespan",
            Self::Dynamic => "dynamic",
            Self::Guid => "guid",
        }
    }

    /// The type that `name` stands for, aliases (`double`, `date`, `time`, `boolean`, …) included.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "bool" | "boolean" => Self::Bool,
            "int" | "int32" | "int8" | "int16" | "uint8" | "uint16" => Self::Int,
            "long" | "int64" | "uint" | "uint32" | "uint64" | "ulong" => Self::Long,
            "real" | "double" | "float" => Self::Real,
            "decimal" => Self::Decimal,
            "string" => Self::String,
            "datetime" | "date" => Self::Datetime,
            "timespan" | "time" => Self::Timespan,
            "dynamic" => Self::Dynamic,
            "guid" | "uuid" | "uniqueid" => Self::Guid,
            _ => return None,
        })
    }

    /// The .NET type that `getschema` reports as `DataType`.
    pub fn dotnet_name(self) -> &'static str {
        match self {
            Self::Bool => "System.SByte",
            Self::Int => "System.Int32",
            Self::Long => "System.Int64",
            Self::Real => "System.Double",
            Self::Decimal => "System.Data.SqlTypes.SqlDecimal",
            Self::String => "System.String",
            Self::Datetime => "System.DateTime",
            Self::Timespan => "System.TimeSpan",
            Self::Dynamic => "System.Object",
            Self::Guid => "System.Guid",
        }
    }

    /// Whether arithmetic treats it as a number.
    pub fn is_numeric(self) -> bool {
        matches!(self, Self::Int | Self::Long | Self::Real | Self::Decimal)
    }

    /// Whether it is a whole number.
    pub fn is_integer(self) -> bool {
        matches!(self, Self::Int | Self::Long)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
