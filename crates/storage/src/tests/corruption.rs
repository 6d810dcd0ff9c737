//! Files that are not what was written: nothing is skipped in silence.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use datafusion::logical_expr::Operator;

use super::support::*;
use crate::{Config, Error, Scan, Store};

/// Bits that are flipped in a file, beside all those of its first bytes.
const FLIPS: u64 = 250;
/// The part of the ledger's file that says which of its two last states is valid.
const LEDGER_HEADER_BYTES: u64 = 16;
const PAGE_BYTES: usize = 4096;

/// A directory with rows in two segments and in the log, as a crash leaves it.
async fn crashed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    for batch in 0..6 {
        put(
            &store,
            &batch.to_string(),
            batch * 100..(batch + 1) * 100,
            batch * DAY,
        )
        .await;
        if batch == 1 || batch == 3 {
            store.flush(None).await.unwrap();
        }
    }
    copied(dir.path())
}

#[test]
fn a_flipped_bit_of_the_ledger_loses_no_row_in_silence() {
    let dir = block_on(crashed());
    check_flips(
        dir.path(),
        &dir.path().join("ledger.redb"),
        LEDGER_HEADER_BYTES,
    );
}

#[test]
fn a_flipped_bit_of_a_cleanly_closed_ledger_loses_no_row_in_silence() {
    let dir = block_on(crashed());
    let config = Config {
        close_flush_max: std::time::Duration::ZERO,
        ..Config::default()
    };
    let store = Store::open(dir.path(), config).unwrap();
    block_on(store.close()).unwrap();
    let ledger = dir.path().join("ledger.redb");
    check_flips(dir.path(), &ledger, LEDGER_HEADER_BYTES);
}

#[test]
fn a_lost_page_of_the_ledger_loses_no_row_in_silence() {
    let dir = block_on(crashed());
    let ledger = dir.path().join("ledger.redb");
    let pages = fs::metadata(&ledger).unwrap().len() as usize / PAGE_BYTES;
    let losses = (0..pages).map(|page| {
        let lose = move |content: &mut Vec<u8>| {
            content[page * PAGE_BYTES..(page + 1) * PAGE_BYTES].fill(0);
        };
        (format!("page {page}"), lose)
    });
    check_changed(dir.path(), &ledger, losses);
}

#[test]
fn a_ledger_that_was_cut_short_loses_no_row_in_silence() {
    let dir = block_on(crashed());
    let ledger = dir.path().join("ledger.redb");
    let bytes = fs::metadata(&ledger).unwrap().len() as usize;
    let cuts = (0..20).map(|part| {
        let left = bytes - (part * bytes).div_ceil(20);
        (format!("{left} bytes"), move |content: &mut Vec<u8>| {
            content.truncate(left);
        })
    });
    check_changed(dir.path(), &ledger, cuts);
}

#[test]
fn a_flipped_bit_of_a_segment_loses_no_row_in_silence() {
    let dir = block_on(crashed());
    check_flips(dir.path(), &segments(dir.path())[0], 8);
}

#[test]
fn a_flipped_bit_of_the_witness_loses_no_row() {
    let dir = block_on(crashed());
    check_flips(dir.path(), &dir.path().join("witness"), 12);
}

/// Flips single bits: of the first bytes all, of the rest some.
fn check_flips(dir: &Path, file: &Path, head_bytes: u64) {
    let bits = fs::metadata(file).unwrap().len() * 8;
    let mut random = Random::new(bits);
    let some = (0..FLIPS).map(|_| random.below(bits));
    let flips = (0..head_bytes * 8).chain(some).map(|bit| {
        let flip = move |content: &mut Vec<u8>| content[bit as usize / 8] ^= 1 << (bit % 8);
        (format!("bit {bit}"), flip)
    });
    check_changed(dir, file, flips);
}

/// Changes a file: the store must fail loudly, or answer as if nothing had been.
fn check_changed(
    dir: &Path,
    file: &Path,
    changes: impl Iterator<Item = (String, impl Fn(&mut Vec<u8>))>,
) {
    let expected = answer(copied(dir).path()).unwrap();
    assert_eq!(expected.num_rows(), 600);
    let content = fs::read(file).unwrap();
    let (mut loud, mut unchanged) = (0, 0);
    let name = file.strip_prefix(dir).unwrap();
    for (what, change) in changes {
        let copy = copied(dir);
        let mut changed = content.clone();
        change(&mut changed);
        fs::write(copy.path().join(name), changed).unwrap();
        match answer(copy.path()) {
            Err(_) => loud += 1,
            Ok(rows) => {
                assert!(rows == expected, "{what} of {}", name.display());
                unchanged += 1;
            }
        }
    }
    // The witness may be lost without harm. A segment is covered by checksums to its last bit.
    let (witness, segment) = (name == Path::new("witness"), name.starts_with("segments"));
    assert!(witness || loud > 0, "no change was noticed");
    assert!(segment || unchanged > 0, "no change was without effect");
}

