//! A disk in memory that can lose power, refuse to sync, or lie about it.
//!
//! What was not synced survives a power cut in part: of a file's writes any subset, of a write any
//! subset of its sectors, and of a directory's names all that were changed since its sync, or none.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::support::Random;
use crate::file_system::{File, FileSystem, OpenMode};

const SECTOR_BYTES: usize = 512;

/// Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct SimDisk(Arc<Mutex<State>>);

/// How a disk misbehaves. Counts are of operations on this disk, from 1.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// The operation that changes something at which the power goes.
    pub(super) power_cut_at: Option<u64>,
    /// The sync that fails.
    pub(super) sync_fails_at: Option<u64>,
    /// Whose syncs do nothing and say that they did.
    pub(super) liar: Option<Syncs>,
    /// Whether files that are becoming segments cannot be written, for want of space.
    pub(super) segments_full: bool,
}

/// What a sync is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Syncs {
    Ledger,
    Segments,
    Directories,
}

#[derive(Debug, Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, Name>,
    durable_names: BTreeMap<PathBuf, Name>,
    changes: u64,
    syncs: u64,
    faults: Faults,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Name {
    Directory,
    File(usize),
}

#[derive(Clone, Debug, Default)]
struct Node {
    content: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Edit>,
}

#[derive(Clone, Debug)]
enum Edit {
    Write(u64, Vec<u8>),
    SetLen(u64),
}

impl SimDisk {
    pub(super) fn new(faults: Faults) -> Self {
        let disk = Self::default();
        disk.set_faults(faults);
        disk
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        self.state().faults = faults;
    }

    /// Operations so far that change something.
    pub(super) fn changes(&self) -> u64 {
        self.state().changes
    }

