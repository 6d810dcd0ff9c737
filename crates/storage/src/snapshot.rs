//! A consistent view of a workspace.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, PrimitiveArray, UInt64Array};
use arrow::compute::cast;
use arrow::datatypes::{Field, Schema, SchemaRef, TimestampNanosecondType};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;

use crate::columns::{canonical_schema, is_time};
use crate::id::{TableName, WorkspaceId};
use crate::memtable::{Memtable, Times};
use crate::published::Tables;
use crate::scan::{Parts, table_scan};
use crate::segment::FooterCache;

/// The tables of a workspace as they were at an instant. Clones share it; what it reads stays on
/// disk and in memory until the last of them and of its scans is dropped.
#[derive(Clone, Debug)]
pub struct Snapshot {
    workspace: WorkspaceId,
    tables: Arc<Tables>,
    footers: Arc<FooterCache>,
}

/// What to read of a table.
#[derive(Clone, Debug)]
pub struct Scan<'a> {
    /// The table.
    pub table: &'a str,
    /// The stored columns that the caller knows, in its order, as `schema::arrow::stored_schema`
    /// gives them. Columns that some rows were stored without read as null there, strings as `""`.
    pub schema: SchemaRef,
    /// Which of these columns to give; all if `None`.
    pub projection: Option<&'a [usize]>,
    /// Rules out segments and parts of them; refers to `schema`, whatever the projection. Rows that
    /// do not satisfy it may come all the same: the caller filters.
    pub predicate: Option<Arc<dyn PhysicalExpr>>,
    /// Rows after which each partition may end. Without effect beside a predicate, for these rows
    /// might all be filtered out.
    pub fetch: Option<usize>,
    /// How many partitions the plan has; at least one.
    pub partitions: usize,
}

impl<'a> Scan<'a> {
    /// A scan of all rows in one partition.
    pub fn new(table: &'a str, schema: SchemaRef) -> Self {
        Self {
            table,
            schema,
            projection: None,
            predicate: None,
            fetch: None,
            partitions: 1,
        }
    }
}

impl Snapshot {
    pub(crate) fn new(
        workspace: WorkspaceId,
        tables: Arc<Tables>,
        footers: Arc<FooterCache>,
    ) -> Self {
        Self {
            workspace,
            tables,
            footers,
        }
    }

    /// Whose tables these are.
    pub fn workspace(&self) -> WorkspaceId {
        self.workspace
    }

    /// The stored columns of a table, if there is such a table.
    pub fn schema(&self, table: &str) -> Option<SchemaRef> {
        let table = self.tables.get(table)?;
        Some(Arc::clone(table.columns.schema()))
    }

    /// How many rows a table has, damaged segments counted by what they should hold.
    pub fn rows(&self, table: &str) -> u64 {
        let Some(table) = self.tables.get(table) else {
            return 0;
        };
        let segments = table.segments.iter().map(|segment| segment.entry().rows);
        segments.sum::<u64>() + table.memtables().map(Memtable::rows).sum::<u64>()
    }

    /// A plan that reads a table, with exactly the partitions that were asked for. A table that the
    /// workspace does not have is empty.
    ///
    /// Segments are ruled out by the predicate and the times in the manifest without being opened;
    /// then DataFusion rules out row groups and pages by their statistics. The plan's metrics tell
    /// `segments`, `segments_pruned` (by the manifest) and `segments_opened`.
    ///
    /// Fails if a column is stored under another type, or if a segment that may hold rows is known
    /// to be damaged. Damage that shows while reading fails the plan's stream, with an error that
    /// names the file.
    pub fn scan(&self, scan: &Scan<'_>) -> Result<Arc<dyn ExecutionPlan>> {
        let name = TableName::new(scan.table)?;
        let stored = canonical_schema(&name, &scan.schema)?;
        let mut parts = Parts::default();
        if let Some(table) = self.tables.get(scan.table) {
            table.columns.check(&name, &stored)?;
            parts.segments = table.segments.to_vec();
            parts.memtables = table.memtables().cloned().collect();
        }
        let considered = parts.segments.len();
        if let Some(predicate) = &scan.predicate {
            parts = pruned(parts, predicate, &stored);
        }
        for segment in &parts.segments {
            segment.check()?;
        }
        table_scan(scan, &stored, &parts, considered, &self.footers)
    }
}

/// The parts whose times do not rule out that the predicate holds for one of their rows. A predicate
/// that cannot be understood rules out nothing.
fn pruned(parts: Parts, predicate: &Arc<dyn PhysicalExpr>, schema: &SchemaRef) -> Parts {
    let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema));
    let Ok(pruning) = builder.try_build(Arc::clone(predicate)) else {
        return parts;
    };
    let of_segment = parts.segments.iter().map(|segment| {
        let entry = segment.entry();
        (entry.rows, entry.times.clone())
    });
    let of_memtable = parts.memtables.iter();
    let of_memtable = of_memtable.map(|memtable| (memtable.rows(), memtable.times().clone()));
    let statistics = PartTimes {
        parts: of_segment.chain(of_memtable).collect(),
        schema,
    };
    let Ok(kept) = pruning.prune(&statistics) else {
        return parts;
    };
    let mut kept = kept.into_iter();
    let mut keep = || kept.next().unwrap_or(true);
    let Parts {
        mut segments,
        mut memtables,
    } = parts;
    segments.retain(|_| keep());
    memtables.retain(|_| keep());
    Parts {
        segments,
        memtables,
    }
}

/// Rows and times of parts of a table.
struct PartTimes<'a> {
    parts: Vec<(u64, Times)>,
    schema: &'a Schema,
}

impl PartTimes<'_> {
    /// The field of that column, if it is the instant of a record.
    fn time(&self, column: &Column) -> Option<&Field> {
        let field = self.schema.field_with_name(&column.name).ok();
        field.filter(|field| is_time(field))
    }

    fn bounds(&self, column: &Column, bound: fn((i64, i64)) -> i64) -> Option<ArrayRef> {
        let field = self.time(column)?;
        let values = self.parts.iter().map(|(_, times)| times.range.map(bound));
        let values: PrimitiveArray<TimestampNanosecondType> = values.collect();
        cast(&values, field.data_type()).ok()
    }
}

impl PruningStatistics for PartTimes<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |(first, _)| first)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, |(_, last)| last)
    }

    fn num_containers(&self) -> usize {
        self.parts.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.time(column)?;
        let counts = self.parts.iter().map(|(_, times)| times.nulls);
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts = self.parts.iter().map(|(rows, _)| *rows);
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
