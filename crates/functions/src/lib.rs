//! What KQL's functions, operators and aggregates mean over Arrow arrays.
//!
//! Start at [`registry`]: it lists every scalar function with its overloads, and gives the
//! DataFusion functions that a session must know. A function is one entry in a table beside its
//! kernel, in the file of its family under `scalar/` or `aggregate/`.
//!
//! Kernels work on whole arrays and know Arrow types only: the binder knows KQL types and picks the
//! overload. Nothing here reads field metadata, the clock, or anything outside its arguments; only
//! `new_guid()` draws random numbers.

pub mod aggregate;
pub mod args;
pub mod dynamic;
pub mod registry;
pub mod scalar;
pub mod text;
pub mod time;
mod udf;
pub mod window;

pub use registry::{Overload, Param, ResultColumn, ResultName, Returns, ScalarFunction};
pub use udf::fold;

/// Text with what regular expressions treat apart escaped.
pub fn escape_regex(text: &str) -> String {
    ::regex::escape(text)
}
