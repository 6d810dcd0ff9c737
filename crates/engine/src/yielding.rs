//! Joins give way.
//!
//! A join makes many batches of one that it reads, and whoever consumes them without a pause can't be
//! cancelled. DataFusion lets only leaves and exchanges yield, so the rule wraps joins as well.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};

use crate::shard_scan::as_node;

/// Wraps each join, so that it yields to the scheduler now and then.
#[derive(Debug)]
pub(crate) struct YieldAtJoins;

impl PhysicalOptimizerRule for YieldAtJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            if is_join(&node) {
                return Ok(Transformed::yes(Arc::new(CooperativeExec::new(node))));
            }
            Ok(Transformed::no(node))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "yield_at_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn is_join(node: &Arc<dyn ExecutionPlan>) -> bool {
    as_node::<HashJoinExec>(node).is_some()
        || as_node::<NestedLoopJoinExec>(node).is_some()
        || as_node::<CrossJoinExec>(node).is_some()
        || as_node::<SortMergeJoinExec>(node).is_some()
}
