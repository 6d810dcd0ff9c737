//! Aggregates over rows that are dealt over shards: what they give, and what their states take.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int32Array, Int64Array, StringViewArray,
    UInt32Array,
};
use arrow::compute::take;
use arrow::datatypes::Int64Type;
use datafusion_common::{Result, ScalarValue};

use super::dcount::{self, Distinct, Form};
use super::digest::{self, Digest};
use super::groups::{Accumulate, Rows};
use super::hll::Precision;
use super::schema::{self, BuildSchema};
use super::sketch::{Kind, Sketcher};

#[test]
fn nulls_do_not_count_and_equal_values_count_once() {
    let longs = Int64Array::from(vec![Some(1), None, Some(2), Some(1), Some(i64::MIN)]);
    assert_eq!(count(Arc::new(longs)), 3);
    let reals = [0.0, -0.0, f64::NAN, -f64::NAN, 1.0];
    assert_eq!(count(Arc::new(Float64Array::from(reals.to_vec()))), 3);
    let texts = [Some(""), Some("a"), None, Some("a"), Some("A")];
    assert_eq!(count(Arc::new(StringViewArray::from(texts.to_vec()))), 3);
    let bools = [Some(true), None, Some(true)];
    assert_eq!(count(Arc::new(BooleanArray::from(bools.to_vec()))), 1);
    assert_eq!(count(Arc::new(Int64Array::from(vec![None::<i64>]))), 0);
}

#[test]
fn counts_and_sets_do_not_depend_on_how_rows_are_dealt() {
    for rows in [0, 10, 1_500, 20_000] {
        let values = Int64Array::from_iter_values((0..rows).map(|row| row * row % 7_919));
        for form in [Form::Count, Form::Set] {
            same_however_dealt(&distinct(1, form), &[Arc::new(values.clone())]);
        }
    }
}

#[test]
fn an_int_counts_as_the_long_that_it_is() {
    let ints: ArrayRef = Arc::new(Int32Array::from(vec![1, -2]));
    let longs: ArrayRef = Arc::new(Int64Array::from(vec![1, -2]));
    let set = |values: ArrayRef| text(&all(&distinct(1, Form::Set), &[values]).expect("a set"));
    assert_eq!(set(ints), set(longs));
}

#[test]
fn sets_merge_as_if_their_values_were_counted_together() {
    let sets: Vec<String> = (0..20)
        .map(|part| {
            let values = Int64Array::from_iter_values(part * 100..part * 100 + 300);
            text(&all(&distinct(1, Form::Set), &[Arc::new(values)]).expect("a set"))
        })
        .collect();
    let whole = Int64Array::from_iter_values(0..2_200);
    let whole = text(&all(&distinct(1, Form::Set), &[Arc::new(whole)]).expect("a set"));
    let sets: ArrayRef = Arc::new(StringViewArray::from_iter_values(sets));
    assert_eq!(
        text(&all(&dcount::Merged, &[Arc::clone(&sets)]).expect("a set")),
        whole
    );
    same_however_dealt(&dcount::Merged, &[sets]);
}

#[test]
fn sets_of_different_accuracies_do_not_merge() {
    let values: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let set = |accuracy| {
        let set = all(&distinct(accuracy, Form::Set), &[Arc::clone(&values)]);
        text(&set.expect("a set"))
    };
    let sets: ArrayRef = Arc::new(StringViewArray::from_iter_values([set(1), set(2)]));
    let error = all(&dcount::Merged, &[sets])
        .expect_err("no set")
        .to_string();
    assert!(error.contains("different accuracies"), "{error}");
    for hostile in [
        "1",
        "[]",
        "[\"hll\"]",
        "[\"hll\",14,\"!\"]",
        "[\"hll\",15,\"AQ==\"]",
        "{}",
    ] {
        let sets: ArrayRef = Arc::new(StringViewArray::from_iter_values([hostile]));
        let error = all(&dcount::Merged, &[sets])
            .expect_err(hostile)
            .to_string();
        assert!(error.contains("no result of `hll()`"), "{error}");
    }
}

#[test]
fn digests_do_not_depend_on_how_rows_are_dealt() {
    for rows in [0, 10, 20_000] {
        let values: ArrayRef = Arc::new(Int64Array::from_iter_values(
            (0..rows).map(|row| row * row % 7_919),
        ));
        let weights: ArrayRef = Arc::new(Int64Array::from_iter_values(
            (0..rows).map(|row| row % 5 - 1),
        ));
        same_however_dealt(&digest(false), &[Arc::clone(&values)]);
        same_however_dealt(&digest(true), &[values, weights]);
    }
}

