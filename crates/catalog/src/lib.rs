//! Which workspaces there are, how they are grouped, and which node serves each.
//!
//! Start at [`Catalog`], the trait that every keeper of this knowledge implements, and [`State`],
//! one consistent view of it. [`Embedded`] keeps it in a file, for one machine. [`resolve`] turns the
//! names in a request into workspaces.
//!
//! It never holds logs, and never talks to nodes.

mod embedded;
pub mod resolve;
mod state;

use std::sync::Arc;

use async_trait::async_trait;

pub use embedded::Embedded;
pub use resolve::{Resolved, Scope};
pub use state::{Change, DEFAULT_LOG_WORKSPACE, LogWorkspace, State, Workspace};

/// Most ML workspaces of a catalog.
pub const WORKSPACES_MAX: usize = 10_000;
/// Most log workspaces of a catalog.
pub const LOG_WORKSPACES_MAX: usize = 10_000;
/// Longest name of a log workspace, in characters.
pub const NAME_CHARS_MAX: usize = 63;

/// What a catalog may answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The change does not fit what is there.
    #[error("{0}")]
    Conflict(String),
    /// A name that means nothing.
    #[error("{0}")]
    NotFound(String),
    /// The change itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// The catalog's file can't be read or written.
    #[error("the catalog {path}: {cause}")]
    Storage {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
}

/// Knows the workspaces.
#[async_trait]
pub trait Catalog: Send + Sync + 'static {
    /// The catalog as it is known now. Cheap; later changes don't touch what is returned.
    fn state(&self) -> Arc<State>;

    /// Makes a change. When this returns, the change is durable and [`Catalog::state`] shows it.
    ///
    /// # Errors
    /// If the change does not fit, or can't be written; then nothing has changed.
    async fn apply(&self, change: Change) -> Result<Arc<State>, Error>;
}
