//! Faults in single nodes of a plan. Each function gives the faulty node, if the fault fits it.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::{AggregateUDF, Operator};
use datafusion::physical_expr::aggregate::{AggregateExprBuilder, AggregateFunctionExpr};
use datafusion::physical_expr::expressions::{binary, is_null, lit};
use datafusion::physical_expr::{LexOrdering, Partitioning, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::filter::{FilterExec, FilterExecBuilder};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::limit::GlobalLimitExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::UnionExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::sent::{Sent, Tamper, TamperExec};
use super::{Plan, is_boundary, with_children};

type Changed = Result<Option<Plan>>;

fn some<T: ExecutionPlan + 'static>(plan: T) -> Changed {
    Ok(Some(Arc::new(plan)))
}

fn final_aggregate(plan: &Plan) -> Option<&AggregateExec> {
    let aggregate = plan.downcast_ref::<AggregateExec>()?;
    let merges = matches!(
        aggregate.mode(),
        AggregateMode::Final | AggregateMode::FinalPartitioned
    );
    merges.then_some(aggregate)
}

pub(super) fn min_for_max(plan: &Plan) -> Changed {
    other_aggregate(plan, "max", &min_udaf())
}

pub(super) fn max_for_min(plan: &Plan) -> Changed {
    other_aggregate(plan, "min", &max_udaf())
}

fn other_aggregate(plan: &Plan, of: &str, by: &Arc<AggregateUDF>) -> Changed {
    let Some(aggregate) = final_aggregate(plan) else {
        return Ok(None);
    };
    if !aggregate
        .aggr_expr()
        .iter()
        .any(|expr| expr.fun().name() == of)
    {
        return Ok(None);
    }
    let exprs = aggregate
        .aggr_expr()
        .iter()
        .map(|expr| -> Result<Arc<AggregateFunctionExpr>> {
            if expr.fun().name() != of {
                return Ok(Arc::clone(expr));
            }
            let other = AggregateExprBuilder::new(Arc::clone(by), expr.expressions());
            let other = other.schema(aggregate.input_schema()).alias(expr.name());
            Ok(Arc::new(other.build()?))
        });
    some(AggregateExec::try_new(
        *aggregate.mode(),
        aggregate.group_expr().clone(),
        exprs.collect::<Result<Vec<_>>>()?,
        aggregate.filter_expr().to_vec(),
        Arc::clone(aggregate.input()),
        aggregate.input_schema(),
    )?)
}

pub(super) fn partial_distinct(plan: &Plan) -> Changed {
    let aggregate = final_aggregate(plan);
    let distinct = aggregate.filter(|aggregate| aggregate.aggr_expr().is_empty());
    Ok(distinct.map(|aggregate| Arc::clone(aggregate.input())))
}

pub(super) fn scattered_groups(plan: &Plan) -> Changed {
    let Some(aggregate) = final_aggregate(plan) else {
        return Ok(None);
    };
    let Some(spread) = aggregate.input().downcast_ref::<RepartitionExec>() else {
        return Ok(None);
    };
    let Partitioning::Hash(_, count) = spread.partitioning() else {
        return Ok(None);
    };
    let in_turn = Partitioning::RoundRobinBatch(*count);
    let spread = RepartitionExec::try_new(Arc::clone(spread.input()), in_turn)?;
    Ok(Some(with_children(
        Arc::clone(plan),
        vec![Arc::new(spread)],
    )?))
}

pub(super) fn join_of_one_shard(plan: &Plan) -> Changed {
    let Some(join) = plan.downcast_ref::<HashJoinExec>() else {
        return Ok(None);
    };
    let left = one_shard(join.left())?;
    Ok(Some(with_children(
        Arc::clone(plan),
        vec![left, Arc::clone(join.right())],
    )?))
}

fn one_shard(plan: &Plan) -> Result<Plan> {
    if is_boundary(plan) {
        let total = plan.output_partitioning().partition_count();
        let sent = Sent::new(plan.children()[0], total);
        return Ok(Arc::new(TamperExec::new(
            Arc::clone(plan),
            Tamper::OneShard,
            sent,
        )));
    }
    let children: Vec<Plan> = plan.children().into_iter().cloned().collect();
    if children.is_empty() {
        return Ok(Arc::clone(plan));
    }
    let children = children.iter().map(one_shard).collect::<Result<Vec<_>>>()?;
    with_children(Arc::clone(plan), children)
}

pub(super) fn merge_without_sort(plan: &Plan) -> Changed {
    let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() else {
        return Ok(None);
    };
    let input = Arc::clone(merge.input());
    some(CoalescePartitionsExec::new(input).with_fetch(merge.fetch()))
}

fn turned(order: &LexOrdering, turn: impl Fn(&mut PhysicalSortExpr)) -> Option<LexOrdering> {
    LexOrdering::new(order.iter().cloned().map(|mut expr| {
        turn(&mut expr);
        expr
    }))
}

