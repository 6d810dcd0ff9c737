//! Dealing records to files as Azure's export to storage does: a file for each category, resource
//! and hour.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/platform/resource-logs>

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use kql::value::TICKS_PER_SECOND;

use crate::Error;
use crate::calendar::{TICKS_PER_HOUR, hour_parts};
use crate::record::{Entry, Log};

/// One file of the export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedFile {
    /// Where it lies in the tree.
    pub path: PathBuf,
    /// The category of its records.
    pub category: &'static str,
    /// How many records it holds.
    pub records: u64,
    /// The records as JSON Lines.
    pub bytes: Vec<u8>,
}

/// How long a record is under way. A file's hour is that of receipt, so that the last records of an
/// hour lie in the next hour's file.
const DELAY_TICKS: i64 = 90 * TICKS_PER_SECOND;

/// The files of a resource's log, by category and hour; records in a file are in order of time.
pub(crate) fn files(log: Log, now: i64) -> impl Iterator<Item = ExportedFile> {
    let Log {
        resource_id,
        text,
        mut entries,
    } = log;
    let hour = move |entry: &Entry| {
        (entry.time + DELAY_TICKS)
            .min(now)
            .div_euclid(TICKS_PER_HOUR)
    };
    let key = move |entry: &Entry| (entry.category, hour(entry));
    // Sorting is stable: what happens at the same instant keeps the order in which it was told.
    entries.sort_by_key(|entry| (key(entry), entry.time));
    let mut at = 0;
    std::iter::from_fn(move || {
        let first = entries.get(at)?;
        let of_file = entries[at..].partition_point(|entry| key(entry) == key(first));
        let lines = &entries[at..at + of_file];
        at += of_file;
        let mut bytes = Vec::with_capacity(lines.iter().map(|entry| entry.line.len()).sum());
        for entry in lines {
            bytes.extend_from_slice(&text.as_bytes()[entry.line.clone()]);
        }
        Some(ExportedFile {
            path: path(first.category, &resource_id, hour(first) * TICKS_PER_HOUR),
            category: first.category,
            records: lines.len() as u64,
            bytes,
        })
    })
}

fn path(category: &str, resource_id: &str, ticks: i64) -> PathBuf {
    let (year, month, day, hour) = hour_parts(ticks);
    PathBuf::from(format!(
        "insights-logs-{}/resourceId={resource_id}/y={year:04}/m={month:02}/d={day:02}/h={hour:02}/m=00/PT1H.json",
        category.to_lowercase()
    ))
}

pub(crate) fn require_empty(folder: &Path) -> Result<(), Error> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(Error::NotEmpty(folder.to_owned())),
            None => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::Write {
            path: folder.to_owned(),
            source,
        }),
    }
}

pub(crate) fn write(file: &ExportedFile, folder: &Path) -> Result<(), Error> {
    let path = folder.join(&file.path);
    let written = fs::create_dir_all(path.parent().unwrap_or(folder))
        .and_then(|()| File::create_new(&path))
        .and_then(|mut out| out.write_all(&file.bytes));
    written.map_err(|source| Error::Write { path, source })
}