    /// Syncs so far.
    pub(super) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// What a power cut leaves, by a seed: seeds divisible by 4 lose all that can be lost, those one
    /// above lose nothing, the others some.
    pub(super) fn after_power_cut(&self, seed: u64) -> Self {
        let state = self.state();
        let mut chance = Chance {
            random: Random::new(seed),
            kind: seed % 4,
        };
        let nodes = state
            .nodes
            .iter()
            .map(|node| node.after_cut(&mut chance))
            .collect();
        let names = surviving(&state.durable_names, &state.names, &mut chance);
        Self(Arc::new(Mutex::new(State {
            nodes,
            durable_names: names.clone(),
            names,
            ..State::default()
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        state.changes += 1;
        state.powered()?;
        Ok(state)
    }

    fn syncing(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.changing()?;
        state.syncs += 1;
        if state.faults.sync_fails_at == Some(state.syncs) {
            return Err(io::Error::other("the sync failed"));
        }
        Ok(state)
    }

    fn handle(&self, node: usize, path: &Path) -> Arc<dyn File> {
        let name = path.to_str().unwrap();
        Arc::new(Handle {
            disk: self.clone(),
            node,
            kind: match name.ends_with(".parquet.new") {
                true => Syncs::Segments,
                false => Syncs::Ledger,
            },
        })
    }
}

struct Chance {
    random: Random,
    kind: u64,
}

impl Chance {
    fn survives(&mut self) -> bool {
        match self.kind {
            0 => false,
            1 => true,
            _ => self.random.below(2) == 0,
        }
    }
}

fn surviving(
    durable: &BTreeMap<PathBuf, Name>,
    now: &BTreeMap<PathBuf, Name>,
    chance: &mut Chance,
) -> BTreeMap<PathBuf, Name> {
    let mut fates: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut names = BTreeMap::new();
    let paths = durable.keys().chain(now.keys());
    let paths: std::collections::BTreeSet<&PathBuf> = paths.collect();
    for path in paths {
        let parent = path.parent().map(Path::to_owned).unwrap_or_default();
        let top = parent.parent().is_none_or(|above| above == Path::new(""));
        if !top && names.get(&parent) != Some(&Name::Directory) {
            continue;
        }
        let new = *fates.entry(parent).or_insert_with(|| chance.survives());
        let name = if new {
            now.get(path)
        } else {
            durable.get(path)
        };
        names.extend(name.map(|name| (path.clone(), *name)));
    }
    names
}

impl Node {
    fn after_cut(&self, chance: &mut Chance) -> Self {
        let mut content = self.durable.clone();
        for edit in &self.unsynced {
            match edit {
                Edit::SetLen(len) if chance.survives() => content.resize(*len as usize, 0),
                Edit::SetLen(_) => {}
                Edit::Write(offset, bytes) => {
                    for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                        if chance.survives() {
                            let start = *offset as usize + number * SECTOR_BYTES;
                            write(&mut content, start, sector);
                        }
                    }
                }
            }
        }
        Self {
            durable: content.clone(),
            content,
            unsynced: Vec::new(),
        }
    }
}

fn write(content: &mut Vec<u8>, start: usize, bytes: &[u8]) {
    let end = start + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[start..end].copy_from_slice(bytes);
}

impl State {
    fn powered(&self) -> io::Result<()> {
        match self.faults.power_cut_at {
            Some(at) if self.changes >= at => Err(io::Error::other("the power is off")),
            _ => Ok(()),
        }
    }

    fn file(&self, path: &Path) -> Option<usize> {
        match self.names.get(path) {
            Some(Name::File(node)) => Some(*node),
            _ => None,
        }
    }
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl FileSystem for SimDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        for above in path
            .ancestors()
            .filter(|above| !above.as_os_str().is_empty())
        {
            state
                .names
                .entry(above.to_owned())
                .or_insert(Name::Directory);
        }
        Ok(())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        state.powered()?;
        let node = match (state.file(path), mode) {
            (Some(node), OpenMode::Read | OpenMode::Update) => node,
            (None, OpenMode::Read) => return Err(not_found()),
            _ => {
                drop(state);
                state = self.changing()?;
                state.nodes.push(Node::default());
                let node = state.nodes.len() - 1;
                state.names.insert(path.to_owned(), Name::File(node));
                node
            }
        };
        drop(state);
        Ok(self.handle(node, path))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        self.open(path, OpenMode::Update).map(Some)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        let name = state.names.remove(from).ok_or_else(not_found)?;
        state.names.insert(to.to_owned(), name);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.changing()?;
        state.names.remove(path).map(drop).ok_or_else(not_found)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.syncing()?;
        if state.faults.liar == Some(Syncs::Directories) {
            return Ok(());
        }
        let within = |name: &PathBuf| name.parent() == Some(path);
        let State {
            names,
            durable_names,
            ..
        } = &mut *state;
        durable_names.retain(|name, _| !within(name));
        let now = names.iter().filter(|(name, _)| within(name));
        durable_names.extend(now.map(|(name, node)| (name.clone(), *node)));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.powered()?;
        let within = state
            .names
            .keys()
            .filter(|name| name.parent() == Some(path));
        let names = within.filter_map(|name| name.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }
}

#[derive(Debug)]
struct Handle {
    disk: SimDisk,
    node: usize,
    kind: Syncs,
}

impl File for Handle {
    fn size(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.powered()?;
        Ok(state.nodes[self.node].content.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let state = self.disk.state();
        state.powered()?;
        let start = offset as usize;
        let content = &state.nodes[self.node].content;
        let bytes = content.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        if self.kind == Syncs::Segments && state.faults.segments_full {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let node = &mut state.nodes[self.node];
        write(&mut node.content, offset as usize, bytes);
        node.unsynced.push(Edit::Write(offset, bytes.to_vec()));
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.changing()?;
        let node = &mut state.nodes[self.node];
        node.content.resize(len as usize, 0);
        node.unsynced.push(Edit::SetLen(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.syncing()?;
        if state.faults.liar != Some(self.kind) {
            let node = &mut state.nodes[self.node];
            node.durable = node.content.clone();
            node.unsynced.clear();
        }
        Ok(())
    }
}
