//! A coordinator and shards in one process, with gRPC between them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::common::{Result as PlanResult, exec_err};
use datafusion::logical_expr::TableSource;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use engine::{
    Channels, LocalScan, LocalTables, QueryStats, Session, SessionConfig, ShardRef, ShardTable,
};
use plan::{Host, HostTable, NoTable, QueryContext};
use proto::failure::Failure;
use schema::Table;
use tonic::transport::Channel;
use url::Url;
use uuid::Uuid;

use crate::mutation::Stale;
use crate::{Deal, Rows, TestTable};

/// A cluster whose shards hold test tables in memory. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    session: Session,
    tables: BTreeMap<String, Arc<Table>>,
    shards: Vec<ShardRef>,
    partitions: usize,
}

impl Cluster {
    /// Deals the rows of some tables over shards that each compute with `partitions` partitions.
    pub fn new(tables: &[TestTable], shards: usize, partitions: usize, deal: Deal) -> Self {
        let shards = Memory::dealt(tables, shards, deal);
        let shards = shards
            .into_iter()
            .map(|shard| Arc::new(shard) as Arc<dyn LocalTables>);
        let tables = tables.iter().map(|table| Arc::clone(&table.table));
        Self::over(tables.collect(), named(shards), partitions)
    }

    /// The same cluster, whose shards show a query fewer rows of a table at the second look.
    pub(crate) fn stale(
        tables: &[TestTable],
        shards: usize,
        partitions: usize,
        deal: Deal,
    ) -> Self {
        let shards = Memory::dealt(tables, shards, deal);
        let shards = shards
            .into_iter()
            .map(|shard| Arc::new(Stale::new(shard)) as Arc<dyn LocalTables>);
        let tables = tables.iter().map(|table| Arc::clone(&table.table));
        Self::over(tables.collect(), named(shards), partitions)
    }

    /// The same cluster with one more rule for its plans.
    pub(crate) fn with_rule(&self, rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>) -> Self {
        Self {
            session: self.session.clone().with_rule(rule),
            ..self.clone()
        }
    }

    /// A cluster over shards that hold the tables already, each by its workspace.
    pub fn over(
        tables: Vec<Arc<Table>>,
        shards: Vec<(String, Arc<dyn LocalTables>)>,
        partitions: usize,
    ) -> Self {
        let mut channels = HashMap::new();
        let mut refs = Vec::new();
        for (index, (workspace, tables)) in shards.into_iter().enumerate() {
            let url: Url = format!("http://shard-{index}").parse().expect("a URL");
            let routes = engine::worker::routes(tables, Arc::default(), "test");
            channels.insert(url.clone(), proto::transport::in_process(routes));
            refs.push(ShardRef {
                workspace,
                url,
                tenant_id: "tenant".to_owned(),
                subscription_id: "subscription".to_owned(),
            });
        }
        let config = SessionConfig {
            target_partitions: 2,
            ..SessionConfig::default()
        };
        let session = Session::new(&config, Arc::new(InProcess(channels)), Arc::default());
        let tables = tables.into_iter().map(|table| (table.name.clone(), table));
        Self {
            session: session.expect("the configuration is fine"),
            tables: tables.collect(),
            shards: refs,
            partitions,
        }
    }

    /// What one query sees.
    fn host(&self) -> Sharded<'_> {
        Sharded {
            cluster: self,
            query: Uuid::new_v4(),
        }
    }

    /// Asks.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub async fn ask(&self, text: &str, context: &QueryContext) -> Result<Rows, Failure> {
        crate::node::run(&self.session, &self.host(), text, context).await
    }

    /// Asks; gives the bytes of Arrow data that came from shards as well.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub async fn ask_metered(
        &self,
        text: &str,
        context: &QueryContext,
    ) -> Result<(Rows, u64), Failure> {
        let stats = Arc::new(QueryStats::default());
        let session = self.session.clone().with_stats(Arc::clone(&stats));
        let rows = crate::node::run(&session, &self.host(), text, context).await?;
        Ok((rows, stats.shards().iter().map(|shard| shard.bytes).sum()))
    }

    /// The plan that a query runs by.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub async fn plan(&self, text: &str, context: &QueryContext) -> Result<String, Failure> {
        let query = coordinator::ask::parse(text)?;
        let rows_max = plan::IN_VALUES_MAX;
        let host = self.host();
        let prepared =
            coordinator::ask::prepare(&self.session, text, &query, &host, context, rows_max);
        Ok(engine::session::display(&prepared.await?.physical))
    }
}

struct Sharded<'a> {
    cluster: &'a Cluster,
    query: Uuid,
}

impl Host for Sharded<'_> {
    fn table(&self, _: Option<&str>, name: &str) -> Result<HostTable, NoTable> {
        let cluster = self.cluster;
        let table = cluster.tables.get(name).ok_or(NoTable::Table)?;
        let shards = cluster.shards.clone();
        let provider = ShardTable::new(Arc::clone(table), shards, self.query, cluster.partitions);
        Ok(HostTable {
            table: Arc::clone(table),
            source: engine::session::source(Arc::new(provider)),
        })
    }

    fn table_names(&self) -> Vec<String> {
        self.cluster.tables.keys().cloned().collect()
    }

    fn values(&self, rows: RecordBatch) -> Arc<dyn TableSource> {
        engine::session::values(rows)
    }
}

/// The tables of one shard.
#[derive(Default)]
struct Memory {
    tables: HashMap<String, RecordBatch>,
}

impl Memory {
    /// The shards that some tables are dealt to.
    fn dealt(tables: &[TestTable], shards: usize, deal: Deal) -> Vec<Self> {
        let mut memories: Vec<Self> = (0..shards).map(|_| Self::default()).collect();
        for table in tables {
            let dealt = deal.deal(&table.stored(), shards);
            for (memory, rows) in memories.iter_mut().zip(dealt) {
                memory.tables.insert(table.table.name.clone(), rows);
            }
        }
        memories
    }
}

/// Shards with names for their workspaces.
fn named(
    shards: impl Iterator<Item = Arc<dyn LocalTables>>,
) -> Vec<(String, Arc<dyn LocalTables>)> {
    let named = shards
        .enumerate()
        .map(|(index, shard)| (format!("shard-{index}"), shard));
    named.collect()
}

impl LocalTables for Memory {
    fn scan(&self, scan: LocalScan<'_>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(rows) = self.tables.get(scan.table) else {
            return exec_err!("there is no table {}", scan.table);
        };
        // Rows go to partitions in turn, so that none has all of them.
        let mut partitions = vec![Vec::new(); scan.partitions];
        let piece = rows.num_rows().div_ceil(scan.partitions * 2).max(1);
        for (index, start) in (0..rows.num_rows()).step_by(piece).enumerate() {
            let length = piece.min(rows.num_rows() - start);
            partitions[index % scan.partitions].push(rows.slice(start, length));
        }
        let projection = Some(scan.projection.to_vec());
        Ok(MemorySourceConfig::try_new_exec(
            &partitions,
            rows.schema(),
            projection,
        )?)
    }
}

struct InProcess(HashMap<Url, Channel>);

#[async_trait]
impl Channels for InProcess {
    async fn channel(&self, url: &Url) -> PlanResult<Channel> {
        match self.0.get(url) {
            Some(channel) => Ok(channel.clone()),
            None => exec_err!("there is no shard at {url}"),
        }
    }
}
