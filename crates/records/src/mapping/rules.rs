//! The rules of one table, ready to look members up in.

use std::collections::{BTreeMap, HashMap};

use arrow_schema::SchemaRef;
use kql::{Type, suggest};
use schema::builtin;
use schema::table::{ADDITIONAL_FIELDS, BILLED_SIZE, RESOURCE_ID, TIME_GENERATED, TIME_RECEIVED};
use schema::{ResourceId, Table};

use super::TableFile;
use crate::Error;

/// What becomes of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// It fills a stored column.
    Column(usize),
    /// It says which resource the record is about; it fills a column too if there is one.
    ResourceId(Option<usize>),
    /// It says which table the record goes to; it fills a column too if there is one.
    Category(Option<usize>),
    /// It holds further members.
    Properties,
    /// It has no column.
    Additional,
}

/// The rules of one table.
#[derive(Clone, Debug)]
pub(crate) struct TableRules {
    pub(crate) table: &'static Table,
    pub(crate) schema: SchemaRef,
    /// The stored columns.
    pub(crate) columns: Vec<(&'static str, Type)>,
    /// Columns that the resource id fills where the record does not.
    pub(crate) from_resource_id: Vec<(usize, IdPart)>,
    pub(crate) time: usize,
    pub(crate) resource_id: usize,
    pub(crate) time_received: usize,
    pub(crate) billed_size: usize,
    pub(crate) additional_fields: usize,
    envelope: Lookup,
    properties: Lookup,
}

/// A part of a resource id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdPart {
    Id,
    Subscription,
    Group,
    Provider,
    Type,
    Name,
}

/// Targets by name.
#[derive(Clone, Debug, Default)]
struct Lookup {
    /// By name in lower case.
    lower: HashMap<String, Target>,
    /// Columns whose names differ in nothing but case, by exact name. Only `AzureDiagnostics` has any.
    exact: HashMap<String, Target>,
}

/// Columns that members of a record never fill by name.
const RESERVED: [&str; 4] = [RESOURCE_ID, TIME_RECEIVED, BILLED_SIZE, ADDITIONAL_FIELDS];

impl TableRules {
    pub(super) fn compile(
        table: &'static Table,
        envelope: &BTreeMap<String, String>,
        own: &TableFile,
    ) -> Result<Self, Error> {
        let columns: Vec<_> = table
            .stored()
            .map(|column| (column.name.as_str(), column.ty))
            .collect();
        let by_name = by_name(&columns);
        let position = |name: &str| columns.iter().position(|(column, _)| *column == name);
        let standard = |name| position(name).expect("every table stores the standard columns");

        let mut top = by_name.clone();
        let in_table = envelope.iter().filter_map(|(member, column)| {
            let known = column.is_empty() || position(column).is_some();
            known.then_some((member, column))
        });
        top.rename(table, in_table, &columns)?;
        top.rename(table, own.envelope.iter(), &columns)?;
        let resource_id = position("ResourceId");
        top.lower
            .insert("resourceid".into(), Target::ResourceId(resource_id));
        top.lower
            .insert("category".into(), Target::Category(position("Category")));
        top.lower.insert("properties".into(), Target::Properties);
        let mut properties = by_name;
        properties.rename(table, own.properties.iter(), &columns)?;

        let mut from_resource_id = Vec::new();
        for (column, part) in own.resource_id.iter().filter(|(_, part)| !part.is_empty()) {
            from_resource_id.push((
                find_column(table, column, &columns)?,
                IdPart::from_name(part)?,
            ));
        }
        Ok(Self {
            table,
            schema: schema::arrow::stored_schema(table),
            time: standard(TIME_GENERATED),
            resource_id: standard(RESOURCE_ID),
            time_received: standard(TIME_RECEIVED),
            billed_size: standard(BILLED_SIZE),
            additional_fields: standard(ADDITIONAL_FIELDS),
            from_resource_id,
            envelope: top,
            properties,
            columns,
        })
    }

    /// What becomes of a member at the top of a record. `lower` is room for the name in lower case.
    pub(crate) fn top(&self, member: &str, lower: &mut String) -> Target {
        self.envelope.get(member, lower)
    }

    /// What becomes of a member of `properties`.
    pub(crate) fn property(&self, member: &str, lower: &mut String) -> Target {
        self.properties.get(member, lower)
    }
}

impl Lookup {
    fn get(&self, member: &str, lower: &mut String) -> Target {
        if !self.exact.is_empty()
            && let Some(target) = self.exact.get(member)
        {
            return *target;
        }
        lower.clear();
        lower.push_str(member);
        lower.make_ascii_lowercase();
        self.lower
            .get(lower.as_str())
            .copied()
            .unwrap_or(Target::Additional)
    }

    fn rename<'r>(
        &mut self,
        table: &Table,
        renames: impl Iterator<Item = (&'r String, &'r String)>,
        columns: &[(&str, Type)],
    ) -> Result<(), Error> {
        for (member, column) in renames {
            let target = if column.is_empty() {
                Target::Additional
            } else {
                Target::Column(find_column(table, column, columns)?)
            };
            self.lower.insert(member.clone(), target);
            self.exact
                .retain(|name, _| !name.eq_ignore_ascii_case(member));
        }
        Ok(())
    }
}

