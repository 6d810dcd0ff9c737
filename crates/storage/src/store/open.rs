//! From a data directory to a store: what is there, and whether it is whole.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::config::Config;
use crate::error::{Error, Result, SYNC};
use crate::file_system::FileSystem;
use crate::id::WorkspaceId;
use crate::ledger::load::Replayed;
use crate::ledger::{Ledger, LogEntry};
use crate::published::Tables;
use crate::segment::{DIRECTORY, EXTENSION, Segment, UNFINISHED};
use crate::store::shared::{Books, Shared};

const LOCK_FILE: &str = "lock";

pub(super) fn open(fs: Arc<dyn FileSystem>, dir: &Path, config: Config) -> Result<Shared> {
    let segments_dir = dir.join(DIRECTORY);
    create_dir(fs.as_ref(), dir)?;
    let lock_path = dir.join(LOCK_FILE);
    let lock = fs.lock(&lock_path).map_err(Error::io("lock", &lock_path))?;
    let lock = lock.ok_or_else(|| Error::Locked {
        dir: dir.to_owned(),
    })?;
    create_dir(fs.as_ref(), &segments_dir)?;
    let files = segment_files(fs.as_ref(), &segments_dir)?;
    let finished = files.iter().any(|path| has_suffix(path, EXTENSION));
    let ledger = Ledger::open(fs.as_ref(), dir, finished)?;
    let shared = Shared::new((config, fs, dir.to_owned()), lock, ledger);
    let mut books = shared.books.lock();
    let tables = load(&shared, &mut books, &files)?;
    drop(books);
    shared.published.publish(tables);
    Ok(shared)
}

/// Makes a directory whose name survives a power cut.
fn create_dir(fs: &dyn FileSystem, dir: &Path) -> Result<()> {
    fs.create_dir(dir).map_err(Error::io("create", dir))?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs.sync_dir(parent).map_err(Error::io(SYNC, parent))
        }
        _ => Ok(()),
    }
}

/// All files that are or would have become segments.
fn segment_files(fs: &dyn FileSystem, segments_dir: &Path) -> Result<Vec<PathBuf>> {
    let list = |dir: &Path| fs.list(dir).map_err(Error::io("list", dir));
    let mut files = Vec::new();
    for name in list(segments_dir)? {
        // What is not a workspace's directory is not the store's.
        if name.parse::<uuid::Uuid>().is_err() {
            continue;
        }
        let home = segments_dir.join(name);
        let paths = list(&home)?.into_iter().map(|name| home.join(name));
        files.extend(
            paths.filter(|path| has_suffix(path, EXTENSION) || has_suffix(path, UNFINISHED)),
        );
    }
    Ok(files)
}

fn has_suffix(path: &Path, suffix: &str) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(suffix))
}

fn load(
    shared: &Shared,
    books: &mut Books,
    files: &[PathBuf],
) -> Result<HashMap<WorkspaceId, Tables>> {
    let mut workspaces: HashMap<WorkspaceId, Tables> = HashMap::new();
    for (workspace, name, columns) in books.ledger.tables()? {
        let tables = workspaces.entry(workspace).or_default();
        tables.set_columns(&name, columns);
    }
    let mut orphans: HashSet<&PathBuf> = files.iter().collect();
    for entry in books.ledger.segments()? {
        let workspace = entry.workspace;
        let path = shared.dir.join(&entry.file);
        orphans.remove(&path);
        let segment = Segment::new(entry, path, Arc::clone(&shared.fs));
        segment.probe();
        let tables = workspaces.entry(workspace).or_default();
        tables.add_segment(Arc::new(segment));
    }
    let Books { ledger, log } = books;
    let seen = Instant::now();
    ledger.replay(|replayed| {
        let Replayed {
            workspace,
            sequence,
            bytes,
            record,
        } = replayed;
        let tables = workspaces.entry(workspace).or_default();
        for (name, rows) in &record.tables {
            tables.push(name, rows)?;
        }
        let entry = LogEntry {
            sequence,
            id: record.id,
            hash: record.hash,
            accepted: record.accepted,
            seen,
            bytes,
        };
        log.push(workspace, entry);
        Ok(())
    })?;
    remove_orphans(shared, orphans);
    Ok(workspaces)
}

/// Removes files of flushes that did not reach the manifest; the log has their rows.
fn remove_orphans(shared: &Shared, orphans: HashSet<&PathBuf>) {
    for path in orphans {
        tracing::info!(path = %path.display(), "removing a segment that no manifest has");
        if let Err(error) = shared.fs.remove(path) {
            tracing::warn!(path = %path.display(), %error, "a file cannot be removed");
        }
    }
}
