//! Appending: what is stored, what is recognised, what is refused.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch, StringArray, StringViewArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema};
use schema::Type;

use super::support::*;
use crate::{Appended, Config, Error, PayloadHash, Scan, Store, TableName};

#[tokio::test]
async fn every_kql_type_survives_memtable_segment_and_restart() {
    let dir = tempfile::tempdir().unwrap();
    let rows = every_type();
    let store = open(dir.path());
    let batch = vec![(table("T"), rows.clone())];
    store.append(workspace(1), id("a"), batch).await.unwrap();
    let scan = Scan::new("T", rows.schema());
    let in_memory = read(&store.snapshot(workspace(1)), &scan).await.unwrap();
    assert_eq!(in_memory, rows);

    drop(store);
    let store = open(dir.path());
    let replayed = read(&store.snapshot(workspace(1)), &scan).await.unwrap();
    assert_eq!(replayed, rows);

    store.flush(None).await.unwrap();
    let sorted = [3, 2, 0, 1].map(|row| rows.slice(row, 1));
    let sorted = concat_batches(&rows.schema(), &sorted).unwrap();
    let in_segment = read(&store.snapshot(workspace(1)), &scan).await.unwrap();
    assert_eq!(in_segment, sorted);

    store.close().await.unwrap();
    let store = open(dir.path());
    let reopened = read(&store.snapshot(workspace(1)), &scan).await.unwrap();
    assert_eq!(reopened, sorted);
}

#[tokio::test]
async fn a_batch_that_comes_again_is_acknowledged_and_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    for round in 0..3 {
        let rows = vec![(table("T"), numbered(0..3, 0))];
        let again = store.append(workspace(1), id("a"), rows).await.unwrap();
        assert_eq!(again, Appended::Duplicate, "round {round}");
        assert_eq!(stored(&store).await, [0, 1, 2], "round {round}");
        match round {
            0 => store.flush(None).await.unwrap(),
            _ => {
                store.close().await.unwrap();
                store = open(dir.path());
            }
        }
    }
    // The id is the workspace's own.
    let rows = vec![(table("T"), numbered(0..3, 0))];
    let elsewhere = store.append(workspace(2), id("a"), rows).await.unwrap();
    assert_eq!(elsewhere, Appended::Stored);
}

#[tokio::test]
async fn a_batch_id_with_another_payload_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    for round in 0..3 {
        let rows = vec![(table("T"), numbered(0..4, 0))];
        let error = store.append(workspace(1), id("a"), rows).await.unwrap_err();
        assert!(
            matches!(error, Error::BatchConflict { .. }),
            "round {round}: {error}"
        );
        assert!(!error.is_retryable());
        assert_eq!(stored(&store).await, [0, 1, 2], "round {round}");
        match round {
            0 => store.flush(None).await.unwrap(),
            _ => {
                drop(store);
                store = open(dir.path());
            }
        }
    }
    assert_eq!(store.status().counters.refused, 0, "counters begin anew");
}

#[tokio::test]
async fn the_same_content_in_other_buffers_is_the_same_batch() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 5..8, 5 * 1_000_000_000).await;
    let sliced = numbered(0..20, 0).slice(5, 3);
    let rows = vec![(table("T"), sliced)];
    let again = store.append(workspace(1), id("a"), rows).await.unwrap();
    assert_eq!(again, Appended::Duplicate);
}

#[tokio::test]
async fn the_time_of_receipt_is_not_part_of_a_batchs_content() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let received = |nanos: i64| {
        let schema = columns(&[("Number", Type::Long), ("_TimeReceived", Type::Datetime)]);
        let times = arrow::array::TimestampNanosecondArray::from(vec![nanos]);
        let columns: Vec<arrow::array::ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1])),
            Arc::new(times.with_timezone("UTC")),
        ];
        vec![(table("T"), RecordBatch::try_new(schema, columns).unwrap())]
    };
    let first = store
        .append(workspace(1), id("a"), received(1))
        .await
        .unwrap();
    let second = store
        .append(workspace(1), id("a"), received(2))
        .await
        .unwrap();
    assert_eq!((first, second), (Appended::Stored, Appended::Duplicate));
}

