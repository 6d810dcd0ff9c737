//! Plans: how many partitions, what is ruled out, what other plans above them see.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Int64Type, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::functions_aggregate::expr_fn::{count, max};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, col, is_null, not};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, collect_partitioned};
use datafusion::prelude::{DataFrame, JoinType, SessionConfig, SessionContext, ident, lit};
use datafusion::scalar::ScalarValue;
use futures::TryStreamExt;

use super::support::*;
use crate::{Config, Scan, Snapshot, Store};

/// Ten segments of a day each, and the eleventh day in memory.
async fn ten_days(dir: &std::path::Path) -> Store {
    let store = open(dir);
    for day in 0..11 {
        put(
            &store,
            &day.to_string(),
            day * 100..(day + 1) * 100,
            day * DAY,
        )
        .await;
        if day < 10 {
            store.flush(None).await.unwrap();
        }
    }
    store
}

fn of_day(day: i64) -> Arc<dyn PhysicalExpr> {
    let schema = numbered_schema();
    let from = time_is(&schema, Operator::GtEq, day * DAY);
    both(from, time_is(&schema, Operator::Lt, (day + 1) * DAY))
}

#[tokio::test]
async fn a_predicate_on_one_day_opens_one_segment() {
    let dir = tempfile::tempdir().unwrap();
    let store = ten_days(dir.path()).await;
    let snapshot = store.snapshot(workspace(1));
    for (day, opened, in_memory) in [(3, 1, 0), (10, 0, 100), (20, 0, 0)] {
        let scan = Scan {
            predicate: Some(of_day(day)),
            partitions: 3,
            ..Scan::new("T", numbered_schema())
        };
        let plan = snapshot.scan(&scan).unwrap();
        let rows = read_plan(Arc::clone(&plan)).await.unwrap();
        assert_eq!(rows.num_rows(), opened * 100 + in_memory, "day {day}");
        assert_eq!(metric(&plan, "segments"), 10);
        assert_eq!(metric(&plan, "segments_pruned"), 10 - opened);
        assert_eq!(metric(&plan, "segments_opened"), opened);
    }
}

#[tokio::test]
async fn times_in_the_manifest_know_of_rows_without_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = ten_days(dir.path()).await;
    let timeless = every_type().project(&[0, 1]).unwrap().slice(1, 1);
    let rows = vec![(table("T"), timeless)];
    store
        .append(workspace(1), id("timeless"), rows)
        .await
        .unwrap();
    store.flush(None).await.unwrap();
    let timeless = is_null(col("TimeGenerated", &numbered_schema()).unwrap());
    let scan = Scan {
        predicate: Some(timeless.unwrap()),
        ..Scan::new("T", numbered_schema())
    };
    let plan = store.snapshot(workspace(1)).scan(&scan).unwrap();
    let rows = read_plan(Arc::clone(&plan)).await.unwrap();
    assert_eq!(rows.column(0).null_count(), 1);
    assert_eq!(metric(&plan, "segments_opened"), 1);
}

#[tokio::test]
async fn row_groups_and_pages_are_ruled_out_by_their_statistics() {
    const ROWS: i64 = 200_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..ROWS, 0).await;
    store.flush(None).await.unwrap();
    let schema = numbered_schema();
    let number = ScalarValue::Int64(Some(ROWS - 10));
    let scan = Scan {
        predicate: Some(compare(&schema, "Number", Operator::GtEq, number)),
        projection: Some(&[1]),
        ..Scan::new("T", schema)
    };
    let plan = store.snapshot(workspace(1)).scan(&scan).unwrap();
    let rows = read_plan(Arc::clone(&plan)).await.unwrap();
    // The predicate is on a column other than time, so the manifest rules nothing out.
    assert_eq!(metric(&plan, "segments_pruned"), 0);
    assert!(
        (10..30_000).contains(&rows.num_rows()),
        "{} rows",
        rows.num_rows()
    );
    assert!(column_of_numbers(&rows).contains(&(ROWS - 1)));
}

