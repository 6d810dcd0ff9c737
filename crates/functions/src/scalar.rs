//! Scalar functions, by family. Each file holds a table of its functions beside their kernels.

mod arithmetic;
mod array;
mod bag;
#[cfg(test)]
pub(crate) mod check;
pub(crate) mod conversion;
mod convert;
mod datetime;
mod dynamic;
mod hash;
#[cfg(test)]
mod hostile;
pub mod internal;
mod ip;
mod math;
mod other;
mod parse;
pub(crate) mod regex;
mod series;
mod set;
mod sketch;
mod string;
mod string_operators;

use std::sync::Arc;

use datafusion_expr::ScalarUDF;

use crate::registry::ScalarFunction;

pub(crate) use array::write_array;
pub(crate) use bag::write_bag;

/// All functions that KQL text may call, and the operators, whose names begin with `__`.
pub(crate) fn all() -> impl Iterator<Item = &'static ScalarFunction> {
    [
        arithmetic::FUNCTIONS,
        array::FUNCTIONS,
        array::MAKE_FUNCTIONS,
        array::SORT_FUNCTIONS,
        bag::FUNCTIONS,
        conversion::FUNCTIONS,
        conversion::JSON_FUNCTIONS,
        convert::FUNCTIONS,
        datetime::FUNCTIONS,
        dynamic::FUNCTIONS,
        hash::FUNCTIONS,
        ip::FIND_FUNCTIONS,
        ip::FUNCTIONS,
        ip::V6_FUNCTIONS,
        math::EXTREME_FUNCTIONS,
        math::FUNCTIONS,
        math::SPECIAL_FUNCTIONS,
        other::FUNCTIONS,
        parse::FUNCTIONS,
        regex::FUNCTIONS,
        set::FUNCTIONS,
        sketch::FUNCTIONS,
        string::COMPRESS_FUNCTIONS,
        string::ENCODE_FUNCTIONS,
        string::FUNCTIONS,
        string::SEARCH_FUNCTIONS,
        string_operators::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .chain(series::all())
}

/// Functions that only the binder calls.
pub(crate) fn internal() -> Vec<Arc<ScalarUDF>> {
    internal::udfs()
}
