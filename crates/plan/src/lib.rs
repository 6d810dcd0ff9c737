//! Binds KQL to DataFusion: a tree and the tables that it may see go in, a `LogicalPlan` comes out.
//!
//! Start at [`bind`]. Names resolve in `scope`, expressions in `expr`, and each tabular operator in
//! the file that bears its name under `operators/`.
//!
//! Pure and synchronous: no IO, no clock. `now()` comes from [`QueryContext`]; tables come from a
//! [`Host`]. Some queries can't be bound at once, because a column or a constant depends on data
//! (`toscalar`, `in (T)`, `bag_unpack`): then binding says what it needs first, as a plan to run on
//! the same snapshot, and is called again with the answer.

mod aggregates;
mod binder;
mod context;
mod error;
mod expr;
mod host;
mod names;
mod operators;
mod prune;
mod relation;
mod scope;
mod scope_call;
mod tabular;
mod typed;

pub use binder::{Bound, BoundQuery, Needs, Visualization, bind};
pub use context::{Answer, QueryContext};
pub use host::{Host, HostTable, NoTable};

/// The names of all aggregates that run.
pub fn aggregate_names() -> impl Iterator<Item = &'static str> {
    aggregates::names()
}

/// The names of functions that the binder computes itself, without the registry.
pub fn special_function_names() -> impl Iterator<Item = &'static str> {
    expr::special_names()
}

/// Most subplans that one query may need before it binds.
pub const SUBPLANS_MAX: usize = 64;

/// Most values of the right side of `in (T)`.
///
/// <https://learn.microsoft.com/kusto/query/in-operator>
pub const IN_VALUES_MAX: usize = 1_000_000;

/// Most times that user-defined functions and views may be called, one inside another.
pub const CALLS_MAX: usize = 32;

/// Most relations that a query may read, views counted each time they are named.
pub const RELATIONS_MAX: usize = 2_000;
