//! A second place that knows how many commits were acknowledged.
//!
//! The file of the ledger holds its last two states, and one bit says which is valid: if that bit
//! flips, the file opens cleanly without its last commit. So the number of each commit is also noted
//! here once the commit is durable. The note is not synced: after a power cut it may be old, which
//! proves nothing and does no harm, but it is never ahead of what was durable.

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::file_system::{File, FileSystem, OpenMode};

#[derive(Debug)]
pub(super) struct Witness {
    file: Arc<dyn File>,
    commit: u64,
}

const NOTE_BYTES: usize = 12;

impl Witness {
    pub(super) fn open(fs: &dyn FileSystem, path: &Path) -> Result<Self> {
        let file = fs
            .open(path, OpenMode::Update)
            .map_err(Error::io("open", path))?;
        let size = file.size().map_err(Error::io("size", path))?;
        let mut note = [0; NOTE_BYTES];
        let commit = if size < NOTE_BYTES as u64 {
            0
        } else {
            let read = file.read_at(0, &mut note);
            read.map_err(Error::io("read", path))?;
            decode(&note).unwrap_or_else(|| {
                tracing::warn!(path = %path.display(), "the witness of commits is unreadable");
                0
            })
        };
        Ok(Self { file, commit })
    }

    /// The last commit that is known to have been durable; 0 if none is.
    pub(super) fn commit(&self) -> u64 {
        self.commit
    }

    /// Notes a commit that is durable. A failure costs no more than the witness.
    pub(super) fn note(&mut self, commit: u64) {
        self.commit = commit;
        if let Err(error) = self.file.write_at(0, &encode(commit)) {
            tracing::warn!(%error, "the witness of commits cannot be written");
        }
    }
}

fn encode(commit: u64) -> [u8; NOTE_BYTES] {
    let mut note = [0; NOTE_BYTES];
    note[..8].copy_from_slice(&commit.to_le_bytes());
    let crc = crc32fast::hash(&note[..8]);
    note[8..].copy_from_slice(&crc.to_le_bytes());
    note
}

fn decode(note: &[u8; NOTE_BYTES]) -> Option<u64> {
    let (commit, crc) = note.split_at(8);
    let commit = u64::from_le_bytes(commit.try_into().ok()?);
    (crc32fast::hash(&note[..8]).to_le_bytes() == crc).then_some(commit)
}