#[test]
fn digests_merge_as_if_their_values_were_gathered_together() {
    let digests: Vec<String> = (0..20)
        .map(|part| {
            let values = Int64Array::from_iter_values(part * 100..part * 100 + 100);
            text(&all(&digest(false), &[Arc::new(values)]).expect("a digest"))
        })
        .collect();
    let whole = Int64Array::from_iter_values(0..2_000);
    let whole = text(&all(&digest(false), &[Arc::new(whole)]).expect("a digest"));
    let digests: ArrayRef = Arc::new(StringViewArray::from_iter_values(digests));
    let merged = all(&digest::Merged, &[Arc::clone(&digests)]).expect("a digest");
    assert_eq!(text(&merged), whole);
    same_however_dealt(&digest::Merged, &[digests]);
    let hostile: ArrayRef = Arc::new(StringViewArray::from_iter_values([
        "[\"tdigest\",\"////\"]",
    ]));
    let error = all(&digest::Merged, &[hostile])
        .expect_err("no digest")
        .to_string();
    assert!(error.contains("no result of `tdigest()`"), "{error}");
}

#[test]
fn a_schema_admits_all_values() {
    let schema = |values: &[&str]| {
        let json: ArrayRef = Arc::new(StringViewArray::from_iter_values(values));
        same_however_dealt(&BuildSchema, &[Arc::clone(&json)]);
        text(&all(&BuildSchema, &[json]).expect("a schema"))
    };
    assert_eq!(
        schema(&[
            r#"{"x":1,"y":3.5}"#,
            r#"{"x":"somevalue","z":[1,2,3]}"#,
            r#"{"y":{"w":"zzz"},"t":["aa","bb"],"z":["foo"]}"#,
        ]),
        r#"{"t":{"`indexer`":"string"},"x":["long","string"],"y":["double",{"w":"string"}],"z":{"`indexer`":["long","string"]}}"#
    );
    assert_eq!(
        schema(&["1", "true", "\"a\"", "[]"]),
        r#"["bool","long","string",{"`indexer`":[]}]"#
    );
    assert_eq!(schema(&["{}"]), "{}");
    assert_eq!(schema(&[r#"{"a":null}"#, "null"]), r#"{"a":[]}"#);
    let deep = format!("{}1{}", "[".repeat(128), "]".repeat(128));
    assert!(schema(&[&deep]).len() > 128);
}

#[test]
fn a_schema_has_a_bounded_number_of_keys() {
    let keys: Vec<String> = (0..=schema::KEYS_MAX)
        .map(|key| format!("\"k{key}\":1"))
        .collect();
    let bag = format!("{{{}}}", keys.join(","));
    let json: ArrayRef = Arc::new(StringViewArray::from_iter_values([bag]));
    let error = all(&BuildSchema, &[json])
        .expect_err("no schema")
        .to_string();
    assert!(error.contains("keys"), "{error}");
}

fn distinct(accuracy: i64, form: Form) -> Distinct {
    Distinct {
        precision: Precision::of_accuracy(accuracy).expect("an accuracy"),
        form,
    }
}

fn digest(is_weighted: bool) -> Digest {
    Digest(Sketcher {
        kind: Kind::Long,
        is_weighted,
    })
}

fn count(values: ArrayRef) -> i64 {
    let counts = all(&distinct(1, Form::Count), &[values]).expect("a count");
    counts.as_primitive::<Int64Type>().value(0)
}

fn text(array: &ArrayRef) -> String {
    array.as_string_view().value(0).to_owned()
}

/// What an aggregate gives for all rows.
fn all<A: Accumulate>(accumulate: &A, values: &[ArrayRef]) -> Result<ArrayRef> {
    let mut group = A::Group::default();
    let rows = Rows::of_one_group(values[0].len());
    accumulate.update(std::slice::from_mut(&mut group), values, &rows)?;
    accumulate.evaluate(vec![group])
}

/// What an aggregate gives for rows that are dealt over shards, whose states are merged.
fn dealt<A: Accumulate>(accumulate: &A, values: &[ArrayRef], shards: u32) -> Result<ArrayRef> {
    let mut merged = A::Group::default();
    for shard in 0..shards {
        let count = u32::try_from(values[0].len()).expect("few rows");
        // The last rows first, and some shards get none.
        let places = (0..count).rev().filter(|row| row * row % shards == shard);
        let places = UInt32Array::from_iter_values(places);
        let part = values.iter().map(|array| Ok(take(array, &places, None)?));
        let part = part.collect::<Result<Vec<_>>>()?;
        let mut group = A::Group::default();
        let rows = Rows::of_one_group(places.len());
        accumulate.update(std::slice::from_mut(&mut group), &part, &rows)?;
        let mut state = Vec::new();
        accumulate.write_state(&group, &mut state);
        if !state.is_empty() {
            accumulate.merge(&mut merged, &state)?;
        }
    }
    accumulate.evaluate(vec![merged])
}

fn same_however_dealt<A: Accumulate>(accumulate: &A, values: &[ArrayRef]) {
    let whole = all(accumulate, values).expect("a value");
    for shards in [1, 2, 3, 17] {
        let merged = dealt(accumulate, values, shards).expect("a value");
        let value = |array| ScalarValue::try_from_array(array, 0).expect("a value");
        assert_eq!(value(&merged), value(&whole), "over {shards} shards");
    }
}
