//! `tdigest`, `tdigest_merge`: sketches of a group's values as dynamic values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion_common::Result;
use datafusion_expr::AggregateUDF;

use super::groups::{self, Accumulate, Rows};
use super::sketch::{Sketch, Sketcher, Values};
use super::text;

/// `kql_tdigest(value, weight?)`.
pub(super) fn udaf() -> AggregateUDF {
    groups::udaf(
        "kql_tdigest",
        |_| Ok(DataType::Utf8View),
        |args| Ok(Digest(Sketcher::new(args)?)),
    )
}

/// `kql_tdigest_merge(json)`.
pub(super) fn merge_udaf() -> AggregateUDF {
    groups::udaf(
        "kql_tdigest_merge",
        |_| Ok(DataType::Utf8View),
        |_| Ok(Merged),
    )
}

/// Sketches the values of groups.
#[derive(Debug)]
pub(super) struct Digest(pub(super) Sketcher);

impl Accumulate for Digest {
    type Group = Values;

    fn update(&self, groups: &mut [Values], values: &[ArrayRef], rows: &Rows<'_>) -> Result<()> {
        self.0.update(groups, values, rows)
    }

    fn write_state(&self, group: &Values, out: &mut Vec<u8>) {
        self.0.write_state(group, out);
    }

    fn merge(&self, group: &mut Values, state: &[u8]) -> Result<()> {
        self.0.merge(group, state)
    }

    fn evaluate(&self, groups: Vec<Values>) -> Result<ArrayRef> {
        let sketches = groups.into_iter().map(|values| Sketch {
            kind: self.0.kind,
            values,
        });
        written(sketches.map(Some))
    }

    fn group_bytes(group: &Values) -> usize {
        Sketcher::group_bytes(group)
    }
}

fn written(sketches: impl Iterator<Item = Option<Sketch>>) -> Result<ArrayRef> {
    let mut builder = StringViewBuilder::new();
    let mut buffer = String::new();
    for sketch in sketches {
        buffer.clear();
        if let Some(sketch) = &sketch {
            text::write_digest(&mut buffer, sketch);
        }
        builder.append_option(sketch.is_some().then_some(&buffer));
    }
    Ok(Arc::new(builder.finish()))
}

/// Merges the sketches of groups.
#[derive(Debug)]
pub(super) struct Merged;

impl Accumulate for Merged {
    type Group = Option<Sketch>;

    fn update(
        &self,
        groups: &mut [Option<Sketch>],
        values: &[ArrayRef],
        rows: &Rows<'_>,
    ) -> Result<()> {
        let json = values[0].as_string_view();
        for (row, group) in rows.iter().filter(|(row, _)| json.is_valid(*row)) {
            add(&mut groups[group], text::read_digest(json.value(row))?)?;
        }
        Ok(())
    }

    fn write_state(&self, group: &Option<Sketch>, out: &mut Vec<u8>) {
        if let Some(sketch) = group {
            sketch.values.write(sketch.kind, out);
        }
    }

    fn merge(&self, group: &mut Option<Sketch>, state: &[u8]) -> Result<()> {
        add(group, Sketch::read(state)?)
    }

    fn evaluate(&self, groups: Vec<Option<Sketch>>) -> Result<ArrayRef> {
        written(groups.into_iter())
    }

    fn group_bytes(group: &Option<Sketch>) -> usize {
        group
            .as_ref()
            .map_or(0, |sketch| Sketcher::group_bytes(&sketch.values))
    }
}

fn add(group: &mut Option<Sketch>, sketch: Sketch) -> Result<()> {
    match group {
        None => *group = Some(sketch),
        Some(merged) => merged.merge(sketch)?,
    }
    Ok(())
}
