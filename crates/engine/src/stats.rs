//! What a query cost, shard by shard.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::DistributedLeafExec;
use parking_lot::Mutex;

use crate::shard_scan::{ShardLeafExec, ShardScanExec, as_node};

/// Gathers, while a query runs, what each of its shards sends.
#[derive(Debug)]
pub struct QueryStats {
    began: Instant,
    tasks: Mutex<HashMap<(usize, usize), Task>>,
}

#[derive(Debug, Default)]
struct Task {
    workspace: Option<String>,
    rows: u64,
    bytes: u64,
    error: Option<String>,
    elapsed: Duration,
}

/// What one shard sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardStats {
    /// The workspace's GUID.
    pub workspace: String,
    /// Rows received from it.
    pub rows: u64,
    /// Bytes of Arrow data received from it, as they lie in memory.
    pub bytes: u64,
    /// Time from the start of the query to the last it sent.
    pub elapsed: Duration,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

impl Default for QueryStats {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            tasks: Mutex::default(),
        }
    }
}

impl QueryStats {
    pub(crate) fn of(ctx: &TaskContext) -> Option<Arc<Self>> {
        ctx.session_config().get_extension::<Self>()
    }

    /// Notes which workspace a task reads.
    pub(crate) fn begin(&self, stage: usize, number: usize, plan: &Arc<dyn ExecutionPlan>) {
        let mut workspace = None;
        // The walk can't fail: its visitor does not.
        let _ = plan.apply(|node| {
            let found = if let Some(leaf) = as_node::<DistributedLeafExec>(node) {
                as_node::<ShardScanExec>(leaf.original())
                    .and_then(|scan| scan.tasks.get(number))
                    .filter(|(_, reads)| *reads)
                    .map(|(shard, _)| shard.workspace.clone())
            } else {
                as_node::<ShardLeafExec>(node)
                    .and_then(|leaf| leaf.shard.as_ref())
                    .map(|shard| shard.workspace.clone())
            };
            workspace = workspace.take().or(found);
            Ok(TreeNodeRecursion::Continue)
        });
        self.tasks
            .lock()
            .entry((stage, number))
            .or_default()
            .workspace = workspace;
    }

    pub(crate) fn receive(&self, stage: usize, number: usize, batch: &RecordBatch) {
        let mut tasks = self.tasks.lock();
        let task = tasks.entry((stage, number)).or_default();
        task.rows += batch.num_rows() as u64;
        task.bytes += batch.get_array_memory_size() as u64;
        task.elapsed = self.began.elapsed();
    }

    pub(crate) fn fail(&self, stage: usize, number: usize, error: &DataFusionError) {
        let mut tasks = self.tasks.lock();
        let task = tasks.entry((stage, number)).or_default();
        task.elapsed = self.began.elapsed();
        // A failure is reported by control and data alike; the first says why.
        task.error.get_or_insert_with(|| error.strip_backtrace());
    }

    /// What each shard sent, over all stages, in order of workspaces.
    pub fn shards(&self) -> Vec<ShardStats> {
        let mut shards: Vec<ShardStats> = Vec::new();
        for task in self.tasks.lock().values() {
            let Some(workspace) = &task.workspace else {
                continue;
            };
            let shard = match shards
                .iter_mut()
                .find(|shard| shard.workspace == *workspace)
            {
                Some(shard) => shard,
                None => {
                    shards.push(ShardStats {
                        workspace: workspace.clone(),
                        ..ShardStats::default()
                    });
                    shards.last_mut().expect("one was pushed")
                }
            };
            shard.rows += task.rows;
            shard.bytes += task.bytes;
            shard.elapsed = shard.elapsed.max(task.elapsed);
            shard.error = shard.error.take().or_else(|| task.error.clone());
        }
        shards.sort_by(|a, b| a.workspace.cmp(&b.workspace));
        shards
    }
}
