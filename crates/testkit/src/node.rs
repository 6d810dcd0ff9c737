//! Queries on one plain DataFusion: what every cluster must agree with.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::common::{Result as PlanResult, exec_err};
use datafusion::datasource::MemTable;
use datafusion::logical_expr::TableSource;
use engine::{Channels, Session, SessionConfig};
use plan::{Host, HostTable, NoTable, QueryContext};
use proto::failure::Failure;
use schema::Table;
use tonic::transport::Channel;
use url::Url;

use crate::tables::compact;
use crate::{Rows, TestTable};

/// One node that holds whole tables.
pub struct Node {
    session: Session,
    host: Local,
}

impl Node {
    /// A node with some tables, each in one partition.
    pub fn new(tables: &[TestTable]) -> Self {
        Self::partitioned(tables, 1)
    }

    /// A node with some tables, each in `partitions` partitions.
    pub fn partitioned(tables: &[TestTable], partitions: usize) -> Self {
        let config = SessionConfig {
            target_partitions: 2,
            ..SessionConfig::default()
        };
        let session = Session::new(&config, Arc::new(NoChannels), Arc::default());
        let tables = tables.iter().map(|table| {
            let local = LocalTable::new(table, partitions);
            (table.table.name.clone(), local)
        });
        Self {
            session: session.expect("the configuration is fine"),
            host: Local {
                tables: tables.collect(),
            },
        }
    }

    /// Asks.
    ///
    /// # Errors
    /// What is wrong with the query.
    pub async fn ask(&self, text: &str, context: &QueryContext) -> Result<Rows, Failure> {
        run(&self.session, &self.host, text, context).await
    }
}

struct Local {
    tables: BTreeMap<String, LocalTable>,
}

struct LocalTable {
    table: Arc<Table>,
    partitions: Vec<Vec<RecordBatch>>,
}

impl LocalTable {
    fn new(table: &TestTable, partitions: usize) -> Self {
        let count = table.rows.num_rows();
        let piece = count.div_ceil(partitions).max(1);
        let pieces = (0..count.max(1)).step_by(piece).map(|start| {
            let length = piece.min(count - start);
            vec![compact(&table.rows.slice(start, length))]
        });
        Self {
            table: Arc::clone(&table.table),
            partitions: pieces.collect(),
        }
    }
}

impl Host for Local {
    fn table(&self, _: Option<&str>, name: &str) -> Result<HostTable, NoTable> {
        let table = self.tables.get(name).ok_or(NoTable::Table)?;
        let schema = schema::arrow::full_schema(&table.table);
        let rows = MemTable::try_new(schema, table.partitions.clone());
        let rows = rows.expect("the rows are of their own schema");
        Ok(HostTable {
            table: Arc::clone(&table.table),
            source: engine::session::source(Arc::new(rows)),
        })
    }

    fn table_names(&self) -> Vec<String> {
        self.tables.keys().cloned().collect()
    }

    fn values(&self, rows: RecordBatch) -> Arc<dyn TableSource> {
        engine::session::values(rows)
    }
}

struct NoChannels;

#[async_trait]
impl Channels for NoChannels {
    async fn channel(&self, url: &Url) -> PlanResult<Channel> {
        exec_err!("one node asks nobody, least of all {url}")
    }
}

/// Parses, binds and runs a query.
pub(crate) async fn run(
    session: &Session,
    host: &dyn Host,
    text: &str,
    context: &QueryContext,
) -> Result<Rows, Failure> {
    let query = coordinator::ask::parse(text)?;
    let rows_max = plan::IN_VALUES_MAX;
    let prepared =
        coordinator::ask::prepare(session, text, &query, host, context, rows_max).await?;
    let failed = |error| coordinator::ask::failure(&error);
    let stream = session.run(prepared.physical).map_err(failed)?;
    let schema = stream.schema();
    let batches: Vec<RecordBatch> = futures::TryStreamExt::try_collect(stream)
        .await
        .map_err(failed)?;
    let batch = arrow::compute::concat_batches(&schema, &batches);
    Ok(Rows {
        columns: prepared.bound.columns,
        batch: batch.expect("batches of one stream have one schema"),
        ordered: prepared.bound.ordered,
    })
}
