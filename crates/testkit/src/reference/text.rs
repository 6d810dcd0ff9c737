//! What string operators mean.

use kql::ast::BinaryOp;

use super::{Known, unknown};

fn lower(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether `needle` stands in `text` between ends of terms: at the start if `starts`, at the end if
/// `ends`. A term is a run of letters and digits.
///
/// <https://learn.microsoft.com/kusto/query/datatypes-string-operators#understanding-string-terms>
fn has(text: &str, needle: &str, starts: bool, ends: bool) -> Known<bool> {
    if needle.is_empty() || !needle.is_ascii() {
        return unknown("a term that is none");
    }
    let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    Ok(text.match_indices(needle).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + needle.len()..].chars().next();
        let first = needle.chars().next();
        let last = needle.chars().next_back();
        let (within, beyond) = (word(before) && word(first), word(after) && word(last));
        !(starts && within || ends && beyond)
    }))
}

/// A string operator on two strings; `None` if it is no string operator.
pub(super) fn operate(op: BinaryOp, text: &str, needle: &str) -> Option<Known<bool>> {
    use BinaryOp as Op;
    let (l, n) = (lower(text), lower(needle));
    let (l, n) = (l.as_str(), n.as_str());
    let not = |known: Known<bool>| known.map(|found| !found);
    Some(match op {
        Op::EqualTilde => Ok(l == n),
        Op::NotTilde => Ok(l != n),
        Op::Has => has(l, n, true, true),
        Op::NotHas => not(has(l, n, true, true)),
        Op::HasCs => has(text, needle, true, true),
        Op::NotHasCs => not(has(text, needle, true, true)),
        Op::HasPrefix => has(l, n, true, false),
        Op::NotHasPrefix => not(has(l, n, true, false)),
        Op::HasSuffix => has(l, n, false, true),
        Op::NotHasSuffix => not(has(l, n, false, true)),
        Op::Contains => Ok(l.contains(n)),
        Op::NotContains => Ok(!l.contains(n)),
        Op::ContainsCs => Ok(text.contains(needle)),
        Op::NotContainsCs => Ok(!text.contains(needle)),
        Op::StartsWith => Ok(l.starts_with(n)),
        Op::NotStartsWith => Ok(!l.starts_with(n)),
        Op::StartsWithCs => Ok(text.starts_with(needle)),
        Op::NotStartsWithCs => Ok(!text.starts_with(needle)),
        Op::EndsWith => Ok(l.ends_with(n)),
        Op::NotEndsWith => Ok(!l.ends_with(n)),
        Op::EndsWithCs => Ok(text.ends_with(needle)),
        Op::NotEndsWithCs => Ok(!text.ends_with(needle)),
        _ => return None,
    })
}
