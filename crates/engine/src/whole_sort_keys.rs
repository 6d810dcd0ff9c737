//! Rows of different partitions are compared by all keys of a sort.
//!
//! DataFusion leaves a key out of a sort within partitions where each partition has one value of it,
//! as the legs of a union do that name their table. The partitions of such a sort share what is known
//! of the top rows so far, and rows would be dropped there for being behind rows of another partition
//! by the remaining keys alone. So the sort below a merge gets the merge's keys back.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

use crate::shard_scan::as_node;

/// Gives the sort below a merge all keys of the merge, if only the top rows are wanted.
#[derive(Debug)]
pub(crate) struct WholeSortKeys;

impl PhysicalOptimizerRule for WholeSortKeys {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(merge) = as_node::<SortPreservingMergeExec>(&node) else {
                return Ok(Transformed::no(node));
            };
            let Some(sort) = as_node::<SortExec>(merge.input()) else {
                return Ok(Transformed::no(node));
            };
            let lacks = merge.expr().iter().any(|key| !sort.expr().contains(key));
            if sort.fetch().is_none() || !lacks {
                return Ok(Transformed::no(node));
            }
            let sort = SortExec::new(merge.expr().clone(), Arc::clone(sort.input()))
                .with_fetch(sort.fetch())
                .with_preserve_partitioning(sort.preserve_partitioning());
            let merge = SortPreservingMergeExec::new(merge.expr().clone(), Arc::new(sort))
                .with_fetch(merge.fetch());
            Ok(Transformed::yes(Arc::new(merge)))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "whole_sort_keys"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
