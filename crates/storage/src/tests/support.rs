//! Rows to append, and ways to read them back.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, DurationNanosecondArray, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, SchemaRef};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, Literal};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::scalar::ScalarValue;
use schema::Type;
use uuid::Uuid;

use crate::columns::Columns;
use crate::{BatchId, Config, Scan, Snapshot, Store, TableName, WorkspaceId};

pub(super) const DAY: i64 = 86_400 * 1_000_000_000;

pub(super) fn workspace(number: u128) -> WorkspaceId {
    WorkspaceId(Uuid::from_u128(number))
}

pub(super) fn id(text: &str) -> BatchId {
    BatchId::new(text).unwrap()
}

pub(super) fn table(name: &str) -> TableName {
    TableName::new(name).unwrap()
}

/// A schema of columns with KQL types.
pub(super) fn columns(columns: &[(&str, Type)]) -> SchemaRef {
    let columns = columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty));
    Arc::clone(Columns::new(columns).schema())
}

/// The columns of `numbered` rows.
pub(super) fn numbered_schema() -> SchemaRef {
    columns(&[
        ("TimeGenerated", Type::Datetime),
        ("Number", Type::Long),
        ("Text", Type::String),
    ])
}

/// Rows with these numbers, one a second from that instant on.
pub(super) fn numbered(numbers: std::ops::Range<i64>, start: i64) -> RecordBatch {
    let count = numbers.end - numbers.start;
    let times = (0..count).map(|second| start + second * 1_000_000_000);
    let texts = numbers
        .clone()
        .map(|number| format!("text of row number {number}"));
    RecordBatch::try_new(
        numbered_schema(),
        vec![
            Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC")),
            Arc::new(Int64Array::from_iter_values(numbers)),
            Arc::new(StringViewArray::from_iter_values(texts)),
        ],
    )
    .unwrap()
}

pub(super) fn open(dir: &Path) -> Store {
    Store::open(dir, Config::default()).unwrap()
}

/// Appends `numbered` rows to one table.
pub(super) async fn put(store: &Store, batch: &str, numbers: std::ops::Range<i64>, start: i64) {
    let rows = vec![(table("T"), numbered(numbers, start))];
    store.append(workspace(1), id(batch), rows).await.unwrap();
}

/// All rows of a table in one batch; partitions one after the other.
pub(super) async fn read(
    snapshot: &Snapshot,
    scan: &Scan<'_>,
) -> crate::Result<RecordBatch, String> {
    let plan = snapshot.scan(scan).map_err(|error| error.to_string())?;
    read_plan(plan).await
}

pub(super) async fn read_plan(plan: Arc<dyn ExecutionPlan>) -> crate::Result<RecordBatch, String> {
    let schema = plan.schema();
    let batches = collect(plan, Arc::new(TaskContext::default())).await;
    let batches = batches.map_err(|error| error.to_string())?;
    Ok(concat_batches(&schema, &batches).unwrap())
}

/// The numbers in a table of `numbered` rows, sorted.
pub(super) async fn numbers(snapshot: &Snapshot, name: &str) -> crate::Result<Vec<i64>, String> {
    let rows = read(snapshot, &Scan::new(name, numbered_schema())).await?;
    let mut numbers = column_of_numbers(&rows);
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn column_of_numbers(rows: &RecordBatch) -> Vec<i64> {
    let column = rows.column_by_name("Number").unwrap();
    column.as_primitive::<Int64Type>().values().to_vec()
}

/// The numbers of the table that `put` appends to.
pub(super) async fn stored(store: &Store) -> Vec<i64> {
    numbers(&store.snapshot(workspace(1)), "T").await.unwrap()
}

/// A metric of a plan, summed over its partitions.
pub(super) fn metric(plan: &Arc<dyn ExecutionPlan>, name: &str) -> usize {
    let metrics = plan.metrics().unwrap();
    metrics
        .sum_by_name(name)
        .map_or(0, |value| value.as_usize())
}

/// `column operator value`.
pub(super) fn compare(
    schema: &SchemaRef,
    column: &str,
    operator: Operator,
    value: ScalarValue,
) -> Arc<dyn PhysicalExpr> {
    let column = Column::new_with_schema(column, schema).unwrap();
    let literal = Literal::new(value);
    Arc::new(BinaryExpr::new(
        Arc::new(column),
        operator,
        Arc::new(literal),
    ))
}

/// `TimeGenerated operator instant`.
pub(super) fn time_is(schema: &SchemaRef, operator: Operator, nanos: i64) -> Arc<dyn PhysicalExpr> {
    let instant = ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into()));
    compare(schema, "TimeGenerated", operator, instant)
}

