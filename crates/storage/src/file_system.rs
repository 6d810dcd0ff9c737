//! The file system as the store uses it: a seam, so that tests can make it fail or lose power.
//!
//! Segments, the ledger (through redb's own hook) and the witness all go through it. It has no
//! default implementations and no buffering: what the store must sync, it syncs by name.

use std::fmt::Debug;
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Files and directories.
pub trait FileSystem: Debug + Send + Sync + 'static {
    /// Makes a directory and those above it; one that exists is left as it is.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;

    /// Opens or creates a file and locks it until it is dropped; `None` if it is locked elsewhere,
    /// in this process or another.
    fn lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>>;

    /// Gives a file another name, in place of a file that bore it; not durable before the
    /// directory is synced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; not durable before the directory is synced.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// The names in a directory, in no particular order.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
}

/// An open file. Offsets and lengths are in bytes.
pub trait File: Debug + Send + Sync + 'static {
    /// How long it is.
    fn size(&self) -> io::Result<u64>;

    /// Fills the whole buffer from that offset on, or fails.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// Writes all bytes at that offset; not durable before a sync.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file, or extends it by zeros; not durable before a sync.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Makes content and length durable.
    fn sync(&self) -> io::Result<()>;
}

/// What a file is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Reading a file that exists.
    Read,
    /// Reading and writing; the file is created if it does not exist.
    Update,
    /// Writing from scratch; a file that exists is emptied.
    Create,
}

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl FileSystem for Disk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => &mut options,
            OpenMode::Update => options.write(true).create(true).truncate(false),
            OpenMode::Create => options.write(true).create(true).truncate(true),
        };
        Ok(Arc::new(DiskFile(options.open(path)?)))
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Arc<dyn File>>> {
        let file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Arc::new(DiskFile(file)))),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = fs::read_dir(path)?.map(|entry| {
            let name = entry?.file_name();
            Ok(name.to_string_lossy().into_owned())
        });
        names.collect()
    }
}

#[derive(Debug)]
struct DiskFile(fs::File);

impl File for DiskFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    /// `fdatasync`: it leaves out the times of the file, but not its length.
    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
