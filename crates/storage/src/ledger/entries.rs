//! How the ledger writes its keys and values.

use std::sync::Arc;

use schema::Type;
use serde::{Deserialize, Serialize};

use crate::columns::Columns;
use crate::id::{BatchId, PayloadHash, SegmentId, TableName, WorkspaceId};
use crate::ledger::LogEntry;
use crate::memtable::Times;

/// What the whole store counts by. It is written with each commit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) format: u64,
    pub(super) commit: u64,
    pub(super) next_sequence: u64,
    pub(super) next_segment: u64,
    /// Records in the log, so that a lost one is missed.
    pub(super) records: u64,
    /// Segments in the manifest, likewise.
    pub(super) segments: u64,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            format: Self::FORMAT,
            commit: 0,
            next_sequence: 0,
            next_segment: 0,
            records: 0,
            segments: 0,
        }
    }
}

impl Head {
    pub(super) const FORMAT: u64 = 1;
    const FIELDS: usize = 6;

    pub(super) fn encode(&self) -> Vec<u8> {
        let fields: [u64; Self::FIELDS] = [
            self.format,
            self.commit,
            self.next_sequence,
            self.next_segment,
            self.records,
            self.segments,
        ];
        fields
            .iter()
            .flat_map(|field| field.to_le_bytes())
            .collect()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, redb::Error> {
        let fields = bytes.as_chunks::<8>().0.iter();
        let fields: Vec<u64> = fields.map(|field| u64::from_le_bytes(*field)).collect();
        let [
            format,
            commit,
            next_sequence,
            next_segment,
            records,
            segments,
        ] = fields[..]
        else {
            return Err(malformed("head"));
        };
        Ok(Self {
            format,
            commit,
            next_sequence,
            next_segment,
            records,
            segments,
        })
    }
}

/// A segment as the manifest knows it.
#[derive(Clone, Debug)]
pub(crate) struct SegmentEntry {
    pub(crate) id: SegmentId,
    pub(crate) workspace: WorkspaceId,
    pub(crate) table: TableName,
    /// The file, from the data directory on.
    pub(crate) file: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) times: Times,
    pub(crate) columns: Columns,
    /// CRC-32 of each block of the file.
    pub(crate) checksums: Arc<[u32]>,
}

#[derive(Serialize, Deserialize)]
struct SegmentValue {
    workspace: String,
    table: String,
    file: String,
    rows: u64,
    bytes: u64,
    times: Option<(i64, i64)>,
    rows_without_time: u64,
    columns: Vec<ColumnValue>,
}

#[derive(Serialize, Deserialize)]
struct ColumnValue {
    name: String,
    #[serde(rename = "type")]
    ty: String,
}

impl SegmentEntry {
    pub(super) fn encode(&self) -> Vec<u8> {
        json(&SegmentValue {
            workspace: self.workspace.to_string(),
            table: self.table.to_string(),
            file: self.file.clone(),
            rows: self.rows,
            bytes: self.bytes,
            times: self.times.range,
            rows_without_time: self.times.nulls,
            columns: column_values(&self.columns),
        })
    }

    pub(super) fn encode_checksums(&self) -> Vec<u8> {
        let checksums = self.checksums.iter();
        checksums.flat_map(|crc| crc.to_le_bytes()).collect()
    }

