//! Writing a memtable as a segment.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::interleave_record_batch;
use arrow::datatypes::TimestampNanosecondType;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::WriterProperties;
use schema::table::TIME_GENERATED;

use super::blocks::BlockWriter;
use super::{DIRECTORY, EXTENSION, Segment, UNFINISHED};
use crate::columns::{Columns, adapted, is_time};
use crate::error::{Error, Result, SYNC};
use crate::file_system::{FileSystem, OpenMode};
use crate::id::{SegmentId, TableName, WorkspaceId};
use crate::ledger::SegmentEntry;
use crate::memtable::Memtable;

/// Rows of a row group: enough for good statistics and compression, few enough that a query for a
/// minute skips most of a day.
const ROW_GROUP_ROWS: usize = 128 * 1024;
/// Rows that are put in order and handed to the encoder at a time.
const SLICE_ROWS: usize = 8 * 1024;

/// Writes a memtable's rows, sorted by time, to a file whose content is durable; its name is not
/// before the directory is synced. It belongs to no manifest yet, and the next open would remove it.
pub(crate) fn write(
    fs: &Arc<dyn FileSystem>,
    dir: &Path,
    id: SegmentId,
    (workspace, table): (WorkspaceId, &TableName),
    columns: &Columns,
    memtable: &Memtable,
) -> Result<Segment> {
    let name = format!("{table}-{:016x}", id.0);
    let parent = dir.join(DIRECTORY).join(workspace.to_string());
    let unfinished = parent.join(format!("{name}{UNFINISHED}"));
    let path = parent.join(format!("{name}{EXTENSION}"));
    let file = fs
        .open(&unfinished, OpenMode::Create)
        .map_err(Error::io("create", &unfinished))?;
    let failed = |error: parquet::errors::ParquetError| match error {
        parquet::errors::ParquetError::External(source) if source.is::<std::io::Error>() => {
            let source = source.downcast().expect("the guard looked at the type");
            Error::io("write", &unfinished)(*source)
        }
        other => Error::Rows {
            action: "write a segment of",
            table: table.clone(),
            reason: other.to_string(),
        },
    };
    let blocks = BlockWriter::new(Arc::clone(&file));
    let blocks = encode(blocks, (workspace, table), columns, memtable).map_err(failed)?;
    let (bytes, checksums) = blocks.finish().map_err(Error::io("write", &unfinished))?;
    file.sync().map_err(Error::io(SYNC, &unfinished))?;
    fs.rename(&unfinished, &path)
        .map_err(Error::io("rename", &unfinished))?;
    let entry = SegmentEntry {
        id,
        workspace,
        table: table.clone(),
        file: format!("{DIRECTORY}/{workspace}/{name}{EXTENSION}"),
        rows: memtable.rows(),
        bytes,
        times: memtable.times().clone(),
        columns: columns.clone(),
        checksums,
    };
    Ok(Segment::new(entry, path, Arc::clone(fs)))
}

fn encode(
    blocks: BlockWriter,
    owner: (WorkspaceId, &TableName),
    columns: &Columns,
    memtable: &Memtable,
) -> parquet::errors::Result<BlockWriter> {
    let chunks = memtable.chunks().iter();
    let chunks: Vec<RecordBatch> = chunks
        .map(|chunk| adapted(chunk, columns.schema()))
        .collect::<Result<_, _>>()?;
    let chunks: Vec<&RecordBatch> = chunks.iter().collect();
    let properties = properties(owner, columns);
    let schema = Arc::clone(columns.schema());
    let mut writer = ArrowWriter::try_new(blocks, schema, Some(properties))?;
    for places in time_order(&chunks).chunks(SLICE_ROWS) {
        writer.write(&interleave_record_batch(&chunks, places)?)?;
    }
    writer.into_inner()
}

/// Where rows lie, by chunk and row: by time, those without one last, else as they were appended.
fn time_order(chunks: &[&RecordBatch]) -> Vec<(usize, usize)> {
    let mut order: Vec<(Option<i64>, usize, usize)> = Vec::new();
    for (number, chunk) in chunks.iter().enumerate() {
        let column = chunk.column_by_name(TIME_GENERATED);
        let times = column.and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
        order.extend((0..chunk.num_rows()).map(|row| {
            let time = times.filter(|times| times.is_valid(row));
            (time.map(|times| times.value(row)), number, row)
        }));
    }
    order.sort_unstable_by_key(|&(time, chunk, row)| (time.is_none(), time, chunk, row));
    let order = order.into_iter();
    order.map(|(_, chunk, row)| (chunk, row)).collect()
}

/// The workspace and table are in the file's own metadata too, so that segments whose manifest was
/// lost still say what they are.
fn properties(
    (workspace, table): (WorkspaceId, &TableName),
    columns: &Columns,
) -> WriterProperties {
    let mut fields = columns.schema().fields().iter();
    let time = fields.position(|field| is_time(field));
    let sorting = time.map(|column| {
        vec![SortingColumn {
            column_idx: column as i32,
            descending: false,
            nulls_first: false,
        }]
    });
    let described = |key: &str, value: String| KeyValue::new(key.to_owned(), value);
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_sorting_columns(sorting)
        .set_key_value_metadata(Some(vec![
            described("loggia.workspace", workspace.to_string()),
            described("loggia.table", table.to_string()),
        ]))
        .build()
}
