//! Strings: their length, parts, joins and encodings. Positions count characters, not bytes.

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic, Long, String as Text};

use crate::args::{self, Args, Prim};
use crate::dynamic;
use crate::registry::{
    Overload,
    Param::{Const, Is, Text as AnyText},
    ResultName, ScalarFunction,
};

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
            let length = optional_long(a, 2, i64::MAX)?;
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
        "replace_string",
        "Text with all of one part replaced by another.",
        &[Overload::new(&[Is(Text), Is(Text), Is(Text)], Text, |a| {
            let (x, from, to) = (a.str(0)?, a.str(1)?, a.str(2)?);
            args::written(a.rows(), |row, out| {
                let (text, from, to) = (x.text(row), from.text(row), to.text(row));
                if from.is_empty() {
                    out.push_str(text);
                    return Ok(());
                }
                check_growth(text, from, to)?;
                out.push_str(&text.replace(from, to));
                Ok(())
            })
        })],
    ),
    ScalarFunction::new(
        "replace_strings",
        "Text with several parts replaced, all at once.",
        &[Overload::new(
            &[Is(Text), Is(Dynamic), Is(Dynamic)],
            Text,
            replace_strings,
        )],
    ),
    ScalarFunction::new(
        "indexof",
        "Where a text first stands in another, in characters, or -1.",
        &[Overload::new(
            &[AnyText, AnyText, Is(Long), Is(Long), Is(Long)],
            Long,
            |a| {
                let (x, needle) = (a.str(0)?, a.str(1)?);
                let place = SearchPlace::new(a)?;
                args::longs(a.rows(), |row| {
                    let needle = needle.text(row);
                    if needle.is_empty() {
                        return None;
                    }
                    place.search(row, x.text(row), |text| {
                        text.find(needle).map(|at| (at, at + needle.len()))
                    })
                })
            },
        )
        .required(2)],
    ),
    ScalarFunction::new(
        "countof",
        "How often a text, or a regular expression, stands in another.",
        &[Overload::new(&[Is(Text), Is(Text), Const(Text)], Long, countof).required(2)],
    ),
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
        "strrep",
        "Text a number of times over.",
        &[Overload::new(&[AnyText, Is(Long), AnyText], Text, |a| {
            let (x, times) = (a.str(0)?, a.i64(1)?);
            let delimiter = if a.len() > 2 {
                a.str(2)?
            } else {
                args::Str::Const(Some(""))
            };
            args::written(a.rows(), |row, out| {
                let times = usize::try_from(times.get(row).unwrap_or(0)).unwrap_or(0);
                let (text, delimiter) = (x.text(row), delimiter.text(row));
                args::check_string_bytes((text.len() + delimiter.len()).saturating_mul(times))?;
                for index in 0..times {
                    if index > 0 {
                        out.push_str(delimiter);
                    }
                    out.push_str(text);
                }
                Ok(())
            })
        })
        .required(2)],
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
        "translate",
        "Text with characters replaced by others.",
        &[Overload::new(&[AnyText, AnyText, AnyText], Text, translate)],
    ),
    ScalarFunction::new(
        "isascii",
        "Whether a text has only ASCII characters.",
        &[Overload::new(&[AnyText], Bool, |a| {
            let x = a.str(0)?;
            args::truths(a.rows(), |row| x.text(row).is_ascii())
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

fn optional_long<'a>(
    a: &Args<'a>,
    index: usize,
    default: i64,
) -> Result<Prim<'a, arrow::datatypes::Int64Type>> {
    if a.len() > index {
        a.i64(index)
    } else {
        Ok(Prim::Const(Some(default)))
    }
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

/// Refuses a replacement that would make too long a string, before making it.
fn check_growth(text: &str, from: &str, to: &str) -> Result<()> {
    if to.len() <= from.len() {
        return Ok(());
    }
    let most = text.len() / from.len() * to.len();
    if most <= args::STRING_BYTES_MAX {
        return Ok(());
    }
    args::check_string_bytes(text.len() + text.matches(from).count() * (to.len() - from.len()))
}

/// Where `indexof` and `indexof_regex` look: from a position, over a length, for an occurrence.
pub(super) struct SearchPlace<'a> {
    start: Prim<'a, arrow::datatypes::Int64Type>,
    length: Prim<'a, arrow::datatypes::Int64Type>,
    occurrence: Prim<'a, arrow::datatypes::Int64Type>,
}

impl<'a> SearchPlace<'a> {
    pub(super) fn new(a: &Args<'a>) -> Result<Self> {
        Ok(Self {
            start: optional_long(a, 2, 0)?,
            length: optional_long(a, 3, -1)?,
            occurrence: optional_long(a, 4, 1)?,
        })
    }

    /// The position, in characters, of the match that `find` gives as a byte range; -1 if there is
    /// none, null if the place makes no sense.
    pub(super) fn search(
        &self,
        row: usize,
        text: &str,
        find: impl Fn(&str) -> Option<(usize, usize)>,
    ) -> Option<i64> {
        let (start, length) = (self.start.get(row)?, self.length.get(row)?);
        let occurrence = self.occurrence.get(row)?;
        let count = char_count(text) as i64;
        if length < -1 || occurrence < 1 {
            return None;
        }
        let start = if start < 0 {
            (count + start).max(0)
        } else {
            start
        };
        if start > count {
            return Some(-1);
        }
        let mut from = byte_at(text, start as usize);
        let end = match usize::try_from(length) {
            Ok(length) => from + byte_at(&text[from..], length),
            Err(_) => text.len(),
        };
        for left in (0..occurrence).rev() {
            let Some((at, match_end)) = find(&text[from..end]) else {
                return Some(-1);
            };
            if left == 0 {
                return Some(char_count(&text[..from + at]) as i64);
            }
            // An empty match would be found again.
            let step = text[from + at..].chars().next().map_or(1, char::len_utf8);
            from += match_end.max(at + step);
            if from > end {
                return Some(-1);
            }
        }
        Some(-1)
    }
}

fn countof(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, needle) = (a.str(0)?, a.str(1)?);
    match if a.len() > 2 {
        a.const_str(2).unwrap_or("")
    } else {
        "normal"
    } {
        "normal" => args::longs(a.rows(), |row| {
            let (text, needle) = (x.text(row), needle.text(row));
            if needle.is_empty() {
                return Some(0);
            }
            // Matches of plain text may overlap: `aa` stands twice in `aaa`.
            let mut count = 0;
            let mut from = 0;
            while let Some(at) = text[from..].find(needle) {
                count += 1;
                from += at + text[from + at..].chars().next().map_or(1, char::len_utf8);
            }
            Some(count)
        }),
        "regex" => {
            let pattern = super::regex::Pattern::new(needle)?;
            let mut failed = None;
            let array = args::longs(a.rows(), |row| match pattern.get(row) {
                Ok(regex) => Some(regex.find_iter(x.text(row)).count() as i64),
                Err(error) => {
                    failed.get_or_insert(error);
                    None
                }
            })?;
            failed.map_or(Ok(array), Err)
        }
        kind => exec_err!("`{kind}` is no kind of `countof`; kinds are `normal` and `regex`"),
    }
}

fn replace_strings(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, from, to) = (a.str(0)?, a.str(1)?, a.str(2)?);
    args::written(a.rows(), |row, out| {
        let from: Vec<String> = dynamic::elements(from.text(row))
            .map(|f| dynamic::to_text(f).into_owned())
            .collect();
        let to: Vec<String> = dynamic::elements(to.text(row))
            .map(|t| dynamic::to_text(t).into_owned())
            .collect();
        if from.len() != to.len() {
            return exec_err!("`replace_strings` takes as many rewrites as lookups");
        }
        let mut rest = x.text(row);
        while let Some(first) = rest.chars().next() {
            let found = from
                .iter()
                .position(|f| !f.is_empty() && rest.starts_with(f.as_str()));
            match found {
                Some(index) => {
                    out.push_str(&to[index]);
                    rest = &rest[from[index].len()..];
                }
                None => {
                    out.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
            args::check_string_bytes(out.len())?;
        }
        Ok(())
    })
}

/// `translate(search, replacements, source)`: the replacements' last character stands for all that
/// have none of their own.
fn translate(a: &Args<'_>) -> Result<ArrayRef> {
    let (search, replacement, x) = (a.str(0)?, a.str(1)?, a.str(2)?);
    args::written(a.rows(), |row, out| {
        let replacements: Vec<char> = replacement.text(row).chars().collect();
        for c in x.text(row).chars() {
            match search.text(row).chars().position(|s| s == c) {
                Some(index) => out.extend(replacements.get(index).or(replacements.last())),
                None => out.push(c),
            }
        }
        Ok(())
    })
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