#[tokio::test]
async fn a_senders_own_hash_decides_over_the_rows() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let append = async |hash: u8, numbers| {
        let rows = vec![(table("T"), numbered(numbers, 0))];
        let hash = PayloadHash([hash; 32]);
        store.append_hashed(workspace(1), id("a"), hash, rows).await
    };
    assert_eq!(append(1, 0..2).await.unwrap(), Appended::Stored);
    assert_eq!(append(1, 7..9).await.unwrap(), Appended::Duplicate);
    assert!(matches!(
        append(2, 0..2).await.unwrap_err(),
        Error::BatchConflict { .. }
    ));
}

#[tokio::test]
async fn batch_ids_are_forgotten_by_number_after_their_flush() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        batch_ids_max: 2,
        ..Config::default()
    };
    let store = Store::open(dir.path(), config).unwrap();
    for number in 0..4 {
        put(&store, &number.to_string(), number..number + 1, 0).await;
    }
    store.flush(None).await.unwrap();
    let append = async |number: i64| {
        let rows = vec![(table("T"), numbered(number..number + 1, 0))];
        store
            .append(workspace(1), id(&number.to_string()), rows)
            .await
            .unwrap()
    };
    assert_eq!(append(3).await, Appended::Duplicate);
    assert_eq!(append(2).await, Appended::Duplicate);
    assert_eq!(append(1).await, Appended::Stored);
}

#[tokio::test]
async fn batch_ids_are_forgotten_by_age_after_their_flush() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        batch_ids_age: std::time::Duration::ZERO,
        ..Config::default()
    };
    let store = Store::open(dir.path(), config).unwrap();
    put(&store, "a", 0..1, 0).await;
    let rows = || vec![(table("T"), numbered(0..1, 0))];
    let unflushed = store.append(workspace(1), id("a"), rows()).await.unwrap();
    assert_eq!(unflushed, Appended::Duplicate);
    store.flush(None).await.unwrap();
    let flushed = store.append(workspace(1), id("a"), rows()).await.unwrap();
    assert_eq!(flushed, Appended::Stored);
}

#[tokio::test]
#[expect(
    clippy::await_holding_lock,
    reason = "the lock keeps the log's thread from committing"
)]
async fn what_waits_goes_into_one_commit_and_more_is_refused() {
    const WAITING: usize = 20;
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        queue_batches_max: WAITING,
        ..Config::default()
    };
    let store = Arc::new(Store::open(dir.path(), config).unwrap());
    let books = store.shared.books.lock();
    let appends: Vec<_> = (0..WAITING as i64)
        .map(|number| {
            let store = Arc::clone(&store);
            let rows = vec![(table("T"), numbered(number..number + 1, 0))];
            let id = id(&number.to_string());
            async move { store.append(workspace(1), id, rows).await }
        })
        .collect();
    let mut appends = Box::pin(futures::future::join_all(appends));
    assert!(futures::poll!(appends.as_mut()).is_pending());
    let rows = vec![(table("T"), numbered(99..100, 0))];
    let refused = store.append(workspace(1), id("x"), rows).await.unwrap_err();
    assert!(matches!(refused, Error::QueueFull { .. }), "{refused}");
    assert!(refused.is_retryable());
    drop(books);
    for appended in appends.await {
        assert_eq!(appended.unwrap(), Appended::Stored);
    }
    // The first may have been taken alone, before the others came.
    assert!(store.status().counters.commits <= 2);
    assert_eq!(
        stored(&store).await,
        (0..WAITING as i64).collect::<Vec<_>>()
    );
}

