//! Strings: their length, parts, joins and encodings. Positions count characters, not bytes.

mod compress;
mod encode;
mod search;

use datafusion_common::Result;
use kql::Type::{Bool, Dynamic, Long, String as Text};

use crate::args;
use crate::dynamic;
use crate::registry::{
    Overload,
    Param::{Is, Text as AnyText},
    ResultName, ScalarFunction,
};

pub(super) use compress::FUNCTIONS as COMPRESS_FUNCTIONS;
pub(super) use encode::FUNCTIONS as ENCODE_FUNCTIONS;
pub(super) use search::{FUNCTIONS as SEARCH_FUNCTIONS, SearchPlace};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "strlen",
        "The length of a string in characters.",
        &[Overload::new(&[AnyText], Long, |a| {
            let x = a.str(0)?;
            args::longs(a.rows(), |row| Some(char_count(x.text(row)) as i64))
        })],
    )
    .result_name(ResultName::Prefix("strlen")),
    ScalarFunction::new(
        "string_size",
        "The length of a string in bytes of UTF-8.",
        &[Overload::new(&[AnyText], Long, |a| {
            let x = a.str(0)?;
            args::longs(a.rows(), |row| Some(x.text(row).len() as i64))
        })],
    )
    .result_name(ResultName::Prefix("string_size")),
    ScalarFunction::new(
        "tolower",
        "Text in lower case.",
        &[Overload::new(&[AnyText], Text, |a| {
            let x = a.str(0)?;
            args::written(a.rows(), |row, out| {
                out.push_str(&crate::text::lower(x.text(row)));
                Ok(())
            })
        })],
    ),
    ScalarFunction::new(
        "toupper",
        "Text in upper case.",
        &[Overload::new(&[AnyText], Text, |a| {
            let x = a.str(0)?;
            args::written(a.rows(), |row, out| {
                out.push_str(&x.text(row).to_uppercase());
                Ok(())
            })
        })],
    ),
    ScalarFunction::new(
        "strcat",
        "Its arguments as one text.",
        &[Overload::new(&[AnyText], Text, |a| {
            let parts = (0..a.len()).map(|i| a.str(i)).collect::<Result<Vec<_>>>()?;
            args::written(a.rows(), |row, out| {
                for part in &parts {
                    out.push_str(part.text(row));
                }
                Ok(())
            })
        })
        .variadic()],
    ),
    ScalarFunction::new(
        "strcat_delim",
        "Its arguments as one text, with a delimiter between them.",
        &[Overload::new(&[AnyText, AnyText, AnyText], Text, |a| {
            let parts = (0..a.len()).map(|i| a.str(i)).collect::<Result<Vec<_>>>()?;
            args::written(a.rows(), |row, out| {
                for (index, part) in parts[1..].iter().enumerate() {
                    if index > 0 {
                        out.push_str(parts[0].text(row));
                    }
                    out.push_str(part.text(row));
                }
                Ok(())
            })
        })
        .variadic()],
    ),
    ScalarFunction::new(
        "strcat_array",
        "The elements of an array as one text.",
        &[Overload::new(&[Is(Dynamic), AnyText], Text, |a| {
            let (x, delimiter) = (a.str(0)?, a.str(1)?);
            args::written(a.rows(), |row, out| {
                for (index, element) in dynamic::elements(x.text(row)).enumerate() {
                    if index > 0 {
                        out.push_str(delimiter.text(row));
                    }
                    out.push_str(&dynamic::to_text(element));
                }
                Ok(())
            })
        })],
    )
    .aliases(&["array_strcat"]),
    ScalarFunction::new(
        "substring",
        "A part of a string, by position and length.",
        &[Overload::new(&[AnyText, Is(Long), Is(Long)], Text, |a| {
            let (x, start) = (a.str(0)?, a.i64(1)?);
            let length = a.i64_or(2, i64::MAX)?;
            args::strs(a.rows(), |row| {
                let (Some(start), Some(length)) = (start.get(row), length.get(row)) else {
                    return "";
                };
                substring(x.text(row), start, length)
            })
        })
        .required(2)],
    ),
    ScalarFunction::new(
        "split",
        "The parts of a string between delimiters, or one of them.",
        &[
            Overload::new(&[AnyText, Is(Text)], Dynamic, |a| {
                let (x, delimiter) = (a.str(0)?, a.str(1)?);
                args::written_option(a.rows(), |row, out| {
                    write_split(out, x.text(row), delimiter.text(row), None);
                    Ok(true)
                })
            }),
            Overload::new(&[AnyText, Is(Text), Is(Long)], Dynamic, |a| {
                let (x, delimiter, index) = (a.str(0)?, a.str(1)?, a.i64(2)?);
                args::written_option(a.rows(), |row, out| {
                    write_split(out, x.text(row), delimiter.text(row), index.get(row));
                    Ok(true)
                })
            }),
        ],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "isempty",
        "Whether a value is null or the empty string.",
        &[Overload::new(&[AnyText], Bool, |a| {
            let x = a.str(0)?;
            args::truths(a.rows(), |row| x.text(row).is_empty())
        })],
    ),
    ScalarFunction::new(
        "isnotempty",
        "Whether a value is neither null nor the empty string.",
        &[Overload::new(&[AnyText], Bool, |a| {
            let x = a.str(0)?;
            args::truths(a.rows(), |row| !x.text(row).is_empty())
        })],
    )
    .aliases(&["notempty"]),
    ScalarFunction::new(
        "reverse",
        "Text backwards.",
        &[Overload::new(&[AnyText], Text, |a| {
            let x = a.str(0)?;
            args::written(a.rows(), |row, out| {
                out.extend(x.text(row).chars().rev());
                Ok(())
            })
        })],
    ),
    ScalarFunction::new(
        "strcmp",
        "-1, 0 or 1, as one text sorts before, with or after another.",
        &[Overload::new(&[Is(Text), Is(Text)], Long, |a| {
            let (x, y) = (a.str(0)?, a.str(1)?);
            args::longs(a.rows(), |row| Some(x.text(row).cmp(y.text(row)) as i64))
        })],
    ),
    ScalarFunction::new(
        "isascii",
        "Whether a text has only ASCII characters.",
        &[Overload::new(&[AnyText], Bool, |a| {
            let x = a.str(0)?;
            args::truths(a.rows(), |row| x.text(row).is_ascii())
        })],
    ),
    ScalarFunction::new(
        "isutf8",
        "Whether a text is UTF-8, as every string here is.",
        &[Overload::new(&[AnyText], Bool, |a| {
            args::truths(a.rows(), |_| true)
        })],
    ),
];

