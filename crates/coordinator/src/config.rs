//! What queries and batches may use.

use std::time::Duration;

use engine::SessionConfig;
use url::Url;

/// Queries that run at a time on each core: one computes while the other waits.
const QUERIES_A_CORE: usize = 2;

/// Bounds of a coordinator.
#[derive(Clone, Debug)]
pub struct Config {
    /// How plans are made.
    pub session: SessionConfig,
    /// Partitions that each shard computes with.
    pub shard_partitions: usize,
    /// Queries that run at a time.
    pub queries_running_max: usize,
    /// Queries that wait for their turn; more are refused.
    pub queries_waiting_max: usize,
    /// How long a query runs where its caller says nothing.
    pub timeout: Duration,
    /// How long a query may run.
    pub timeout_max: Duration,
    /// Rows of an answer where its caller says nothing.
    pub rows_max: u64,
    /// Bytes of an answer's rows as Arrow data, where its caller says nothing.
    pub bytes_max: u64,
    /// Rows of a subquery whose answer decides how the query is bound.
    pub subquery_rows_max: usize,
    /// Bytes of one payload of records.
    pub payload_bytes_max: usize,
    /// Payloads of one stream that are worked on at a time.
    pub payloads_under_way: usize,
    /// The node that gets new workspaces.
    pub node: Url,
    /// Gates plans of other versions.
    pub version: String,
}

impl Config {
    /// The usual bounds, with Azure's limits on answers:
    /// <https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits>.
    pub fn new(node: Url, version: impl Into<String>) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            session: SessionConfig::default(),
            shard_partitions: 1,
            queries_running_max: QUERIES_A_CORE * cores,
            queries_waiting_max: 200,
            timeout: Duration::from_secs(180),
            timeout_max: Duration::from_secs(600),
            rows_max: 500_000,
            bytes_max: 100 << 20,
            subquery_rows_max: plan::IN_VALUES_MAX,
            payload_bytes_max: 12 << 20,
            payloads_under_way: 4,
            node,
            version: version.into(),
        }
    }
}
