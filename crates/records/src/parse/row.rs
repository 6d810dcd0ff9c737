//! One record on its way to a row: the cells that its members fill, and what has no column.

use std::borrow::Cow;

use kql::Type;
use schema::ResourceId;

use super::{SHOWN_VALUE_BYTES, shorten};
use crate::cell::{self, Cell, Misfit};
use crate::json;
use crate::mapping::TableRules;

/// The cells of one record, and what has no column.
pub(super) struct Row<'r> {
    rules: &'r TableRules,
    nesting_max: usize,
    pub(super) cells: Vec<Option<Cell<'r>>>,
    additional: Vec<(&'static str, &'r str, &'r str)>,
}

impl<'r> Row<'r> {
    pub(super) fn new(rules: &'r TableRules, nesting_max: usize) -> Self {
        Self {
            cells: vec![None; rules.columns.len()],
            rules,
            nesting_max,
            additional: Vec::new(),
        }
    }

    /// Fills a column. The first value counts; a later one that differs is kept beside.
    pub(super) fn fill(
        &mut self,
        column: usize,
        place: &'static str,
        member: &'r str,
        value: &'r str,
    ) -> Result<(), String> {
        let (name, ty) = self.rules.columns[column];
        let cell = cell::convert(ty, value, self.nesting_max);
        if let Some(taken) = &self.cells[column] {
            let says_more = !matches!(&cell, Ok(None)) && cell.as_ref() != Ok(&Some(taken.clone()));
            if says_more {
                self.keep(place, member, value);
            }
            return Ok(());
        }
        let shown = || shorten(value, SHOWN_VALUE_BYTES);
        self.cells[column] = cell.map_err(|misfit| match misfit {
            Misfit::Type if ty == Type::Datetime => format!(
                "`{place}{member}`: {} is no instant from 1678 to 2261, which column `{name}` holds",
                shown()
            ),
            Misfit::Type => {
                format!("`{place}{member}`: {} is no {ty}, which column `{name}` holds", shown())
            }
            Misfit::TooDeep => self.too_deep(place, member),
        })?;
        Ok(())
    }

    /// Keeps a member that has no column.
    pub(super) fn keep(&mut self, place: &'static str, member: &'r str, value: &'r str) {
        self.additional.push((place, member, value));
    }

    pub(super) fn finish(
        mut self,
        record_bytes: usize,
        id: Option<&ResourceId>,
    ) -> Result<Vec<Option<Cell<'r>>>, String> {
        if self.cells[self.rules.time].is_none() {
            return Err("the record has no `time`".into());
        }
        self.cells[self.rules.billed_size] = Some(Cell::Real(record_bytes as f64));
        if let Some(id) = id {
            for (column, part) in &self.rules.from_resource_id {
                let cell = &mut self.cells[*column];
                cell.get_or_insert_with(|| Cell::Text(Cow::Owned(part.of(id))));
            }
        }
        if !self.additional.is_empty() {
            let bag = self.additional_fields()?;
            self.cells[self.rules.additional_fields] = Some(Cell::Text(Cow::Owned(bag)));
        }
        Ok(self.cells)
    }

    /// What has no column, as one bag. A property whose name the record has at its top too goes by
    /// `properties.name`.
    fn additional_fields(&self) -> Result<String, String> {
        let mut bag = String::from("{");
        for (place, member, value) in &self.additional {
            if bag.len() > 1 {
                bag.push(',');
            }
            let is_taken = !place.is_empty()
                && self
                    .additional
                    .iter()
                    .any(|(other, name, _)| other.is_empty() && name == member);
            if is_taken {
                kql::value::json::write_string(&mut bag, &format!("{place}{member}"));
            } else {
                kql::value::json::write_string(&mut bag, member);
            }
            bag.push(':');
            json::compact(value, self.nesting_max.saturating_sub(1), &mut bag)
                .ok_or_else(|| self.too_deep(place, member))?;
        }
        bag.push('}');
        Ok(bag)
    }

    fn too_deep(&self, place: &str, member: &str) -> String {
        let member = shorten(member, SHOWN_VALUE_BYTES);
        format!(
            "`{place}{member}` nests deeper than {} levels",
            self.nesting_max
        )
    }
}
