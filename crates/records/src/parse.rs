//! Bytes in, batches and refusals out.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use arrow::array::RecordBatch;
use schema::{ResourceId, Table};

use crate::cell::Cell;
use crate::columns::Rows;
use crate::json::{self, Members};
use crate::mapping::{Mapping, Target};
use crate::{Error, Limits};

mod row;

use row::Row;

/// What the records' own text does not say.
#[derive(Clone, Debug, Default)]
pub struct Intake {
    /// When the records were received, in nanoseconds since 1970.
    pub received: i64,
    /// The resource of records that name none.
    pub resource_id: Option<ResourceId>,
    /// The category of records that name none and are no metrics.
    pub category: Option<String>,
    /// The number of the first line, less one: the lines before it were given to earlier calls.
    pub lines_before: usize,
    /// Bounds on what is read.
    pub limits: Limits,
}

/// What came out of one call.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// The accepted records by resource and table, in the order in which each was first seen.
    pub groups: Vec<Group>,
    /// The refused records, in order.
    pub refused: Vec<Refused>,
    /// How many records were accepted.
    pub accepted: usize,
}

/// The records of one resource and one table.
#[derive(Clone, Debug)]
pub struct Group {
    /// The resource; `None` if neither the records nor the [`Intake`] name one.
    pub resource_id: Option<ResourceId>,
    /// The table.
    pub table: &'static Table,
    /// The rows: the columns that lie in storage, as `schema::arrow::stored_schema` has them.
    pub batch: RecordBatch,
    /// Where each row's record stands.
    pub places: Vec<Place>,
}

/// Where a record stands in the bytes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its place among all records of the call, from 0.
    pub index: usize,
    /// The line on which the record, or the array or envelope around it, lies, from 1; none in a
    /// document of several lines.
    pub line: Option<usize>,
}

/// A record that was not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The place of the record among all records of the call, from 0.
    pub index: usize,
    /// The line on which the record, or the array or envelope around it, lies, from 1; none in a
    /// document of several lines.
    pub line: Option<usize>,
    /// Why.
    pub reason: String,
    /// The beginning of the record.
    pub record: String,
    /// Where the whole record lies in the bytes given.
    pub bytes: Range<usize>,
}

/// Reads exported records: JSON Lines, Event Hubs envelopes (`{"records": […]}`), arrays of records
/// or of envelopes; which of them, the bytes tell. Metrics need no category.
///
/// What has no column is kept in `_AdditionalFields`, except the category: where a table has no
/// column for it, it has done its work when the table is found.
///
/// A record is accepted whole or refused whole. This never fails and never panics, whatever the
/// bytes; in JSON Lines a broken line costs only itself.
pub fn parse(mapping: &Mapping, bytes: &[u8], intake: &Intake) -> Parsed {
    read(mapping, bytes, intake, None)
}

/// Reads rows of a table that the caller names: flat objects, one member a column, in the same
/// containers as [`parse`] takes.
///
/// `time` or `TimeGenerated` gives the instant, else the time of receipt; `resourceId` or
/// `_ResourceId` gives the resource.
///
/// # Errors
/// If there is no such table.
pub fn parse_rows(
    mapping: &Mapping,
    table: &str,
    bytes: &[u8],
    intake: &Intake,
) -> Result<Parsed, Error> {
    let table = mapping.table(table).map_err(Error::UnknownTable)?;
    Ok(read(mapping, bytes, intake, Some(table)))
}

fn read(mapping: &Mapping, bytes: &[u8], intake: &Intake, table: Option<usize>) -> Parsed {
    let mut reader = Reader {
        mapping,
        intake,
        table,
        start: bytes.as_ptr() as usize,
        groups: Vec::new(),
        by_id: HashMap::new(),
        by_text: HashMap::new(),
        latest: None,
        refused: Vec::new(),
        index: 0,
        line: None,
        lower: String::new(),
    };
    reader.bytes(bytes);
    let groups = reader.groups.into_iter().map(|(table, rows)| {
        let (resource_id, places, batch) = rows.finish(intake.received);
        Group {
            resource_id,
            table: mapping.rules(table).table,
            batch,
            places,
        }
    });
    let groups: Vec<Group> = groups.collect();
    Parsed {
        accepted: groups.iter().map(|group| group.batch.num_rows()).sum(),
        groups,
        refused: reader.refused,
    }
}

/// Deepest nesting of containers around a record: an array of envelopes.
const CONTAINERS_MAX: usize = 2;

/// Most bytes of a refused record that are shown.
const SHOWN_RECORD_BYTES: usize = 240;

/// Most bytes of a value in a reason.
const SHOWN_VALUE_BYTES: usize = 80;

