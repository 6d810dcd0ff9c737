//! Azure Monitor's REST contracts: HTTP in, Loggia's gRPC services behind.
//!
//! Start at [`router`]. A request becomes one `loggia.v1` call (`query`, `batch`), its answer Azure's
//! JSON (`answer`, `cells`), and a failure Azure's error JSON (`error`).
//!
//! It knows no plans and no catalog: whatever it serves, any gRPC client could ask for too.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/logs/api/overview>

mod answer;
mod batch;
mod cells;
mod error;
mod prefer;
mod query;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};
use tonic::transport::Channel;
use tower_http::decompression::RequestDecompressionLayer;

/// Largest body of a request, in bytes: a query of the largest size in JSON, or a batch of some.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// Most requests of one `$batch`.
pub const BATCH_REQUESTS_MAX: usize = 100;

/// Serves the contracts over the services that `channel` leads to.
pub fn router(channel: Channel) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .fallback(any(query::dispatch))
        .layer(RequestDecompressionLayer::new())
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(std::sync::Arc::new(query::Gateway::new(channel)))
}