fn answer(dir: &Path) -> Result<RecordBatch, String> {
    let store = Store::open(dir, Config::default()).map_err(|error| error.to_string())?;
    let snapshot = store.snapshot(workspace(1));
    block_on(read(&snapshot, &Scan::new("T", numbered_schema())))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(future)
}

/// A store with one segment that was tampered with before it was opened.
async fn tampered(tamper: impl FnOnce(&Path)) -> (tempfile::TempDir, Store, PathBuf) {
    let dir = crashed().await;
    let segment = segments(dir.path()).remove(0);
    tamper(&segment);
    let store = open(dir.path());
    (dir, store, segment)
}

async fn check_damaged(store: &Store, segment: &Path) {
    let snapshot = store.snapshot(workspace(1));
    let error = numbers(&snapshot, "T").await.unwrap_err();
    assert!(error.contains(segment.to_str().unwrap()), "{error}");
    assert!(error.contains("table `T`"), "{error}");
    // What surely lies elsewhere is still answered.
    let schema = numbered_schema();
    let scan = Scan {
        predicate: Some(time_is(&schema, Operator::GtEq, 4 * DAY)),
        ..Scan::new("T", schema)
    };
    assert_eq!(read(&snapshot, &scan).await.unwrap().num_rows(), 200);
    let damaged = &store.status().workspaces[0].tables[0].damaged;
    assert_eq!(damaged.len(), 1);
    assert_eq!(damaged[0].path, segment);
    assert_eq!(&store.verify().unwrap(), damaged);
    // Appending and flushing go on.
    put(store, "more", 600..700, 6 * DAY).await;
    store.flush(None).await.unwrap();
}

#[tokio::test]
async fn a_missing_segment_is_reported_by_name() {
    let (_dir, store, segment) = tampered(|segment| fs::remove_file(segment).unwrap()).await;
    check_damaged(&store, &segment).await;
}

#[tokio::test]
async fn a_truncated_segment_is_reported_by_name() {
    let (_dir, store, segment) = tampered(|segment| {
        let content = fs::read(segment).unwrap();
        fs::write(segment, &content[..content.len() - 1]).unwrap();
    })
    .await;
    check_damaged(&store, &segment).await;
}

#[tokio::test]
async fn another_file_in_a_segments_place_is_reported_by_name() {
    let (_dir, store, segment) = tampered(|segment| {
        let length = fs::metadata(segment).unwrap().len();
        fs::write(segment, vec![0; length as usize]).unwrap();
    })
    .await;
    check_damaged(&store, &segment).await;
}

#[tokio::test]
async fn damage_that_comes_later_is_found_by_verifying() {
    let dir = crashed().await;
    let store = open(dir.path());
    assert_eq!(store.verify().unwrap(), []);
    let segment = segments(dir.path()).remove(0);
    let mut content = fs::read(&segment).unwrap();
    content[100] ^= 1;
    fs::write(&segment, content).unwrap();
    assert_eq!(store.verify().unwrap().len(), 1);
    check_damaged(&store, &segment).await;
}

#[tokio::test]
async fn damage_that_comes_later_fails_the_scan_that_reads_it() {
    let dir = crashed().await;
    let store = open(dir.path());
    let segment = segments(dir.path()).remove(0);
    let mut content = fs::read(&segment).unwrap();
    content[100] ^= 1;
    fs::write(&segment, content).unwrap();
    check_damaged(&store, &segment).await;
}

#[tokio::test]
async fn segments_without_a_ledger_are_not_taken_for_orphans() {
    let dir = crashed().await;
    fs::remove_file(dir.path().join("ledger.redb")).unwrap();
    let error = Store::open(dir.path(), Config::default()).unwrap_err();
    assert!(matches!(error, Error::ManifestMissing { .. }), "{error}");
    assert!(error.is_damage());
    assert_eq!(segments(dir.path()).len(), 2);
}

#[tokio::test]
async fn an_older_ledger_in_place_of_the_newest_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    put(&store, "a", 0..3, 0).await;
    let old = fs::read(dir.path().join("ledger.redb")).unwrap();
    put(&store, "b", 3..6, 0).await;
    let crashed = copied(dir.path());
    fs::write(crashed.path().join("ledger.redb"), old).unwrap();
    let error = Store::open(crashed.path(), Config::default()).unwrap_err();
    assert!(matches!(error, Error::CommitsLost { .. }), "{error}");
    fs::remove_file(crashed.path().join("witness")).unwrap();
    assert_eq!(stored(&open(crashed.path())).await, [0, 1, 2]);
}
