//! How records become rows, as data: which table a record goes to, which column a member fills.
//!
//! The rules are TOML, explained in `mapping/builtin.toml`. [`rules`] holds what they come to for
//! one table.

use std::collections::{BTreeMap, HashMap};

use kql::suggest;
use schema::{builtin, category};

mod rules;

pub(crate) use rules::{TableRules, Target};

use crate::Error;

const BUILTIN: &str = include_str!("mapping/builtin.toml");

/// Which table a record goes to, and which column each of its members fills.
#[derive(Clone, Debug)]
pub struct Mapping {
    tables: Vec<TableRules>,
    /// By category in lower case, the index of a table.
    categories: HashMap<String, usize>,
    /// By member in lower case, the index of the table whose records lack a category.
    uncategorized: Vec<(String, usize)>,
}

/// One mapping file. Members are in lower case once it is read.
#[derive(Clone, Debug, Default, serde::Deserialize)]
struct File {
    #[serde(default)]
    envelope: BTreeMap<String, String>,
    #[serde(default)]
    uncategorized: BTreeMap<String, String>,
    #[serde(default)]
    categories: BTreeMap<String, String>,
    #[serde(flatten)]
    tables: BTreeMap<String, TableFile>,
}

/// The rules of one table in a file.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TableFile {
    #[serde(default)]
    envelope: BTreeMap<String, String>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(default)]
    resource_id: BTreeMap<String, String>,
}

impl Mapping {
    /// The built-in rules.
    pub fn builtin() -> Self {
        Self::compile(&builtin_file()).expect("the built-in mapping names tables that exist")
    }

    /// The built-in rules with the TOML text `overrides` laid over them, entry by entry.
    ///
    /// An entry of `""` takes a rule away; the member then stays in `_AdditionalFields`.
    ///
    /// # Errors
    /// If the text is no mapping, or names a table or a column that does not exist.
    pub fn with_overrides(overrides: &str) -> Result<Self, Error> {
        let mut file = builtin_file();
        file.merge(read(overrides)?);
        Self::compile(&file)
    }