#[tokio::test]
#[expect(
    clippy::await_holding_lock,
    reason = "the lock keeps the log's thread from committing"
)]
async fn one_commit_sorts_out_its_own_duplicates_and_conflicts() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let books = store.shared.books.lock();
    let append = |batch: &str, numbers| {
        let rows = vec![(table("T"), numbered(numbers, 0))];
        store.append(workspace(1), id(batch), rows)
    };
    let mut appends = Box::pin(futures::future::join5(
        append("a", 0..1),
        append("b", 1..2),
        append("b", 1..2),
        append("b", 7..9),
        append("c", 2..3),
    ));
    assert!(futures::poll!(appends.as_mut()).is_pending());
    drop(books);
    let (a, b, again, conflict, c) = appends.await;
    assert_eq!([a.unwrap(), b.unwrap(), c.unwrap()], [Appended::Stored; 3]);
    assert_eq!(again.unwrap(), Appended::Duplicate);
    assert!(matches!(conflict.unwrap_err(), Error::BatchConflict { .. }));
    assert_eq!(stored(&store).await, [0, 1, 2]);
}

#[tokio::test]
async fn full_memtables_refuse_appends_until_a_flush() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        memtable_bytes_limit: 0,
        ..Config::default()
    };
    let store = Store::open(dir.path(), config).unwrap();
    put(&store, "a", 0..3, 0).await;
    let rows = || vec![(table("T"), numbered(3..4, 0))];
    let error = store
        .append(workspace(1), id("b"), rows())
        .await
        .unwrap_err();
    assert!(matches!(error, Error::MemtablesFull { .. }), "{error}");
    assert!(error.is_retryable());
    store.flush(None).await.unwrap();
    store.append(workspace(1), id("b"), rows()).await.unwrap();
    assert_eq!(stored(&store).await, [0, 1, 2, 3]);
}

#[tokio::test]
async fn an_append_to_many_tables_is_all_or_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    let schema = columns(&[("Number", Type::String)]);
    let texts = Arc::new(StringViewArray::from(vec!["1"]));
    let conflicting = RecordBatch::try_new(schema, vec![texts]).unwrap();
    let rows = vec![(table("New"), numbered(3..4, 0)), (table("T"), conflicting)];
    let error = store.append(workspace(1), id("b"), rows).await.unwrap_err();
    let said = "column `Number` of table `T` is of type long, not string";
    assert_eq!(error.to_string(), said);
    assert_eq!(store.tables(workspace(1)).len(), 1);
    assert_eq!(stored(&store).await, [0, 1, 2]);
    // The id was not used up.
    put(&store, "b", 3..4, 0).await;
}

#[tokio::test]
async fn a_table_may_come_twice_in_one_batch() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let rows = vec![
        (table("T"), numbered(0..2, 0)),
        (table("T"), numbered(2..4, 0)),
    ];
    store.append(workspace(1), id("a"), rows).await.unwrap();
    assert_eq!(stored(&store).await, [0, 1, 2, 3]);
}

#[tokio::test]
async fn rows_of_the_wrong_form_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let refused = async |field: Field, column: arrow::array::ArrayRef| {
        let schema = Arc::new(Schema::new(vec![field]));
        let rows = RecordBatch::try_new(schema, vec![column]).unwrap();
        let rows = vec![(table("T"), rows)];
        store
            .append(workspace(1), id("a"), rows)
            .await
            .unwrap_err()
            .to_string()
    };
    let not_a_view = Arc::new(StringArray::from(vec!["x"]));
    assert_eq!(
        refused(Field::new("Text", DataType::Utf8, false), not_a_view).await,
        "column `Text` of table `T` is of type Utf8View, not Utf8"
    );
    let with_null = Arc::new(StringViewArray::from(vec![None::<&str>]));
    let said = refused(Field::new("Text", DataType::Utf8View, true), with_null).await;
    assert!(
        said.starts_with("rows for table `T` are not valid:"),
        "{said}"
    );
    assert!(said.contains("Text"), "{said}");
}

