//! Flushing: rows move from memory to segments without being seen twice or missed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use arrow::array::{Array, AsArray};
use arrow::datatypes::TimestampNanosecondType;
use schema::Type;

use super::sim_disk::{Faults, SimDisk};
use super::support::*;
use crate::{Config, Scan, Store};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_are_seen_exactly_once_while_flushing() {
    const BATCHES: i64 = 120;
    const ROWS: i64 = 7;
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()));
    let (begun, done) = (Arc::new(AtomicI64::new(0)), Arc::new(AtomicI64::new(0)));
    let finished = Arc::new(AtomicBool::new(false));
    let appending = {
        let (store, begun, done) = (Arc::clone(&store), Arc::clone(&begun), Arc::clone(&done));
        tokio::spawn(async move {
            for batch in 0..BATCHES {
                begun.store(batch + 1, Ordering::SeqCst);
                put(
                    &store,
                    &batch.to_string(),
                    batch * ROWS..(batch + 1) * ROWS,
                    batch,
                )
                .await;
                done.store(batch + 1, Ordering::SeqCst);
            }
        })
    };
    let flushing = {
        let (store, finished) = (Arc::clone(&store), Arc::clone(&finished));
        tokio::spawn(async move {
            while !finished.load(Ordering::SeqCst) {
                store.flush(Some(workspace(1))).await.unwrap();
            }
        })
    };
    let scans = async {
        loop {
            let last = appending.is_finished();
            let at_least = done.load(Ordering::SeqCst) * ROWS;
            let snapshot = store.snapshot(workspace(1));
            let at_most = begun.load(Ordering::SeqCst) * ROWS;
            let seen = numbers(&snapshot, "T").await.unwrap();
            let count = seen.len() as i64;
            assert_eq!(seen, (0..count).collect::<Vec<_>>());
            assert!(
                (at_least..=at_most).contains(&count),
                "{at_least} {count} {at_most}"
            );
            if last {
                break;
            }
        }
    };
    scans.await;
    finished.store(true, Ordering::SeqCst);
    flushing.await.unwrap();
    appending.await.unwrap();
    assert_eq!(stored(&store).await.len() as i64, BATCHES * ROWS);
    assert!(
        store.status().counters.flushes > 1,
        "nothing was flushed meanwhile"
    );
}

#[tokio::test]
async fn a_segment_is_sorted_by_time_with_rows_without_time_last() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for (batch, day) in [(0, 3), (1, 1), (2, 2)] {
        put(
            &store,
            &batch.to_string(),
            batch * 10..batch * 10 + 10,
            day * DAY,
        )
        .await;
    }
    let timeless = every_type().project(&[0, 1]).unwrap().slice(1, 1);
    let rows = vec![(table("T"), timeless)];
    store
        .append(workspace(1), id("timeless"), rows)
        .await
        .unwrap();
    store.flush(None).await.unwrap();
    let snapshot = store.snapshot(workspace(1));
    let rows = read(&snapshot, &Scan::new("T", numbered_schema()))
        .await
        .unwrap();
    let times = rows.column(0).as_primitive::<TimestampNanosecondType>();
    assert_eq!(times.null_count(), 1);
    assert!(times.is_null(30));
    assert!(times.values()[..30].is_sorted());
    assert_eq!(segments(dir.path()).len(), 1);
}

#[tokio::test]
async fn a_segment_says_what_it_is_without_a_manifest() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..10, 0).await;
    store.flush(None).await.unwrap();
    let file = std::fs::File::open(&segments(dir.path())[0]).unwrap();
    let metadata = SerializedFileReader::new(file).unwrap().metadata().clone();
    let described = metadata.file_metadata().key_value_metadata().unwrap();
    let value = |key: &str| {
        let pair = described.iter().find(|pair| pair.key == key).unwrap();
        pair.value.clone().unwrap()
    };
    assert_eq!(value("loggia.workspace"), workspace(1).to_string());
    assert_eq!(value("loggia.table"), "T");
    assert_eq!(
        metadata.row_group(0).sorting_columns().unwrap()[0].column_idx,
        0
    );
}

