//! The files of a scan, as DataFusion's Parquet source takes them.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, Result, ScalarValue, Statistics};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::{
    FileGroup, FileGroupPartitioner, FileScanConfig, FileScanConfigBuilder, FileSource,
    ParquetSource,
};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_adapter::{
    DefaultPhysicalExprAdapterFactory, PhysicalExprAdapter, PhysicalExprAdapterFactory,
    replace_columns_with_literals,
};
use datafusion::physical_plan::metrics::MetricBuilder;

use super::Segment;
use super::reader::{FooterCache, ReaderFactory};
use crate::columns::is_time;
use crate::memtable::Times;

/// Bytes of segments from which on a segment may be read by several partitions.
const SPLIT_BYTES_MIN: usize = 4 * 1024 * 1024;
/// The counter of segments that were opened.
const OPENED: &str = "segments_opened";

/// A scan of segments with exactly `partitions` file groups, the newest rows first in each.
///
/// `schema` must be in canonical form; the predicate refers to it, and only prunes.
pub(crate) fn files(
    segments: &[Arc<Segment>],
    footers: &Arc<FooterCache>,
    schema: &SchemaRef,
    projection: Option<Vec<usize>>,
    predicate: Option<Arc<dyn PhysicalExpr>>,
    partitions: usize,
) -> Result<FileScanConfig> {
    let mut source = ParquetSource::new(Arc::clone(schema));
    if let Some(predicate) = predicate {
        source = source.with_predicate(predicate);
    }
    let factory = ReaderFactory {
        footers: Arc::clone(footers),
        opened: MetricBuilder::new(source.metrics()).global_counter(OPENED),
    };
    let source = source
        .with_parquet_file_reader_factory(Arc::new(factory))
        .with_enable_page_index(true);
    let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
        .with_file_groups(groups(segments, schema, partitions))
        .with_expr_adapter(Some(Arc::new(FillStrings)))
        .with_projection_indices(projection)?;
    Ok(config.build())
}

fn groups(segments: &[Arc<Segment>], schema: &SchemaRef, partitions: usize) -> Vec<FileGroup> {
    let mut segments: Vec<_> = segments.iter().collect();
    segments.sort_by_key(|segment| Reverse(segment.entry().times.range.map(|(_, last)| last)));
    let files = segments.into_iter().map(|segment| file(segment, schema));
    let files: Vec<PartitionedFile> = files.collect();
    let split = FileGroupPartitioner::new()
        .with_target_partitions(partitions)
        .with_repartition_file_min_size(SPLIT_BYTES_MIN)
        .repartition_file_groups(&[FileGroup::new(files.clone())])
        .filter(|groups| groups.len() <= partitions);
    let mut groups = split.unwrap_or_else(|| dealt(files, partitions));
    groups.resize_with(partitions, || FileGroup::new(Vec::new()));
    groups
}

fn dealt(files: Vec<PartitionedFile>, partitions: usize) -> Vec<FileGroup> {
    let mut hands = vec![Vec::new(); partitions];
    for (number, file) in files.into_iter().enumerate() {
        hands[number % partitions].push(file);
    }
    hands.into_iter().map(FileGroup::new).collect()
}

fn file(segment: &Arc<Segment>, schema: &SchemaRef) -> PartitionedFile {
    let entry = segment.entry();
    PartitionedFile::new(entry.file.clone(), entry.bytes)
        .with_extension(Arc::clone(segment))
        .with_statistics(Arc::new(statistics(segment, schema)))
}

/// What the manifest knows, so that filters which get sharper while a query runs, as those of
/// top-N do, rule out segments before they are opened.
fn statistics(segment: &Segment, schema: &SchemaRef) -> Statistics {
    let entry = segment.entry();
    let column = |field: &Arc<Field>| {
        if is_time(field) {
            time_statistics(&entry.times, field.data_type())
        } else {
            ColumnStatistics::new_unknown()
        }
    };
    Statistics {
        num_rows: Precision::Exact(entry.rows as usize),
        total_byte_size: Precision::Absent,
        column_statistics: schema.fields().iter().map(column).collect(),
    }
}

/// The statistics of a column of instants.
pub(crate) fn time_statistics(times: &Times, data_type: &DataType) -> ColumnStatistics {
    let bound = |value: Option<i64>| {
        let scalar = value.and_then(|value| {
            let instant = ScalarValue::Int64(Some(value));
            instant.cast_to(data_type).ok()
        });
        scalar.map_or(Precision::Absent, Precision::Exact)
    };
    ColumnStatistics {
        null_count: Precision::Exact(times.nulls as usize),
        min_value: bound(times.range.map(|(first, _)| first)),
        max_value: bound(times.range.map(|(_, last)| last)),
        ..ColumnStatistics::new_unknown()
    }
}

/// Segments that were written before a table got a string column read it as `""`; DataFusion alone
/// would fail on a missing column that is not nullable.
#[derive(Debug)]
struct FillStrings;

impl PhysicalExprAdapterFactory for FillStrings {
    fn create(
        &self,
        logical: SchemaRef,
        physical: SchemaRef,
    ) -> Result<Arc<dyn PhysicalExprAdapter>> {
        let missing = logical.fields().iter().filter(|field| {
            let string = *field.data_type() == DataType::Utf8View && !field.is_nullable();
            string && physical.index_of(field.name()).is_err()
        });
        let empty = ScalarValue::Utf8View(Some(String::new()));
        let fill = missing.map(|field| (field.name().clone(), empty.clone()));
        Ok(Arc::new(StringFiller {
            fill: fill.collect(),
            rest: DefaultPhysicalExprAdapterFactory.create(logical, physical)?,
        }))
    }
}

#[derive(Debug)]
struct StringFiller {
    fill: HashMap<String, ScalarValue>,
    rest: Arc<dyn PhysicalExprAdapter>,
}

impl PhysicalExprAdapter for StringFiller {
    fn rewrite(&self, expr: Arc<dyn PhysicalExpr>) -> Result<Arc<dyn PhysicalExpr>> {
        self.rest
            .rewrite(replace_columns_with_literals(expr, &self.fill)?)
    }
}
