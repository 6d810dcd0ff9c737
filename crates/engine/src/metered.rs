//! Window functions hold all rows of a partition, which DataFusion does not count as memory.
//!
//! The rule puts a node below each that takes the rows' memory from the query's pool, so that a
//! query which needs too much fails instead of the process.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::config::ConfigOptions;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::windows::WindowAggExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::StreamExt;

use crate::shard_scan::as_node;

/// How often a window keeps its rows: as they came, and as one batch.
const COPIES: usize = 2;

/// Counts the memory of the rows that window functions hold.
#[derive(Debug)]
pub(crate) struct MeterWindows;

impl PhysicalOptimizerRule for MeterWindows {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if as_node::<WindowAggExec>(&node).is_none() {
                return Ok(Transformed::no(node));
            }
            let metered = node.children().into_iter().map(|child| {
                Arc::new(MeteredExec {
                    input: Arc::clone(child),
                }) as Arc<dyn ExecutionPlan>
            });
            let metered = metered.collect();
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Keep);
            Ok(Transformed::yes(node.replace_children(metered, options)?))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "meter_windows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rows of its input, whose memory stays taken until the last of them is let go.
#[derive(Debug)]
struct MeteredExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for MeteredExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MeteredExec")
    }
}

impl ExecutionPlan for MeteredExec {
    fn name(&self) -> &'static str {
        "MeteredExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self {
            input: children.swap_remove(0),
        }))
    }

    fn execute(
        &self,
        partition: usize,
        ctx: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let rows = self.input.execute(partition, Arc::clone(&ctx))?;
        let schema = rows.schema();
        let consumer = MemoryConsumer::new(format!("window[{partition}]"));
        let reservation = consumer.register(ctx.memory_pool());
        let metered = rows.map(move |batch| {
            let batch = batch?;
            reservation.try_grow(batch_bytes(&batch) * COPIES)?;
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, metered)))
    }
}

/// The bytes of a batch's own values; buffers of text that batches share count by what is read.
fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(array_bytes).sum()
}

fn array_bytes(array: &ArrayRef) -> usize {
    match array.data_type() {
        DataType::Utf8View => {
            let texts = array.as_string_view();
            size_of_val(&texts.views()[..]) + texts.total_buffer_bytes_used()
        }
        _ => array.get_array_memory_size(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use datafusion::arrow::array::StringViewArray;
    use datafusion::common::DataFusionError;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use datafusion::execution::runtime_env::RuntimeEnvBuilder;
    use datafusion::physical_plan::{collect, test::TestMemoryExec};

    async fn window(bytes: usize) -> Result<usize> {
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec!["a text that is long"; 1000]));
        let batch = RecordBatch::try_from_iter([("a", texts)])?;
        let rows = vec![vec![batch.clone(), batch.clone()]];
        let input = TestMemoryExec::try_new_exec(&rows, batch.schema(), None)?;
        let pool = Arc::new(GreedyMemoryPool::new(bytes));
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).build()?;
        let ctx = TaskContext::default().with_runtime(Arc::new(runtime));
        let batches = collect(Arc::new(MeteredExec { input }), Arc::new(ctx)).await?;
        Ok(batches.iter().map(RecordBatch::num_rows).sum())
    }

    #[tokio::test]
    async fn rows_beyond_the_pool_are_refused() {
        assert_eq!(window(1 << 20).await.expect("rows"), 2000);
        let error = window(50_000).await.expect_err("too many rows");
        assert!(matches!(
            error.find_root(),
            DataFusionError::ResourcesExhausted(_)
        ));
    }
}
