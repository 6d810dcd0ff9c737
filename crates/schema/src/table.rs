//! Tables and their columns.

use kql::Type;

/// A table as queries see it.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The name, as KQL writes it.
    pub name: String,
    /// The columns in the order that `T` alone returns them; hidden ones last.
    pub columns: Vec<Column>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The name; letter case counts.
    pub name: String,
    /// The type of its values.
    pub ty: Type,
    /// Where its values come from.
    pub origin: Origin,
    /// Whether only a query that names the column sees it.
    pub hidden: bool,
}

/// Where a column's values come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Stored with the record.
    Stored,
    /// The table's name, filled at the scan.
    TableName,
    /// The log workspace's GUID, filled at the scan.
    TenantId,
    /// The subscription in `_ResourceId`, filled at the scan.
    SubscriptionId,
    /// `Azure`, filled at the scan.
    SourceSystem,
    /// `True`, filled at the scan: every record counts.
    IsBillable,
}

/// The column that holds a record's instant.
pub const TIME_GENERATED: &str = "TimeGenerated";
/// The column that holds the id of the resource that a record is about, in lower case.
pub const RESOURCE_ID: &str = "_ResourceId";
/// The hidden column that holds when a record was received; `ingestion_time()` gives it.
pub const TIME_RECEIVED: &str = "_TimeReceived";
/// The hidden column that keeps what a record has beyond its table's columns.
pub const ADDITIONAL_FIELDS: &str = "_AdditionalFields";
/// The column that holds a record's size in bytes.
pub const BILLED_SIZE: &str = "_BilledSize";

/// Columns that every table has, whether its reference page lists them or not.
const STANDARD: [(&str, Type, Origin, bool); 10] = [
    (TIME_GENERATED, Type::Datetime, Origin::Stored, false),
    ("TenantId", Type::String, Origin::TenantId, false),
    ("SourceSystem", Type::String, Origin::SourceSystem, false),
    ("Type", Type::String, Origin::TableName, false),
    ("_IsBillable", Type::String, Origin::IsBillable, false),
    (BILLED_SIZE, Type::Real, Origin::Stored, false),
    (RESOURCE_ID, Type::String, Origin::Stored, false),
    (
        "_SubscriptionId",
        Type::String,
        Origin::SubscriptionId,
        false,
    ),
    (TIME_RECEIVED, Type::Datetime, Origin::Stored, true),
    (ADDITIONAL_FIELDS, Type::Dynamic, Origin::Stored, true),
];

/// Whether a column stands in every table, so that its name says nothing of one.
pub fn is_standard(name: &str) -> bool {
    STANDARD.iter().any(|(standard, ..)| *standard == name)
}

impl Table {
    /// A table of the given columns and the standard ones that are not among them.
    pub fn new(name: impl Into<String>, columns: impl IntoIterator<Item = (String, Type)>) -> Self {
        let mut all: Vec<Column> = columns
            .into_iter()
            .map(|(name, ty)| {
                let standard = STANDARD.iter().find(|(standard, ..)| *standard == name);
                let origin = standard.map_or(Origin::Stored, |(_, _, origin, _)| *origin);
                Column {
                    name,
                    ty,
                    origin,
                    hidden: false,
                }
            })
            .collect();
        for (name, ty, origin, hidden) in STANDARD {
            if !all.iter().any(|column| column.name == name) {
                all.push(Column {
                    name: name.into(),
                    ty,
                    origin,
                    hidden,
                });
            }
        }
        all.sort_by_key(|column| column.hidden);
        Self {
            name: name.into(),
            columns: all,
        }
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The columns that lie in storage.
    pub fn stored(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| column.origin == Origin::Stored)
    }
}
