//! Scalar functions, by family. Each file holds a table of its functions beside their kernels.

mod arithmetic;
pub(crate) mod conversion;
mod datetime;
mod dynamic;
pub mod internal;
mod math;
pub(crate) mod regex;
mod string;
mod string_operators;

use std::sync::Arc;

use datafusion_expr::ScalarUDF;

use crate::registry::ScalarFunction;

pub(crate) use dynamic::{write_array, write_bag};

/// All functions that KQL text may call, and the operators, whose names begin with `__`.
pub(crate) fn all() -> impl Iterator<Item = &'static ScalarFunction> {
    [
        arithmetic::FUNCTIONS,
        conversion::FUNCTIONS,
        datetime::FUNCTIONS,
        dynamic::FUNCTIONS,
        math::FUNCTIONS,
        regex::FUNCTIONS,
        string::FUNCTIONS,
        string_operators::FUNCTIONS,
    ]
    .into_iter()
    .flatten()
}

/// Functions that only the binder calls.
pub(crate) fn internal() -> Vec<Arc<ScalarUDF>> {
    internal::udfs()
}