#[tokio::test]
async fn predicates_on_every_type_lose_no_row_that_satisfies_them() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let rows = every_type();
    let batch = vec![(table("T"), rows.clone())];
    store.append(workspace(1), id("a"), batch).await.unwrap();
    store.flush(None).await.unwrap();
    let snapshot = store.snapshot(workspace(1));
    for (index, field) in rows.schema().fields().iter().enumerate() {
        for row in 0..rows.num_rows() {
            let value = ScalarValue::try_from_array(rows.column(index), row).unwrap();
            let equal = compare(
                &rows.schema(),
                field.name(),
                Operator::IsNotDistinctFrom,
                value,
            );
            let scan = Scan {
                predicate: Some(Arc::clone(&equal)),
                ..Scan::new("T", rows.schema())
            };
            let found = read(&snapshot, &scan).await.unwrap();
            let kept = equal
                .evaluate(&found)
                .unwrap()
                .into_array(found.num_rows())
                .unwrap();
            let kept = kept.as_boolean().true_count();
            let expected = equal.evaluate(&rows).unwrap().into_array(4).unwrap();
            assert_eq!(
                kept,
                expected.as_boolean().true_count(),
                "{} row {row}",
                field.name()
            );
        }
    }
}

#[tokio::test]
async fn random_predicates_lose_no_row_that_satisfies_them() {
    const SEED: u64 = 7;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut random = Random::new(SEED);
    let schema = numbered_schema();
    let mut all = Vec::new();
    for batch in 0..20 {
        let rows = random_rows(&mut random, batch);
        all.push(rows.clone());
        let rows = vec![(table("T"), rows)];
        store
            .append(workspace(1), id(&batch.to_string()), rows)
            .await
            .unwrap();
        if batch % 2 == 0 {
            store.flush(None).await.unwrap();
        }
    }
    let all = concat_batches(&schema, &all).unwrap();
    let snapshot = store.snapshot(workspace(1));
    let mut pruned = 0;
    for number in 0..300 {
        let predicate = random_predicate(&mut random, &schema, 3);
        let scan = Scan {
            predicate: Some(Arc::clone(&predicate)),
            partitions: 2,
            ..Scan::new("T", Arc::clone(&schema))
        };
        let plan = snapshot.scan(&scan).unwrap();
        let found = read_plan(Arc::clone(&plan)).await.unwrap();
        let kept = satisfying(&predicate, &found);
        assert_eq!(
            kept,
            satisfying(&predicate, &all),
            "{number} of seed {SEED}: {predicate}"
        );
        pruned += metric(&plan, "segments_pruned");
    }
    assert!(pruned > 100, "{pruned} segments were ruled out");
}

/// Few different values, so that predicates hit, and nulls where there can be some.
fn random_rows(random: &mut Random, day: i64) -> RecordBatch {
    let mut value = |limit: u64| (random.below(5) > 0).then(|| random.below(limit) as i64);
    let times = (0..6).map(|_| value(2).map(|later| (day + later) * DAY));
    let times: TimestampNanosecondArray = times.collect();
    let numbers: Int64Array = (0..6).map(|_| value(4).map(|more| day + more)).collect();
    let texts = (0..6).map(|_| format!("{:?}", value(3)));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(times.with_timezone("UTC")),
        Arc::new(numbers),
        Arc::new(StringViewArray::from_iter_values(texts)),
    ];
    RecordBatch::try_new(numbered_schema(), columns).unwrap()
}

fn random_predicate(random: &mut Random, schema: &SchemaRef, depth: u32) -> Arc<dyn PhysicalExpr> {
    const OPERATORS: [Operator; 8] = [
        Operator::Eq,
        Operator::NotEq,
        Operator::Lt,
        Operator::LtEq,
        Operator::Gt,
        Operator::GtEq,
        Operator::IsDistinctFrom,
        Operator::IsNotDistinctFrom,
    ];
    if depth > 0 && random.below(3) > 0 {
        let left = random_predicate(random, schema, depth - 1);
        let right = random_predicate(random, schema, depth - 1);
        return match random.below(3) {
            0 => not(left).unwrap(),
            1 => Arc::new(BinaryExpr::new(left, Operator::Or, right)),
            _ => both(left, right),
        };
    }
    let (name, value) = match random.below(4) {
        0 => ("Number", ScalarValue::Int64(Some(random.below(24) as i64))),
        1 => (
            "Text",
            ScalarValue::Utf8View(Some(format!("Some({})", random.below(4)))),
        ),
        _ => {
            let nanos = random.below(24) as i64 * DAY;
            (
                "TimeGenerated",
                ScalarValue::TimestampNanosecond(Some(nanos), Some("UTC".into())),
            )
        }
    };
    if random.below(8) == 0 {
        return is_null(col(name, schema).unwrap()).unwrap();
    }
    let operator = OPERATORS[random.below(OPERATORS.len() as u64) as usize];
    compare(schema, name, operator, value)
}