impl IdPart {
    const NAMES: [(&str, Self); 6] = [
        ("id", Self::Id),
        ("subscription", Self::Subscription),
        ("group", Self::Group),
        ("provider", Self::Provider),
        ("type", Self::Type),
        ("name", Self::Name),
    ];

    fn from_name(name: &str) -> Result<Self, Error> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, part)| *part).ok_or_else(|| {
            let known = Self::NAMES.map(|(known, _)| known).join("`, `");
            Error::Mapping(format!(
                "`{name}` is no part of a resource id; those are `{known}`"
            ))
        })
    }

    /// The part in upper case, as Azure's metrics and diagnostics have it.
    pub(crate) fn of(self, id: &ResourceId) -> String {
        let part = match self {
            Self::Id => id.as_str().to_owned(),
            Self::Subscription => id.subscription().to_owned(),
            Self::Group => id.resource_group().unwrap_or("").to_owned(),
            Self::Provider => {
                let ty = id.resource_type();
                ty.split('/').next().unwrap_or("").to_owned()
            }
            Self::Type => {
                let ty = id.resource_type();
                ty.split_once('/').map_or("", |(_, ty)| ty).to_owned()
            }
            Self::Name => id.name().to_owned(),
        };
        part.to_uppercase()
    }
}

/// Fails unless some table has the column of a rule that is meant for all tables.
pub(super) fn check_anywhere(member: &str, column: &str) -> Result<(), Error> {
    let tables = builtin::tables();
    let known = column.is_empty()
        || tables
            .iter()
            .flat_map(Table::stored)
            .any(|known| known.name == column);
    if known && !RESERVED.contains(&column) {
        return Ok(());
    }
    let names = tables
        .iter()
        .flat_map(Table::stored)
        .map(|known| known.name.as_str());
    let hint = suggest::did_you_mean(column, names).filter(|_| !known);
    Err(Error::Mapping(match hint {
        Some(hint) => format!("no table has a column `{column}`; {hint}"),
        None => format!("`{member}` can't fill `{column}`"),
    }))
}

fn find_column(table: &Table, name: &str, columns: &[(&str, Type)]) -> Result<usize, Error> {
    let fillable = |column: &str| column == name && !RESERVED.contains(&name);
    if let Some(index) = columns.iter().position(|(column, _)| fillable(column)) {
        return Ok(index);
    }
    let names = columns
        .iter()
        .map(|(column, _)| *column)
        .filter(|column| *column != name);
    let hint = suggest::did_you_mean(name, names).map_or(String::new(), |hint| format!("; {hint}"));
    let table = &table.name;
    Err(Error::Mapping(format!(
        "`{table}` has no column `{name}`{hint}"
    )))
}

fn by_name(columns: &[(&'static str, Type)]) -> Lookup {
    let mut lookup = Lookup::default();
    for (index, (name, _)) in columns.iter().enumerate() {
        if RESERVED.contains(name) {
            continue;
        }
        let target = Target::Column(index);
        let lower = name.to_lowercase();
        if let Some(Target::Column(earlier)) = lookup.lower.get(&lower).copied() {
            let earlier_name = columns[earlier].0.to_owned();
            lookup.exact.insert(earlier_name, Target::Column(earlier));
            lookup.exact.insert((*name).to_owned(), target);
        } else {
            lookup.lower.insert(lower, target);
        }
    }
    lookup
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(name: &str) -> TableRules {
        let table = builtin::table(name).expect("a table");
        TableRules::compile(table, &BTreeMap::new(), &TableFile::default()).expect("rules")
    }

    fn column(rules: &TableRules, member: &str) -> Option<&'static str> {
        match rules.property(member, &mut String::new()) {
            Target::Column(index) => Some(rules.columns[index].0),
            _ => None,
        }
    }

    #[test]
    fn columns_that_differ_in_case_alone_are_told_apart() {
        let rules = rules("AzureDiagnostics");
        assert_eq!(column(&rules, "clientIP_s"), Some("clientIP_s"));
        assert_eq!(column(&rules, "clientIp_s"), Some("clientIp_s"));
        assert_eq!(column(&rules, "CLIENTIP_S"), Some("clientIP_s"));
    }

    #[test]
    fn standard_columns_are_not_filled_by_name() {
        let rules = rules("AmlRunEvent");
        assert_eq!(column(&rules, "runid"), Some("RunId"));
        for member in [
            "_ResourceId",
            "_BilledSize",
            "_TimeReceived",
            "_AdditionalFields",
            "TenantId",
        ] {
            assert_eq!(column(&rules, member), None, "{member}");
        }
    }

    #[test]
    fn parts_of_a_resource_id() {
        let id = ResourceId::parse(
            "/subscriptions/aa/resourcegroups/rg/providers/microsoft.web/sites/s1",
        )
        .expect("an id");
        let part = |part: IdPart| part.of(&id);
        assert_eq!(part(IdPart::Subscription), "AA");
        assert_eq!(part(IdPart::Group), "RG");
        assert_eq!(part(IdPart::Provider), "MICROSOFT.WEB");
        assert_eq!(part(IdPart::Type), "SITES");
        assert_eq!(part(IdPart::Name), "S1");
    }
}
