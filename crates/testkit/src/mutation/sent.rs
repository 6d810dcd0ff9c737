//! Faults in what shards send.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{cast, concat_batches, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
};
use futures::StreamExt;

use super::Plan;

/// What is done to rows on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tamper {
    DropShard,
    DoubleShard,
    DropLastRow,
    FirstPartition,
    DropNullGroup,
    CountOfCounts,
    SumForCount,
    CutSums,
    /// Only the rows of the first shard come.
    OneShard,
}

/// What passes a boundary.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    /// Partitions that one task sends.
    local: usize,
    /// Partitions of all tasks.
    total: usize,
    /// If states of aggregates are sent: how many columns are groups.
    groups: Option<usize>,
    /// The columns that are states of a count.
    counts: Vec<usize>,
    /// The columns that are states of a sum.
    sums: Vec<usize>,
}

impl Sent {
    pub(crate) fn new(part: &Plan, total: usize) -> Self {
        let mut sent = Self {
            local: part.output_partitioning().partition_count(),
            total,
            groups: None,
            counts: Vec::new(),
            sums: Vec::new(),
        };
        let Some(aggregate) = part.downcast_ref::<AggregateExec>() else {
            return sent;
        };
        if *aggregate.mode() != AggregateMode::Partial {
            return sent;
        }
        let mut column = aggregate.group_expr().expr().len();
        sent.groups = Some(column);
        for expr in aggregate.aggr_expr() {
            match expr.fun().name() {
                "count" if !expr.is_distinct() => sent.counts.push(column),
                "sum" if !expr.is_distinct() => sent.sums.push(column),
                _ => {}
            }
            column += expr.state_fields().map_or(0, |fields| fields.len());
        }
        sent
    }

    /// Whether a partition is of the last task.
    fn is_last(&self, partition: usize) -> bool {
        partition + self.local >= self.total
    }
}

impl Tamper {
    /// Whether it does anything to rows of that kind.
    pub(crate) fn fits(self, sent: &Sent) -> bool {
        match self {
            Self::DropShard
            | Self::DoubleShard
            | Self::DropLastRow
            | Self::FirstPartition
            | Self::OneShard => true,
            Self::DropNullGroup => sent.groups.is_some_and(|groups| groups > 0),
            Self::CountOfCounts => !sent.counts.is_empty(),
            Self::SumForCount => !sent.counts.is_empty() && !sent.sums.is_empty(),
            Self::CutSums => !sent.sums.is_empty(),
        }
    }

    fn change(self, sent: &Sent, partition: usize, batch: &RecordBatch) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        match self {
            Self::DropShard if sent.is_last(partition) => Ok(batch.slice(0, 0)),
            Self::DoubleShard if sent.is_last(partition) => {
                Ok(concat_batches(&batch.schema(), [batch, batch])?)
            }
            Self::OneShard if partition >= sent.local => Ok(batch.slice(0, 0)),
            Self::FirstPartition if !partition.is_multiple_of(sent.local) => Ok(batch.slice(0, 0)),
            Self::DropLastRow => Ok(batch.slice(0, rows.saturating_sub(1))),
            Self::DropNullGroup => {
                let key = batch.column(0);
                let kept: BooleanArray = (0..rows).map(|row| Some(key.is_valid(row))).collect();
                Ok(filter_record_batch(batch, &kept)?)
            }
            Self::CountOfCounts => replaced(batch, &sent.counts, |_| {
                Ok(Arc::new(Int64Array::from(vec![1; rows])))
            }),
            Self::SumForCount => replaced(batch, &sent.counts, |_| {
                let sum = cast(batch.column(sent.sums[0]), &DataType::Int64)?;
                Ok(without_nulls(&sum))
            }),
            Self::CutSums => replaced(batch, &sent.sums, |sum| {
                let Some(longs) = sum.as_primitive_opt::<Int64Type>() else {
                    return Ok(Arc::clone(sum));
                };
                let cut = longs.iter().map(|sum| sum.map(|sum| i64::from(sum as i8)));
                Ok(Arc::new(cut.collect::<Int64Array>()))
            }),
            _ => Ok(batch.clone()),
        }
    }
}

fn replaced(
    batch: &RecordBatch,
    columns: &[usize],
    change: impl Fn(&ArrayRef) -> Result<ArrayRef>,
) -> Result<RecordBatch> {
    let mut arrays = batch.columns().to_vec();
    for column in columns {
        arrays[*column] = change(&arrays[*column])?;
    }
    Ok(RecordBatch::try_new(batch.schema(), arrays)?)
}

fn without_nulls(longs: &ArrayRef) -> ArrayRef {
    let longs = longs.as_primitive::<Int64Type>().iter();
    Arc::new(Int64Array::from_iter_values(
        longs.map(|value| value.unwrap_or(0)),
    ))
}

/// A boundary with something on the line.
#[derive(Debug)]
pub(crate) struct TamperExec {
    boundary: Plan,
    tamper: Tamper,
    sent: Sent,
}

impl TamperExec {
    pub(crate) fn new(boundary: Plan, tamper: Tamper, sent: Sent) -> Self {
        Self {
            boundary,
            tamper,
            sent,
        }
    }
}

impl DisplayAs for TamperExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TamperExec: {:?}", self.tamper)
    }
}

impl ExecutionPlan for TamperExec {
    fn name(&self) -> &'static str {
        "TamperExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.boundary.properties()
    }

    fn children(&self) -> Vec<&Plan> {
        vec![&self.boundary]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Plan>) -> Result<Plan> {
        let boundary = children.swap_remove(0);
        Ok(Arc::new(Self::new(
            boundary,
            self.tamper,
            self.sent.clone(),
        )))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let stream = self.boundary.execute(partition, context)?;
        let schema = stream.schema();
        let (tamper, sent) = (self.tamper, self.sent.clone());
        let changed = stream.map(move |batch| tamper.change(&sent, partition, &batch?));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, changed)))
    }
}
