//! Values as text: instants and lengths of time in ticks, and JSON.
//!
//! A tick is 100 ns. KQL counts instants in ticks since 0001-01-01T00:00:00Z.

pub mod datetime;
pub mod json;
pub mod timespan;

pub use crate::parser::guid;
pub use json::Json;

/// Ticks in a second.
pub const TICKS_PER_SECOND: i64 = 10_000_000;
/// Ticks in a day.
pub const TICKS_PER_DAY: i64 = 86_400 * TICKS_PER_SECOND;
