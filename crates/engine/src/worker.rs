//! A shard's side: plans come in, and their leaves become scans of the shard's own tables.

use std::sync::Arc;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use datafusion_distributed::{DistributedExt, Worker, WorkerQueryContext};
use schema::Origin;
use tonic::service::Routes;

use crate::codec::LeafCodec;
use crate::shard_scan::{QueryId, Scan, ShardRef};

/// What a plan asks of a shard's table.
pub struct LocalScan<'a> {
    /// The query, whose plans all read one snapshot.
    pub query: QueryId,
    /// The workspace.
    pub workspace: &'a str,
    /// The table.
    pub table: &'a str,
    /// The stored columns of the table as the query knows them.
    pub schema: SchemaRef,
    /// Which of them to read, in this order.
    pub projection: &'a [usize],
    /// Over `schema`; prunes, and need not be exact.
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
    /// How many rows are enough, from any part of the table.
    pub fetch: Option<usize>,
    /// How many partitions the plan must have.
    pub partitions: usize,
}

/// The tables of a node.
pub trait LocalTables: Send + Sync + 'static {
    /// A plan that reads a table, with exactly the partitions asked for.
    ///
    /// # Errors
    /// If the node does not own the workspace, or its data is damaged.
    fn scan(&self, scan: LocalScan<'_>) -> Result<Arc<dyn ExecutionPlan>>;
}

/// How the tables travel in DataFusion's session.
struct Tables(Arc<dyn LocalTables>);

pub(crate) fn local_tables(ctx: &TaskContext) -> Option<Arc<dyn LocalTables>> {
    let tables = ctx.session_config().get_extension::<Tables>()?;
    Some(Arc::clone(&tables.0))
}

/// The service that runs plans over the tables of a node. `version` gates plans of other versions.
pub fn routes(tables: Arc<dyn LocalTables>, runtime: Arc<RuntimeEnv>, version: &str) -> Routes {
    let tables = Arc::new(Tables(tables));
    let worker = Worker::from_session_builder(move |ctx: WorkerQueryContext| {
        let tables = Arc::clone(&tables);
        async move { build_session(ctx, tables) }
    })
    .with_runtime_env(runtime)
    .with_version(version.to_owned());
    Routes::new(worker.into_worker_server())
}

fn build_session(ctx: WorkerQueryContext, tables: Arc<Tables>) -> Result<SessionState> {
    let mut builder = ctx.builder;
    let config = builder.config().get_or_insert_default();
    config.set_extension(tables);
    config.set_distributed_user_codec(LeafCodec);
    let mut state = builder.build();
    crate::session::register_functions(&mut state)?;
    Ok(state)
}

/// The plan of one leaf on this node.
pub(crate) fn local_plan(
    tables: &dyn LocalTables,
    scan: &Scan,
    shard: Option<&ShardRef>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let Some(shard) = shard else {
        let empty = EmptyExec::new(scan.schema()?).with_partitions(scan.partitions());
        return Ok(Arc::new(empty));
    };
    let stored = schema::arrow::stored_schema(&scan.table);
    // Where each stored column of the projection lies in the stored schema.
    let wanted: Vec<usize> = scan
        .projection
        .iter()
        .map(|index| &scan.table.columns[*index])
        .filter(|column| column.origin == Origin::Stored)
        .map(|column| stored.index_of(&column.name))
        .collect::<std::result::Result<_, _>>()?;
    let plan = tables.scan(LocalScan {
        query: scan.query,
        workspace: &shard.workspace,
        table: &scan.table.name,
        schema: Arc::clone(&stored),
        projection: &wanted,
        predicate: scan.predicate.clone(),
        fetch: scan.fetch,
        partitions: scan.local_partitions,
    })?;
    let partitions = plan.output_partitioning().partition_count();
    if partitions != scan.local_partitions {
        return internal_err!(
            "a scan of {partitions} partitions instead of {}",
            scan.local_partitions
        );
    }
    let missing = scan.partitions() - partitions;
    if missing == 0 {
        return filled(plan, scan, shard);
    }
    // The plan above was made for as many partitions as the leaf showed.
    let empty = EmptyExec::new(plan.schema()).with_partitions(missing);
    filled(
        UnionExec::try_new(vec![plan, Arc::new(empty)])?,
        scan,
        shard,
    )
}

/// Adds the columns that storage does not hold, which are the same for all rows of a shard.
fn filled(
    plan: Arc<dyn ExecutionPlan>,
    scan: &Scan,
    shard: &ShardRef,
) -> Result<Arc<dyn ExecutionPlan>> {
    let text = |text: &str| -> Arc<dyn PhysicalExpr> {
        Arc::new(Literal::new(ScalarValue::Utf8View(Some(text.to_owned()))))
    };
    let schema = scan.schema()?;
    let mut next = 0;
    let exprs: Vec<ProjectionExpr> = scan
        .projection
        .iter()
        .zip(schema.fields())
        .map(|(index, field)| {
            let expr: Arc<dyn PhysicalExpr> = match scan.table.columns[*index].origin {
                Origin::Stored => {
                    next += 1;
                    Arc::new(Column::new(field.name(), next - 1))
                }
                Origin::TableName => text(&scan.table.name),
                Origin::TenantId => text(&shard.tenant_id),
                Origin::SubscriptionId => text(&shard.subscription_id),
                Origin::SourceSystem => text("Azure"),
                Origin::IsBillable => text("True"),
            };
            ProjectionExpr {
                expr,
                alias: field.name().clone(),
            }
        })
        .collect();
    Ok(Arc::new(ProjectionExec::try_new(exprs, plan)?))
}
