//! The leaf that means "table T of these shards".
//!
//! It has two partitions at least, so that DataFusion plans a merge above it
//! even where a shard computes with one: the boundary multiplies partitions after the optimizer has
//! decided. Each shard gets a variant of the leaf that names its own workspace, or none at all.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use schema::{Origin, Table};
use url::Url;
use uuid::Uuid;

/// Names a query on every shard, so that all its plans read one snapshot.
pub type QueryId = Uuid;

/// Fewest partitions of the leaf, on the coordinator and on shards.
const PARTITIONS_MIN: usize = 2;

/// A shard as a query sees it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ShardRef {
    /// The ML workspace's GUID, by which its node knows it.
    pub workspace: String,
    /// Where its node serves.
    pub url: Url,
    /// What `TenantId` holds: the GUID of the log workspace that it is queried through.
    pub tenant_id: String,
    /// What `_SubscriptionId` holds.
    pub subscription_id: String,
}

/// A table whose rows lie on several shards.
#[derive(Debug)]
pub struct ShardTable {
    table: Arc<Table>,
    shards: Vec<ShardRef>,
    query: QueryId,
    /// Partitions that each shard computes with.
    local_partitions: usize,
    schema: SchemaRef,
}

impl ShardTable {
    /// The union of a table over some shards, read by one query.
    pub fn new(
        table: Arc<Table>,
        shards: Vec<ShardRef>,
        query: QueryId,
        local_partitions: usize,
    ) -> Self {
        let schema = schema::arrow::full_schema(&table);
        Self {
            table,
            shards,
            query,
            local_partitions: local_partitions.max(1),
            schema,
        }
    }
}

#[async_trait]
impl TableProvider for ShardTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let stored = schema::arrow::stored_schema(&self.table);
        let predicate = match conjunction(filters.iter().cloned()) {
            None => None,
            Some(filter) => {
                let plain = DFSchema::try_from(stored.as_ref().clone())?;
                Some(state.create_physical_expr(unqualified(filter)?, &plain)?)
            }
        };
        let projection = match projection {
            Some(projection) => projection.clone(),
            None => (0..self.schema.fields().len()).collect(),
        };
        Ok(Arc::new(ShardScanExec::new(
            Scan {
                table: Arc::clone(&self.table),
                query: self.query,
                projection,
                predicate,
                fetch: limit,
                local_partitions: self.local_partitions,
            },
            self.shards.clone(),
        )?))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        // Pushed filters only prune; the exact filter stays in the plan above. A column that the
        // scan fills in is the same for all rows of a shard, and storage does not know it.
        Ok(filters
            .iter()
            .map(|filter| {
                let stored = filter.column_refs().iter().all(|column| {
                    self.table
                        .column(&column.name)
                        .is_some_and(|c| c.origin == Origin::Stored)
                });
                if stored {
                    TableProviderFilterPushDown::Inexact
                } else {
                    TableProviderFilterPushDown::Unsupported
                }
            })
            .collect())
    }
}

/// A filter whose columns bear no table's name.
fn unqualified(filter: Expr) -> Result<Expr> {
    use datafusion::common::Column;
    use datafusion::common::tree_node::{Transformed, TreeNode};
    let rewritten = filter.transform(|expr| {
        Ok(match expr {
            Expr::Column(column) => {
                Transformed::yes(Expr::Column(Column::new_unqualified(column.name)))
            }
            other => Transformed::no(other),
        })
    })?;
    Ok(rewritten.data)
}

/// What to read of a table, the same for every shard.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    pub(crate) table: Arc<Table>,
    pub(crate) query: QueryId,
    /// Columns of the full schema.
    pub(crate) projection: Vec<usize>,
    /// Over the stored schema; prunes, and need not be exact.
    pub(crate) predicate: Option<Arc<dyn PhysicalExpr>>,
    pub(crate) fetch: Option<usize>,
    pub(crate) local_partitions: usize,
}

impl Scan {
    pub(crate) fn schema(&self) -> Result<SchemaRef> {
        let full = schema::arrow::full_schema(&self.table);
        Ok(Arc::new(full.project(&self.projection)?))
    }

    /// Partitions of the leaf; those beyond the shard's own are empty.
    pub(crate) fn partitions(&self) -> usize {
        self.local_partitions.max(PARTITIONS_MIN)
    }

