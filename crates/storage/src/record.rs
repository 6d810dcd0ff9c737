//! What one append is in the log: batch id, payload hash and the rows of each table, in one value.
//!
//! Rows lie there as Arrow IPC streams, uncompressed: a record lives until the next flush, and the
//! time that compression takes is time that a sender waits.

use std::io::Cursor;
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};

use crate::error::{Error, Result};
use crate::id::{BatchId, PayloadHash, TableName};

pub(crate) mod payload;

/// An append, as it is written to and read from the log.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) id: BatchId,
    pub(crate) hash: PayloadHash,
    /// When the store accepted it.
    pub(crate) accepted: SystemTime,
    /// Rows in canonical form; a table may come more than once.
    pub(crate) tables: Vec<(TableName, RecordBatch)>,
}

const VERSION: u8 = 1;
/// Arrow pads each buffer to this many bytes; more would only swell records of few rows.
const IPC_ALIGNMENT: usize = 8;

impl Record {
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut out = vec![VERSION];
        put_bytes(&mut out, self.id.as_str().as_bytes());
        out.extend_from_slice(&self.hash.0);
        out.extend_from_slice(&millis(self.accepted).to_le_bytes());
        out.extend_from_slice(&(self.tables.len() as u32).to_le_bytes());
        for (table, rows) in &self.tables {
            put_bytes(&mut out, table.as_str().as_bytes());
            let start = out.len();
            out.extend_from_slice(&[0; 8]);
            encode_rows(&mut out, rows).map_err(|error| Error::Rows {
                action: "encode rows of",
                table: table.clone(),
                reason: error.to_string(),
            })?;
            let bytes = (out.len() - start - 8) as u64;
            out[start..start + 8].copy_from_slice(&bytes.to_le_bytes());
        }
        Ok(out)
    }

    /// Reads what `encode` wrote; the text of an error says what does not fit.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut input = Input(bytes);
        let version = input.take(1)?[0];
        if version != VERSION {
            return Err(format!("log record of version {version}"));
        }
        let id = BatchId::new(input.text()?).map_err(|error| error.to_string())?;
        let hash = PayloadHash(input.array()?);
        let accepted = from_millis(u64::from_le_bytes(input.array()?));
        let count = u32::from_le_bytes(input.array()?);
        let mut tables = Vec::new();
        for _ in 0..count {
            let table = TableName::new(input.text()?).map_err(|error| error.to_string())?;
            let length = u64::from_le_bytes(input.array()?) as usize;
            let rows = decode_rows(input.take(length)?).map_err(|error| error.to_string())?;
            tables.push((table, rows));
        }
        Ok(Self {
            id,
            hash,
            accepted,
            tables,
        })
    }
}

/// Milliseconds since 1970; times before count as 1970.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

/// The inverse of `millis`.
pub(crate) fn from_millis(millis: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
}

fn encode_rows(out: &mut Vec<u8>, rows: &RecordBatch) -> Result<(), ArrowError> {
    let version = arrow_ipc::MetadataVersion::V5;
    let options = IpcWriteOptions::try_new(IPC_ALIGNMENT, false, version)?;
    let mut writer = StreamWriter::try_new_with_options(out, rows.schema_ref(), options)?;
    writer.write(rows)?;
    writer.finish()
}

fn decode_rows(bytes: &[u8]) -> Result<RecordBatch, ArrowError> {
    let mut reader = StreamReader::try_new(Cursor::new(bytes), None)?;
    let rows = reader.next().transpose()?;
    rows.ok_or_else(|| ArrowError::IpcError("no rows in the stream".to_owned()))
}

/// Names are at most a few hundred bytes, so that two bytes hold their length.
fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Bytes still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or_else(|| format!("{count} bytes expected, {} left", self.0.len()))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        Ok(taken
            .try_into()
            .expect("`take` gives as many as it is asked for"))
    }

    fn text(&mut self) -> Result<&'a str, String> {
        let length = u16::from_le_bytes(self.array()?);
        let bytes = self.take(usize::from(length))?;
        std::str::from_utf8(bytes).map_err(|error| error.to_string())
    }
}
