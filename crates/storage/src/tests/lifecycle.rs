//! Opening, closing, crashing, dropping.

use std::fs;

use super::support::*;
use crate::{Appended, Config, Error, State, Store};

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    store.flush(None).await.unwrap();
    put(&store, "b", 3..6, 0).await;
    let crashed = copied(dir.path());
    put(&store, "c", 6..9, 0).await;
    let reopened = open(crashed.path());
    assert_eq!(stored(&reopened).await, (0..6).collect::<Vec<_>>());
    assert_eq!(stored(&store).await, (0..9).collect::<Vec<_>>());
    put(&reopened, "c", 6..9, 0).await;
    assert_eq!(stored(&reopened).await, (0..9).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_second_store_on_the_same_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let error = Store::open(dir.path(), Config::default()).unwrap_err();
    assert!(matches!(error, Error::Locked { .. }), "{error}");
    store.close().await.unwrap();
    open(dir.path());
}

#[tokio::test]
async fn closing_flushes_and_refuses_what_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    let snapshot = store.snapshot(workspace(1));
    store.close().await.unwrap();
    store.close().await.unwrap();
    assert!(matches!(store.state(), State::Closed));
    let rows = vec![(table("T"), numbered(0..1, 0))];
    let error = store.append(workspace(1), id("b"), rows).await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
    assert!(matches!(
        store.flush(None).await.unwrap_err(),
        Error::Closed
    ));
    assert_eq!(numbers(&snapshot, "T").await.unwrap(), [0, 1, 2]);
    assert_eq!(segments(dir.path()).len(), 1);
    let reopened = open(dir.path());
    assert_eq!(reopened.status().log_bytes, 0);
    assert_eq!(stored(&reopened).await, [0, 1, 2]);
}

#[tokio::test]
async fn closing_in_no_time_leaves_the_rest_in_the_log() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config {
        close_flush_max: std::time::Duration::ZERO,
        ..Config::default()
    };
    let store = Store::open(dir.path(), config).unwrap();
    put(&store, "a", 0..3, 0).await;
    store.close().await.unwrap();
    assert!(segments(dir.path()).is_empty());
    assert_eq!(stored(&open(dir.path())).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_snapshot_stays_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    let early = store.snapshot(workspace(1));
    store.flush(None).await.unwrap();
    let middle = store.snapshot(workspace(1));
    put(&store, "b", 3..6, 0).await;
    store.drop_workspace(workspace(1)).await.unwrap();
    assert_eq!(segments(dir.path()).len(), 1, "a snapshot still reads it");
    for snapshot in [early, middle] {
        assert_eq!(numbers(&snapshot, "T").await.unwrap(), [0, 1, 2]);
    }
    assert_eq!(segments(dir.path()).len(), 0);
}

#[tokio::test]
async fn a_dropped_workspace_is_gone_and_others_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for number in [1, 2] {
        for batch in ["a", "b"] {
            let rows = vec![(table("T"), numbered(0..3, 0))];
            store
                .append(workspace(number), id(batch), rows)
                .await
                .unwrap();
            if batch == "a" {
                store.flush(None).await.unwrap();
            }
        }
    }
    store.drop_workspace(workspace(1)).await.unwrap();
    let check = async |store: &Store| {
        assert_eq!(store.workspaces(), [workspace(2)]);
        let other = numbers(&store.snapshot(workspace(2)), "T").await.unwrap();
        assert_eq!(other, [0, 0, 1, 1, 2, 2]);
        assert!(
            numbers(&store.snapshot(workspace(1)), "T")
                .await
                .unwrap()
                .is_empty()
        );
        assert_eq!(store.verify().unwrap(), []);
    };
    check(&store).await;
    assert_eq!(segments(dir.path()).len(), 1);
    drop(store);
    let store = open(dir.path());
    check(&store).await;
    // Its batch ids are forgotten with it.
    let rows = vec![(table("T"), numbered(0..3, 0))];
    let again = store.append(workspace(1), id("a"), rows).await.unwrap();
    assert_eq!(again, Appended::Stored);
}

#[tokio::test]
async fn files_of_unfinished_flushes_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    store.close().await.unwrap();
    let segment = segments(dir.path()).remove(0);
    for name in [
        "T-00000000000000ff.parquet",
        "T-0000000000000100.parquet.new",
    ] {
        fs::copy(&segment, segment.with_file_name(name)).unwrap();
    }
    let foreign = segment.with_file_name("notes.txt");
    fs::write(&foreign, "kept").unwrap();
    let store = open(dir.path());
    assert_eq!(segments(dir.path()), [segment]);
    assert!(foreign.exists());
    assert_eq!(stored(&store).await, [0, 1, 2]);
}

#[tokio::test]
async fn status_counts_rows_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    store.flush(None).await.unwrap();
    put(&store, "b", 3..5, 0).await;
    let rows = vec![(table("T"), numbered(3..5, 0))];
    store.append(workspace(1), id("b"), rows).await.unwrap();
    let status = store.status();
    let table = &status.workspaces[0].tables[0];
    assert_eq!(
        (table.segments, table.segment_rows, table.memtable_rows),
        (1, 3, 2)
    );
    assert_eq!(
        table.segment_bytes,
        fs::metadata(&segments(dir.path())[0]).unwrap().len()
    );
    assert!(table.memtable_bytes > 0 && table.memtable_bytes == status.memtable_bytes);
    assert!(status.log_bytes > 0 && status.log_bytes == status.workspaces[0].log_bytes);
    let ledger = fs::metadata(dir.path().join("ledger.redb")).unwrap().len();
    assert_eq!(status.ledger_file_bytes, ledger);
    let counters = status.counters;
    assert_eq!(
        (counters.batches, counters.rows, counters.duplicates),
        (2, 5, 1)
    );
    assert_eq!(store.snapshot(workspace(1)).rows("T"), 5);
    assert_eq!(
        store.tables(workspace(1)),
        [(super::support::table("T"), numbered_schema())]
    );
}
