//! Functions of regular expressions. Kusto uses RE2; the `regex` crate takes the same syntax and
//! like it never backtracks.

use std::sync::{Arc, LazyLock, Mutex};

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic, Long, String as Text};
use regex::{Regex, RegexBuilder};

use crate::args::{self, Args, Str, Strings};
use crate::dynamic;
use crate::registry::{
    Overload,
    Param::{Const, Is, Text as AnyText},
    ScalarFunction,
};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "__matches_regex",
        "",
        &[Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
            let (x, pattern) = (a.str(0)?, Pattern::new(a.str(1)?)?);
            let mut failed = None;
            let array = args::truths(a.rows(), |row| match pattern.get(row) {
                Ok(regex) => regex.is_match(x.text(row)),
                Err(error) => {
                    failed.get_or_insert(error);
                    false
                }
            })?;
            failed.map_or(Ok(array), Err)
        })],
    ),
    ScalarFunction::new(
        "extract",
        "The match of a group of a regular expression; empty if none.",
        &[Overload::new(&[Is(Text), Is(Long), AnyText], Text, |a| {
            let (pattern, group, x) = (Pattern::new(a.str(0)?)?, a.i64(1)?, a.str(2)?);
            let mut out = Strings::new(a.rows());
            for row in 0..a.rows() {
                let regex = pattern.get(row)?;
                let group = usize::try_from(group.get(row).unwrap_or(-1)).unwrap_or(usize::MAX);
                let captures = regex.captures(x.text(row));
                let found = captures.and_then(|captures| captures.get(group));
                out.push(found.map_or("", |found| found.as_str()))?;
            }
            Ok(out.finish())
        })],
    ),
    ScalarFunction::new(
        "extract_all",
        "All matches of a regular expression, its groups in each.",
        &[
            Overload::new(&[Const(Text), Is(Text)], Dynamic, |a| {
                extract_all(a, None, a.str(1)?)
            }),
            Overload::new(&[Const(Text), Is(Dynamic), Is(Text)], Dynamic, |a| {
                extract_all(a, Some(a.str(1)?), a.str(2)?)
            }),
        ],
    )
    .aliases(&["extractall"]),
    ScalarFunction::new(
        "replace_regex",
        "Text with the matches of a regular expression replaced.",
        &[Overload::new(&[Is(Text), Is(Text), Is(Text)], Text, |a| {
            replace(a, a.str(0)?, a.str(1)?, a.str(2)?)
        })],
    ),
    ScalarFunction::new(
        "replace",
        "As `replace_regex`, in an older order of arguments.",
        &[Overload::new(&[Is(Text), Is(Text), Is(Text)], Text, |a| {
            replace(a, a.str(2)?, a.str(0)?, a.str(1)?)
        })],
    ),
    ScalarFunction::new(
        "trim",
        "Text without a match of a regular expression at either end.",
        &[Overload::new(&[Const(Text), AnyText], Text, |a| {
            trim(a, true, true)
        })],
    ),
    ScalarFunction::new(
        "trim_start",
        "Text without a match of a regular expression at its start.",
        &[Overload::new(&[Const(Text), AnyText], Text, |a| {
            trim(a, true, false)
        })],
    ),
    ScalarFunction::new(
        "trim_end",
        "Text without a match of a regular expression at its end.",
        &[Overload::new(&[Const(Text), AnyText], Text, |a| {
            trim(a, false, true)
        })],
    ),
    ScalarFunction::new(
        "regex_quote",
        "Text with what regular expressions treat apart escaped.",
        &[Overload::new(&[AnyText], Text, |a| {
            let x = a.str(0)?;
            args::written(a.rows(), |row, out| {
                out.push_str(&regex::escape(x.text(row)));
                Ok(())
            })
        })],
    ),
    ScalarFunction::new(
        "indexof_regex",
        "Where a regular expression first matches, in characters, or -1.",
        &[Overload::new(
            &[AnyText, AnyText, Is(Long), Is(Long), Is(Long)],
            Long,
            |a| {
                let (x, pattern) = (a.str(0)?, Pattern::new(a.str(1)?)?);
                let place = super::string::SearchPlace::new(a, false)?;
                let mut failed = None;
                let array = args::longs(a.rows(), |row| {
                    let regex = match pattern.get(row) {
                        Ok(regex) => regex,
                        Err(error) => {
                            failed.get_or_insert(error);
                            return None;
                        }
                    };
                    place.search(row, x.text(row), |text| {
                        regex.find(text).map(|found| (found.start(), found.end()))
                    })
                })?;
                failed.map_or(Ok(array), Err)
            },
        )
        .required(2)],
    ),
];

/// Longest compiled program of a regular expression, in bytes.
const PROGRAM_BYTES_MAX: usize = 4 << 20;

/// Most compiled regular expressions that are kept.
const CACHE_ENTRIES_MAX: usize = 256;

type Cache = Mutex<Vec<(String, Arc<Regex>)>>;
static CACHE: LazyLock<Cache> = LazyLock::new(Mutex::default);

