//! Reading a file in blocks of whole lines, so that a file of any size needs bounded memory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::Error;
use crate::walk::ExportFile;

/// The usual size of a block, in bytes.
pub const BLOCK_BYTES: usize = 8 << 20;

/// Longest line, and longest document that is not JSON Lines, in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256 << 20;

/// Whole lines of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The lines.
    pub bytes: Vec<u8>,
    /// How many lines of the file come before.
    pub lines_before: usize,
}

/// The blocks of a file, in order. After an error there are no more.
pub struct Blocks {
    path: PathBuf,
    source: Box<dyn Read + Send>,
    block_bytes: usize,
    /// What was read past the last whole line.
    rest: Vec<u8>,
    lines: usize,
    is_first: bool,
    is_done: bool,
}

/// Opens a file, compressed or not.
///
/// Each block holds about `block_bytes`, cut after a line. A file that is no JSON Lines, but one
/// document over several lines, comes as one block.
///
/// # Errors
/// If the file can't be opened.
pub fn open(file: &ExportFile, block_bytes: usize) -> Result<Blocks, Error> {
    let source = File::open(&file.path).map_err(|source| Error::Read {
        path: file.path.clone(),
        source,
    })?;
    let source: Box<dyn Read + Send> = if file.is_gzip() {
        Box::new(MultiGzDecoder::new(BufReader::new(source)))
    } else {
        Box::new(source)
    };
    Ok(Blocks::new(&file.path, source, block_bytes))
}

impl Blocks {
    fn new(path: &Path, source: Box<dyn Read + Send>, block_bytes: usize) -> Self {
        Self {
            path: path.to_owned(),
            source,
            block_bytes: block_bytes.max(1),
            rest: Vec::new(),
            lines: 0,
            is_first: true,
            is_done: false,
        }
    }

    fn next_block(&mut self) -> Result<Option<Block>, Error> {
        let mut bytes = std::mem::take(&mut self.rest);
        let room = self.block_bytes.saturating_sub(bytes.len()).max(1);
        let mut at_end = self.fill(&mut bytes, room)?;
        if std::mem::take(&mut self.is_first) && !begins_with_a_record(&bytes) {
            at_end = self.fill(&mut bytes, usize::MAX)?;
        }
        while !at_end {
            if let Some(end) = memchr::memrchr(b'\n', &bytes) {
                self.rest = bytes.split_off(end + 1);
                break;
            }
            at_end = self.fill(&mut bytes, self.block_bytes)?;
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let lines_before = self.lines;
        self.lines += memchr::memchr_iter(b'\n', &bytes).count();
        Ok(Some(Block {
            bytes,
            lines_before,
        }))
    }

    /// Reads `more` bytes, or as many as there are; whether that was all.
    fn fill(&mut self, bytes: &mut Vec<u8>, more: usize) -> Result<bool, Error> {
        // One byte past the limit shows that the limit is passed.
        let room = DOCUMENT_BYTES_MAX + 1 - bytes.len().min(DOCUMENT_BYTES_MAX);
        let wanted = more.min(room);
        let read = self.source.by_ref().take(wanted as u64).read_to_end(bytes);
        let read = read.map_err(|source| Error::Read {
            path: self.path.clone(),
            source,
        })?;
        if bytes.len() > DOCUMENT_BYTES_MAX {
            let most = DOCUMENT_BYTES_MAX;
            return Err(Error::Limit {
                path: self.path.clone(),
                reason: format!(
                    "a line, or a document that is not JSON Lines, has at most {most} bytes"
                ),
            });
        }
        Ok(read < wanted)
    }
}

impl Iterator for Blocks {
    type Item = Result<Block, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let next = self.next_block().transpose();
        self.is_done = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Whether the first line looks like a record of JSON Lines, from its first brace to its last.
fn begins_with_a_record(bytes: &[u8]) -> bool {
    let text = bytes
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(bytes)
        .trim_ascii_start();
    match memchr::memchr(b'\n', text) {
        Some(end) => {
            let line = text[..end].trim_ascii_end();
            line.starts_with(b"{") && line.ends_with(b"}")
        }
        None => text.starts_with(b"{"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn blocks(text: &'static str, block_bytes: usize) -> Vec<(String, usize)> {
        let blocks = Blocks::new(Path::new("test"), Box::new(text.as_bytes()), block_bytes);
        blocks
            .map(|block| {
                let block = block.expect("a block");
                (
                    String::from_utf8(block.bytes).expect("text"),
                    block.lines_before,
                )
            })
            .collect()
    }

    #[test]
    fn blocks_end_after_lines() {
        let text = "{\"a\":1}\n{\"a\":2222222}\n{\"a\":3}\n{}";
        assert_eq!(
            blocks(text, 10),
            [
                ("{\"a\":1}\n".into(), 0),
                ("{\"a\":2222222}\n".into(), 1),
                ("{\"a\":3}\n".into(), 2),
                ("{}".into(), 3)
            ]
        );
        assert_eq!(blocks(text, 1000), [(text.into(), 0)]);
        assert_eq!(blocks("", 10), []);
    }

    #[test]
    fn a_document_stays_whole() {
        let text = "{\"records\": [\n{\"a\":1},\n{\"a\":2}\n]}\n";
        assert_eq!(blocks(text, 14), [(text.into(), 0)]);
        assert_eq!(blocks("[{},\n{}]", 5), [("[{},\n{}]".into(), 0)]);
    }

    #[test]
    fn compressed_files_are_read() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("PT1H.json.gz");
        let file = File::create(&path).expect("a file");
        let mut out = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        out.write_all(b"{\"a\":1}\n").expect("written");
        out.finish().expect("finished");
        let file = ExportFile::at(path.clone(), 0);
        let all: Vec<_> = open(&file, BLOCK_BYTES).expect("a file").collect();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].as_ref().expect("a block").bytes, b"{\"a\":1}\n");

        std::fs::write(&path, "no gzip").expect("written");
        let mut broken = open(&file, BLOCK_BYTES).expect("a file");
        assert!(broken.next().expect("an error").is_err());
        assert!(broken.next().is_none());
    }
}
