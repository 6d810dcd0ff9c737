//! Text compressed with gzip or zlib, as Base64.
//!
//! Texts that are compressed here need not be the same, byte for byte, as those that Kusto makes;
//! each reads what the other wrote.

use std::io::{Read, Write};

use arrow::array::ArrayRef;
use base64::Engine as _;
use datafusion_common::Result;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use flate2::{Compression, GzBuilder};
use kql::Type::String as Text;

use super::encode::BASE64;
use crate::args::{self, Args, STRING_BYTES_MAX};
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "gzip_compress_to_base64_string",
        "Text compressed with gzip, as Base64.",
        &[Overload::new(&[Is(Text)], Text, |a| {
            compress(a, |text, level| {
                // 255 stands for no operating system in particular.
                let mut encoder: GzEncoder<Vec<u8>> = GzBuilder::new()
                    .operating_system(255)
                    .write(Vec::new(), level);
                encoder.write_all(text)?;
                let mut bytes = encoder.finish()?;
                // The header may say how hard the encoder tried; Kusto's says nothing.
                bytes[8] = 0;
                Ok(bytes)
            })
        })],
    ),
    ScalarFunction::new(
        "gzip_decompress_from_base64_string",
        "The text that was compressed with gzip; empty if there is none.",
        &[Overload::new(&[Is(Text)], Text, |a| {
            // Fields that a header may have besides are not taken, as in Kusto.
            decompress(a, |bytes| match bytes.get(3) {
                Some(0) => read_text(GzDecoder::new(bytes)),
                _ => Ok(None),
            })
        })],
    ),
    ScalarFunction::new(
        "zlib_compress_to_base64_string",
        "Text compressed with zlib, as Base64.",
        &[Overload::new(&[Is(Text)], Text, |a| {
            compress(a, |text, level| {
                let mut encoder = ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(text)?;
                encoder.finish()
            })
        })],
    ),
    ScalarFunction::new(
        "zlib_decompress_from_base64_string",
        "The text that was compressed with zlib; empty if there is none.",
        &[Overload::new(&[Is(Text)], Text, |a| {
            decompress(a, |bytes| read_text(ZlibDecoder::new(bytes)))
        })],
    ),
];

/// Longest text that is stored as it is: compressing it would hardly make it shorter.
const STORED_BYTES_MAX: usize = 32;

fn compress(
    a: &Args<'_>,
    encode: impl Fn(&[u8], Compression) -> std::io::Result<Vec<u8>>,
) -> Result<ArrayRef> {
    let x = a.str(0)?;
    args::written(a.rows(), |row, out| {
        let text = x.text(row).as_bytes();
        let level = if text.len() <= STORED_BYTES_MAX {
            Compression::none()
        } else {
            Compression::default()
        };
        let bytes = encode(text, level)?;
        args::check_string_bytes(bytes.len() / 3 * 4 + 4)?;
        BASE64.encode_string(bytes, out);
        Ok(())
    })
}

fn decompress(a: &Args<'_>, decode: impl Fn(&[u8]) -> Result<Option<String>>) -> Result<ArrayRef> {
    let x = a.str(0)?;
    args::written(a.rows(), |row, out| {
        if let Ok(bytes) = BASE64.decode(x.text(row))
            && let Some(text) = decode(&bytes)?
        {
            out.push_str(&text);
        }
        Ok(())
    })
}

/// All that a decoder gives, unless it fails or gives no text.
///
/// # Errors
/// If it gives more than a string may hold: a small text can unfold into a very large one.
fn read_text(decoder: impl Read) -> Result<Option<String>> {
    let mut bytes = Vec::new();
    let limit = STRING_BYTES_MAX as u64 + 1;
    if decoder.take(limit).read_to_end(&mut bytes).is_err() {
        return Ok(None);
    }
    args::check_string_bytes(bytes.len())?;
    Ok(String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused, value};

    #[test]
    fn text_comes_back_as_it_was() {
        for name in ["gzip", "zlib"] {
            for text in ["", "a", "1234567890qwertyuiop", &"kusto ".repeat(1000)] {
                let call = format!(
                    "{name}_decompress_from_base64_string({name}_compress_to_base64_string('{text}'))"
                );
                assert_eq!(value(&call).expect("a text"), text, "{name}");
            }
        }
        check(&[
            (
                "gzip_compress_to_base64_string('1234567890qwertyuiop')",
                "H4sIAAAAAAAA/wEUAOv/MTIzNDU2Nzg5MHF3ZXJ0eXVpb3A6m7f2FAAAAA==",
            ),
            (
                "zlib_compress_to_base64_string('1234567890qwertyuiop')",
                "eAEBFADr/zEyMzQ1Njc4OTBxd2VydHl1aW9wOAkGdw==",
            ),
        ]);
    }

    #[test]
    fn what_is_not_compressed_gives_nothing() {
        check(&[
            ("gzip_decompress_from_base64_string('x0x0x0')", ""),
            ("gzip_decompress_from_base64_string('no base64')", ""),
            (
                "gzip_decompress_from_base64_string('H4sIAAAAAAAA/wEUAOv/MTIzNDU2')",
                "",
            ),
            ("zlib_decompress_from_base64_string('eAEBFADr')", ""),
        ]);
    }

    #[test]
    fn texts_that_unfold_too_far_are_refused() {
        let bomb = {
            use base64::Engine as _;
            use std::io::Write as _;
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
            let zeros = vec![b'0'; 1 << 20];
            for _ in 0..17 {
                encoder.write_all(&zeros).expect("memory");
            }
            super::BASE64.encode(encoder.finish().expect("memory"))
        };
        let call = format!("gzip_decompress_from_base64_string('{bomb}')");
        check_refused(&[(&call, "bytes")]);
    }
}