/// Compiles a pattern, or takes it from the ones compiled before.
pub(crate) fn compile(pattern: &str) -> Result<Arc<Regex>> {
    let mut cache = CACHE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(index) = cache.iter().position(|(known, _)| known == pattern) {
        let entry = cache.remove(index);
        let regex = Arc::clone(&entry.1);
        cache.push(entry);
        return Ok(regex);
    }
    let built = RegexBuilder::new(pattern)
        .size_limit(PROGRAM_BYTES_MAX)
        .build();
    match built {
        Ok(regex) => {
            let regex = Arc::new(regex);
            if cache.len() >= CACHE_ENTRIES_MAX {
                cache.remove(0);
            }
            cache.push((pattern.to_owned(), Arc::clone(&regex)));
            Ok(regex)
        }
        Err(error) => {
            let short: String = pattern.chars().take(100).collect();
            let reason = error.to_string();
            let reason = reason
                .lines()
                .last()
                .unwrap_or("")
                .trim_start_matches("error: ");
            exec_err!("`{short}` is no regular expression: {reason}")
        }
    }
}

/// A pattern argument: compiled once if it is constant.
pub(super) enum Pattern<'a> {
    Const(Arc<Regex>),
    Column(Str<'a>),
}

impl<'a> Pattern<'a> {
    pub(super) fn new(pattern: Str<'a>) -> Result<Self> {
        Ok(match pattern {
            Str::Const(text) => Self::Const(compile(text.unwrap_or(""))?),
            Str::Array(_) => Self::Column(pattern),
        })
    }

    pub(super) fn get(&self, row: usize) -> Result<Arc<Regex>> {
        match self {
            Self::Const(regex) => Ok(Arc::clone(regex)),
            Self::Column(column) => compile(column.text(row)),
        }
    }
}

fn const_pattern<'a>(a: &Args<'a>, index: usize) -> Result<&'a str> {
    match a.const_str(index) {
        Some(text) => Ok(text),
        None => exec_err!("the regular expression must be a constant"),
    }
}

fn extract_all(a: &Args<'_>, groups: Option<Str<'_>>, x: Str<'_>) -> Result<ArrayRef> {
    let regex = compile(const_pattern(a, 0)?)?;
    args::written_option(a.rows(), |row, out| {
        let group_of = |group: &str| match dynamic::kind(group) {
            dynamic::Kind::String => {
                let name = dynamic::string_value(group);
                regex.capture_names().position(|n| n == Some(&*name))
            }
            _ => dynamic::to_long(group).and_then(|group| group.try_into().ok()),
        };
        let chosen: Option<Vec<usize>> = groups.map(|groups| {
            dynamic::elements(groups.text(row))
                .filter_map(group_of)
                .collect()
        });
        let default: Vec<usize> = match regex.captures_len() {
            1 => vec![0],
            groups => (1..groups).collect(),
        };
        let groups = chosen.as_ref().unwrap_or(&default);
        let mut any = false;
        for captures in regex.captures_iter(x.text(row)) {
            out.push(if any { ',' } else { '[' });
            any = true;
            let mut parts = groups
                .iter()
                .map(|group| captures.get(*group).map_or("", |m| m.as_str()));
            if groups.len() == 1 {
                dynamic::write_string(out, parts.next().unwrap_or(""));
                continue;
            }
            out.push('[');
            for (index, part) in parts.enumerate() {
                if index > 0 {
                    out.push(',');
                }
                dynamic::write_string(out, part);
            }
            out.push(']');
        }
        out.push_str(if any { "]" } else { "" });
        args::check_string_bytes(out.len())?;
        Ok(any)
    })
}

/// Kusto writes groups as `\1`; the `regex` crate writes them as `${1}`.
fn rewrite_of(rewrite: &str) -> String {
    let mut out = String::with_capacity(rewrite.len() + 8);
    let mut chars = rewrite.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '$' => out.push_str("$$"),
            '\\' => match chars.next() {
                Some(digit) if digit.is_ascii_digit() => {
                    out.push_str("${");
                    out.push(digit);
                    out.push('}');
                }
                Some('$') => out.push_str("$$"),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    out
}

fn replace(a: &Args<'_>, x: Str<'_>, pattern: Str<'_>, rewrite: Str<'_>) -> Result<ArrayRef> {
    let pattern = Pattern::new(pattern)?;
    let constant = match rewrite {
        Str::Const(text) => Some(rewrite_of(text.unwrap_or(""))),
        Str::Array(_) => None,
    };
    args::written(a.rows(), |row, out| {
        let own;
        let rewrite = match &constant {
            Some(rewrite) => rewrite,
            None => {
                own = rewrite_of(rewrite.text(row));
                &own
            }
        };
        out.push_str(&pattern.get(row)?.replace_all(x.text(row), rewrite.as_str()));
        Ok(())
    })
}

fn trim(a: &Args<'_>, start: bool, end: bool) -> Result<ArrayRef> {
    let pattern = const_pattern(a, 0)?;
    let at_start = if start {
        Some(compile(&format!("^(?:{pattern})"))?)
    } else {
        None
    };
    let at_end = if end {
        Some(compile(&format!("(?:{pattern})$"))?)
    } else {
        None
    };
    let x = a.str(1)?;
    args::strs(a.rows(), |row| {
        let mut text = x.text(row);
        if let Some(found) = at_start.as_ref().and_then(|regex| regex.find(text)) {
            text = &text[found.end()..];
        }
        if let Some(found) = at_end.as_ref().and_then(|regex| regex.find(text)) {
            text = &text[..found.start()];
        }
        text
    })
}
