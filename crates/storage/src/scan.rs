//! The plan that reads a table: memtables and segments, in a fixed number of partitions.
//!
//! It is a source of DataFusion's `DataSourceExec`, so that filters which the optimizer finds later,
//! those of joins and top-N, reach the Parquet reader. Unlike the file source alone it never claims
//! to filter rows, never changes its number of partitions, and lets no partition read another's
//! files: a plan may run some of its partitions only.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{ColumnStatistics, Statistics};
use datafusion::datasource::physical_plan::{
    FileScanConfig, FileScanConfigBuilder, FileStreamBuilder,
};
use datafusion::datasource::source::{DataSource, DataSourceExec};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::projection::ProjectionExprs;
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::coop::cooperative;
use datafusion::physical_plan::execution_plan::SchedulingType;
use datafusion::physical_plan::filter_pushdown::{FilterPushdownPropagation, PushedDown};
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayFormatType, ExecutionPlan};
use futures::{StreamExt, stream};
use object_store::memory::InMemory;

use crate::columns::{adapted, is_time, restamped};
use crate::memtable::{Memtable, Times};
use crate::segment::{self, FooterCache, Segment};
use crate::snapshot::Scan;

/// What a table consists of.
#[derive(Default)]
pub(crate) struct Parts {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) memtables: Vec<Memtable>,
}

/// The plan of a scan over the parts that are left of the segments considered. `stored` is the
/// scan's schema in canonical form.
pub(crate) fn table_scan(
    scan: &Scan<'_>,
    stored: &SchemaRef,
    parts: &Parts,
    considered: usize,
    footers: &Arc<FooterCache>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let partitions = scan.partitions.max(1);
    let project = |schema: &SchemaRef| match scan.projection {
        None => Ok(Arc::clone(schema)),
        Some(columns) => schema.project(columns).map(Arc::new),
    };
    let files = segment::files(
        &parts.segments,
        footers,
        stored,
        scan.projection.map(<[usize]>::to_vec),
        scan.predicate.clone(),
        partitions,
    )?;
    let metrics = files.file_source().metrics();
    let counter = |name| MetricBuilder::new(metrics).global_counter(name);
    counter("segments").add(considered);
    counter("segments_pruned").add(considered - parts.segments.len());
    let schema = project(&scan.schema)?;
    let source = TableScan {
        statistics: Arc::new(statistics(parts, &schema, scan.predicate.is_some())),
        schema,
        inner: project(stored)?,
        files,
        memory: Arc::new(dealt(&parts.memtables, partitions)),
        fetch: scan.fetch.filter(|_| scan.predicate.is_none()),
    };
    Ok(DataSourceExec::from_data_source(source))
}

fn dealt(memtables: &[Memtable], partitions: usize) -> Vec<Vec<Arc<RecordBatch>>> {
    let mut hands = vec![Vec::new(); partitions];
    let chunks = memtables.iter().flat_map(Memtable::chunks);
    for (number, chunk) in chunks.enumerate() {
        hands[number % partitions].push(Arc::clone(chunk));
    }
    hands
}

/// Exact where nothing was ruled out: a count of a whole table is then answered from here.
fn statistics(parts: &Parts, schema: &SchemaRef, pruned: bool) -> Statistics {
    let entries = parts.segments.iter().map(|segment| segment.entry());
    let of_segments = entries.map(|entry| (entry.rows, &entry.times));
    let of_memtables = parts.memtables.iter();
    let of_memtables = of_memtables.map(|memtable| (memtable.rows(), memtable.times()));
    let (rows, times) = of_segments.chain(of_memtables).fold(
        (0, Times::default()),
        |(rows, times), (more_rows, more_times)| (rows + more_rows, times.merged(more_times)),
    );
    let columns = schema.fields().iter().map(|field| {
        if is_time(field) {
            segment::time_statistics(&times, field.data_type())
        } else {
            ColumnStatistics::new_unknown()
        }
    });
    let exact = Statistics {
        num_rows: Precision::Exact(rows as usize),
        total_byte_size: Precision::Absent,
        column_statistics: columns.collect(),
    };
    if pruned { exact.to_inexact() } else { exact }
}

/// A scan, as DataFusion drives it.
#[derive(Clone, Debug)]
struct TableScan {
    /// What comes out.
    schema: SchemaRef,
    /// The same columns as they are stored; it may differ in metadata and nullability.
    inner: SchemaRef,
    files: FileScanConfig,
    /// The chunks of each partition.
    memory: Arc<Vec<Vec<Arc<RecordBatch>>>>,
    fetch: Option<usize>,
    statistics: Arc<Statistics>,
}

