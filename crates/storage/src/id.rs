//! The names that storage goes by.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use crate::error::{Error, Result};

/// A workspace, by its GUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceId(pub Uuid);

impl WorkspaceId {
    pub(crate) const BYTES: usize = 16;

    pub(crate) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        self.0.as_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self)
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// The name of a table: letters, digits and `_`, so that it can stand in a file's name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TableName(Arc<str>);

impl TableName {
    /// Characters of a table's name.
    pub const LENGTH_MAX: usize = 100;

    /// Checks a name. Fails if it is empty, too long, or has other characters.
    pub fn new(name: &str) -> Result<Self> {
        let fits = (1..=Self::LENGTH_MAX).contains(&name.len());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if fits && name.bytes().all(plain) {
            return Ok(Self(name.into()));
        }
        Err(Error::InvalidName {
            what: "table name",
            name: name.into(),
        })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for TableName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The sender's name for a batch; a batch that is sent again bears the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(Arc<str>);

impl BatchId {
    /// Bytes of a batch id.
    pub const LENGTH_MAX: usize = 256;

    /// Checks an id. Fails if it is empty or too long.
    pub fn new(id: &str) -> Result<Self> {
        if (1..=Self::LENGTH_MAX).contains(&id.len()) {
            return Ok(Self(id.into()));
        }
        Err(Error::InvalidName {
            what: "batch id",
            name: id.into(),
        })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// SHA-256 of what a sender sent, which tells a retry from another batch under the same id.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PayloadHash(pub [u8; 32]);

impl fmt::Debug for PayloadHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A segment, numbered through the life of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentId(pub(crate) u64);