pub(super) fn both(
    left: Arc<dyn PhysicalExpr>,
    right: Arc<dyn PhysicalExpr>,
) -> Arc<dyn PhysicalExpr> {
    Arc::new(BinaryExpr::new(left, Operator::And, right))
}

/// A column of every KQL type, with a null in each that can hold one, and extreme values.
pub(super) fn every_type() -> RecordBatch {
    let schema = columns(&[
        ("TimeGenerated", Type::Datetime),
        ("Number", Type::Long),
        ("Flag", Type::Bool),
        ("Small", Type::Int),
        ("Ratio", Type::Real),
        ("Exact", Type::Decimal),
        ("Text", Type::String),
        ("Took", Type::Timespan),
        ("Properties", Type::Dynamic),
        ("Run", Type::Guid),
    ]);
    let digits = Decimal128Array::from(vec![Some(10_i128.pow(38) - 1), None, Some(-1), Some(0)]);
    let long_text = "text that is too long to lie within its view";
    let columns: Vec<ArrayRef> = vec![
        Arc::new(
            TimestampNanosecondArray::from(vec![Some(i64::MAX), None, Some(0), Some(i64::MIN)])
                .with_timezone("UTC"),
        ),
        Arc::new(Int64Array::from(vec![
            Some(i64::MAX),
            None,
            Some(i64::MIN),
            Some(0),
        ])),
        Arc::new(BooleanArray::from(vec![
            Some(true),
            None,
            Some(false),
            Some(true),
        ])),
        Arc::new(Int32Array::from(vec![
            Some(i32::MAX),
            None,
            Some(i32::MIN),
            Some(0),
        ])),
        Arc::new(Float64Array::from(vec![
            Some(f64::INFINITY),
            None,
            Some(-0.0),
            Some(f64::MIN_POSITIVE),
        ])),
        Arc::new(digits.with_precision_and_scale(38, 18).unwrap()),
        Arc::new(StringViewArray::from(vec!["", long_text, "ü\n\"", "x"])),
        Arc::new(DurationNanosecondArray::from(vec![
            Some(i64::MAX),
            None,
            Some(-1),
            Some(i64::MIN),
        ])),
        Arc::new(StringViewArray::from(vec![
            Some(r#"{"a":[1,null]}"#),
            None,
            Some("1"),
            Some(long_text),
        ])),
        Arc::new(StringViewArray::from(vec![
            Some("74be27de-1e4e-49d9-b579-fe0b331d3642"),
            None,
            Some("00000000-0000-0000-0000-000000000000"),
            Some(""),
        ])),
    ];
    assert!(
        columns
            .iter()
            .filter(|column| column.null_count() == 0)
            .count()
            == 1
    );
    RecordBatch::try_new(schema, columns).unwrap()
}

/// A copy of a directory, as a crash would leave it.
pub(super) fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in files(dir) {
        let to = copy.path().join(file.strip_prefix(dir).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(&file, to).unwrap();
    }
    copy
}

/// All files under a directory.
pub(super) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found.sort();
    found
}

/// The segments under a data directory.
pub(super) fn segments(dir: &Path) -> Vec<PathBuf> {
    let all = files(dir).into_iter();
    all.filter(|path| path.extension().is_some_and(|ext| ext == "parquet"))
        .collect()
}

/// A small generator of numbers that look random, the same for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// SplitMix64, by Steele, Lea and Flood.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
