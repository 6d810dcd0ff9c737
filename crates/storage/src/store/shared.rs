//! What the store's threads and callers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use crate::config::Config;
use crate::error::{Error, Result};
use crate::file_system::{File, FileSystem};
use crate::ledger::{Ledger, Log};
use crate::published::Published;
use crate::segment::FooterCache;
use crate::status::{Counting, State};

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) fs: Arc<dyn FileSystem>,
    pub(crate) dir: PathBuf,
    /// Whoever changes what is durable holds this until it is published, so that disk and memory
    /// never tell of different orders.
    pub(crate) books: Mutex<Books>,
    pub(crate) published: Published,
    pub(crate) footers: Arc<FooterCache>,
    pub(crate) queue: Queue,
    pub(crate) counting: Counting,
    /// Whether a long task should give up.
    pub(crate) stopping: AtomicBool,
    /// Why the last flush failed, until one succeeds.
    pub(crate) flush_error: Mutex<Option<Error>>,
    state: RwLock<State>,
    /// Holds the data directory until it is dropped.
    lock: Mutex<Option<Arc<dyn File>>>,
}

/// The ledger, and what is known of its log without reading it.
#[derive(Debug)]
pub(crate) struct Books {
    pub(crate) ledger: Ledger,
    pub(crate) log: Log,
}

impl Shared {
    pub(crate) fn new(
        (config, fs, dir): (Config, Arc<dyn FileSystem>, PathBuf),
        lock: Arc<dyn File>,
        ledger: Ledger,
    ) -> Self {
        let footers = Arc::new(FooterCache::new(config.footer_cache_bytes));
        let log = Log::default();
        Self {
            config,
            fs,
            dir,
            books: Mutex::new(Books { ledger, log }),
            published: Published::default(),
            footers,
            queue: Queue::default(),
            counting: Counting::default(),
            stopping: AtomicBool::new(false),
            flush_error: Mutex::new(None),
            state: RwLock::new(State::Open),
            lock: Mutex::new(Some(lock)),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.state.read().clone()
    }

    /// Fails unless the store takes changes.
    pub(crate) fn writable(&self) -> Result<()> {
        match &*self.state.read() {
            State::Open => Ok(()),
            State::ReadOnly { cause } => Err(Error::ReadOnly {
                reason: cause.to_string().into(),
            }),
            State::Closed => Err(Error::Closed),
        }
    }

    /// Takes no changes from now on: what the disk holds is unknown. The first cause stays.
    pub(crate) fn fail(&self, cause: &Error) {
        let mut state = self.state.write();
        if matches!(*state, State::Open) {
            tracing::error!(%cause, "the store is read-only from now on");
            *state = State::ReadOnly {
                cause: cause.clone(),
            };
        }
    }

    pub(crate) fn set_closed(&self) {
        *self.state.write() = State::Closed;
        self.lock.lock().take();
    }

    pub(crate) fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// What waits for the log.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    batches: AtomicUsize,
    bytes: AtomicU64,
}

/// A place in the queue, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Place {
    /// Takes a place for a record of so many bytes. A single one that is larger than the whole queue
    /// passes when nothing else waits.
    pub(crate) fn take(shared: &Arc<Shared>, bytes: u64) -> Result<Self> {
        let queue = &shared.queue;
        let place = Self {
            shared: Arc::clone(shared),
            bytes,
        };
        let batches_before = queue.batches.fetch_add(1, Ordering::Relaxed);
        let bytes_before = queue.bytes.fetch_add(bytes, Ordering::Relaxed);
        let full = batches_before >= shared.config.queue_batches_max
            || (batches_before > 0 && bytes_before + bytes > shared.config.queue_bytes_max);
        if full {
            return Err(Error::QueueFull {
                batches: batches_before,
                bytes: bytes_before,
            });
        }
        Ok(place)
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let queue = &self.shared.queue;
        queue.batches.fetch_sub(1, Ordering::Relaxed);
        queue.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}