/// The number of characters.
pub(super) fn char_count(text: &str) -> usize {
    if text.is_ascii() {
        text.len()
    } else {
        text.chars().count()
    }
}

/// The byte at which character `index` begins, or the end.
fn byte_at(text: &str, index: usize) -> usize {
    if text.is_ascii() {
        return index.min(text.len());
    }
    text.char_indices()
        .nth(index)
        .map_or(text.len(), |(at, _)| at)
}

/// A negative start counts from the end; one before the start of the string, or a negative length,
/// gives nothing.
fn substring(text: &str, start: i64, length: i64) -> &str {
    let count = char_count(text) as i64;
    let start = if start < 0 { count + start } else { start };
    if start < 0 || start >= count || length <= 0 {
        return "";
    }
    let from = byte_at(text, start as usize);
    let rest = &text[from..];
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    &rest[..byte_at(rest, length)]
}

fn write_split(out: &mut String, text: &str, delimiter: &str, index: Option<i64>) {
    out.push('[');
    let mut write = |at: usize, part: &str| {
        if at > 0 {
            out.push(',');
        }
        dynamic::write_string(out, part);
    };
    match index {
        None if delimiter.is_empty() => {
            text.chars()
                .enumerate()
                .for_each(|(at, c)| write(at, c.encode_utf8(&mut [0; 4])));
        }
        None => text
            .split(delimiter)
            .enumerate()
            .for_each(|(at, part)| write(at, part)),
        Some(index) => {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            if let Some(part) = text.split(delimiter).nth(index) {
                write(0, part);
            }
        }
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn substrings_count_characters() {
        assert_eq!(substring("añb", 1, 1), "ñ");
        assert_eq!(substring("hello", -3, 2), "ll");
        assert_eq!(substring("hello", -100, 3), "");
        assert_eq!(substring("hello", 1, -1), "");
        assert_eq!(substring("hello", 2, i64::MAX), "llo");
        assert_eq!(substring("abc", 5, 3), "");
    }
}
