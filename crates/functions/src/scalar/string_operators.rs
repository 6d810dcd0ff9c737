//! `has`, `contains`, `startswith` and their like, with and without letter case, and `has_any`.
//!
//! Negated operators are the binder's: it negates these.

use aho_corasick::{AhoCorasick, MatchKind};
use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Bool, Dynamic, Long, String as Text};

use crate::args::{self, Args, Str};
use crate::dynamic;
use crate::registry::{
    Overload,
    Param::{Const, Is},
    ScalarFunction,
};
use crate::text::{Needle, Place, equal_ci, lower};

macro_rules! operator {
    ($name:literal, $place:expr, $case_sensitive:literal) => {
        ScalarFunction::new(
            $name,
            "",
            &[Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
                search(a, $place, $case_sensitive)
            })],
        )
    };
}

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "__equal_ci",
        "",
        &[Overload::new(&[Is(Text), Is(Text)], Bool, |a| {
            let (x, y) = (a.str(0)?, a.str(1)?);
            args::truths(a.rows(), |row| equal_ci(x.text(row), y.text(row)))
        })],
    ),
    operator!("__has", Place::Term, false),
    operator!("__has_cs", Place::Term, true),
    operator!("__hasprefix", Place::TermStart, false),
    operator!("__hasprefix_cs", Place::TermStart, true),
    operator!("__hassuffix", Place::TermEnd, false),
    operator!("__hassuffix_cs", Place::TermEnd, true),
    operator!("__contains", Place::Anywhere, false),
    operator!("__contains_cs", Place::Anywhere, true),
    operator!("__startswith", Place::Start, false),
    operator!("__startswith_cs", Place::Start, true),
    operator!("__endswith", Place::End, false),
    operator!("__endswith_cs", Place::End, true),
    ScalarFunction::new(
        "__in_ci",
        "",
        &[Overload::new(&[Is(Text), Const(Dynamic)], Bool, in_ci)],
    ),
    ScalarFunction::new(
        "__has_any",
        "",
        &[Overload::new(&[Is(Text), Is(Dynamic)], Bool, |a| {
            has_many(a, true)
        })],
    ),
    ScalarFunction::new(
        "__has_all",
        "",
        &[Overload::new(&[Is(Text), Is(Dynamic)], Bool, |a| {
            has_many(a, false)
        })],
    ),
    ScalarFunction::new(
        "has_any_index",
        "The index of the first of several terms that a string has, or -1.",
        &[Overload::new(&[Is(Text), Is(Dynamic)], Long, |a| {
            let (x, terms) = (a.str(0)?, a.str(1)?);
            let constant = const_terms(terms);
            args::longs(a.rows(), |row| {
                let own;
                let terms = match &constant {
                    Some(terms) => terms,
                    None => {
                        own = terms_of(terms.get(row)?);
                        &own
                    }
                };
                let found = needles(terms).position(|needle| needle.is_in(x.text(row)));
                Some(found.map_or(-1, |index| index as i64))
            })
        })],
    ),
];

fn search(a: &Args<'_>, place: Place, case_sensitive: bool) -> Result<ArrayRef> {
    let (x, y) = (a.str(0)?, a.str(1)?);
    if let Str::Const(text) = y {
        let needle = Needle::new(text.unwrap_or(""), place, case_sensitive);
        return args::truths(a.rows(), |row| needle.is_in(x.text(row)));
    }
    args::truths(a.rows(), |row| {
        Needle::new(y.text(row), place, case_sensitive).is_in(x.text(row))
    })
}

/// The strings of a dynamic array, nested arrays included.
fn terms_of(array: &str) -> Vec<String> {
    match dynamic::kind(array) {
        dynamic::Kind::Array => dynamic::elements(array).flat_map(terms_of).collect(),
        dynamic::Kind::Null => Vec::new(),
        _ => vec![dynamic::to_text(array).into_owned()],
    }
}

fn const_terms(terms: Str<'_>) -> Option<Vec<String>> {
    match terms {
        Str::Const(terms) => Some(terms_of(terms.unwrap_or("[]"))),
        Str::Array(_) => None,
    }
}

fn needles(terms: &[String]) -> impl Iterator<Item = Needle<'_>> {
    terms
        .iter()
        .map(|term| Needle::new(term, Place::Term, false))
}

fn in_ci(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, list) = (a.str(0)?, a.str(1)?);
    let Some(values) = const_terms(list) else {
        return exec_err!("the list must be constant");
    };
    let values: std::collections::HashSet<String> =
        values.iter().map(|value| value.to_lowercase()).collect();
    args::truths(a.rows(), |row| values.contains(&*lower(x.text(row))))
}

fn has_many(a: &Args<'_>, any: bool) -> Result<ArrayRef> {
    let (x, terms) = (a.str(0)?, a.str(1)?);
    let Some(constant) = const_terms(terms) else {
        return args::truths(a.rows(), |row| {
            let terms = terms_of(terms.text(row));
            let mut needles = needles(&terms);
            if any {
                needles.any(|n| n.is_in(x.text(row)))
            } else {
                needles.all(|n| n.is_in(x.text(row)))
            }
        });
    };
    let needles: Vec<Needle<'_>> = needles(&constant).collect();
    // With many terms, one pass tells whether any of them may be there at all.
    let filter = (any
        && needles.len() > 8
        && constant
            .iter()
            .all(|term| term.is_ascii() && !term.is_empty()))
    .then(|| {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .build(&constant)
            .ok()
    })
    .flatten();
    args::truths(a.rows(), |row| {
        let text = x.text(row);
        if let Some(filter) = &filter
            && text.is_ascii()
            && !filter.is_match(text)
        {
            return false;
        }
        if any {
            needles.iter().any(|n| n.is_in(text))
        } else {
            needles.iter().all(|n| n.is_in(text))
        }
    })
}
