//! The coordinator's side: plans are made, cut at the network, and run.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, exec_err, internal_datafusion_err};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{
    FunctionRegistry, SendableRecordBatchStream, SessionState, SessionStateBuilder,
};
use datafusion::logical_expr::{LogicalPlan, TableSource};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_optimizer::sanity_checker::SanityCheckPlan;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::SessionConfig as PlanConfig;
use datafusion_distributed::{
    DistributedExt, DistributedLeafExec, RouteTasksEvent, RouteTasksEventResponse,
    ScaleUpLeafNodeEvent, ScaleUpLeafNodeEventResponse, SessionStateBuilderExt, display_plan_ascii,
};

use crate::boundaries::{PlaceBoundaries, is_distributed};
use crate::channel::{Channels, MeteredChannels};
use crate::codec::LeafCodec;
use crate::filtered_totals::FilteredTotals;
use crate::metered::MeterWindows;
use crate::shard_scan::{ShardScanExec, as_node};
use crate::stats::QueryStats;
use crate::whole_sort_keys::WholeSortKeys;
use crate::yielding::YieldAtJoins;

/// How plans are made.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// Partitions that the coordinator computes with.
    pub target_partitions: usize,
    /// Rows of a batch.
    pub batch_size: usize,
    /// Bytes that wait for the coordinator on the way from one shard.
    pub connection_buffer_bytes: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            target_partitions: cores,
            batch_size: 8_192,
            connection_buffer_bytes: 4 << 20,
        }
    }
}

/// Makes plans and runs them. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    state: SessionState,
}

impl Session {
    /// A session whose plans reach shards through `channels`.
    ///
    /// # Errors
    /// If DataFusion refuses the configuration.
    pub fn new(
        config: &SessionConfig,
        channels: Arc<dyn Channels>,
        runtime: Arc<RuntimeEnv>,
    ) -> Result<Self> {
        let mut plan_config = PlanConfig::new()
            .with_target_partitions(config.target_partitions.max(2))
            .with_batch_size(config.batch_size)
            .with_information_schema(false);
        let optimizer = &mut plan_config.options_mut().optimizer;
        // The leaf shows its partitions already; spreading rows over more of them gains nothing.
        optimizer.enable_round_robin_repartition = false;
        let mut rules = PhysicalOptimizer::new().rules;
        rules.push(Arc::new(WholeSortKeys) as Arc<dyn PhysicalOptimizerRule + Send + Sync>);
        rules.push(Arc::new(MeterWindows));
        rules.push(Arc::new(YieldAtJoins));
        rules.push(Arc::new(PlaceBoundaries));
        rules.push(Arc::new(SanityCheckPlan::new()));
        let mut state = SessionStateBuilder::new()
            .with_default_features()
            .with_config(plan_config)
            .with_runtime_env(runtime)
            .with_analyzer_rule(Arc::new(FilteredTotals))
            .with_physical_optimizer_rules(rules)
            .with_distributed_planner()
            .with_distributed_user_codec(LeafCodec)
            .with_distributed_channel_resolver(MeteredChannels(channels))
            .with_distributed_metrics_collection(false)?
            // Where we placed no boundary there is to be none.
            .with_distributed_max_tasks_per_stage(1)?
            .with_distributed_worker_connection_buffer_budget_bytes(config.connection_buffer_bytes)?
            .with_distributed_scale_up_leaf_node_handler(scale_up)
            .with_distributed_route_tasks_handler(route)
            .build();
        register_functions(&mut state)?;
        Ok(Self { state })
    }

    /// The same session, counting what shards send into `stats`.
    #[must_use]
    pub fn with_stats(mut self, stats: Arc<QueryStats>) -> Self {
        self.state.config_mut().set_extension(stats);
        self
    }