/// The rows that satisfy a predicate, as sorted text.
fn satisfying(predicate: &Arc<dyn PhysicalExpr>, rows: &RecordBatch) -> Vec<String> {
    let verdicts = predicate.evaluate(rows).unwrap();
    let verdicts = verdicts.into_array(rows.num_rows()).unwrap();
    let kept = filter_record_batch(rows, verdicts.as_boolean()).unwrap();
    let text = |row| format!("{:?}", kept.slice(row, 1).columns());
    let mut texts: Vec<String> = (0..kept.num_rows()).map(text).collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn a_plan_has_the_partitions_that_were_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = ten_days(dir.path()).await;
    for name in ["T", "Absent"] {
        for partitions in 1..=13 {
            let scan = Scan {
                partitions,
                projection: Some(&[1]),
                ..Scan::new(name, numbered_schema())
            };
            let plan = store.snapshot(workspace(1)).scan(&scan).unwrap();
            assert_eq!(plan.output_partitioning().partition_count(), partitions);
            assert_eq!(plan.schema().fields().len(), 1);
            // Each partition reads its own part, whichever others run.
            let mut all = Vec::new();
            for partition in (0..partitions).rev() {
                let stream = plan
                    .execute(partition, Arc::new(TaskContext::default()))
                    .unwrap();
                let batches: Vec<RecordBatch> = stream.try_collect().await.unwrap();
                all.extend(batches.iter().flat_map(column_of_numbers));
            }
            all.sort_unstable();
            let expected = if name == "T" { 0..1100 } else { 0..0 };
            assert_eq!(
                all,
                expected.collect::<Vec<_>>(),
                "{partitions} partitions of {name}"
            );
        }
    }
}

#[tokio::test]
async fn a_large_segment_is_read_by_several_partitions() {
    const ROWS: i64 = 700_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..ROWS / 2, 0).await;
    put(&store, "b", ROWS / 2..ROWS, 0).await;
    store.flush(None).await.unwrap();
    let scan = Scan {
        partitions: 3,
        projection: Some(&[1]),
        ..Scan::new("T", numbered_schema())
    };
    let plan = store.snapshot(workspace(1)).scan(&scan).unwrap();
    let partitions = collect_partitioned(plan, Arc::new(TaskContext::default()))
        .await
        .unwrap();
    let counts = partitions.iter().map(|batches| {
        let rows = batches.iter().map(RecordBatch::num_rows);
        rows.sum::<usize>()
    });
    let counts: Vec<usize> = counts.collect();
    assert_eq!(counts.iter().sum::<usize>() as i64, ROWS);
    assert!(
        counts.iter().filter(|count| **count > 0).count() > 1,
        "{counts:?}"
    );
}

#[tokio::test]
async fn fetch_ends_each_partition_early() {
    let dir = tempfile::tempdir().unwrap();
    let store = ten_days(dir.path()).await;
    let snapshot = store.snapshot(workspace(1));
    let mut scan = Scan {
        fetch: Some(30),
        partitions: 2,
        ..Scan::new("T", numbered_schema())
    };
    assert_eq!(read(&snapshot, &scan).await.unwrap().num_rows(), 60);
    // The rows that a predicate wants may come after those that it does not.
    scan.predicate = Some(of_day(3));
    assert_eq!(read(&snapshot, &scan).await.unwrap().num_rows(), 100);
}

#[tokio::test]
async fn no_columns_are_rows_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let store = ten_days(dir.path()).await;
    let scan = Scan {
        projection: Some(&[]),
        partitions: 2,
        ..Scan::new("T", numbered_schema())
    };
    let plan = store.snapshot(workspace(1)).scan(&scan).unwrap();
    let partitions = collect_partitioned(plan, Arc::new(TaskContext::default()))
        .await
        .unwrap();
    let rows = partitions.iter().flatten().map(RecordBatch::num_rows);
    assert_eq!(rows.sum::<usize>(), 1100);
}