#[tokio::test]
async fn columns_that_came_later_read_as_null_or_empty_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let old = every_type().project(&[0, 1]).unwrap();
    let rows = vec![(table("T"), old.clone())];
    store
        .append(workspace(1), id("segment"), rows.clone())
        .await
        .unwrap();
    store.flush(None).await.unwrap();
    store
        .append(workspace(1), id("memtable"), rows)
        .await
        .unwrap();
    let new = vec![(table("T"), every_type())];
    store.append(workspace(1), id("new"), new).await.unwrap();
    for _ in 0..2 {
        let snapshot = store.snapshot(workspace(1));
        assert_eq!(snapshot.schema("T").unwrap(), every_type().schema());
        let scan = Scan::new("T", every_type().schema());
        let rows = read(&snapshot, &scan).await.unwrap();
        assert_eq!(rows.num_rows(), 12);
        for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
            let added = old.schema().field_with_name(field.name()).is_err();
            let nulls = match (added, field.is_nullable()) {
                (true, true) => 9,
                (false, true) => 3,
                (_, false) => 0,
            };
            assert_eq!(column.null_count(), nulls, "{}", field.name());
        }
        let texts = rows.column_by_name("Text").unwrap().as_string_view();
        assert_eq!(texts.iter().filter(|text| *text == Some("")).count(), 9);
        store.flush(None).await.unwrap();
    }
}

#[tokio::test]
async fn only_what_is_wanted_of_the_columns_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    store.flush(None).await.unwrap();
    put(&store, "b", 3..6, 0).await;
    let snapshot = store.snapshot(workspace(1));
    // Another order, a column less, and one that nothing was stored with.
    let wanted = columns(&[("Later", Type::Real), ("Number", Type::Long)]);
    let rows = read(&snapshot, &Scan::new("T", wanted)).await.unwrap();
    assert_eq!(rows.column(0).null_count(), 6);
    assert_eq!(column_of_numbers(&rows).len(), 6);
    let otherwise = columns(&[("Number", Type::Int)]);
    let error = read(&snapshot, &Scan::new("T", otherwise))
        .await
        .unwrap_err();
    assert!(
        error.contains("column `Number` of table `T` is of type long, not int"),
        "{error}"
    );
}

#[tokio::test]
async fn memory_over_its_limit_is_flushed_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        memtable_bytes_max: 10_000,
        ..Config::default()
    };
    let store = Store::open(dir.path(), config).unwrap();
    put(&store, "a", 0..1000, 0).await;
    wait_until(|| store.status().memtable_bytes <= 10_000).await;
    assert_eq!(segments(dir.path()).len(), 1);
    assert_eq!(stored(&store).await.len(), 1000);
}

#[tokio::test]
async fn a_log_over_its_limit_is_flushed_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        log_bytes_max: 30_000,
        ..Config::default()
    };
    let store = Store::open(dir.path(), config).unwrap();
    for (number, rows) in [(7, 100), (3, 1), (5, 1000)] {
        let rows = vec![(table("T"), numbered(0..rows, 0))];
        store
            .append(workspace(number), id("a"), rows)
            .await
            .unwrap();
    }
    wait_until(|| store.status().log_bytes <= 30_000).await;
    let status = store.status();
    let flushed = |number: u128| {
        let all = status.workspaces.iter();
        all.filter(|status| status.workspace == workspace(number))
            .any(|status| status.tables[0].segments == 1)
    };
    assert!(flushed(7) && flushed(3) && flushed(5));
}

#[tokio::test]
async fn old_records_are_flushed_and_young_ones_are_not() {
    let dir = tempfile::tempdir().unwrap();
    for (age, left) in [(Duration::MAX, true), (Duration::ZERO, false)] {
        let config = Config {
            flush_age: age,
            ..Config::default()
        };
        let store = Store::open(dir.path(), config).unwrap();
        put(&store, "a", 0..3, 0).await;
        crate::maintenance::flush_due(&store.shared).unwrap();
        assert_eq!(store.status().log_bytes > 0, left);
        assert_eq!(stored(&store).await, [0, 1, 2]);
    }
}

#[tokio::test]
async fn a_full_disk_fails_the_flush_and_nothing_else() {
    let disk = SimDisk::default();
    let open = || {
        Store::open_on(
            Arc::new(disk.clone()),
            Path::new("/data"),
            Config::default(),
        )
    };
    let store = open().unwrap();
    put(&store, "a", 0..3, 0).await;
    disk.set_faults(Faults {
        segments_full: true,
        ..Faults::default()
    });
    for _ in 0..2 {
        let error = store.flush(None).await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
        assert_eq!(stored(&store).await, [0, 1, 2]);
    }
    assert!(store.status().flush_error.is_some());
    put(&store, "b", 3..6, 0).await;
    disk.set_faults(Faults::default());
    store.flush(None).await.unwrap();
    let status = store.status();
    assert!(status.flush_error.is_none());
    assert_eq!((status.log_bytes, status.memtable_bytes), (0, 0));
    assert_eq!(stored(&store).await, (0..6).collect::<Vec<_>>());
    drop(store);
    assert_eq!(stored(&open().unwrap()).await, (0..6).collect::<Vec<_>>());
}

/// Lets other tasks and threads run until it is so.
async fn wait_until(mut so: impl FnMut() -> bool) {
    const TRIES: u32 = 10_000_000;
    for _ in 0..TRIES {
        if so() {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("it did not happen");
}