impl TableScan {
    /// The files of a partition. They are read through the segments themselves, so the object store
    /// that DataFusion asks for is never used.
    fn file_stream(
        &self,
        partition: usize,
        context: &TaskContext,
    ) -> Result<SendableRecordBatchStream> {
        let batch_rows = context.session_config().batch_size();
        let source = self.files.file_source().with_batch_size(batch_rows);
        let unused = Arc::new(InMemory::new());
        let morselizer = source.create_morselizer(unused, &self.files, partition)?;
        let stream = FileStreamBuilder::new(&self.files)
            .with_partition(partition)
            .with_morselizer(morselizer)
            .with_metrics(source.metrics())
            .build()?;
        Ok(Box::pin(stream))
    }
}

impl DataSource for TableScan {
    fn open(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let inner = Arc::clone(&self.inner);
        let chunks = stream::iter(self.memory[partition].clone());
        let counted = BaselineMetrics::new(self.files.file_source().metrics(), partition);
        let chunks = chunks.map(move |chunk| {
            counted.record_output(chunk.num_rows());
            Ok(adapted(&chunk, &inner)?)
        });
        let rows = chunks.chain(self.file_stream(partition, &context)?);
        let schema = Arc::clone(&self.schema);
        let rows = rows.map(move |rows| {
            let rows = rows?;
            Ok(restamped(
                &schema,
                rows.columns().to_vec(),
                rows.num_rows(),
            )?)
        });
        let rows = RecordBatchStreamAdapter::new(Arc::clone(&self.schema), rows);
        let rows = Box::pin(cooperative(rows));
        Ok(match self.fetch {
            None => rows,
            Some(fetch) => {
                // The rows are counted where they are read.
                let uncounted = BaselineMetrics::new(&ExecutionPlanMetricsSet::new(), partition);
                Box::pin(LimitStream::new(rows, 0, Some(fetch), uncounted))
            }
        })
    }

    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chunks: usize = self.memory.iter().map(Vec::len).sum();
        write!(f, "memory_chunks={chunks}, ")?;
        self.files.fmt_as(format, f)
    }

    fn output_partitioning(&self) -> Partitioning {
        Partitioning::UnknownPartitioning(self.memory.len())
    }

    /// Nothing beyond the schema: the predicate only prunes, so that no column is as it says.
    fn eq_properties(&self) -> EquivalenceProperties {
        EquivalenceProperties::new(Arc::clone(&self.schema))
    }

    fn scheduling_type(&self) -> SchedulingType {
        SchedulingType::Cooperative
    }

    fn partition_statistics(&self, partition: Option<usize>) -> Result<Arc<Statistics>> {
        if partition.is_none() && self.fetch.is_none() {
            return Ok(Arc::clone(&self.statistics));
        }
        Ok(Arc::new(Statistics::new_unknown(&self.schema)))
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn DataSource>> {
        let files = FileScanConfigBuilder::from(self.files.clone()).with_limit(limit);
        Some(Arc::new(Self {
            files: files.build(),
            fetch: limit,
            ..self.clone()
        }))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn metrics(&self) -> ExecutionPlanMetricsSet {
        self.files.file_source().metrics().clone()
    }

    /// The caller of a scan projects it; what is computed above stays above.
    fn try_swapping_with_projection(
        &self,
        _projection: &ProjectionExprs,
    ) -> Result<Option<Arc<dyn DataSource>>> {
        Ok(None)
    }

    /// Takes filters for pruning, and leaves them all to be applied above: memtables are not
    /// filtered.
    fn try_pushdown_filters(
        &self,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn DataSource>>> {
        let left = vec![PushedDown::No; filters.len()];
        let pushed = self.files.try_pushdown_filters(filters, config)?;
        let propagation = FilterPushdownPropagation::with_parent_pushdown_result(left);
        let files = pushed.updated_node;
        let files = files.and_then(|node| node.downcast_ref::<FileScanConfig>().cloned());
        Ok(match files {
            None => propagation,
            Some(files) => propagation.with_updated_node(Arc::new(Self {
                files,
                statistics: Arc::new(self.statistics.as_ref().clone().to_inexact()),
                ..self.clone()
            }) as Arc<dyn DataSource>),
        })
    }

    fn apply_expressions(
        &self,
        f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        self.files.apply_expressions(f)
    }
}
