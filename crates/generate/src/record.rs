//! Writing records as Azure exports them: one JSON object a line.

use std::fmt::{Display, Write as _};
use std::ops::Range;

use kql::value::datetime;
use kql::value::json::write_string;

/// The records of one resource, in the order in which they were made.
pub(crate) struct Log {
    /// The resource's id in upper case, as exports write it.
    pub(crate) resource_id: String,
    pub(crate) text: String,
    pub(crate) entries: Vec<Entry>,
}

/// One record in a [`Log`].
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) category: &'static str,
    pub(crate) time: i64,
    /// Its line in the log's text.
    pub(crate) line: Range<usize>,
}

/// A record being written: first what stands at its top, then its properties.
pub(crate) struct Record<'l> {
    log: &'l mut Log,
    entry: Entry,
    /// What goes before the next member.
    separator: &'static str,
    close: &'static str,
}

impl Log {
    pub(crate) fn new(resource_id: &str) -> Self {
        Self {
            resource_id: resource_id.to_uppercase(),
            text: String::new(),
            entries: Vec::new(),
        }
    }

    /// Begins a record; [`Record::end`] ends it.
    pub(crate) fn record(
        &mut self,
        category: &'static str,
        time: i64,
        operation: &str,
    ) -> Record<'_> {
        let start = self.text.len();
        let _ = write!(
            self.text,
            r#"{{"time":"{}","resourceId":"{}","operationName":"{operation}","category":"{category}""#,
            datetime::format(time),
            self.resource_id,
        );
        Record {
            log: self,
            entry: Entry {
                category,
                time,
                line: start..start,
            },
            separator: ",",
            close: "}\n",
        }
    }
}

impl Record<'_> {
    pub(crate) fn text(mut self, name: &str, value: &str) -> Self {
        self.key(name);
        write_string(&mut self.log.text, value);
        self
    }

    /// A number, or JSON that is written already.
    pub(crate) fn raw(mut self, name: &str, value: impl Display) -> Self {
        self.key(name);
        let _ = write!(self.log.text, "{value}");
        self
    }

    /// A number as text, which is how exports write most of them.
    pub(crate) fn quoted(self, name: &str, value: impl Display) -> Self {
        self.raw(name, format_args!("\"{value}\""))
    }

    pub(crate) fn instant(self, name: &str, ticks: i64) -> Self {
        self.quoted(name, datetime::format(ticks))
    }

    /// What follows are properties.
    pub(crate) fn properties(mut self) -> Self {
        self.log.text.push_str(r#","properties":{"#);
        self.separator = "";
        self.close = "}}\n";
        self
    }

    pub(crate) fn end(mut self) {
        self.log.text.push_str(self.close);
        self.entry.line.end = self.log.text.len();
        self.log.entries.push(self.entry);
    }

    fn key(&mut self, name: &str) {
        let _ = write!(self.log.text, "{}\"{name}\":", self.separator);
        self.separator = ",";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_a_line() {
        let mut log = Log::new("/subscriptions/a");
        let record = log.record("RunEvent", datetime::UNIX_EPOCH_TICKS, "READ");
        let record = record.quoted("durationMs", 5).properties();
        record.text("RunId", "a\"b").raw("n", 1).end();
        assert_eq!(
            log.text,
            "{\"time\":\"1970-01-01T00:00:00.0000000Z\",\"resourceId\":\"/SUBSCRIPTIONS/A\",\
             \"operationName\":\"READ\",\"category\":\"RunEvent\",\"durationMs\":\"5\",\
             \"properties\":{\"RunId\":\"a\\\"b\",\"n\":1}}\n"
        );
        assert_eq!(log.entries[0].line, 0..log.text.len());
    }
}
