//! The tables that a query may see, by the catalog.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use catalog::{Resolved, Scope, State};
use datafusion::logical_expr::TableSource;
use engine::{QueryId, ShardRef, ShardTable};
use plan::{Host, HostTable, NoTable};
use schema::Table;

/// The built-in tables, shared by all queries.
static TABLES: LazyLock<BTreeMap<&'static str, Arc<Table>>> = LazyLock::new(|| {
    let tables = schema::builtin::tables().iter();
    tables
        .map(|table| (table.name.as_str(), Arc::new(table.clone())))
        .collect()
});

/// Tables of the workspaces in a query's scope, read on one snapshot.
pub struct CatalogHost {
    state: Arc<State>,
    shards: Vec<ShardRef>,
    query: QueryId,
    shard_partitions: usize,
}

impl CatalogHost {
    /// The tables of the workspaces that `scope` was resolved to.
    pub fn new(
        state: Arc<State>,
        scope: &Resolved,
        query: QueryId,
        shard_partitions: usize,
    ) -> Self {
        Self {
            state,
            shards: shards(scope),
            query,
            shard_partitions,
        }
    }
}

impl Host for CatalogHost {
    fn table(&self, workspace: Option<&str>, name: &str) -> Result<HostTable, NoTable> {
        let shards = match workspace {
            None => self.shards.clone(),
            Some(workspace) => {
                let scope = Scope {
                    workspaces: vec![workspace.to_owned()],
                    ..Scope::default()
                };
                let resolved = self.state.resolve(&scope);
                shards(&resolved.map_err(|_| NoTable::Workspace(self.state.nearest(workspace)))?)
            }
        };
        let table = Arc::clone(TABLES.get(name).ok_or(NoTable::Table)?);
        let provider = ShardTable::new(
            Arc::clone(&table),
            shards,
            self.query,
            self.shard_partitions,
        );
        Ok(HostTable {
            table,
            source: engine::session::source(Arc::new(provider)),
        })
    }

    fn table_names(&self) -> Vec<String> {
        TABLES.keys().map(|name| (*name).to_owned()).collect()
    }

    fn values(&self, rows: RecordBatch) -> Arc<dyn TableSource> {
        engine::session::values(rows)
    }
}

fn shards(scope: &Resolved) -> Vec<ShardRef> {
    let workspaces = scope.workspaces.values();
    workspaces
        .map(|(workspace, log_workspace)| ShardRef {
            workspace: workspace.id.to_string(),
            url: workspace.node.clone(),
            tenant_id: log_workspace.to_string(),
            subscription_id: workspace.resource_id.subscription().to_owned(),
        })
        .collect()
}
