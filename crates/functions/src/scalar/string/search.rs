//! Looking for text in text, and putting other text in its place.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use arrow::datatypes::Int64Type;
use datafusion_common::{Result, exec_err};
use kql::Type::{Dynamic, Long, String as Text};
use memchr::memmem;

use super::{byte_at, char_count};
use crate::args::{self, Args, Prim};
use crate::dynamic::{self, Kind};
use crate::registry::{
    Overload,
    Param::{Const, Is, Text as AnyText},
    ScalarFunction,
};
use crate::scalar::regex::Pattern;

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
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
                let place = SearchPlace::new(a, true)?;
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
                if times > TIMES_MAX {
                    return exec_err!(
                        "`strrep` of more than {TIMES_MAX} times is not supported, found {times}"
                    );
                }
                args::check_string_bytes((text.len() + delimiter.len()) * times)?;
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
        "translate",
        "Text with characters replaced by others.",
        &[Overload::new(&[AnyText, AnyText, AnyText], Text, translate)],
    ),
];

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
pub(in crate::scalar) struct SearchPlace<'a> {
    start: Prim<'a, Int64Type>,
    length: Prim<'a, Int64Type>,
    occurrence: Prim<'a, Int64Type>,
    from_end: bool,
}

impl<'a> SearchPlace<'a> {
    /// The place that arguments from the third on name. A negative start counts from the end if
    /// `from_end`, else it makes no sense.
    pub(in crate::scalar) fn new(a: &Args<'a>, from_end: bool) -> Result<Self> {
        Ok(Self {
            start: a.i64_or(2, 0)?,
            length: a.i64_or(3, -1)?,
            occurrence: a.i64_or(4, 1)?,
            from_end,
        })
    }

    /// The position, in characters, of the match that `find` gives as a byte range; -1 if there is
    /// none, null if the place makes no sense.
    pub(in crate::scalar) fn search(
        &self,
        row: usize,
        text: &str,
        find: impl Fn(&str) -> Option<(usize, usize)>,
    ) -> Option<i64> {
        let (start, length) = (self.start.get(row)?, self.length.get(row)?);
        let occurrence = self.occurrence.get(row)?;
        let count = char_count(text) as i64;
        if length < -1 || occurrence < 1 || (start < 0 && !self.from_end) {
            return None;
        }
        let start = if start < 0 {
            count.saturating_add(start).max(0)
        } else {
            start
        };
        if start > count {
            return Some(-1);
        }
        let mut from = byte_at(text, start as usize);
        for left in (0..occurrence).rev() {
            // The length counts anew after each occurrence, as the reference's example has it.
            let end = match usize::try_from(length) {
                Ok(length) => from + byte_at(&text[from..], length),
                Err(_) => text.len(),
            };
            let Some((at, match_end)) = find(&text[from..end]) else {
                return Some(-1);
            };
            if left == 0 {
                return Some(char_count(&text[..from + at]) as i64);
            }
            // An empty match would be found again.
            let step = text[from + at..].chars().next().map_or(1, char::len_utf8);
            from += match_end.max(at + step);
            if from > text.len() {
                return Some(-1);
            }
        }
        Some(-1)
    }
}

/// Most times that `strrep()` repeats. The reference names this bound and a far larger one.
///
/// <https://learn.microsoft.com/kusto/query/strrep-function>
const TIMES_MAX: usize = 1024;

fn countof(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, needle) = (a.str(0)?, a.str(1)?);
    match if a.len() > 2 {
        a.const_str(2).unwrap_or("")
    } else {
        "normal"
    } {
        "normal" => {
            let constant = a.const_str(1).map(Overlapping::new);
            args::longs(a.rows(), |row| {
                let text = x.text(row);
                Some(match &constant {
                    Some(needle) => needle.count(text),
                    None => Overlapping::new(needle.text(row)).count(text),
                })
            })
        }
        "regex" => {
            let pattern = Pattern::new(needle)?;
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

/// A text of which matches may overlap: `aa` stands twice in `aaa`.
struct Overlapping<'a> {
    needle: &'a [u8],
    /// For each start of the needle, the length of its longest proper start that is also its end.
    borders: Vec<usize>,
}

impl<'a> Overlapping<'a> {
    fn new(needle: &'a str) -> Self {
        let needle = needle.as_bytes();
        let mut borders = Vec::with_capacity(needle.len());
        let mut border = 0;
        for (index, byte) in needle.iter().enumerate() {
            border = if index == 0 {
                0
            } else {
                longer(needle, &borders, border, *byte)
            };
            borders.push(border);
        }
        Self { needle, borders }
    }

    /// How often the text stands in another. This is the way of Knuth, Morris and Pratt, which takes
    /// no longer for texts that repeat themselves.
    fn count(&self, text: &str) -> i64 {
        let Some(first) = self.needle.first() else {
            return 0;
        };
        let mut count = 0;
        let mut matched = 0;
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if matched == 0 {
                let Some(skipped) = memchr::memchr(*first, &bytes[at..]) else {
                    break;
                };
                at += skipped + 1;
                matched = 1;
            } else {
                matched = longer(self.needle, &self.borders, matched, *byte);
                at += 1;
            }
            if matched == self.needle.len() {
                count += 1;
                matched = self.borders[matched - 1];
            }
        }
        count
    }
}

