//! The node: a store, who owns what, and the services over them.

use std::sync::Arc;

use catalog::Catalog;
use datafusion::common::{DataFusionError, Result, exec_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::physical_plan::ExecutionPlan;
use engine::{LocalScan, LocalTables};
use proto::v1::shard_server::ShardServer;
use storage::{Store, WorkspaceId};
use tonic::service::Routes;
use url::Url;
use uuid::Uuid;

use crate::snapshots::Snapshots;

/// A node and the workspaces that the catalog gives to it.
pub struct Node {
    pub(crate) store: Arc<Store>,
    catalog: Arc<dyn Catalog>,
    /// How the catalog knows this node.
    url: Url,
    pub(crate) snapshots: Snapshots,
}

impl Node {
    /// A node over an open store, which the catalog knows by `url`.
    pub fn new(store: Arc<Store>, catalog: Arc<dyn Catalog>, url: Url) -> Arc<Self> {
        Arc::new(Self {
            store,
            catalog,
            url,
            snapshots: Snapshots::default(),
        })
    }

    /// Its services: parts of plans, and the `Shard` service. Plans of another `version` are
    /// refused.
    pub fn routes(self: &Arc<Self>, runtime: Arc<RuntimeEnv>, version: &str) -> Routes {
        let tables = Arc::clone(self) as Arc<dyn LocalTables>;
        let shard = ShardServer::from_arc(Arc::clone(self))
            .max_decoding_message_size(proto::MESSAGE_BYTES_MAX * 4)
            .max_encoding_message_size(proto::MESSAGE_BYTES_MAX);
        engine::worker::routes(tables, runtime, version).add_service(shard)
    }

    /// The id of a workspace that this node owns.
    pub(crate) fn owned(&self, workspace: &str) -> std::result::Result<WorkspaceId, String> {
        let id = Uuid::try_parse(workspace).map_err(|_| format!("`{workspace}` is no GUID"))?;
        let state = self.catalog.state();
        match state.workspaces.get(&id) {
            Some(owned) if owned.node == self.url => Ok(WorkspaceId(id)),
            _ => Err(format!(
                "the node {} does not own the workspace {id}",
                self.url
            )),
        }
    }
}

impl LocalTables for Node {
    fn scan(&self, scan: LocalScan<'_>) -> Result<Arc<dyn ExecutionPlan>> {
        let workspace = self
            .owned(scan.workspace)
            .map_err(DataFusionError::Execution)?;
        let take = || self.store.snapshot(workspace);
        let Some(snapshot) = self.snapshots.get(scan.query, workspace, take) else {
            return exec_err!("too many queries run on the node {}", self.url);
        };
        let plan = snapshot.scan(&storage::Scan {
            table: scan.table,
            schema: scan.schema,
            projection: Some(scan.projection),
            predicate: scan.predicate,
            fetch: scan.fetch,
            partitions: scan.partitions,
        })?;
        Ok(plan)
    }
}
