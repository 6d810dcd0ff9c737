//! Sketches as dynamic values, so that tables can hold them: `["hll",14,"…"]` and
//! `["tdigest","…"]`, with the written sketch in base64.
//!
//! Kusto says of its own form that it may change and is not to be relied on, so that there is none to
//! keep to.
//!
//! <https://learn.microsoft.com/kusto/query/tdigest-aggregation-function>

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion_common::{DataFusionError, Result, exec_datafusion_err};

use super::hll::{Hll, Precision};
use super::sketch::Sketch;
use crate::dynamic;

const HLL: &str = "\"hll\"";
const DIGEST: &str = "\"tdigest\"";

/// Appends the dynamic value of a set.
pub(crate) fn write_hll(out: &mut String, precision: Precision, set: &Hll) {
    let mut bytes = Vec::new();
    set.write(&mut bytes);
    let _ = write!(out, "[{HLL},{},\"", precision.bits());
    STANDARD.encode_string(bytes, out);
    out.push_str("\"]");
}

/// Reads what [`write_hll`] wrote.
///
/// # Errors
/// If it is anything else.
pub(crate) fn read_hll(json: &str) -> Result<(Precision, Hll)> {
    let what = "`hll()`";
    let mut elements = parts(json, HLL, what)?;
    let bits = elements.next().and_then(dynamic::to_long);
    let precision = bits
        .and_then(Precision::of_bits)
        .ok_or_else(|| no_result(what))?;
    let bytes = decoded(elements, what)?;
    Ok((
        precision,
        Hll::read(precision, &bytes).map_err(|_| no_result(what))?,
    ))
}

/// Appends the dynamic value of a sketch.
pub(crate) fn write_digest(out: &mut String, sketch: &Sketch) {
    let mut bytes = Vec::new();
    sketch.values.write(sketch.kind, &mut bytes);
    let _ = write!(out, "[{DIGEST},\"");
    STANDARD.encode_string(bytes, out);
    out.push_str("\"]");
}

/// Reads what [`write_digest`] wrote.
///
/// # Errors
/// If it is anything else.
pub(crate) fn read_digest(json: &str) -> Result<Sketch> {
    let what = "`tdigest()`";
    let elements = parts(json, DIGEST, what)?;
    let bytes = decoded(elements, what)?;
    Sketch::read(&bytes).map_err(|_| no_result(what))
}

/// The elements after the tag.
fn parts<'a>(json: &'a str, tag: &str, what: &str) -> Result<impl Iterator<Item = &'a str>> {
    let mut elements = dynamic::elements(json);
    match elements.next() {
        Some(first) if first == tag => Ok(elements),
        _ => Err(no_result(what)),
    }
}

fn decoded<'a>(mut elements: impl Iterator<Item = &'a str>, what: &str) -> Result<Vec<u8>> {
    let bytes = elements
        .next()
        .and_then(|text| STANDARD.decode(dynamic::string_value(text).as_bytes()).ok());
    match (bytes, elements.next()) {
        (Some(bytes), None) => Ok(bytes),
        _ => Err(no_result(what)),
    }
}

fn no_result(what: &str) -> DataFusionError {
    exec_datafusion_err!("the value is no result of {what}")
}