/// How much of the needle is matched after another byte, if so much was before.
fn longer(needle: &[u8], borders: &[usize], mut matched: usize, byte: u8) -> usize {
    while matched > 0 && needle[matched] != byte {
        matched = borders[matched - 1];
    }
    matched + usize::from(needle[matched] == byte)
}

/// Lookups that stand earlier go first over the whole text; what one has matched is no other's. A
/// lookup that is no string is passed over, and one whose rewrite is no string keeps what it matched.
///
/// <https://learn.microsoft.com/kusto/query/replace-strings-function>
fn replace_strings(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, from, to) = (a.str(0)?, a.str(1)?, a.str(2)?);
    args::written(a.rows(), |row, out| {
        let lookups: Vec<&str> = dynamic::elements(from.text(row)).collect();
        let rewrites: Vec<&str> = dynamic::elements(to.text(row)).collect();
        if lookups.len() != rewrites.len() {
            return exec_err!("`replace_strings` takes as many rewrites as lookups");
        }
        if lookups.len() > LOOKUPS_MAX {
            return exec_err!("`replace_strings` takes up to {LOOKUPS_MAX} lookups");
        }
        let text = x.text(row);
        let mut found: Vec<Found> = Vec::new();
        for (index, lookup) in lookups.iter().enumerate() {
            let lookup = match dynamic::kind(lookup) {
                Kind::String => dynamic::string_value(lookup),
                _ => continue,
            };
            if !lookup.is_empty() {
                found = with_matches(text, &lookup, index, &found)?;
            }
        }
        let mut end = 0;
        for part in found {
            out.push_str(&text[end..part.start]);
            end = part.end;
            let rewrite = rewrites[part.lookup];
            match dynamic::kind(rewrite) {
                Kind::String => out.push_str(&dynamic::string_value(rewrite)),
                _ => out.push_str(&text[part.start..part.end]),
            }
            args::check_string_bytes(out.len())?;
        }
        out.push_str(&text[end..]);
        Ok(())
    })
}

/// A match of `replace_strings()`.
#[derive(Clone, Copy)]
struct Found {
    start: usize,
    end: usize,
    lookup: usize,
}

/// Most lookups of `replace_strings()`, each of which goes over the whole text.
const LOOKUPS_MAX: usize = 1 << 12;

/// Most matches of `replace_strings()` in one text.
const MATCHES_MAX: usize = 1 << 20;

/// The matches so far, and those of another lookup between them, in order.
fn with_matches(text: &str, lookup: &str, index: usize, found: &[Found]) -> Result<Vec<Found>> {
    let finder = memmem::Finder::new(lookup.as_bytes());
    let mut all = Vec::with_capacity(found.len());
    let mut start = 0;
    let ends = found.iter().map(|part| (part.start, Some(*part)));
    for (end, next) in ends.chain([(text.len(), None)]) {
        all.extend(
            finder
                .find_iter(&text.as_bytes()[start..end])
                .map(|at| Found {
                    start: start + at,
                    end: start + at + lookup.len(),
                    lookup: index,
                }),
        );
        if let Some(next) = next {
            all.push(next);
            start = next.end;
        }
    }
    if all.len() > MATCHES_MAX {
        return exec_err!("`replace_strings` matches more than {MATCHES_MAX} times");
    }
    Ok(all)
}

/// `translate(search, replacements, source)`: the replacements' last character stands for all that
/// have none of their own.
fn translate(a: &Args<'_>) -> Result<ArrayRef> {
    let (search, replacement, x) = (a.str(0)?, a.str(1)?, a.str(2)?);
    let constant = match (a.const_str(0), a.const_str(1)) {
        (Some(search), Some(replacement)) => Some(translation(search, replacement)),
        _ => None,
    };
    args::written(a.rows(), |row, out| {
        let own;
        let translation = match &constant {
            Some(translation) => translation,
            None => {
                own = translation(search.text(row), replacement.text(row));
                &own
            }
        };
        for c in x.text(row).chars() {
            match translation.get(&c) {
                Some(replacement) => out.extend(*replacement),
                None => out.push(c),
            }
        }
        Ok(())
    })
}

