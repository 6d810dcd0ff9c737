//! The power goes at any operation, a sync fails, or syncs lie.

use std::path::Path;
use std::sync::Arc;

use super::sim_disk::{Faults, SimDisk, Syncs};
use super::support::{DAY, id, numbered, numbers, table, workspace};
use crate::{Appended, Config, Error, State, Store};

/// Points at which the power is cut in a run of the tests; all there are if it is set to more.
const CUTS: u64 = 150;
/// About as many operations as opening a store after a crash takes.
const RECOVERY_CHANGES: u64 = 25;
const BATCHES: i64 = 8;
const BATCH_ROWS: i64 = 5;

#[tokio::test]
async fn a_power_cut_at_any_operation_loses_nothing_acknowledged() {
    let total = changes_of_a_run().await;
    let cuts = std::env::var("STORAGE_POWER_CUTS").ok();
    let cuts = cuts.map_or(CUTS, |cuts| cuts.parse().unwrap());
    for number in 0..cuts {
        let point = 1 + number * total / cuts;
        check_power_cut(point, number, None).await.unwrap();
    }
}

#[tokio::test]
async fn the_check_notices_a_disk_whose_syncs_lie() {
    let total = changes_of_a_run().await;
    for liar in [Syncs::Ledger, Syncs::Segments, Syncs::Directories] {
        let mut noticed = 0;
        for number in 1..=20 {
            let point = number * total / 20;
            let outcome = check_power_cut(point, 4 * number, Some(liar)).await;
            noticed += u64::from(outcome.is_err());
        }
        assert!(noticed > 0, "no lost sync of {liar:?} was noticed");
    }
}

#[tokio::test]
async fn a_failed_sync_makes_the_store_read_only_and_loses_nothing_acknowledged() {
    let disk = SimDisk::default();
    run(&disk).await;
    for point in 1..=disk.syncs() {
        let disk = SimDisk::new(Faults {
            sync_fails_at: Some(point),
            ..Faults::default()
        });
        let acknowledged = run(&disk).await;
        let Some(store) = acknowledged.store else {
            assert!(acknowledged.batches.is_empty(), "sync {point}");
            continue;
        };
        if acknowledged.batches.len() < BATCHES as usize || acknowledged.flush_failed {
            let state = store.state();
            assert!(
                matches!(state, State::ReadOnly { .. }),
                "sync {point}: {state:?}"
            );
            let refused = append(&store, BATCHES).await.unwrap_err();
            assert!(
                matches!(refused, Error::ReadOnly { .. }),
                "sync {point}: {refused}"
            );
            assert!(!refused.is_retryable());
        }
        // Reads go on, and show what was acknowledged.
        check_shown(&store, &acknowledged.batches).await.unwrap();
        drop(store);
        disk.set_faults(Faults::default());
        check_reopened(&disk.after_power_cut(point), &acknowledged.batches, point)
            .await
            .unwrap();
    }
}

/// What a run did before it was stopped.
struct Run {
    store: Option<Store>,
    /// The batches that were acknowledged.
    batches: Vec<i64>,
    flush_failed: bool,
}

/// Appends batches to a new store, two at a time, and flushes twice.
async fn run(disk: &SimDisk) -> Run {
    let mut done = Run {
        store: None,
        batches: Vec::new(),
        flush_failed: false,
    };
    let Ok(store) = open(disk) else { return done };
    for pair in 0..BATCHES / 2 {
        let (first, second) = (2 * pair, 2 * pair + 1);
        let outcomes = futures::join!(append(&store, first), append(&store, second));
        done.batches.extend(outcomes.0.is_ok().then_some(first));
        done.batches.extend(outcomes.1.is_ok().then_some(second));
        if pair < 2 {
            done.flush_failed |= store.flush(None).await.is_err();
        }
    }
    done.store = Some(store);
    done
}

fn open(disk: &SimDisk) -> crate::Result<Store> {
    Store::open_on(
        Arc::new(disk.clone()),
        Path::new("/data"),
        Config::default(),
    )
}

/// Each batch has rows in two tables; batches alternate between two workspaces.
async fn append(store: &Store, batch: i64) -> crate::Result<Appended> {
    let numbers = batch * BATCH_ROWS..(batch + 1) * BATCH_ROWS;
    let rows = vec![
        (table("A"), numbered(numbers.clone(), batch * DAY)),
        (table("B"), numbered(numbers, batch * DAY)),
    ];
    let workspace = workspace(batch as u128 % 2);
    store.append(workspace, id(&batch.to_string()), rows).await
}

async fn changes_of_a_run() -> u64 {
    let disk = SimDisk::default();
    let done = run(&disk).await;
    assert_eq!(done.batches, (0..BATCHES).collect::<Vec<_>>());
    disk.changes()
}

async fn check_power_cut(point: u64, seed: u64, liar: Option<Syncs>) -> Result<(), String> {
    let disk = SimDisk::new(Faults {
        power_cut_at: Some(point),
        liar,
        ..Faults::default()
    });
    let done = run(&disk).await;
    drop(done.store);
    let mut survived = disk.after_power_cut(seed);
    if seed.is_multiple_of(2) {
        // The power goes again while the store is being opened.
        survived.set_faults(Faults {
            power_cut_at: Some(1 + seed % RECOVERY_CHANGES),
            liar,
            ..Faults::default()
        });
        drop(open(&survived));
        survived = survived.after_power_cut(seed / 2);
    }
    check_reopened(&survived, &done.batches, seed)
        .await
        .map_err(|error| format!("power cut at {point} with seed {seed}: {error}"))
}

/// Acknowledged batches are whole and there once; others are whole or absent; all can be sent again.
async fn check_reopened(disk: &SimDisk, batches: &[i64], seed: u64) -> Result<(), String> {
    let store = open(disk).map_err(|error| error.to_string())?;
    check_shown(&store, batches).await?;
    let damaged = store.verify().map_err(|error| error.to_string())?;
    if !damaged.is_empty() {
        return Err(format!("{damaged:?}"));
    }
    for batch in 0..BATCHES {
        let again = append(&store, batch)
            .await
            .map_err(|error| error.to_string())?;
        if batches.contains(&batch) && again != Appended::Duplicate {
            return Err(format!("batch {batch} was stored twice"));
        }
    }
    if seed.is_multiple_of(3) {
        store.flush(None).await.map_err(|error| error.to_string())?;
    }
    check_shown(&store, &(0..BATCHES).collect::<Vec<_>>()).await
}

async fn check_shown(store: &Store, batches: &[i64]) -> Result<(), String> {
    for number in 0..2 {
        let snapshot = store.snapshot(workspace(number));
        let a = numbers(&snapshot, "A").await?;
        let b = numbers(&snapshot, "B").await?;
        if a != b {
            return Err(format!("half of a batch is there: {a:?} and {b:?}"));
        }
        for batch in 0..BATCHES {
            let rows = batch * BATCH_ROWS..(batch + 1) * BATCH_ROWS;
            let there = a.iter().filter(|number| rows.contains(number)).count() as i64;
            let mine = batch as u128 % 2 == number;
            let expected = mine && batches.contains(&batch);
            if there != BATCH_ROWS && (expected || there != 0) {
                return Err(format!("batch {batch} has {there} rows"));
            }
        }
    }
    Ok(())
}