fn other_merge(plan: &Plan, turn: impl Fn(&mut PhysicalSortExpr)) -> Changed {
    let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>() else {
        return Ok(None);
    };
    match turned(merge.expr(), turn) {
        Some(order) => {
            let input = Arc::clone(merge.input());
            some(SortPreservingMergeExec::new(order, input).with_fetch(merge.fetch()))
        }
        None => Ok(None),
    }
}

pub(super) fn merge_backwards(plan: &Plan) -> Changed {
    other_merge(plan, |expr| {
        expr.options.descending = !expr.options.descending;
    })
}

pub(super) fn nulls_at_wrong_end(plan: &Plan) -> Changed {
    other_merge(plan, |expr| {
        expr.options.nulls_first = !expr.options.nulls_first;
    })
}

pub(super) fn no_limit(plan: &Plan) -> Changed {
    if let Some(merge) = plan.downcast_ref::<SortPreservingMergeExec>()
        && merge.fetch().is_some()
    {
        let input = Arc::clone(merge.input());
        return some(SortPreservingMergeExec::new(merge.expr().clone(), input));
    }
    if let Some(merge) = plan.downcast_ref::<CoalescePartitionsExec>()
        && merge.fetch().is_some()
    {
        return some(CoalescePartitionsExec::new(Arc::clone(merge.input())));
    }
    let limit = plan.downcast_ref::<GlobalLimitExec>();
    Ok(limit.map(|limit| Arc::clone(limit.input())))
}

fn top(plan: &Plan) -> Option<(&SortExec, usize)> {
    let sort = plan.downcast_ref::<SortExec>()?;
    Some((sort, sort.fetch()?))
}

pub(super) fn wrong_top(plan: &Plan) -> Changed {
    let Some((sort, fetch)) = top(plan) else {
        return Ok(None);
    };
    let turn = |expr: &mut PhysicalSortExpr| expr.options = !expr.options;
    match turned(sort.expr(), turn) {
        Some(order) => some(
            SortExec::new(order, Arc::clone(sort.input()))
                .with_fetch(Some(fetch))
                .with_preserve_partitioning(sort.preserve_partitioning()),
        ),
        None => Ok(None),
    }
}

pub(super) fn short_top(plan: &Plan) -> Changed {
    match top(plan) {
        Some((sort, fetch)) if fetch > 1 => some(
            SortExec::new(sort.expr().clone(), Arc::clone(sort.input()))
                .with_fetch(Some(fetch - 1))
                .with_preserve_partitioning(sort.preserve_partitioning()),
        ),
        _ => Ok(None),
    }
}

fn other_filter(
    plan: &Plan,
    predicate: impl Fn(&FilterExec) -> Result<Arc<dyn PhysicalExpr>>,
) -> Changed {
    let Some(filter) = plan.downcast_ref::<FilterExec>() else {
        return Ok(None);
    };
    let projection = filter
        .projection()
        .as_ref()
        .map(|projection| projection.to_vec());
    some(
        FilterExecBuilder::new(predicate(filter)?, Arc::clone(filter.input()))
            .apply_projection(projection)?
            .with_fetch(filter.fetch())
            .build()?,
    )
}

pub(super) fn no_filter(plan: &Plan) -> Changed {
    other_filter(plan, |_| Ok(lit(true)))
}

pub(super) fn filter_keeps_null(plan: &Plan) -> Changed {
    other_filter(plan, |filter| {
        let predicate = filter.predicate();
        let null = is_null(Arc::clone(predicate))?;
        let schema = filter.input().schema();
        binary(Arc::clone(predicate), Operator::Or, null, &schema)
    })
}

pub(super) fn lost_leg(plan: &Plan) -> Changed {
    let Some(union) = plan.downcast_ref::<UnionExec>() else {
        return Ok(None);
    };
    let mut legs: Vec<Plan> = union.inputs().clone();
    let Some(last) = legs.last_mut() else {
        return Ok(None);
    };
    let partitions = last.output_partitioning().partition_count();
    *last = Arc::new(EmptyExec::new(last.schema()).with_partitions(partitions));
    Ok(Some(UnionExec::try_new(legs)?))
}

pub(super) fn no_condition(plan: &Plan) -> Changed {
    let Some(aggregate) = plan.downcast_ref::<AggregateExec>() else {
        return Ok(None);
    };
    if aggregate.filter_expr().iter().all(Option::is_none) {
        return Ok(None);
    }
    some(AggregateExec::try_new(
        *aggregate.mode(),
        aggregate.group_expr().clone(),
        aggregate.aggr_expr().to_vec(),
        vec![None; aggregate.filter_expr().len()],
        Arc::clone(aggregate.input()),
        aggregate.input_schema(),
    )?)
}