/// What becomes of each character; of one that is sought twice, the first counts.
fn translation(search: &str, replacement: &str) -> HashMap<char, Option<char>> {
    let last = replacement.chars().next_back();
    let mut replacements = replacement.chars();
    let mut translation = HashMap::new();
    for c in search.chars() {
        let replacement = replacements.next().or(last);
        translation.entry(c).or_insert(replacement);
    }
    translation
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn places_are_searched() {
        check(&[
            ("indexof('abcdefg', 'cde')", "2"),
            ("indexof('abcdefg', 'cde', 1, 4)", "2"),
            ("indexof('abcdefg', 'cde', 1, 2)", "-1"),
            ("indexof('abcdefg', 'cde', 3, 4)", "-1"),
            ("indexof('abcdefg', 'cde', -5)", "2"),
            ("indexof(1234567, 5, 1, 4)", "4"),
            ("indexof('abcdefgabcdefg', 'cde', 1, 10, 2)", "9"),
            ("indexof('abcdefgabcdefg', 'cde', 1, -1, 3)", "-1"),
            ("indexof('abc', 'b', 0, -2)", "null"),
            ("indexof('abc', 'b', 0, -1, -1)", "null"),
            ("indexof('abc', 'b', -9223372036854775807)", "1"),
            ("indexof('äbc', 'c', 9223372036854775807)", "-1"),
            ("indexof_regex('abcabc', 'a.c')", "0"),
            ("indexof_regex('abcabcdefg', 'a.c', 0, 9, 2)", "3"),
            ("indexof_regex('abcabc', 'a.c', 1, -1, 2)", "-1"),
            ("indexof_regex('ababaa', 'a.a', 0, -1, 2)", "-1"),
            ("indexof_regex('abcabc', 'a|ab', -1)", "null"),
            ("indexof_regex('abc', 'b', 0, -1, -1)", "null"),
            (
                "has_any_index('this is an example', dynamic(['not', 'Example']))",
                "1",
            ),
            (
                "has_any_index('this is an example', dynamic(['not', 'exam']))",
                "-1",
            ),
            ("has_any_index('Example number 2', range(1, 3, 1))", "1"),
            ("has_any_index('this is an example', dynamic([]))", "-1"),
            ("countof('aaaa', 'aa')", "3"),
            ("countof('ababa', 'aba')", "2"),
            ("countof('ababababa', 'ababa')", "3"),
            ("countof('aabaaabaab', 'aabaa')", "2"),
            ("countof('ééé', 'éé')", "2"),
            ("countof('', 'a')", "0"),
            ("countof('a', '')", "0"),
            ("countof('abc', 'abcd')", "0"),
            ("countof('ababa', 'aba', 'regex')", "1"),
        ]);
        check_refused(&[("countof('a', 'a', 'glob')", "no kind")]);
    }

    #[test]
    fn earlier_lookups_go_first_over_the_whole_text() {
        check(&[
            (
                "replace_strings('This is it', dynamic(['is', 'This']), dynamic(['was', 'This']))",
                "Thwas was it",
            ),
            (
                "replace_strings('This is it', dynamic(['This', 'is']), dynamic(['This', 'was']))",
                "This was it",
            ),
            (
                "replace_strings('This is it', dynamic(['This', 'is']), dynamic([12345, 'was']))",
                "This was it",
            ),
            (
                "replace_strings('a cat', dynamic([1, 'cat', 'dog', '']), dynamic(['x', 'dog', 'pig', 'y']))",
                "a dog",
            ),
            ("replace_strings('', dynamic(['a']), dynamic(['b']))", ""),
        ]);
        check_refused(&[(
            "replace_strings('a', dynamic(['a']), dynamic([]))",
            "as many rewrites",
        )]);
    }

    #[test]
    fn characters_are_translated_by_place() {
        check(&[
            ("translate('abc', 'x', 'abc')", "xxx"),
            ("translate('abc', '', 'ab')", ""),
            ("translate('aab', 'xyz', 'ab')", "xz"),
            ("translate('krasp', 'otsku', 'spark')", "kusto"),
            ("strrep('ABC', 2)", "ABCABC"),
            ("strrep(123, 3, '.')", "123.123.123"),
            ("strrep(3s, 2, ' ')", "00:00:03 00:00:03"),
        ]);
        check_refused(&[("strrep('abc', 9223372036854775807)", "not supported")]);
    }
}
