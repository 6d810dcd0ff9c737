//! `make_bag`, and what keys bags have.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::groups::{self, Accumulate, Rows, StateReader};
use super::list::size_max;
use crate::dynamic::{self, Kind};

/// `kql_make_bag(json, size_max)`.
pub(super) fn bag_udaf() -> AggregateUDF {
    groups::udaf(
        "kql_make_bag",
        |_| Ok(DataType::Utf8View),
        |args| {
            Ok(MakeBag {
                size_max: size_max(args, 1)?,
            })
        },
    )
}

/// `kql_bag_schema(json)`.
pub(super) fn schema_udaf() -> AggregateUDF {
    groups::udaf(
        "kql_bag_schema",
        |_| Ok(DataType::Utf8View),
        |_| Ok(BagSchema),
    )
}

#[derive(Debug)]
struct MakeBag {
    size_max: usize,
}

/// The members so far: of equal keys the first.
#[derive(Debug, Default)]
pub(super) struct Bag {
    members: Vec<(Box<str>, Box<str>)>,
    known: HashMap<Box<str>, usize>,
    bytes: usize,
}

impl Bag {
    fn add(&mut self, key: &str, value: &str, size_max: usize) {
        if self.members.len() >= size_max || self.known.contains_key(key) {
            return;
        }
        self.bytes += 2 * key.len() + value.len() + 96;
        self.known.insert(key.into(), self.members.len());
        self.members.push((key.into(), value.into()));
    }
}

impl Accumulate for MakeBag {
    type Group = Bag;

    fn update(&self, groups: &mut [Bag], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let json = values[0].as_string_view();
        for (row, group) in rows.iter() {
            if json.is_valid(row) {
                for (key, value) in dynamic::members(json.value(row)) {
                    groups[group].add(&key, value, self.size_max);
                }
            }
        }
        Ok(())
    }

    fn write_state(&self, group: &Bag, out: &mut Vec<u8>) {
        for (key, value) in &group.members {
            groups::write_bytes(out, key.as_bytes());
            groups::write_bytes(out, value.as_bytes());
        }
    }

    fn merge(&self, group: &mut Bag, state: &[u8]) -> Result<()> {
        let mut reader = StateReader(state);
        while !reader.is_empty() {
            let key = reader.str()?;
            group.add(key, reader.str()?, self.size_max);
        }
        Ok(())
    }

    fn evaluate(&self, groups: Vec<Bag>) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::new();
        let mut buffer = String::new();
        for group in &groups {
            buffer.clear();
            let members = group
                .members
                .iter()
                .map(|(key, value)| (key.as_ref().into(), &**value));
            crate::scalar::write_bag(&mut buffer, members);
            builder.append_value(&buffer);
        }
        Ok(Arc::new(builder.finish()))
    }

    fn group_bytes(group: &Bag) -> usize {
        group.bytes
    }
}

#[derive(Debug)]
struct BagSchema;

/// The keys so far with the name of the type of their values; empty if all were null.
#[derive(Debug, Default)]
pub(super) struct Keys(BTreeMap<Box<str>, &'static str>);

impl Keys {
    fn add(&mut self, key: &str, ty: &'static str) {
        match self.0.get_mut(key) {
            None => {
                self.0.insert(key.into(), ty);
            }
            Some(known) => *known = common_type(known, ty),
        }
    }
}

/// The type of a column that holds both; types that differ, numbers among them, make it dynamic.
fn common_type(a: &'static str, b: &'static str) -> &'static str {
    match (a, b) {
        (a, "") => a,
        ("", b) => b,
        (a, b) if a == b => a,
        _ => "dynamic",
    }
}

fn type_name(value: &str) -> &'static str {
    match dynamic::kind(value) {
        Kind::Null => "",
        Kind::Bool => "bool",
        Kind::Long => "long",
        Kind::Real => "real",
        Kind::String => "string",
        Kind::Array | Kind::Bag => "dynamic",
    }
}

impl Accumulate for BagSchema {
    type Group = Keys;

    fn update(&self, groups: &mut [Keys], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        let json = values[0].as_string_view();
        for (row, group) in rows.iter() {
            if json.is_valid(row) {
                for (key, value) in dynamic::members(json.value(row)) {
                    groups[group].add(&key, type_name(value));
                }
            }
        }
        Ok(())
    }

    fn write_state(&self, group: &Keys, out: &mut Vec<u8>) {
        for (key, ty) in &group.0 {
            groups::write_bytes(out, key.as_bytes());
            groups::write_bytes(out, ty.as_bytes());
        }
    }

    fn merge(&self, group: &mut Keys, state: &[u8]) -> Result<()> {
        let mut reader = StateReader(state);
        while !reader.is_empty() {
            let key = reader.str()?;
            let ty = reader.str()?;
            let types = ["", "bool", "long", "real", "string", "dynamic"];
            group.add(
                key,
                types
                    .into_iter()
                    .find(|known| *known == ty)
                    .unwrap_or("dynamic"),
            );
        }
        Ok(())
    }

    fn evaluate(&self, groups: Vec<Keys>) -> Result<ArrayRef> {
        let mut builder = StringViewBuilder::new();
        for group in &groups {
            let members = group.0.iter().map(|(key, ty)| {
                let ty = if ty.is_empty() { "dynamic" } else { ty };
                (key.to_string(), serde_json::Value::from(ty))
            });
            let bag = serde_json::Value::Object(members.collect());
            builder.append_value(bag.to_string());
        }
        Ok(Arc::new(builder.finish()))
    }

    fn group_bytes(group: &Keys) -> usize {
        group.0.keys().map(|key| key.len() + 64).sum()
    }
}