    pub(super) fn decode(key: &[u8], value: &[u8], sums: &[u8]) -> Result<Self, redb::Error> {
        let bad = || malformed("segment");
        let id = SegmentId(u64::from_be_bytes(key.try_into().map_err(|_| bad())?));
        let value: SegmentValue = serde_json::from_slice(value).map_err(|_| bad())?;
        let workspace = value.workspace.parse().map_err(|_| bad())?;
        let sums = sums.as_chunks::<4>().0.iter();
        Ok(Self {
            id,
            workspace: WorkspaceId(workspace),
            table: TableName::new(&value.table).map_err(|_| bad())?,
            file: value.file,
            rows: value.rows,
            bytes: value.bytes,
            times: Times {
                range: value.times,
                nulls: value.rows_without_time,
            },
            columns: columns(&value.columns).ok_or_else(bad)?,
            checksums: sums.map(|crc| u32::from_le_bytes(*crc)).collect(),
        })
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("structs of text and numbers always have a JSON form")
}

fn column_values(columns: &Columns) -> Vec<ColumnValue> {
    let values = columns.iter().map(|(name, ty)| ColumnValue {
        name: name.to_owned(),
        ty: ty.name().to_owned(),
    });
    values.collect()
}

fn columns(values: &[ColumnValue]) -> Option<Columns> {
    let columns = values
        .iter()
        .map(|value| Some((value.name.clone(), Type::from_name(&value.ty)?)));
    Some(Columns::new(columns.collect::<Option<Vec<_>>>()?))
}

pub(super) fn encode_columns(columns: &Columns) -> Vec<u8> {
    json(&column_values(columns))
}

pub(super) fn decode_columns(value: &[u8]) -> Result<Columns, redb::Error> {
    let values: Vec<ColumnValue> = serde_json::from_slice(value).map_err(|_| malformed("table"))?;
    columns(&values).ok_or_else(|| malformed("table"))
}

pub(super) fn table_key(workspace: WorkspaceId, table: &TableName) -> Vec<u8> {
    [workspace.as_bytes(), table.as_str().as_bytes()].concat()
}

pub(super) fn decode_table_key(key: &[u8]) -> Result<(WorkspaceId, TableName), redb::Error> {
    let (workspace, table) = split_workspace(key)?;
    let table = std::str::from_utf8(table).ok();
    let table = table.and_then(|table| TableName::new(table).ok());
    Ok((workspace, table.ok_or_else(|| malformed("table"))?))
}

pub(super) fn log_key(workspace: WorkspaceId, sequence: u64) -> Vec<u8> {
    [workspace.as_bytes().as_slice(), &sequence.to_be_bytes()].concat()
}

pub(super) fn decode_log_key(key: &[u8]) -> Result<(WorkspaceId, u64), redb::Error> {
    let (workspace, sequence) = split_workspace(key)?;
    let sequence = sequence.try_into().map_err(|_| malformed("log record"))?;
    Ok((workspace, u64::from_be_bytes(sequence)))
}

pub(super) fn batch_key(workspace: WorkspaceId, id: &BatchId) -> Vec<u8> {
    [workspace.as_bytes(), id.as_str().as_bytes()].concat()
}

pub(super) fn batch_value(record: &LogEntry) -> Vec<u8> {
    [record.hash.0.as_slice(), &record.sequence.to_be_bytes()].concat()
}

pub(super) fn batch_hash(value: &[u8]) -> Result<PayloadHash, redb::Error> {
    let hash = value.first_chunk().ok_or_else(|| malformed("batch"))?;
    Ok(PayloadHash(*hash))
}

pub(super) fn batch_sequence(value: &[u8]) -> Result<u64, redb::Error> {
    let sequence = value.last_chunk().ok_or_else(|| malformed("batch"))?;
    Ok(u64::from_be_bytes(*sequence))
}

pub(super) fn order_value(workspace: WorkspaceId, record: &LogEntry) -> Vec<u8> {
    let accepted = record.accepted_millis().to_be_bytes();
    [accepted.as_slice(), &batch_key(workspace, &record.id)].concat()
}

/// Milliseconds since 1970 at which a batch was accepted, and its key.
pub(super) fn order_batch(value: &[u8]) -> Result<(u64, &[u8]), redb::Error> {
    let (accepted, key) = value
        .split_first_chunk()
        .ok_or_else(|| malformed("batch"))?;
    Ok((u64::from_be_bytes(*accepted), key))
}

fn split_workspace(key: &[u8]) -> Result<(WorkspaceId, &[u8]), redb::Error> {
    let split = key.split_at_checked(WorkspaceId::BYTES);
    let split = split.and_then(|(id, rest)| Some((WorkspaceId::from_bytes(id)?, rest)));
    split.ok_or_else(|| malformed("key"))
}

pub(super) fn malformed(what: &str) -> redb::Error {
    redb::Error::Corrupted(format!("a {what} is not of the form that was written"))
}
