//! Aggregates whose meaning DataFusion's own do not have.
//!
//! Each has one state column, of bytes, which is what travels from a shard to the coordinator; see
//! [`groups::Accumulate`]. Where the order of rows matters (`make_list`, ties of `arg_max`), an
//! argument gives each row's place; if it is the same for all, the order is that of arrival.

mod bag;
mod counts;
mod dcount;
mod digest;
mod groups;
pub(crate) mod hll;
mod list;
mod pick;
mod schema;
mod series;
pub(crate) mod sketch;
pub(crate) mod text;

use std::sync::{Arc, LazyLock};

use datafusion_expr::AggregateUDF;

/// The DataFusion aggregates of ours.
pub struct Aggregates {
    /// `kql_arg_max(key, place, v0, v1, …)`: the values of the row whose key is largest, as a struct
    /// with the fields `c0`, `c1`, …
    pub arg_max: Arc<AggregateUDF>,
    /// `kql_arg_min(key, place, v0, v1, …)`: of the row whose key is smallest.
    pub arg_min: Arc<AggregateUDF>,
    /// `kql_take_any(place, v0, v1, …)`: of any row, the first if places differ.
    pub take_any: Arc<AggregateUDF>,
    /// `kql_make_list(json, place, size_max, keep_nulls)`: an array of the values.
    pub make_list: Arc<AggregateUDF>,
    /// `kql_make_set(json, place, size_max)`: an array of the distinct values, nulls aside.
    pub make_set: Arc<AggregateUDF>,
    /// `kql_make_bag(json, size_max)`: the members of all bags.
    pub make_bag: Arc<AggregateUDF>,
    /// `kql_bag_schema(json)`: the keys of all bags with their types, as a bag in order of keys.
    pub bag_schema: Arc<AggregateUDF>,
    /// `kql_series(bin, json, first, last, default)`: an array with a value for each bin from the first
    /// to the last, by default those of the values.
    pub series: Arc<AggregateUDF>,
    /// `kql_build_schema(json)`: what types the values have, and those within them, as a dynamic value.
    pub build_schema: Arc<AggregateUDF>,
    /// `kql_sketch(value, weight?)`: a sketch from which `kql_percentile` reads percentiles.
    pub sketch: Arc<AggregateUDF>,
    /// `kql_tdigest(value, weight?)`: a sketch as a dynamic value, from which the functions
    /// `percentile_tdigest` and the like read.
    pub tdigest: Arc<AggregateUDF>,
    /// `kql_tdigest_merge(json)`: sketches that are dynamic values in one.
    pub tdigest_merge: Arc<AggregateUDF>,
    /// `kql_dcount(value, accuracy)`: about how many different values there are, nulls aside.
    pub dcount: Arc<AggregateUDF>,
    /// `kql_hll(value, accuracy)`: what `kql_dcount` counts by, as a dynamic value.
    pub hll: Arc<AggregateUDF>,
    /// `kql_hll_merge(json)`: several of those in one.
    pub hll_merge: Arc<AggregateUDF>,
}

static AGGREGATES: LazyLock<Aggregates> = LazyLock::new(|| Aggregates {
    arg_max: Arc::new(pick::udaf("kql_arg_max", pick::Choice::Largest)),
    arg_min: Arc::new(pick::udaf("kql_arg_min", pick::Choice::Smallest)),
    take_any: Arc::new(pick::udaf("kql_take_any", pick::Choice::First)),
    make_list: Arc::new(list::list_udaf()),
    make_set: Arc::new(list::set_udaf()),
    make_bag: Arc::new(bag::bag_udaf()),
    bag_schema: Arc::new(bag::schema_udaf()),
    series: Arc::new(series::udaf()),
    build_schema: Arc::new(schema::udaf()),
    sketch: Arc::new(sketch::udaf()),
    tdigest: Arc::new(digest::udaf()),
    tdigest_merge: Arc::new(digest::merge_udaf()),
    dcount: Arc::new(dcount::count_udaf()),
    hll: Arc::new(dcount::set_udaf()),
    hll_merge: Arc::new(dcount::merge_udaf()),
});

/// Our aggregates.
pub fn aggregates() -> &'static Aggregates {
    &AGGREGATES
}

/// The field of picked value `column`.
pub fn picked_field(column: usize) -> String {
    format!("c{column}")
}

/// All of them.
pub(crate) fn udafs() -> Vec<Arc<AggregateUDF>> {
    let a = aggregates();
    [
        &a.arg_max,
        &a.arg_min,
        &a.take_any,
        &a.make_list,
        &a.make_set,
        &a.make_bag,
        &a.bag_schema,
        &a.series,
        &a.build_schema,
        &a.sketch,
        &a.tdigest,
        &a.tdigest_merge,
        &a.dcount,
        &a.hll,
        &a.hll_merge,
    ]
    .map(Arc::clone)
    .into()
}

#[cfg(test)]
mod tests;