#[tokio::test]
async fn rows_without_columns_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(3));
    let empty = Arc::new(Schema::empty());
    let rows = RecordBatch::try_new_with_options(empty, vec![], &options).unwrap();
    let rows = vec![(table("T"), rows)];
    let error = store.append(workspace(1), id("a"), rows).await.unwrap_err();
    assert!(matches!(error, Error::InvalidRows { .. }), "{error}");
}

#[tokio::test]
async fn any_column_name_will_do() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    // One of the names is usually that of an instant.
    let names = ["a.b", "", "ü x", "\"", "TimeGenerated", "timegenerated"];
    let schema = columns(&names.map(|name| (name, Type::String)));
    let column: arrow::array::ArrayRef = Arc::new(StringViewArray::from(vec!["x", "y"]));
    let rows = RecordBatch::try_new(schema.clone(), vec![column; names.len()]).unwrap();
    for batch in ["a", "b"] {
        let again = vec![(table("T"), rows.clone())];
        store.append(workspace(1), id(batch), again).await.unwrap();
        let snapshot = store.snapshot(workspace(1));
        let found = read(&snapshot, &Scan::new("T", schema.clone()))
            .await
            .unwrap();
        assert_eq!(found.slice(0, 2), rows);
        for name in names {
            let value = datafusion::scalar::ScalarValue::from("y");
            let value = value.cast_to(&DataType::Utf8View).unwrap();
            let equal = compare(&schema, name, datafusion::logical_expr::Operator::Eq, value);
            let scan = Scan {
                predicate: Some(equal),
                ..Scan::new("T", schema.clone())
            };
            let found = read(&snapshot, &scan).await.unwrap();
            assert!(found.num_rows() >= 1, "{name}");
        }
        store.flush(None).await.unwrap();
    }
}

#[tokio::test]
async fn limits_are_held() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        workspaces_max: 1,
        tables_max: 2,
        columns_max: 3,
        batch_bytes_max: 4096,
        ..Config::default()
    };
    let store = Store::open(dir.path(), config).unwrap();
    let append = async |name: &str, rows: RecordBatch| {
        let batch = id(&format!("{name} {}", rows.num_rows()));
        store
            .append(workspace(1), batch, vec![(table(name), rows)])
            .await
    };
    append("A", numbered(0..1, 0)).await.unwrap();
    append("B", numbered(0..1, 0)).await.unwrap();
    let error = append("C", numbered(0..1, 0)).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("would have 3 tables, the limit is 2"),
        "{error}"
    );
    let error = append("A", every_type()).await.unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("would have 10 columns, the limit is 3"),
        "{error}"
    );
    let error = append("A", numbered(0..1000, 0)).await.unwrap_err();
    assert!(
        matches!(error, Error::BatchTooLarge { limit: 4096, .. }),
        "{error}"
    );
    let elsewhere = vec![(table("A"), numbered(0..1, 0))];
    let error = store
        .append(workspace(2), id("a"), elsewhere)
        .await
        .unwrap_err();
    let said = "the store would have 2 workspaces, the limit is 1";
    assert_eq!(error.to_string(), said);
    assert!(TableName::new("../x").is_err() && TableName::new("").is_err());
    assert!(crate::BatchId::new("").is_err() && crate::BatchId::new(&"x".repeat(257)).is_err());
}

#[tokio::test]
async fn many_small_batches_are_few_chunks() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut appends = Vec::new();
    for number in 0..2000 {
        let rows = vec![(table("T"), numbered(number..number + 1, number))];
        appends.push(store.append(workspace(1), id(&number.to_string()), rows));
    }
    for appended in futures::future::join_all(appends).await {
        appended.unwrap();
    }
    let tables = store.shared.published.tables(workspace(1));
    let chunks = tables.get("T").unwrap().active.chunks().len();
    assert!(chunks < 64, "{chunks} chunks");
    assert_eq!(stored(&store).await, (0..2000).collect::<Vec<_>>());
}
