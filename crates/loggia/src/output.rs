//! How rows are shown.

mod cells;
pub(crate) mod dry_run;
pub(crate) mod stats;
pub(crate) mod table;

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write};

use arrow::array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use kql::Type;
use parquet::arrow::ArrowWriter;
use proto::v1;
use serde_json::{Map, Value};

use crate::cli::Format;
use crate::exit::Exit;

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Writes rows to standard output.
pub(crate) fn write(
    format: Format,
    columns: &[v1::Column],
    batches: &[RecordBatch],
) -> Result<(), Exit> {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let types: Vec<Type> = columns
        .iter()
        .map(|c| Type::from_name(&c.r#type).unwrap_or(Type::String))
        .collect();
    let stdout = io::stdout();
    if matches!(format, Format::Arrow | Format::Parquet) && stdout.is_terminal() {
        return Err(Exit::other(
            "error: binary data would go to the terminal; redirect it",
        ));
    }
    let mut out = Out {
        inner: BufWriter::new(stdout),
        closed: false,
    };
    let written = match format {
        Format::Table => table::write(&mut out, &names, &types, batches),
        Format::Json => json(&mut out, &names, &types, batches),
        Format::Csv => csv(&mut out, &names, &types, batches),
        Format::Arrow => arrow(&mut out, batches),
        Format::Parquet => parquet(&mut out, batches),
    };
    match written.and_then(|()| Ok(out.flush()?)) {
        Ok(()) => Ok(()),
        // `loggia query … | head` is no failure.
        Err(_) if out.closed => Ok(()),
        Err(error) => Err(Exit::other(format!("error: can't write the rows: {error}"))),
    }
}

/// Standard output that remembers whether its reader has left: each format wraps errors in a type
/// of its own.
struct Out {
    inner: BufWriter<Stdout>,
    closed: bool,
}

impl Out {
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        let closed = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
        self.closed |= result.as_ref().is_err_and(closed);
        result
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes);
        self.note(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = self.inner.flush();
        self.note(flushed)
    }
}

fn json(
    out: &mut impl Write,
    names: &[&str],
    types: &[Type],
    batches: &[RecordBatch],
) -> Result<(), Failed> {
    let mut first = true;
    out.write_all(b"[")?;
    for batch in batches {
        for row in 0..batch.num_rows() {
            out.write_all(if std::mem::replace(&mut first, false) {
                b"\n  "
            } else {
                b",\n  "
            })?;
            let mut object = Map::new();
            for ((name, ty), array) in names.iter().zip(types).zip(batch.columns()) {
                object.insert((*name).to_owned(), cells::json(array, *ty, row));
            }
            serde_json::to_writer(&mut *out, &Value::Object(object))?;
        }
    }
    out.write_all(if first { b"]\n" } else { b"\n]\n" })?;
    Ok(())
}

fn csv(
    out: &mut impl Write,
    names: &[&str],
    types: &[Type],
    batches: &[RecordBatch],
) -> Result<(), Failed> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(names)?;
    for batch in batches {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().zip(types);
            writer.write_record(cells.map(|(array, ty)| cells::text(array, *ty, row)))?;
        }
    }
    writer.flush()?;
    Ok(())
}

fn arrow(out: &mut impl Write, batches: &[RecordBatch]) -> Result<(), Failed> {
    let Some(first) = batches.first() else {
        return Ok(());
    };
    let mut writer = StreamWriter::try_new(out, &first.schema())?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    Ok(())
}

fn parquet(out: &mut (impl Write + Send), batches: &[RecordBatch]) -> Result<(), Failed> {
    let Some(first) = batches.first() else {
        return Ok(());
    };
    let mut writer = ArrowWriter::try_new(out, first.schema(), None)?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.close()?;
    Ok(())
}
