//! Looking for IPv4 addresses in text. Around an address stands no letter or digit.

use arrow::array::ArrayRef;
use datafusion_common::Result;
use kql::Type::{Bool, Dynamic, String as Text};
use memchr::memmem;

use crate::args::{self, Args, Str};
use crate::dynamic;
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "has_ipv4",
        "Whether a text has an IPv4 address.",
        &[Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
            has_any(a, false)
        })],
    ),
    ScalarFunction::new(
        "has_any_ipv4",
        "Whether a text has one of several IPv4 addresses.",
        &[
            Overload::new(&[Is(Text), Is(Text)], Bool, |a| has_any(a, false)).variadic(),
            Overload::new(&[Is(Text), Is(Dynamic)], Bool, |a| has_any_of(a, false)),
        ],
    ),
    ScalarFunction::new(
        "has_ipv4_prefix",
        "Whether a text has an IPv4 address that begins as said.",
        &[Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
            has_any(a, true)
        })],
    ),
    ScalarFunction::new(
        "has_any_ipv4_prefix",
        "Whether a text has an IPv4 address that begins as one of several.",
        &[
            Overload::new(&[Is(Text), Is(Text)], Bool, |a| has_any(a, true)).variadic(),
            Overload::new(&[Is(Text), Is(Dynamic)], Bool, |a| has_any_of(a, true)),
        ],
    ),
];

fn has_any(a: &Args<'_>, prefixes: bool) -> Result<ArrayRef> {
    let (x, columns) = (a.str(0)?, a.strs(1)?);
    let constants: Vec<Option<Sought>> = columns
        .iter()
        .map(|column| match column {
            Str::Const(text) => Some(Sought::new(text.unwrap_or(""), prefixes)),
            Str::Array(_) => None,
        })
        .collect();
    args::truths(a.rows(), |row| {
        let text = x.text(row);
        let mut sought = columns.iter().zip(&constants);
        sought.any(|(column, constant)| match constant {
            Some(sought) => sought.is_in(text),
            None => Sought::new(column.text(row), prefixes).is_in(text),
        })
    })
}

fn has_any_of(a: &Args<'_>, prefixes: bool) -> Result<ArrayRef> {
    let (x, array) = (a.str(0)?, a.str(1)?);
    let all = |array: &str| -> Vec<Sought> {
        dynamic::elements(array)
            .map(|element| Sought::new(&dynamic::to_text(element), prefixes))
            .collect()
    };
    let constant = match array {
        Str::Const(array) => Some(all(array.unwrap_or(""))),
        Str::Array(_) => None,
    };
    args::truths(a.rows(), |row| {
        let text = x.text(row);
        match &constant {
            Some(sought) => sought.iter().any(|sought| sought.is_in(text)),
            None => all(array.text(row)).iter().any(|sought| sought.is_in(text)),
        }
    })
}

/// An address to look for, or its first parts with the dot after them.
struct Sought {
    finder: memmem::Finder<'static>,
    /// How many parts are left open; `None` if the text is no address and never found.
    open_parts: Option<usize>,
}

impl Sought {
    fn new(text: &str, prefixes: bool) -> Self {
        let given = text.strip_suffix('.').filter(|_| prefixes);
        let parts = given.unwrap_or(text).split('.');
        let valid = parts.clone().all(is_part);
        let open_parts = match (parts.count(), given) {
            (4, None) => Some(0),
            (count @ 1..=3, Some(_)) => Some(4 - count),
            _ => None,
        };
        Self {
            finder: memmem::Finder::new(text.as_bytes()).into_owned(),
            open_parts: open_parts.filter(|_| valid),
        }
    }

    fn is_in(&self, text: &str) -> bool {
        let Some(open_parts) = self.open_parts else {
            return false;
        };
        let length = self.finder.needle().len();
        let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        self.finder.find_iter(text.as_bytes()).any(|at| {
            if joined(text[..at].chars().next_back()) {
                return false;
            }
            let mut rest = &text[at + length..];
            for index in 0..open_parts {
                let part = rest.split(|c: char| !c.is_ascii_digit()).next();
                let Some(part) = part.filter(|part| is_part(part)) else {
                    return false;
                };
                rest = &rest[part.len()..];
                if index + 1 < open_parts {
                    let Some(after) = rest.strip_prefix('.') else {
                        return false;
                    };
                    rest = after;
                }
            }
            !joined(rest.chars().next())
        })
    }
}

/// Whether a text is a number from 0 to 255, without zeros before it.
fn is_part(text: &str) -> bool {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0')) && text.parse::<u8>().is_ok()
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::check;

    #[test]
    fn addresses_are_found_between_other_characters() {
        let found = "'05:04:54 127.0.0.1 GET /favicon.ico 404'";
        let joined = "'05:04:54127.0.0.1 GET'";
        for (call, expected) in [
            (format!("has_ipv4({found}, '127.0.0.1')"), "True"),
            (format!("has_ipv4({found}, '127.0.0.')"), "False"),
            (format!("has_ipv4({joined}, '127.0.0.1')"), "False"),
            ("has_ipv4('at 127.0.0.256', '127.0.0.256')".into(), "False"),
            ("has_ipv4('1.1.1.12, 1.1.1.1', '1.1.1.1')".into(), "True"),
            ("has_ipv4('é1.1.1.1', '1.1.1.1')".into(), "False"),
            (
                format!("has_any_ipv4({found}, '1.1.1.1', '127.0.0.1')"),
                "True",
            ),
            (
                format!("has_any_ipv4({found}, dynamic(['1.1.1.1']))"),
                "False",
            ),
            (format!("has_any_ipv4({found}, dynamic(null))"), "False"),
        ] {
            check(&[(&call, expected)]);
        }
    }

    #[test]
    fn prefixes_end_in_a_dot() {
        let found = "'05:04:54 127.0.0.1 GET /favicon.ico 404'";
        for (call, expected) in [
            (format!("has_ipv4_prefix({found}, '127.0.')"), "True"),
            (format!("has_ipv4_prefix({found}, '127.0')"), "False"),
            (format!("has_ipv4_prefix({found}, '127.0.0.1')"), "True"),
            (format!("has_ipv4_prefix({found}, '127.0.0.1.')"), "False"),
            (format!("has_ipv4_prefix({found}, '.')"), "False"),
            (
                "has_ipv4_prefix('at 127.0.0.256 GET', '127.0.')".into(),
                "False",
            ),
            ("has_ipv4_prefix('at 127.0.0', '127.0.')".into(), "False"),
            ("has_ipv4_prefix('at 127.0.0.1x', '127.0.')".into(), "False"),
            (
                format!("has_any_ipv4_prefix({found}, dynamic(['192.168.', '127.0.']))"),
                "True",
            ),
            (
                format!("has_any_ipv4_prefix({found}, '127.0', '192.')"),
                "False",
            ),
        ] {
            check(&[(&call, expected)]);
        }
    }
}
