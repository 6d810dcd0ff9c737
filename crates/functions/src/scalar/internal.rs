//! Functions that only the binder calls, whose result types depend on their arguments.

mod expand;
mod field;
mod in_set;
mod order_key;
mod parse_kv;
mod parse_text;
mod percentile;
mod same;
mod series;

use std::sync::{Arc, LazyLock};

use datafusion_expr::ScalarUDF;

pub use expand::{EXPAND_INDEX, STAND_IN, expanded_field};
pub use parse_kv::{KeyValueForm, KeyValueSpec};
pub use parse_text::{MATCHED, ParseSpec, parsed_field};
pub use series::SERIES_MAX;

struct Internal {
    expand: Arc<ScalarUDF>,
    field: Arc<ScalarUDF>,
    from_order_key: Arc<ScalarUDF>,
    in_set: Arc<ScalarUDF>,
    order_key: Arc<ScalarUDF>,
    parse_kv: Arc<ScalarUDF>,
    parse_text: Arc<ScalarUDF>,
    percentile: Arc<ScalarUDF>,
    same: Arc<ScalarUDF>,
    series_axis: Arc<ScalarUDF>,
    series_bin: Arc<ScalarUDF>,
}

static INTERNAL: LazyLock<Internal> = LazyLock::new(|| Internal {
    expand: Arc::new(expand::udf()),
    field: Arc::new(field::udf()),
    from_order_key: Arc::new(order_key::from_key::udf()),
    in_set: Arc::new(in_set::udf()),
    order_key: Arc::new(order_key::key::udf()),
    parse_kv: Arc::new(parse_kv::udf()),
    parse_text: Arc::new(parse_text::udf()),
    percentile: Arc::new(percentile::udf()),
    same: Arc::new(same::udf()),
    series_axis: Arc::new(series::axis::udf()),
    series_bin: Arc::new(series::bin::udf()),
});

/// `kql_expand(mode, limit, a, b, …)`: what `mv-expand` makes of dynamic values side by side, as a
/// list of structs with the fields [`EXPAND_INDEX`] and [`expanded_field`] 0, 1, ….
pub fn expand() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.expand)
}

/// `kql_field(struct, name)`: a field of a struct.
pub fn field() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.field)
}

/// `kql_in_set(value, list)`: whether a list, which is constant, has a value.
pub fn in_set() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.in_set)
}

/// `kql_order_key(real, nan_first)`: a long that lies among others as the real does; NaN comes before
/// all numbers or after them.
pub fn order_key() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.order_key)
}

/// `kql_from_order_key(key)`: the real of a key.
pub fn from_order_key() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.from_order_key)
}

/// `kql_parse_kv(text, spec)`: the first value of each key of a [`KeyValueSpec`], as a bag of strings.
pub fn parse_kv() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.parse_kv)
}

/// `kql_parse_text(text, spec)`: what the `parse` operator takes out of a text, as a struct with the
/// fields [`MATCHED`] and [`parsed_field`] 0, 1, ….
pub fn parse_text() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.parse_text)
}

/// `kql_percentile(sketch, percentile, type)`: a percentile of the values of a sketch, as a value of
/// the type named.
pub fn percentile() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.percentile)
}

/// `kql_same(value)`: the value. The optimizer concludes nothing from what it knew of the value.
pub fn same() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.same)
}

/// `kql_series_axis(first, last, origin, step)`: an array of where the bins from the first to the last
/// begin.
pub fn series_axis() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.series_axis)
}

/// `kql_series_bin(value, origin, step)`: the number of the bin that a value lies in; bins are counted
/// from the origin or, if it is null, from where `bin()` does.
pub fn series_bin() -> Arc<ScalarUDF> {
    Arc::clone(&INTERNAL.series_bin)
}

pub(super) fn udfs() -> Vec<Arc<ScalarUDF>> {
    vec![
        expand(),
        field(),
        from_order_key(),
        in_set(),
        order_key(),
        parse_kv(),
        parse_text(),
        percentile(),
        same(),
        series_axis(),
        series_bin(),
    ]
}

/// A name and a signature that takes anything, for functions that check their own arguments.
macro_rules! internal_udf {
    ($type:ident, $name:literal) => {
        #[derive(Debug, PartialEq, Eq, Hash)]
        struct $type(datafusion_expr::Signature);

        pub(in crate::scalar::internal) fn udf() -> datafusion_expr::ScalarUDF {
            let volatility = datafusion_expr::Volatility::Immutable;
            datafusion_expr::ScalarUDF::new_from_impl($type(
                datafusion_expr::Signature::variadic_any(volatility),
            ))
        }

        const NAME: &str = $name;
    };
}
pub(super) use internal_udf;
