//! Arrow data in messages: one IPC stream, cut where a message is full.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::StreamWriter;

/// Bytes of one piece of a stream; the last may have fewer.
pub const PIECE_BYTES: usize = 1 << 20;

/// Writes an IPC stream piece by piece.
pub struct Writer {
    inner: StreamWriter<Vec<u8>>,
}

impl Writer {
    /// Begins a stream.
    ///
    /// # Errors
    /// If Arrow can't write the schema.
    pub fn new(schema: &Schema) -> Result<Self, ArrowError> {
        Ok(Self {
            inner: StreamWriter::try_new(Vec::new(), schema)?,
        })
    }

    /// Adds a batch; gives what is to be sent by now.
    ///
    /// # Errors
    /// If the batch is not of the stream's schema.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Vec<Vec<u8>>, ArrowError> {
        self.inner.write(batch)?;
        Ok(pieces(std::mem::take(self.inner.get_mut())))
    }

    /// Ends the stream; gives the rest.
    ///
    /// # Errors
    /// If Arrow can't write the end.
    pub fn finish(mut self) -> Result<Vec<Vec<u8>>, ArrowError> {
        self.inner.finish()?;
        Ok(pieces(std::mem::take(self.inner.get_mut())))
    }
}

fn pieces(bytes: Vec<u8>) -> Vec<Vec<u8>> {
    if bytes.len() <= PIECE_BYTES {
        return if bytes.is_empty() {
            Vec::new()
        } else {
            vec![bytes]
        };
    }
    bytes.chunks(PIECE_BYTES).map(<[u8]>::to_vec).collect()
}

/// A batch as a stream of its own.
///
/// # Errors
/// If Arrow can't write it.
pub fn encode(batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
    let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema())?;
    writer.write(batch)?;
    writer.into_inner()
}

/// All batches of a stream.
///
/// # Errors
/// If the bytes are no stream.
pub fn decode(bytes: &[u8]) -> Result<Vec<RecordBatch>, ArrowError> {
    StreamReader::try_new(bytes, None)?.collect()
}