    /// The same session with one more rule, which sees plans last, after they were cut and checked.
    #[must_use]
    pub fn with_rule(self, rule: Arc<dyn PhysicalOptimizerRule + Send + Sync>) -> Self {
        let builder = SessionStateBuilder::new_from_existing(self.state);
        Self {
            state: builder.with_physical_optimizer_rule(rule).build(),
        }
    }

    /// The optimized logical plan.
    ///
    /// # Errors
    /// What DataFusion's optimizer says.
    pub fn optimize(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        self.state.optimize(plan)
    }

    /// The plan that runs: cut at the network where it reads shards.
    ///
    /// # Errors
    /// What DataFusion's planner says.
    pub async fn plan(&self, plan: &LogicalPlan) -> Result<Arc<dyn ExecutionPlan>> {
        self.state.create_physical_plan(plan).await
    }

    /// Runs a plan.
    ///
    /// # Errors
    /// If the plan can't be started; later errors come in the stream.
    pub fn run(&self, plan: Arc<dyn ExecutionPlan>) -> Result<SendableRecordBatchStream> {
        execute_stream(plan, self.state.task_ctx())
    }
}

/// A picture of a plan, its parts on shards apart.
pub fn display(plan: &Arc<dyn ExecutionPlan>) -> String {
    if is_distributed(plan) {
        return display_plan_ascii(plan.as_ref(), false);
    }
    datafusion::physical_plan::displayable(plan.as_ref())
        .indent(false)
        .to_string()
}

/// Rows that a query holds itself, as a source.
pub fn values(rows: RecordBatch) -> Arc<dyn TableSource> {
    let schema = rows.schema();
    let table =
        MemTable::try_new(schema, vec![vec![rows]]).expect("the rows are of their own schema");
    provider_as_source(Arc::new(table))
}

/// A table as a source for plans.
pub fn source(table: Arc<dyn TableProvider>) -> Arc<dyn TableSource> {
    provider_as_source(table)
}

/// Makes our functions known; plans name them, so each side must know the same.
pub(crate) fn register_functions(state: &mut SessionState) -> Result<()> {
    for udf in functions::registry::scalar_udfs() {
        state.register_udf(udf)?;
    }
    for udaf in functions::registry::aggregate_udfs() {
        state.register_udaf(udaf)?;
    }
    Ok(())
}

/// Gives each task of a stage its variant of the leaf.
fn scale_up(event: ScaleUpLeafNodeEvent<'_>) -> Option<Result<ScaleUpLeafNodeEventResponse>> {
    let scan = as_node::<ShardScanExec>(event.plan)?;
    if scan.tasks.len() != event.task_count {
        return Some(exec_err!(
            "the scan of {} has {} tasks, its stage {}",
            scan.scan.table.name,
            scan.tasks.len(),
            event.task_count
        ));
    }
    let leaf = scan
        .variants()
        .and_then(|variants| DistributedLeafExec::try_new(Arc::clone(event.plan), variants));
    Some(leaf.map(|leaf| ScaleUpLeafNodeEventResponse::new(Arc::new(leaf))))
}

/// Sends each task to the node that holds its shard.
fn route(event: RouteTasksEvent<'_>) -> Option<Result<RouteTasksEventResponse>> {
    let mut urls = None;
    let walked = event.plan.apply(|node| {
        let Some(leaf) = as_node::<DistributedLeafExec>(node) else {
            return Ok(TreeNodeRecursion::Continue);
        };
        let Some(scan) = as_node::<ShardScanExec>(leaf.original()) else {
            return Ok(TreeNodeRecursion::Continue);
        };
        urls = Some(
            scan.tasks
                .iter()
                .map(|(shard, _)| shard.url.clone())
                .collect::<Vec<_>>(),
        );
        Ok(TreeNodeRecursion::Stop)
    });
    match (walked, urls) {
        (Err(error), _) => Some(Err(error)),
        (Ok(_), Some(urls)) => Some(Ok(RouteTasksEventResponse::new(urls))),
        (Ok(_), None) => Some(Err(internal_datafusion_err!("a stage that reads no shard"))),
    }
}
