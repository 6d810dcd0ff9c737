//! redb's storage hook over ours.

use std::io;
use std::sync::Arc;

use redb::StorageBackend;

use crate::file_system::File;

/// A file as redb wants it. The lock on the data directory stands in for locks on ranges.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<dyn File>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_at(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, data)
    }
}