struct Reader<'a> {
    mapping: &'a Mapping,
    intake: &'a Intake,
    /// The table of all records, where the caller named it.
    table: Option<usize>,
    start: usize,
    groups: Vec<(usize, Rows<'a>)>,
    by_id: HashMap<(Option<ResourceId>, usize), usize>,
    /// Groups by resource id as it was spelled, so that each spelling is read once.
    by_text: HashMap<(&'a str, usize), usize>,
    /// The spelling, table and group of the record before: mostly the next is of the same.
    latest: Option<(&'a str, usize, usize)>,
    refused: Vec<Refused>,
    index: usize,
    line: Option<usize>,
    lower: String,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, bytes: &'a [u8]) {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if let Some(document) = document(bytes) {
            self.value(document, 0);
            return;
        }
        let mut rest = bytes;
        let mut line = self.intake.lines_before;
        while !rest.is_empty() {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let text = rest[..end].trim_ascii();
            rest = rest.get(end + 1..).unwrap_or_default();
            line += 1;
            self.line = Some(line);
            match std::str::from_utf8(text) {
                Ok("") => {}
                Ok(text) => self.value(text, 0),
                Err(error) => {
                    let reason = format!("not UTF-8 from byte {} on", error.valid_up_to());
                    self.refuse(text, reason);
                }
            }
            if self.index > self.intake.limits.records_max {
                return;
            }
        }
    }

    /// A record, an envelope, or an array of either.
    fn value(&mut self, text: &'a str, containers: usize) {
        if text.starts_with('[') && containers < CONTAINERS_MAX {
            self.elements(text, containers);
            return;
        }
        match json::members(text, self.intake.limits.members_max) {
            Ok(members) => match records_of(&members) {
                Some(records) if containers < CONTAINERS_MAX => {
                    self.elements(records, containers + 1);
                }
                _ => self.record(text, &members),
            },
            Err(reason) => self.refuse(text.as_bytes(), reason),
        }
    }

    fn elements(&mut self, array: &'a str, containers: usize) {
        let end = json::for_each_element(array, &mut |element| {
            if self.index <= self.intake.limits.records_max {
                self.value(element, containers + 1);
            }
        });
        if let Err(reason) = end {
            self.refuse(array.as_bytes(), reason);
        }
    }

    fn record(&mut self, text: &'a str, members: &Members<'a>) {
        let limits = &self.intake.limits;
        if self.index == limits.records_max {
            let most = limits.records_max;
            let reason = format!(
                "more than {most} records in one call; this one and all after it were not read"
            );
            self.refuse(text.as_bytes(), reason);
            return;
        }
        if text.len() > limits.record_bytes_max {
            let most = limits.record_bytes_max;
            let reason = format!("a record has at most {most} bytes, not {}", text.len());
            self.refuse(text.as_bytes(), reason);
            return;
        }
        match self.shape(text, members) {
            Ok(()) => self.index += 1,
            Err(reason) => self.refuse(text.as_bytes(), reason),
        }
    }

    fn refuse(&mut self, record: &[u8], reason: String) {
        let from = (record.as_ptr() as usize).saturating_sub(self.start);
        let shown = &record[..record.len().min(SHOWN_RECORD_BYTES + 4)];
        self.refused.push(Refused {
            index: self.index,
            line: self.line,
            reason,
            record: shorten(&String::from_utf8_lossy(shown), SHOWN_RECORD_BYTES),
            bytes: from..from + record.len(),
        });
        self.index += 1;
    }

    /// Makes the row of a record and adds it to its group, or says why not.
    fn shape(&mut self, text: &str, members: &Members<'a>) -> Result<(), String> {
        let table = match self.table {
            Some(table) => table,
            None => self.route(members)?,
        };
        let mapping = self.mapping;
        let rules = mapping.rules(table);
        let mut row = Row::new(rules, self.intake.limits.nesting_max);
        let mut resource_id = "";
        let mut properties = Cow::Borrowed("");
        for (member, value) in members {
            match rules.top(member, &mut self.lower) {
                Target::Column(column) => row.fill(column, "", member, value)?,
                Target::ResourceId(column) => {
                    resource_id = value;
                    if let Some(column) = column {
                        row.fill(column, "", member, value)?;
                    }
                }
                Target::Category(Some(column)) => row.fill(column, "", member, value)?,
                Target::Category(None) if self.table.is_some() => row.keep("", member, value),
                Target::Category(None) => {}
                Target::Properties => match nested(value) {
                    Some(object) => properties = object,
                    None => row.keep("", member, value),
                },
                Target::Additional if self.table.is_some() && member == "_ResourceId" => {
                    resource_id = value;
                }
                Target::Additional => row.keep("", member, value),
            }
        }
        let properties = match properties.as_ref() {
            "" => Members::new(),
            object => json::members(object, self.intake.limits.members_max)
                .map_err(|error| format!("`properties`: {error}"))?,
        };
        for (member, value) in &properties {
            match rules.property(member, &mut self.lower) {
                Target::Column(column) => row.fill(column, "properties.", member, value)?,
                _ => row.keep("properties.", member, value),
            }
        }
        if self.table.is_some() && row.cells[rules.time].is_none() {
            row.cells[rules.time] = Some(Cell::Nanos(self.intake.received));
        }
        let group = self.group(resource_id, table)?;
        let cells = row.finish(text.len(), self.groups[group].1.resource_id.as_ref())?;
        let place = Place {
            index: self.index,
            line: self.line,
        };
        self.groups[group].1.push(cells, place);
        Ok(())
    }

    /// The table of a record.
    fn route(&self, members: &Members<'a>) -> Result<usize, String> {
        let named = |name: &str| {
            let mut found = members
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| *value)
        };
        let category = match named("category") {
            Some(value) if value.starts_with('"') => json::string_value(value),
            Some("null") | None => Cow::Borrowed(""),
            Some(value) => {
                return Err(format!(
                    "`category` is text, not {}",
                    shorten(value, SHOWN_VALUE_BYTES)
                ));
            }
        };
        if !category.is_empty() {
            return self.mapping.category(&category);
        }
        let told = self
            .mapping
            .uncategorized(members.iter().map(|(key, _)| key.as_ref()));
        match (told, &self.intake.category) {
            (Some(table), _) => Ok(table),
            (None, Some(category)) => self.mapping.category(category),
            (None, None) => Err("the record has no `category`".into()),
        }
    }

    /// The group of a resource, given as it is spelled in a record, and a table.
    fn group(&mut self, spelled: &'a str, table: usize) -> Result<usize, String> {
        if let Some((text, of_table, group)) = self.latest
            && (text, of_table) == (spelled, table)
        {
            return Ok(group);
        }
        let key = (spelled, table);
        let group = match self.by_text.get(&key) {
            Some(&group) => group,
            None => {
                let id = read_resource_id(spelled)?.or_else(|| self.intake.resource_id.clone());
                let group = self.group_of(id, table);
                self.by_text.insert(key, group);
                group
            }
        };
        self.latest = Some((spelled, table, group));
        Ok(group)
    }

    fn group_of(&mut self, id: Option<ResourceId>, table: usize) -> usize {
        let rules = self.mapping.rules(table);
        let groups = &mut self.groups;
        *self
            .by_id
            .entry((id, table))
            .or_insert_with_key(|(id, table)| {
                groups.push((*table, Rows::new(rules, id.clone())));
                groups.len() - 1
            })
    }
}