    fn compile(file: &File) -> Result<Self, Error> {
        for table in file.tables.keys() {
            table_index(table)?;
        }
        let no_rules = TableFile::default();
        let tables = builtin::tables().iter().map(|table| {
            let own = file.tables.get(&table.name).unwrap_or(&no_rules);
            TableRules::compile(table, &file.envelope, own)
        });
        let tables: Vec<TableRules> = tables.collect::<Result<_, _>>()?;
        for (member, column) in &file.envelope {
            rules::check_anywhere(member, column)?;
        }
        let mut categories = HashMap::new();
        for category in category::categories() {
            categories.insert(category.name.to_lowercase(), table_index(&category.table)?);
        }
        for (category, table) in &file.categories {
            if table.is_empty() {
                categories.remove(category);
            } else {
                categories.insert(category.clone(), table_index(table)?);
            }
        }
        let uncategorized = file
            .uncategorized
            .iter()
            .filter(|(_, table)| !table.is_empty());
        let uncategorized = uncategorized
            .map(|(member, table)| Ok((member.clone(), table_index(table)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self {
            tables,
            categories,
            uncategorized,
        })
    }

    pub(crate) fn rules(&self, table: usize) -> &TableRules {
        &self.tables[table]
    }

    /// The table of that name, as an index for [`Self::rules`].
    ///
    /// # Errors
    /// Suggests the nearest table.
    pub(crate) fn table(&self, name: &str) -> Result<usize, String> {
        find_table(name)
    }

    /// The table that a category fills.
    ///
    /// # Errors
    /// Suggests the nearest category; people take tables for categories.
    pub(crate) fn category(&self, name: &str) -> Result<usize, String> {
        if let Some(&table) = self.categories.get(&name.to_lowercase()) {
            return Ok(table);
        }
        let shown = crate::parse::shorten(name, 80);
        let of_table: Vec<&str> = category::categories()
            .iter()
            .filter(|category| category.table.eq_ignore_ascii_case(name))
            .map(|category| category.name.as_str())
            .collect();
        if !of_table.is_empty() {
            let names = of_table.join("`, `");
            return Err(format!(
                "`{shown}` is a table, not a category; its records come as `{names}`"
            ));
        }
        let known = category::categories()
            .iter()
            .map(|category| category.name.as_str());
        let known = known.chain(self.categories.keys().map(String::as_str));
        Err(match suggest::did_you_mean(name, known) {
            Some(hint) => format!("unknown category `{shown}`; {hint}"),
            None => format!("unknown category `{shown}`"),
        })
    }

    /// The table of a record without a category, if one of its members tells.
    pub(crate) fn uncategorized<'k>(
        &self,
        mut members: impl Iterator<Item = &'k str>,
    ) -> Option<usize> {
        members.find_map(|member| {
            let rule = |(name, _): &&(String, usize)| name.eq_ignore_ascii_case(member);
            self.uncategorized
                .iter()
                .find(rule)
                .map(|(_, table)| *table)
        })
    }
}

impl File {
    fn merge(&mut self, other: Self) {
        self.envelope.extend(other.envelope);
        self.uncategorized.extend(other.uncategorized);
        self.categories.extend(other.categories);
        for (table, rules) in other.tables {
            let own = self.tables.entry(table).or_default();
            own.envelope.extend(rules.envelope);
            own.properties.extend(rules.properties);
            own.resource_id.extend(rules.resource_id);
        }
    }
}

fn builtin_file() -> File {
    read(BUILTIN).expect("the built-in mapping is valid TOML")
}

fn read(text: &str) -> Result<File, Error> {
    let file: File = toml::from_str(text).map_err(|error| Error::Mapping(error.to_string()))?;
    let lower = |rules: BTreeMap<String, String>| -> BTreeMap<String, String> {
        rules
            .into_iter()
            .map(|(name, to)| (name.to_lowercase(), to))
            .collect()
    };
    let tables = file.tables.into_iter().map(|(name, rules)| {
        let rules = TableFile {
            envelope: lower(rules.envelope),
            properties: lower(rules.properties),
            // These keys are columns, and letter case counts in those.
            resource_id: rules.resource_id,
        };
        (name, rules)
    });
    Ok(File {
        tables: tables.collect(),
        envelope: lower(file.envelope),
        uncategorized: lower(file.uncategorized),
        categories: lower(file.categories),
    })
}

fn find_table(name: &str) -> Result<usize, String> {
    let tables = builtin::tables();
    if let Some(index) = tables.iter().position(|table| table.name == name) {
        return Ok(index);
    }
    let shown = crate::parse::shorten(name, 80);
    let names = tables.iter().map(|table| table.name.as_str());
    Err(match suggest::did_you_mean(name, names) {
        Some(hint) => format!("unknown table `{shown}`; {hint}"),
        None => format!("unknown table `{shown}`"),
    })
}

fn table_index(name: &str) -> Result<usize, Error> {
    find_table(name).map_err(Error::Mapping)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table_of(mapping: &Mapping, category: &str) -> Result<String, String> {
        let table = mapping.category(category)?;
        Ok(mapping.rules(table).table.name.clone())
    }

    #[test]
    fn categories_find_tables_in_any_case() {
        let mapping = Mapping::builtin();
        assert_eq!(
            table_of(&mapping, "RUNREADEVENT").as_deref(),
            Ok("AmlRunEvent")
        );
    }

    #[test]
    fn a_table_taken_for_a_category_is_told_so() {
        let mapping = Mapping::builtin();
        assert_eq!(
            table_of(&mapping, "AmlDataStoreEvent").expect_err("a table"),
            "`AmlDataStoreEvent` is a table, not a category; \
             its records come as `DataStoreChangeEvent`, `DataStoreReadEvent`"
        );
        assert_eq!(
            table_of(&mapping, "AmlComputeJobEvents").expect_err("a slip"),
            "unknown category `AmlComputeJobEvents`; did you mean `AmlComputeJobEvent`?"
        );
        assert_eq!(
            table_of(&mapping, "AuditEvent").expect_err("a foreign one"),
            "unknown category `AuditEvent`"
        );
    }

    #[test]
    fn overrides_win_entry_by_entry() {
        let mapping = Mapping::with_overrides(
            "[categories]\nAuditEvent = 'AzureDiagnostics'\nRunEvent = ''\n\
             [AzureMetrics.resource_id]\nResource = 'type'",
        )
        .expect("a mapping");
        assert_eq!(
            table_of(&mapping, "auditevent").as_deref(),
            Ok("AzureDiagnostics")
        );
        assert!(table_of(&mapping, "RunEvent").is_err());
        assert!(table_of(&mapping, "RunReadEvent").is_ok());
        let metrics = mapping.table("AzureMetrics").expect("a table");
        assert_eq!(mapping.rules(metrics).from_resource_id.len(), 5);
    }

    #[test]
    fn overrides_are_checked() {
        let error = |text| Mapping::with_overrides(text).expect_err(text).to_string();
        assert_eq!(
            error("[AmlRunEvents.properties]\na = 'RunId'"),
            "mapping: unknown table `AmlRunEvents`; did you mean `AmlRunEvent`?"
        );
        assert_eq!(
            error("[AmlRunEvent.properties]\na = 'RunIdd'"),
            "mapping: `AmlRunEvent` has no column `RunIdd`; did you mean `RunId`?"
        );
        assert_eq!(
            error("[envelope]\nlvl = 'Levl'"),
            "mapping: no table has a column `Levl`; did you mean `Level`?"
        );
        assert_eq!(
            error("[AzureMetrics.resource_id]\nResource = 'region'"),
            "mapping: `region` is no part of a resource id; \
             those are `id`, `subscription`, `group`, `provider`, `type`, `name`"
        );
        assert!(error("[AmlRunEvent]\nrenames = 1").contains("unknown field `renames`"));
        assert!(error("x = ").starts_with("mapping: TOML parse error"));
    }
}
