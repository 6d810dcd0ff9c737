//! What a mapping leaves over: for a dry run, before anything is stored.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use schema::Table;
use schema::table::ADDITIONAL_FIELDS;

use crate::json;
use crate::parse::{Parsed, Refused, shorten};

/// Most names of members without a column that are kept for a table.
const UNMAPPED_MAX: usize = 1_000;
/// Most refused records that are kept as examples, one for each reason.
const REFUSALS_MAX: usize = 20;
/// Most bytes of an example that are kept.
const EXAMPLE_BYTES_MAX: usize = 80;

/// What was seen in parsed input, summed over any number of calls.
#[derive(Clone, Debug, Default)]
pub struct Analysis {
    tables: BTreeMap<&'static str, TableFindings>,
    refused: usize,
    refusals: Vec<Refused>,
}

/// What was seen of one table.
#[derive(Clone, Debug)]
pub struct TableFindings {
    /// The table.
    pub table: &'static Table,
    /// How many records it would get.
    pub records: usize,
    /// Members that have no column and went to `_AdditionalFields`, by name.
    pub unmapped: BTreeMap<String, Unmapped>,
    filled: Vec<bool>,
}

/// A member without a column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unmapped {
    /// How many records have it.
    pub records: usize,
    /// The first value seen, shortened.
    pub example: String,
}

impl Analysis {
    /// Adds what one call found.
    pub fn add(&mut self, parsed: &Parsed) {
        for group in &parsed.groups {
            let findings = self.tables.entry(&group.table.name);
            let findings = findings.or_insert_with(|| TableFindings::new(group.table));
            findings.records += group.batch.num_rows();
            for (filled, column) in findings.filled.iter_mut().zip(group.batch.columns()) {
                *filled = *filled || has_value(column);
            }
            if let Some(bags) = group.batch.column_by_name(ADDITIONAL_FIELDS) {
                for bag in bags.as_string_view().iter().flatten() {
                    findings.add_unmapped(bag);
                }
            }
        }
        self.refused += parsed.refused.len();
        for refused in &parsed.refused {
            let is_known = self
                .refusals
                .iter()
                .any(|known| known.reason == refused.reason);
            if !is_known && self.refusals.len() < REFUSALS_MAX {
                self.refusals.push(refused.clone());
            }
        }
    }

    /// The findings by table, by name.
    pub fn tables(&self) -> impl Iterator<Item = &TableFindings> {
        self.tables.values()
    }

    /// How many records were refused.
    pub fn refused(&self) -> usize {
        self.refused
    }

    /// The first refused record for each of the first reasons.
    pub fn refusals(&self) -> &[Refused] {
        &self.refusals
    }
}

impl TableFindings {
    fn new(table: &'static Table) -> Self {
        Self {
            table,
            records: 0,
            unmapped: BTreeMap::new(),
            filled: vec![false; table.stored().count()],
        }
    }

    /// Columns that no record filled. `_AdditionalFields` is not among them: it is best empty.
    pub fn never_filled(&self) -> impl Iterator<Item = &str> {
        let columns = self.table.stored().zip(&self.filled);
        let empty =
            columns.filter(|(column, filled)| !**filled && column.name != ADDITIONAL_FIELDS);
        empty.map(|(column, _)| column.name.as_str())
    }

    fn add_unmapped(&mut self, bag: &str) {
        // What lies in the column was written by `parse`, so it reads back.
        for (name, value) in json::members(bag, usize::MAX).unwrap_or_default() {
            if self.unmapped.len() == UNMAPPED_MAX && !self.unmapped.contains_key(name.as_ref()) {
                continue;
            }
            let unmapped = self.unmapped.entry(name.into_owned()).or_default();
            if unmapped.records == 0 {
                unmapped.example = shorten(value, EXAMPLE_BYTES_MAX);
            }
            unmapped.records += 1;
        }
    }
}

fn has_value(column: &dyn Array) -> bool {
    match column.as_string_view_opt() {
        Some(texts) => texts.iter().flatten().any(|text| !text.is_empty()),
        None => column.null_count() < column.len(),
    }
}
