//! Where the network lies in a plan.
//!
//! The rule runs after all of DataFusion's own. A node may stand below a boundary if each shard can
//! run it on its own rows and the nodes above still mean the same: a closed list. Everything else,
//! known or not, stays above.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::physical_expr::Partitioning;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};
use datafusion_distributed::{NetworkBoundaryExt, NetworkCoalesceExec};

use crate::shard_scan::{ShardRef, ShardScanExec, as_node};

/// Fewest tasks of a stage: a boundary between one task and one is left out of the plan, and the
/// leaf would run on the coordinator.
const TASKS_MIN: usize = 2;

/// Puts a boundary above every largest part of a plan that shards compute alone.
#[derive(Debug)]
pub struct PlaceBoundaries;

impl PhysicalOptimizerRule for PlaceBoundaries {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let plan = without_empty_scans(plan)?;
        let (plan, local) = place(plan)?;
        let plan = if local { boundary(plan)? } else { plan };
        // The distributed plan gives one stream.
        if is_distributed(&plan) && plan.output_partitioning().partition_count() > 1 {
            return Ok(Arc::new(CoalescePartitionsExec::new(plan)));
        }
        Ok(plan)
    }

    fn name(&self) -> &'static str {
        "place_boundaries"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Whether a plan has a part that runs on shards.
pub fn is_distributed(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.exists(|node| Ok(node.is_network_boundary()))
        .unwrap_or(false)
}

/// A scan over no shards has no rows.
fn without_empty_scans(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|node| {
        let empty = as_node::<ShardScanExec>(&node)
            .filter(|scan| scan.shards.is_empty())
            .map(|_| {
                let partitions = node.output_partitioning().partition_count();
                EmptyExec::new(node.schema()).with_partitions(partitions)
            });
        Ok(match empty {
            Some(empty) => Transformed::yes(Arc::new(empty) as Arc<dyn ExecutionPlan>),
            None => Transformed::no(node),
        })
    })
    .data()
}

/// Places boundaries below a node; tells whether the node itself may stand below one.
fn place(plan: Arc<dyn ExecutionPlan>) -> Result<(Arc<dyn ExecutionPlan>, bool)> {
    if as_node::<ShardScanExec>(&plan).is_some() {
        return Ok((plan, true));
    }
    let children: Vec<Arc<dyn ExecutionPlan>> = plan.children().into_iter().cloned().collect();
    if children.is_empty() {
        return Ok((plan, false));
    }
    let mut placed = Vec::with_capacity(children.len());
    for child in children {
        placed.push(place(child)?);
    }
    let all_local = placed.iter().all(|(_, local)| *local);
    if all_local && is_shard_local(&plan) {
        let children = placed.into_iter().map(|(child, _)| child).collect();
        return Ok((with_children(plan, children)?, true));
    }
    let guarded = plan.fetch().is_some() && !is_limit(&plan);
    let children = placed
        .into_iter()
        .map(|(child, local)| match local {
            true if guarded => Ok(Arc::new(CooperativeExec::new(boundary(child)?)) as _),
            true => boundary(child),
            false => Ok(child),
        })
        .collect::<Result<Vec<_>>>()?;
    Ok((with_children(plan, children)?, false))
}

/// Whether the first rows of each input are enough for the rows that a node gives.
///
/// `datafusion-distributed` takes that for granted of every node with a `fetch` right above a
/// boundary, and would cut the sides of a join to as many rows as the join is to give. A node between
/// the two keeps it from that.
fn is_limit(plan: &Arc<dyn ExecutionPlan>) -> bool {
    as_node::<CoalescePartitionsExec>(plan).is_some()
        || as_node::<SortPreservingMergeExec>(plan).is_some()
        || as_node::<GlobalLimitExec>(plan).is_some()
        || as_node::<LocalLimitExec>(plan).is_some()
}

fn with_children(
    plan: Arc<dyn ExecutionPlan>,
    children: Vec<Arc<dyn ExecutionPlan>>,
) -> Result<Arc<dyn ExecutionPlan>> {
    plan.replace_children(
        children,
        ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
    )
}

/// Whether each shard can run the node alone, and rows from all shards side by side mean the same
/// as rows from all partitions.
fn is_shard_local(plan: &Arc<dyn ExecutionPlan>) -> bool {
    if let Some(aggregate) = as_node::<AggregateExec>(plan) {
        return *aggregate.mode() == AggregateMode::Partial;
    }
    if let Some(sort) = as_node::<SortExec>(plan) {
        return sort.preserve_partitioning();
    }
    if let Some(repartition) = as_node::<RepartitionExec>(plan) {
        return matches!(repartition.partitioning(), Partitioning::RoundRobinBatch(_));
    }
    as_node::<FilterExec>(plan).is_some()
        || as_node::<ProjectionExec>(plan).is_some()
        || as_node::<UnnestExec>(plan).is_some()
        || as_node::<LocalLimitExec>(plan).is_some()
        || as_node::<UnionExec>(plan).is_some()
        || as_node::<CooperativeExec>(plan).is_some()
}

/// Cuts the plan above a part that shards compute alone, with one task for each shard that any of
/// its leaves reads.
fn boundary(part: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    // Spreading rows over partitions at the very top of the part only costs.
    if let Some(repartition) = as_node::<RepartitionExec>(&part) {
        return boundary(Arc::clone(repartition.input()));
    }
    let mut shards: Vec<ShardRef> = Vec::new();
    part.apply(|node| {
        if let Some(scan) = as_node::<ShardScanExec>(node) {
            for shard in &scan.shards {
                if !shards.contains(shard) {
                    shards.push(shard.clone());
                }
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    if shards.is_empty() {
        return internal_err!("a part of the plan that no shard runs");
    }
    let padding = TASKS_MIN.saturating_sub(shards.len());
    let tasks = shards.len() + padding;
    let placed = part
        .transform_up(|node| {
            Ok(match as_node::<ShardScanExec>(&node) {
                Some(scan) => Transformed::yes(
                    Arc::new(scan.with_tasks(&shards, padding)) as Arc<dyn ExecutionPlan>
                ),
                None => Transformed::no(node),
            })
        })
        .data()?;
    Ok(Arc::new(NetworkCoalesceExec::try_new(placed, tasks, 1)?))
}