    fn display(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .projection
            .iter()
            .map(|index| self.table.columns[*index].name.as_str())
            .collect();
        write!(
            f,
            "table={}, projection=[{}]",
            self.table.name,
            names.join(", ")
        )?;
        if let Some(predicate) = &self.predicate {
            write!(f, ", predicate={predicate}")?;
        }
        if let Some(fetch) = self.fetch {
            write!(f, ", fetch={fetch}")?;
        }
        Ok(())
    }
}

fn properties(schema: SchemaRef, partitions: usize) -> Arc<PlanProperties> {
    Arc::new(PlanProperties::new(
        EquivalenceProperties::new(schema),
        Partitioning::UnknownPartitioning(partitions),
        EmissionType::Incremental,
        Boundedness::Bounded,
    ))
}

/// The leaf on the coordinator: one scan over many shards. It never runs.
#[derive(Debug, Clone)]
pub(crate) struct ShardScanExec {
    pub(crate) scan: Scan,
    /// The shards that hold rows of the table.
    pub(crate) shards: Vec<ShardRef>,
    /// The tasks of the stage in order, once `boundaries` has placed them: a shard, and whether this
    /// leaf reads there.
    pub(crate) tasks: Vec<(ShardRef, bool)>,
    properties: Arc<PlanProperties>,
}

impl ShardScanExec {
    fn new(scan: Scan, shards: Vec<ShardRef>) -> Result<Self> {
        let shown = scan.partitions();
        let properties = properties(scan.schema()?, shown);
        Ok(Self {
            scan,
            shards,
            tasks: Vec::new(),
            properties,
        })
    }

    /// The same leaf as one of the tasks of a stage.
    pub(crate) fn with_tasks(&self, tasks: &[ShardRef], padding: usize) -> Self {
        let mut placed: Vec<(ShardRef, bool)> = tasks
            .iter()
            .map(|shard| (shard.clone(), self.shards.contains(shard)))
            .collect();
        // Padding reads nothing; it may run anywhere.
        for _ in 0..padding {
            placed.extend(tasks.first().map(|shard| (shard.clone(), false)));
        }
        Self {
            tasks: placed,
            ..self.clone()
        }
    }

    /// What each task reads.
    pub(crate) fn variants(&self) -> Result<Vec<Arc<dyn ExecutionPlan>>> {
        self.tasks
            .iter()
            .map(|(shard, reads)| {
                let shard = reads.then(|| shard.clone());
                Ok(Arc::new(ShardLeafExec::new(self.scan.clone(), shard)?)
                    as Arc<dyn ExecutionPlan>)
            })
            .collect()
    }
}

impl DisplayAs for ShardScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ShardScanExec: shards={}, ", self.shards.len())?;
        self.scan.display(f)
    }
}

impl ExecutionPlan for ShardScanExec {
    fn name(&self) -> &'static str {
        "ShardScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        match &self.scan.predicate {
            Some(predicate) => f(predicate),
            None => Ok(TreeNodeRecursion::Continue),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!(
            "the scan of {} was not placed on its shards",
            self.scan.table.name
        )
    }
}

/// The leaf of one task, which travels to its shard and becomes a scan there. It never runs.
#[derive(Debug, Clone)]
pub(crate) struct ShardLeafExec {
    pub(crate) scan: Scan,
    /// The shard to read, or none: then the task has no rows.
    pub(crate) shard: Option<ShardRef>,
    properties: Arc<PlanProperties>,
}

impl ShardLeafExec {
    pub(crate) fn new(scan: Scan, shard: Option<ShardRef>) -> Result<Self> {
        let properties = properties(scan.schema()?, scan.partitions());
        Ok(Self {
            scan,
            shard,
            properties,
        })
    }
}

impl DisplayAs for ShardLeafExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shard {
            Some(shard) => write!(f, "ShardLeafExec: workspace={}, ", shard.workspace)?,
            None => write!(f, "ShardLeafExec: empty, ")?,
        }
        self.scan.display(f)
    }
}

impl ExecutionPlan for ShardLeafExec {
    fn name(&self) -> &'static str {
        "ShardLeafExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        match &self.scan.predicate {
            Some(predicate) => f(predicate),
            None => Ok(TreeNodeRecursion::Continue),
        }
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        internal_err!(
            "the leaf of {} did not become a scan on its shard",
            self.scan.table.name
        )
    }
}

/// The plan node as a type, if it is one.
pub(crate) fn as_node<T: ExecutionPlan + Any>(plan: &Arc<dyn ExecutionPlan>) -> Option<&T> {
    plan.downcast_ref::<T>()
}
