//! `buildschema`: what types values have, and those within them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::AggregateUDF;

use super::groups::{self, Accumulate, Rows, StateReader};
use crate::dynamic::{self, Kind, NESTING_MAX};

/// Most keys of a group's schema, at all depths together.
pub(crate) const KEYS_MAX: usize = 65_536;

/// The key under which the types of an array's elements stand.
const INDEXER: &str = "`indexer`";

/// The types that have nothing within them, in the order in which they are listed.
const TYPES: [&str; 4] = ["bool", "double", "long", "string"];

/// `kql_build_schema(json)`.
pub(super) fn udaf() -> AggregateUDF {
    groups::udaf(
        "kql_build_schema",
        |_| Ok(DataType::Utf8View),
        |_| Ok(BuildSchema),
    )
}

/// Builds the schemas of groups.
#[derive(Debug)]
pub(super) struct BuildSchema;

/// The types of the values in one place.
#[derive(Debug, Default, PartialEq, Eq)]
struct Types {
    /// Which of [`TYPES`] there are, a bit for each.
    plain: u8,
    /// The types of elements, if there are arrays.
    elements: Option<Box<Self>>,
    /// The types of members, if there are bags.
    members: Option<BTreeMap<Box<str>, Self>>,
}

/// A group's schema.
#[derive(Debug, Default)]
pub(super) struct Schema {
    root: Types,
    size: Size,
}

/// What a schema takes.
#[derive(Debug, Default)]
struct Size {
    keys: usize,
    bytes: usize,
}

impl Size {
    fn add(&mut self, key: &str) -> Result<()> {
        self.keys += 1;
        self.bytes += key.len() + size_of::<Types>() + 32;
        if self.keys > KEYS_MAX {
            return exec_err!("a schema of more than {KEYS_MAX} keys is not built");
        }
        Ok(())
    }
}

impl Types {
    fn elements(&mut self, size: &mut Size) -> Result<&mut Self> {
        if self.elements.is_none() {
            size.add("")?;
        }
        Ok(self.elements.get_or_insert_default())
    }

    fn member(&mut self, key: &str, size: &mut Size) -> Result<&mut Self> {
        let members = self.members.get_or_insert_default();
        if !members.contains_key(key) {
            size.add(key)?;
        }
        Ok(members.entry(key.into()).or_default())
    }

    fn add(&mut self, value: &str, size: &mut Size) -> Result<()> {
        self.plain |= match dynamic::kind(value) {
            Kind::Null => 0,
            Kind::Bool => 1,
            Kind::Real => 2,
            Kind::Long => 4,
            Kind::String => 8,
            Kind::Array => {
                let types = self.elements(size)?;
                for element in dynamic::elements(value) {
                    types.add(element, size)?;
                }
                return Ok(());
            }
            Kind::Bag => {
                self.members.get_or_insert_default();
                for (key, value) in dynamic::members(value) {
                    self.member(&key, size)?.add(value, size)?;
                }
                return Ok(());
            }
        };
        Ok(())
    }

    /// Appends one type, or an array of several; arrays and bags have one between them.
    fn write(&self, out: &mut String) {
        let plain = TYPES.iter().enumerate();
        let plain = plain.filter(|(bit, _)| self.plain & (1 << bit) != 0);
        let has_parts = self.elements.is_some() || self.members.is_some();
        let count = self.plain.count_ones() as usize + usize::from(has_parts);
        if count != 1 {
            out.push('[');
        }
        for (index, (_, name)) in plain.enumerate() {
            if index > 0 {
                out.push(',');
            }
            dynamic::write_string(out, name);
        }
        if has_parts {
            if self.plain != 0 {
                out.push(',');
            }
            self.write_parts(out);
        }
        if count != 1 {
            out.push(']');
        }
    }

    fn write_parts(&self, out: &mut String) {
        let elements = self.elements.iter().map(|types| (INDEXER, &**types));
        let members = self.members.iter().flatten();
        let members = members.map(|(key, types)| (&**key, types));
        out.push('{');
        for (index, (key, types)) in elements.chain(members).enumerate() {
            if index > 0 {
                out.push(',');
            }
            dynamic::write_string(out, key);
            out.push(':');
            types.write(out);
        }
        out.push('}');
    }

    fn write_state(&self, out: &mut Vec<u8>) {
        let has_elements = u8::from(self.elements.is_some()) << 4;
        let has_members = u8::from(self.members.is_some()) << 5;
        out.push(self.plain | has_elements | has_members);
        if let Some(types) = &self.elements {
            types.write_state(out);
        }
        if let Some(members) = &self.members {
            groups::write_i64(out, members.len() as i64);
            for (key, types) in members {
                groups::write_bytes(out, key.as_bytes());
                types.write_state(out);
            }
        }
    }

    fn merge(&mut self, reader: &mut StateReader<'_>, size: &mut Size, depth: usize) -> Result<()> {
        let Some((flags, rest)) = reader.0.split_first().filter(|_| depth <= NESTING_MAX) else {
            return internal_err!("a schema is cut short");
        };
        reader.0 = rest;
        self.plain |= flags & 0xf;
        if flags & 1 << 4 != 0 {
            self.elements(size)?.merge(reader, size, depth + 1)?;
        }
        if flags & 1 << 5 != 0 {
            self.members.get_or_insert_default();
            for _ in 0..reader.i64()? {
                let key = reader.str()?;
                self.member(key, size)?.merge(reader, size, depth + 1)?;
            }
        }
        Ok(())
    }
}

impl Accumulate for BuildSchema {
    type Group = Schema;

    fn update(&self, groups: &mut [Schema], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let json = values[0].as_string_view();
        for (row, group) in rows.iter().filter(|(row, _)| json.is_valid(*row)) {
            let Schema { root, size } = &mut groups[group];
            root.add(json.value(row), size)?;
        }
        Ok(())
    }

    fn write_state(&self, group: &Schema, out: &mut Vec<u8>) {
        if group.root != Types::default() {
            group.root.write_state(out);
        }
    }

    fn merge(&self, group: &mut Schema, state: &[u8]) -> Result<()> {
        let Schema { root, size } = group;
        root.merge(&mut StateReader(state), size, 0)
    }

    fn evaluate(&self, groups: Vec<Schema>) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::new();
        let mut buffer = String::new();
        for group in &groups {
            buffer.clear();
            let is_known = group.root != Types::default();
            if is_known {
                group.root.write(&mut buffer);
            }
            builder.append_option(is_known.then_some(&buffer));
        }
        Ok(Arc::new(builder.finish()))
    }

    fn group_bytes(group: &Schema) -> usize {
        group.size.bytes
    }
}