#[tokio::test]
async fn queries_above_a_scan_answer_as_they_should() {
    let dir = tempfile::tempdir().unwrap();
    let store = ten_days(dir.path()).await;
    let session = session(&store.snapshot(workspace(1)));
    let t = || session.table("t");
    let (number, time, text) = (ident("Number"), ident("TimeGenerated"), ident("Text"));
    let count = |rows: DataFrame| rows.aggregate(vec![], vec![count(lit(1))]);
    let newest = |rows: DataFrame, ascending| {
        let rows = rows.sort(vec![time.clone().sort(ascending, false)])?;
        rows.limit(0, Some(3))?.select(vec![number.clone()])
    };
    let is_five = number
        .clone()
        .eq(lit(5))
        .and(text.eq(lit("text of row number 5")));
    let below = number.clone().lt(lit(250));
    let renamed = t()
        .await
        .unwrap()
        .select(vec![number.clone().alias("other")]);
    let left = t().await.unwrap().filter(below).unwrap();
    let on = [number.clone().eq(ident("other"))];
    let join = left.join_on(renamed.unwrap(), JoinType::Inner, on);
    for (name, query, expected) in [
        ("count", count(t().await.unwrap()), vec![1100]),
        (
            "filter",
            count(
                t().await
                    .unwrap()
                    .filter((number.clone() % lit(100)).eq(lit(7)))
                    .unwrap(),
            ),
            vec![11],
        ),
        (
            "top",
            newest(t().await.unwrap(), false),
            vec![1099, 1098, 1097],
        ),
        ("first", newest(t().await.unwrap(), true), vec![0, 1, 2]),
        (
            "equal",
            t().await
                .unwrap()
                .filter(is_five)
                .unwrap()
                .select(vec![number.clone()]),
            vec![5],
        ),
        (
            "limit",
            count(t().await.unwrap().limit(0, Some(10)).unwrap()),
            vec![10],
        ),
        ("join", count(join.unwrap()), vec![250]),
        (
            "max",
            t().await
                .unwrap()
                .aggregate(vec![], vec![max(number.clone())]),
            vec![1099],
        ),
    ] {
        let batches = query.unwrap().collect().await.unwrap();
        let numbers = batches.iter().flat_map(|batch| {
            let column = batch.column(0).as_primitive::<Int64Type>();
            column.values().to_vec()
        });
        assert_eq!(numbers.collect::<Vec<_>>(), expected, "{name}");
    }
}

#[tokio::test]
async fn the_newest_rows_are_found_without_opening_old_segments() {
    let dir = tempfile::tempdir().unwrap();
    let store = ten_days(dir.path()).await;
    store.flush(None).await.unwrap();
    let session = session(&store.snapshot(workspace(1)));
    let rows = session.table("t").await.unwrap();
    let rows = rows
        .sort(vec![ident("TimeGenerated").sort(false, false)])
        .unwrap();
    let plan = rows
        .limit(0, Some(3))
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    let task = session.task_ctx();
    datafusion::physical_plan::collect(Arc::clone(&plan), task)
        .await
        .unwrap();
    let mut leaf = plan;
    while let Some(child) = leaf.children().first().map(|child| Arc::clone(child)) {
        leaf = child;
    }
    let opened = metric(&leaf, "segments_opened");
    assert!(opened < 5, "{opened} segments were opened");
}

fn session(snapshot: &Snapshot) -> SessionContext {
    let config = SessionConfig::new().with_target_partitions(3);
    let session = SessionContext::new_with_config(config);
    let provider = Arc::new(Provider(snapshot.clone()));
    session.register_table("t", provider).unwrap();
    session
}

/// The table as DataFusion's own planner sees tables.
#[derive(Debug)]
struct Provider(Snapshot);

#[async_trait]
impl TableProvider for Provider {
    fn schema(&self) -> SchemaRef {
        numbered_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = datafusion::common::DFSchema::try_from(self.schema())?;
        let predicate = conjunction(filters.to_vec());
        let predicate = predicate.map(|filter| state.create_physical_expr(filter, &schema));
        self.0.scan(&Scan {
            projection: projection.map(Vec::as_slice),
            predicate: predicate.transpose()?,
            fetch: limit,
            partitions: 3,
            ..Scan::new("T", self.schema())
        })
    }
}

#[tokio::test]
async fn footers_are_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), Config::default()).unwrap();
    put(&store, "a", 0..1000, 0).await;
    store.flush(None).await.unwrap();
    let mut scanned = Vec::new();
    for _ in 0..2 {
        let scan = Scan {
            projection: Some(&[1]),
            ..Scan::new("T", numbered_schema())
        };
        let plan = store.snapshot(workspace(1)).scan(&scan).unwrap();
        read_plan(Arc::clone(&plan)).await.unwrap();
        scanned.push(metric(&plan, "bytes_scanned"));
    }
    assert!(scanned[1] < scanned[0], "{scanned:?}");
}