/// The bytes as one JSON text, if they are one of several lines. JSON Lines are none, and their
/// first line shows that without a look at the rest.
fn document(bytes: &[u8]) -> Option<&str> {
    let text = bytes.trim_ascii();
    let end = memchr::memchr(b'\n', text)?;
    let first = std::str::from_utf8(&text[..end]).ok()?;
    if json::is_complete(first) {
        return None;
    }
    std::str::from_utf8(text)
        .ok()
        .filter(|text| json::is_complete(text))
}

/// The records of an Event Hubs envelope; a record that happens to have `records` also has a
/// category.
fn records_of<'a>(members: &Members<'a>) -> Option<&'a str> {
    if members
        .iter()
        .any(|(key, _)| key.eq_ignore_ascii_case("category"))
    {
        return None;
    }
    let (_, records) = members.iter().find(|(key, _)| key == "records")?;
    records.starts_with('[').then_some(records)
}

/// The object that `properties` is; some services write it as text.
fn nested(value: &str) -> Option<Cow<'_, str>> {
    match value.as_bytes().first()? {
        b'{' => Some(Cow::Borrowed(value)),
        b'n' => Some(Cow::Borrowed("")),
        b'"' => {
            let text = json::string_value(value);
            let is_object = text.trim_start().starts_with('{') && json::is_complete(&text);
            (is_object || text.is_empty()).then_some(text)
        }
        _ => None,
    }
}

/// A resource id as a record spells it: a JSON string, or nothing.
fn read_resource_id(spelled: &str) -> Result<Option<ResourceId>, String> {
    match spelled.as_bytes().first() {
        None | Some(b'n') => Ok(None),
        Some(b'"') => match json::string_value(spelled).trim() {
            "" => Ok(None),
            text => ResourceId::parse(text)
                .map(Some)
                .map_err(|error| format!("`resourceId`: {error}")),
        },
        Some(_) => Err(format!(
            "`resourceId` is text, not {}",
            shorten(spelled, SHOWN_VALUE_BYTES)
        )),
    }
}

/// The beginning of a text, marked if there is more.
pub(crate) fn shorten(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes_max)])
}
