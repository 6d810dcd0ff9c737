//! What `parse` means, in its simple form.

use kql::Type;
use kql::ast::{Parse, ParseSegment};

use super::expr::Row;
use super::types::absent;
use super::{Known, Scope, Table, Value, unknown};

impl<'q> Scope<'q> {
    /// The columns that a text is taken apart into; all are blank if it does not fit.
    ///
    /// <https://learn.microsoft.com/kusto/query/parse-operator>
    pub(super) fn parse(&self, mut input: Table, parse: &'q Parse) -> Known<Table> {
        if !parse.params.is_empty() {
            return unknown("parse of another kind");
        }
        let mut columns = Vec::new();
        for segment in &parse.pattern {
            if let ParseSegment::Column(name, ty) = segment {
                columns.push((name.text.clone(), ty.unwrap_or(Type::String)));
            }
        }
        if columns
            .iter()
            .any(|(name, _)| input.position(name).is_some())
        {
            return unknown("parse in place");
        }
        let mut rows = Vec::new();
        for cells in &input.rows {
            let row = Row {
                columns: &input.columns,
                cells,
            };
            let Value::String(text) = self.value(&parse.expr, row)? else {
                return unknown("parse of another value");
            };
            match taken_apart(&text, &parse.pattern)? {
                Some(values) => rows.push([cells.as_slice(), &values].concat()),
                None if parse.where_matched => {}
                None => {
                    let blank: Vec<Value> = columns.iter().map(|(_, ty)| absent(*ty)).collect();
                    rows.push([cells.as_slice(), &blank].concat());
                }
            }
        }
        input.rows = rows;
        input.columns.extend(columns);
        Ok(input)
    }
}

/// The values of the columns, each up to the first place where the next text stands.
fn taken_apart(text: &str, pattern: &[ParseSegment]) -> Known<Option<Vec<Value>>> {
    let mut rest = text;
    let mut values = Vec::new();
    for (index, segment) in pattern.iter().enumerate() {
        if let ParseSegment::Text(wanted, _) = segment {
            let Some(after) = rest.strip_prefix(wanted.as_str()) else {
                return Ok(None);
            };
            rest = after;
            continue;
        }
        let end = match pattern.get(index + 1) {
            Some(ParseSegment::Text(next, _)) => match rest.find(next.as_str()) {
                Some(end) => end,
                None => return Ok(None),
            },
            Some(_) => return unknown("columns side by side"),
            None => rest.len(),
        };
        let (found, after) = rest.split_at(end);
        rest = after;
        match segment {
            ParseSegment::Column(_, None | Some(Type::String)) => values.push(Value::text(found)),
            ParseSegment::Column(_, Some(Type::Long)) => match found.parse() {
                Ok(value) => values.push(Value::Long(value)),
                // Another place might fit, or other digits.
                Err(_) if found.contains(|c: char| c.is_ascii_digit()) => {
                    return unknown("a number within a text");
                }
                Err(_) if text.matches('-').count() > 1 => return unknown("several places"),
                Err(_) => return Ok(None),
            },
            ParseSegment::Column(..) => return unknown("parse to another type"),
            ParseSegment::Star(_) | ParseSegment::Text(..) => {}
        }
    }
    Ok(rest.is_empty().then_some(values))
}
