//! A filter above an aggregate without groups stays above it.
//!
//! Such an aggregate gives one row, even of nothing. DataFusion moves a filter that reads no column
//! below any aggregate, as `T | summarize count() | extend ok = false | where ok` would have it, and
//! the row that the filter should drop comes back. No filter passes a limit, so one stands between.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{Limit, LogicalPlan, lit};
use datafusion::optimizer::AnalyzerRule;

/// Puts a limit of one row above aggregates without groups, where a filter stands above.
#[derive(Debug)]
pub(crate) struct FilteredTotals;

impl AnalyzerRule for FilteredTotals {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_down(|node| {
            if !matches!(node, LogicalPlan::Filter(_)) {
                return Ok(Transformed::no(node));
            }
            let guarded = node.transform_up(|node| Ok(guarded(node)))?;
            Ok(Transformed::new(
                guarded.data,
                guarded.transformed,
                TreeNodeRecursion::Jump,
            ))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "filtered_totals"
    }
}

fn guarded(node: LogicalPlan) -> Transformed<LogicalPlan> {
    match node {
        LogicalPlan::Aggregate(total) if total.group_expr.is_empty() => {
            Transformed::yes(LogicalPlan::Limit(Limit {
                skip: None,
                fetch: Some(Box::new(lit(1_i64))),
                input: Arc::new(LogicalPlan::Aggregate(total)),
            }))
        }
        other => Transformed::no(other),
    }
}
