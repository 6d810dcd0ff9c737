//! Bugs to be found: faults in how parts of an answer are sent and merged, planted one at a time.
//!
//! A test of the tests: [`crate::Oracle::notices`] runs a query on a cluster with one of these
//! faults, and must see that the answer is wrong.

mod nodes;
mod sent;
mod stale;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::common::Result;
use datafusion::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{
    ChildrenPropertiesMode, ExecutionPlan, ExecutionPlanProperties, ReplaceChildrenOptions,
};
use parking_lot::Mutex;

use sent::{Sent, Tamper, TamperExec};
pub(crate) use stale::Stale;

type Plan = Arc<dyn ExecutionPlan>;

/// A fault.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// What goes wrong.
    pub name: &'static str,
    pub(crate) change: Change,
}

/// Where a fault lies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    /// In what shards send.
    Sent(Tamper),
    /// In a node that merges.
    Above(fn(&Plan) -> Result<Option<Plan>>),
    /// In a node that runs on shards.
    Below(fn(&Plan) -> Result<Option<Plan>>),
    /// In which rows a shard shows a query that looks twice.
    Snapshot,
}

const fn sent(name: &'static str, tamper: Tamper) -> Mutation {
    Mutation {
        name,
        change: Change::Sent(tamper),
    }
}

const fn above(name: &'static str, change: fn(&Plan) -> Result<Option<Plan>>) -> Mutation {
    Mutation {
        name,
        change: Change::Above(change),
    }
}

const fn below(name: &'static str, change: fn(&Plan) -> Result<Option<Plan>>) -> Mutation {
    Mutation {
        name,
        change: Change::Below(change),
    }
}

/// All faults.
pub const MUTATIONS: &[Mutation] = &[
    sent("the rows of a shard are dropped", Tamper::DropShard),
    sent("the rows of a shard come twice", Tamper::DoubleShard),
    sent("the last row of a batch is dropped", Tamper::DropLastRow),
    sent(
        "only the first partition of a shard is read",
        Tamper::FirstPartition,
    ),
    sent("the group of null is lost", Tamper::DropNullGroup),
    sent(
        "partial counts are counted, not added",
        Tamper::CountOfCounts,
    ),
    sent(
        "the sum stands for the count of an average",
        Tamper::SumForCount,
    ),
    sent("partial sums are cut to 8 bits", Tamper::CutSums),
    above("the least is taken for the greatest", nodes::min_for_max),
    above("the greatest is taken for the least", nodes::max_for_min),
    above(
        "the distinct rows of parts are not merged",
        nodes::partial_distinct,
    ),
    above(
        "groups of one key meet in different places",
        nodes::scattered_groups,
    ),
    above(
        "a join sees one shard of its left side",
        nodes::join_of_one_shard,
    ),
    above(
        "sorted parts are put one after the other",
        nodes::merge_without_sort,
    ),
    above(
        "sorted parts are merged in the wrong direction",
        nodes::merge_backwards,
    ),
    above(
        "nulls are merged at the wrong end",
        nodes::nulls_at_wrong_end,
    ),
    above("the limit over all shards is forgotten", nodes::no_limit),
    below(
        "shards send the wrong end of their top rows",
        nodes::wrong_top,
    ),
    below("shards send one of the top rows too few", nodes::short_top),
    below("a filter is lost on shards", nodes::no_filter),
    below("a filter on shards keeps null", nodes::filter_keeps_null),
    below("a leg of a union is lost on shards", nodes::lost_leg),
    below(
        "a partial aggregate forgets its condition",
        nodes::no_condition,
    ),
    Mutation {
        name: "the second look sees an older snapshot",
        change: Change::Snapshot,
    },
];

/// Plants a fault in each plan.
#[derive(Debug)]
pub(crate) struct Plant {
    pub(crate) mutation: Mutation,
}

impl PhysicalOptimizerRule for Plant {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        mutated(plan, self.mutation.change, &AtomicBool::new(false))
    }

    fn name(&self) -> &'static str {
        "plant"
    }

    fn schema_check(&self) -> bool {
        false
    }
}

/// Keeps the plans of a query.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    plans: Mutex<Vec<Plan>>,
}

impl Watch {
    /// Whether a fault would change one of the plans.
    pub(crate) fn fits(&self, mutation: Mutation) -> bool {
        self.plans.lock().iter().any(|plan| {
            let changed = AtomicBool::new(false);
            let result = mutated(Arc::clone(plan), mutation.change, &changed);
            result.is_ok() && changed.load(Ordering::Relaxed)
        })
    }
}

impl PhysicalOptimizerRule for Watch {
    fn optimize(&self, plan: Plan, _: &ConfigOptions) -> Result<Plan> {
        self.plans.lock().push(Arc::clone(&plan));
        Ok(plan)
    }

    fn name(&self) -> &'static str {
        "watch"
    }

    fn schema_check(&self) -> bool {
        false
    }
}

/// Whether a node is the boundary between shards and the coordinator.
fn is_boundary(plan: &Plan) -> bool {
    plan.name() == "NetworkCoalesceExec"
}

fn mutated(plan: Plan, change: Change, changed: &AtomicBool) -> Result<Plan> {
    walk(plan, change, false, changed)
}

fn walk(plan: Plan, change: Change, on_shard: bool, changed: &AtomicBool) -> Result<Plan> {
    let boundary = is_boundary(&plan);
    let children: Vec<Plan> = plan.children().into_iter().cloned().collect();
    let mut plan = plan;
    if !children.is_empty() {
        let children = children
            .into_iter()
            .map(|child| walk(child, change, on_shard || boundary, changed))
            .collect::<Result<Vec<_>>>()?;
        plan = with_children(plan, children)?;
    }
    let found = match change {
        Change::Sent(tamper) if boundary => tampered(&plan, tamper),
        Change::Above(change) if !on_shard && !boundary => change(&plan)?,
        Change::Below(change) if on_shard => change(&plan)?,
        _ => None,
    };
    Ok(match found {
        Some(found) => {
            changed.store(true, Ordering::Relaxed);
            found
        }
        None => plan,
    })
}

fn with_children(plan: Plan, children: Vec<Plan>) -> Result<Plan> {
    let mode = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    plan.replace_children(children, mode)
}

/// A boundary whose rows are tampered with.
fn tampered(boundary: &Plan, tamper: Tamper) -> Option<Plan> {
    let part = boundary.children().first().map(|part| Arc::clone(part))?;
    let total = boundary.output_partitioning().partition_count();
    let sent = Sent::new(&part, total);
    tamper
        .fits(&sent)
        .then(|| Arc::new(TamperExec::new(Arc::clone(boundary), tamper, sent)) as Plan)
}
