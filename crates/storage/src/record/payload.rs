//! The hash by which a batch that comes again is told from another one under the same id.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::NullBuffer;
use arrow::datatypes::DataType;
use schema::arrow::wire_type;
use schema::table::TIME_RECEIVED;
use sha2::{Digest, Sha256};

use crate::id::{PayloadHash, TableName};

/// Bytes that are gathered before the hash takes them: many values are a few bytes long.
const CHUNK_BYTES: usize = 64 * 1024;

/// The hash of what rows say, whatever buffers they lie in.
///
/// `_TimeReceived` is left out: it tells when this try arrived.
pub(crate) fn hash(tables: &[(TableName, RecordBatch)]) -> PayloadHash {
    let mut sink = Sink {
        digest: Sha256::new(),
        buffer: Vec::with_capacity(CHUNK_BYTES),
    };
    for (table, rows) in tables {
        sink.text(table.as_str());
        sink.number(rows.num_rows());
        let schema = rows.schema_ref();
        for (field, column) in schema.fields().iter().zip(rows.columns()) {
            if field.name() != TIME_RECEIVED {
                sink.text(field.name());
                sink.text(wire_type(field).name());
                sink.column(column.as_ref());
            }
        }
    }
    sink.finish()
}

struct Sink {
    digest: Sha256,
    buffer: Vec<u8>,
}

impl Sink {
    fn bytes(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > CHUNK_BYTES {
            self.digest.update(&self.buffer);
            self.buffer.clear();
        }
        if bytes.len() > CHUNK_BYTES {
            self.digest.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }

    fn number(&mut self, number: usize) {
        self.bytes(&(number as u64).to_le_bytes());
    }

    /// Length first, or `ab` and `c` would be as `a` and `bc`.
    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes(text.as_bytes());
    }

    fn column(&mut self, column: &dyn Array) {
        self.validity(column);
        match column.data_type() {
            DataType::Utf8View => {
                let texts = column.as_string_view();
                (0..texts.len()).for_each(|row| match texts.is_valid(row) {
                    true => self.text(texts.value(row)),
                    false => self.text(""),
                });
            }
            DataType::Boolean => self.bits(column.as_boolean()),
            other => {
                let width = other.primitive_width().unwrap_or(0);
                let data = column.to_data();
                let start = data.offset() * width;
                let values = &data.buffers()[0].as_slice()[start..start + width * column.len()];
                self.fixed(values, width, column.nulls());
            }
        }
    }

    fn validity(&mut self, column: &dyn Array) {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0);
        self.number(column.null_count());
        for valid in nulls.into_iter().flatten() {
            self.bytes(&[u8::from(valid)]);
        }
    }

    fn bits(&mut self, values: &BooleanArray) {
        for value in values {
            self.bytes(&[u8::from(value == Some(true))]);
        }
    }

    /// What lies under a null is not part of what rows say.
    fn fixed(&mut self, values: &[u8], width: usize, nulls: Option<&NullBuffer>) {
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => self.bytes(values),
            Some(nulls) => {
                for (row, value) in values.chunks_exact(width).enumerate() {
                    if nulls.is_valid(row) {
                        self.bytes(value);
                    }
                }
            }
        }
    }

    fn finish(mut self) -> PayloadHash {
        self.digest.update(&self.buffer);
        PayloadHash(self.digest.finalize().into())
    }
}
