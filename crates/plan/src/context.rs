//! What a query knows of the world, fixed once before it is bound.

use arrow::array::RecordBatch;

/// The constants of one query.
#[derive(Clone, Debug)]
pub struct QueryContext {
    /// What `now()` gives, in nanoseconds since 1970.
    pub now: i64,
    /// Only records whose `TimeGenerated` lies in here are read: from the first instant up to, but
    /// not including, the second, in nanoseconds since 1970.
    pub timespan: Option<(i64, i64)>,
}

/// The rows of a subplan that binding asked for.
pub type Answer = RecordBatch;
