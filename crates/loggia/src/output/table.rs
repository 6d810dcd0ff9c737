//! A table for people.

use std::io::{IsTerminal as _, Write};

use arrow::array::RecordBatch;
use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use kql::Type;

use super::{Failed, cells};

/// A line under the header, and no others.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('-'));
/// Space left and right of a cell.
const PADDING: (u16, u16) = (0, 2);
/// Longest text of one cell, in characters.
const CELL_CHARS_MAX: usize = 200;

/// Writes rows as a table, as wide as the terminal if there is one.
pub(crate) fn write(
    out: &mut impl Write,
    names: &[&str],
    types: &[Type],
    batches: &[RecordBatch],
) -> Result<(), Failed> {
    let mut table = table(names);
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    let mut rows = 0;
    for batch in batches {
        rows += batch.num_rows();
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().zip(types);
            table.add_row(cells.map(|(array, ty)| shown(&cells::text(array, *ty, row))));
        }
    }
    for (index, ty) in types.iter().enumerate() {
        let number = matches!(ty, Type::Int | Type::Long | Type::Real | Type::Decimal);
        if let (true, Some(column)) = (number, table.column_mut(index)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(out, "{}", trimmed(table))?;
    writeln!(out, "({rows} {})", if rows == 1 { "row" } else { "rows" })?;
    Ok(())
}

/// Rows of text as a table.
pub(crate) fn plain(names: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = table(names);
    for row in rows {
        table.add_row(row);
    }
    trimmed(table)
}

fn table(names: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE);
    table.set_header(names);
    table
}

/// The table without the spaces at the ends of its lines.
fn trimmed(mut table: Table) -> String {
    for column in table.column_iter_mut() {
        column.set_padding(PADDING);
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// One line of bounded length.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(CELL_CHARS_MAX)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if text.chars().nth(CELL_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
