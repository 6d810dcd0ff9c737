//! How a `dynamic` value lies in a cell, and the one place that knows: compact JSON text, and an
//! Arrow null for the null at the top.
//!
//! Text comes in through [`normalize`]; after that it is trusted to be valid. Paths are followed by
//! skipping over values ([`member`], [`element`]), not by parsing the whole document.

use std::borrow::Cow;
use std::cmp::Ordering;

use kql::value::json;

mod scan;

pub use scan::{elements, members, normalize};

/// Deepest nesting of a dynamic value.
pub const NESTING_MAX: usize = 128;

/// What a value is, told by its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`, or nothing.
    Null,
    /// `true`, `false`.
    Bool,
    /// A whole number.
    Long,
    /// A number with a fraction or an exponent.
    Real,
    /// A quoted string.
    String,
    /// `[…]`.
    Array,
    /// `{…}`.
    Bag,
}

/// What `value` is.
pub fn kind(value: &str) -> Kind {
    match value.as_bytes().first() {
        None | Some(b'n') => Kind::Null,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'"') => Kind::String,
        Some(b'[') => Kind::Array,
        Some(b'{') => Kind::Bag,
        Some(_) if value.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) => Kind::Real,
        Some(_) => Kind::Long,
    }
}

/// `value` unless it is null.
pub fn non_null(value: &str) -> Option<&str> {
    (kind(value) != Kind::Null).then_some(value)
}

/// The member `key` of a bag; of equal keys the last. Letter case counts.
pub fn member<'a>(value: &'a str, key: &str) -> Option<&'a str> {
    members(value)
        .filter(|(name, _)| name == key)
        .last()
        .map(|(_, value)| value)
}

/// The element of an array; a negative index counts from the end.
pub fn element(value: &str, index: i64) -> Option<&str> {
    if kind(value) != Kind::Array {
        return None;
    }
    let index = if index < 0 {
        elements(value).count() as i64 + index
    } else {
        index
    };
    elements(value).nth(usize::try_from(index).ok()?)
}

/// The text of a JSON string without its quotes.
pub fn string_value(value: &str) -> Cow<'_, str> {
    let inner = value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .unwrap_or(value);
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    Cow::Owned(scan::unescape(inner))
}

/// A value as `tostring()` gives it: strings without quotes, null as `""`, the rest as JSON.
pub fn to_text(value: &str) -> Cow<'_, str> {
    match kind(value) {
        Kind::Null => Cow::Borrowed(""),
        Kind::String => string_value(value),
        _ => Cow::Borrowed(value),
    }
}

/// A value as a long, if it is a number or a string that reads as one.
pub fn to_long(value: &str) -> Option<i64> {
    match kind(value) {
        Kind::Long => value.parse().ok(),
        Kind::Real => value.parse::<f64>().ok().map(|real| real as i64),
        Kind::Bool => Some(i64::from(value == "true")),
        Kind::String => crate::scalar::conversion::parse_long(&string_value(value)),
        _ => None,
    }
}

/// A value as a real, if it is a number or a string that reads as one.
pub fn to_real(value: &str) -> Option<f64> {
    match kind(value) {
        Kind::Long | Kind::Real => value.parse().ok(),
        Kind::Bool => Some(f64::from(u8::from(value == "true"))),
        Kind::String => crate::scalar::conversion::parse_real(&string_value(value)),
        _ => None,
    }
}

/// How a value stands to a long, if it is a number or a string that reads as one. Its fraction counts.
pub fn compare_to_long(value: &str, long: i64) -> Option<Ordering> {
    let whole = match kind(value) {
        Kind::Real => None,
        _ => to_long(value),
    };
    match whole {
        Some(whole) => Some(whole.cmp(&long)),
        None => real_to_long(to_real(value)?, long),
    }
}

fn real_to_long(real: f64, long: i64) -> Option<Ordering> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    if real.is_nan() {
        None
    } else if real >= END {
        Some(Ordering::Greater)
    } else if real < -END {
        Some(Ordering::Less)
    } else {
        let whole = (real.trunc() as i64).cmp(&long);
        Some(whole.then(real.fract().partial_cmp(&0.0)?))
    }
}

/// A value as a bool, if it is one, a number, or a string that reads as one.
pub fn to_bool(value: &str) -> Option<bool> {
    match kind(value) {
        Kind::Bool => Some(value == "true"),
        Kind::Long => value.parse::<i64>().ok().map(|value| value != 0),
        Kind::Real => value.parse::<f64>().ok().map(|value| value != 0.0),
        Kind::String => crate::scalar::conversion::parse_bool(&string_value(value)),
        _ => None,
    }
}

/// Appends a string as JSON.
pub fn write_string(out: &mut String, value: &str) {
    json::write_string(out, value);
}

/// Appends a real as JSON.
pub fn write_real(out: &mut String, value: f64) {
    out.push_str(&json::real_text(value));
}

/// Appends text that may be JSON: if it is not, as a string. This is what `parse_json()` does.
pub fn write_parsed(out: &mut String, text: &str) {
    let start = out.len();
    if !normalize(text, out) {
        out.truncate(start);
        write_string(out, text);
    }
}

/// Whether two values are equal: numbers by value, bags whatever the order of their keys.
pub fn equal(a: &str, b: &str) -> bool {
    if a == b {
        return true;
    }
    match (kind(a), kind(b)) {
        (Kind::Long | Kind::Real, Kind::Long | Kind::Real) => to_real(a) == to_real(b),
        (Kind::String, Kind::String) => string_value(a) == string_value(b),
        (Kind::Array, Kind::Array) => {
            let (mut a, mut b) = (elements(a), elements(b));
            loop {
                match (a.next(), b.next()) {
                    (None, None) => return true,
                    (Some(a), Some(b)) if equal(a, b) => {}
                    _ => return false,
                }
            }
        }
        (Kind::Bag, Kind::Bag) => {
            members(a).count() == members(b).count()
                && members(a).all(|(key, value)| member(b, &key).is_some_and(|v| equal(value, v)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_skip_what_they_do_not_need() {
        let doc = r#"{"a":{"b":[1,{"c":"x\"y"}]},"a\u0062":2,"n":null}"#;
        let b = member(member(doc, "a").expect("a"), "b").expect("b");
        assert_eq!(element(b, 0), Some("1"));
        assert_eq!(element(b, -1), Some(r#"{"c":"x\"y"}"#));
        assert_eq!(element(b, 2), None);
        assert_eq!(
            to_text(member(element(b, 1).expect("1"), "c").expect("c")),
            "x\"y"
        );
        assert_eq!(member(doc, "ab"), Some("2"));
        assert_eq!(member(doc, "n").and_then(non_null), None);
        assert_eq!(member("[1]", "a"), None);
    }

    #[test]
    fn normalize_takes_json_and_nothing_else() {
        let normal = |text: &str| {
            let mut out = String::new();
            normalize(text, &mut out).then_some(out)
        };
        assert_eq!(
            normal(" { \"a\" : [ 1 , 2.50 ] } ").as_deref(),
            Some(r#"{"a":[1,2.5]}"#)
        );
        assert_eq!(normal("1e5").as_deref(), Some("100000.0"));
        assert_eq!(normal("1e999").as_deref(), Some("1e999"));
        assert_eq!(
            normal(r#"["\u0061\/", "\u0001\ud83d\ude00"]"#).as_deref(),
            Some("[\"a/\",\"\\u0001\u{1f600}\"]")
        );
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "01",
            "1.",
            "nul",
            "'a'",
            "\"\u{1}\"",
            "\"\\q\"",
            "1 2",
        ] {
            assert_eq!(normal(bad), None, "{bad}");
        }
        assert_eq!(normal(&"[".repeat(1000)), None);
        assert_eq!(
            normal(&format!("{}{}", "[".repeat(129), "]".repeat(129))),
            None
        );
    }

    #[test]
    fn keys_are_unique_and_the_last_value_counts() {
        let normal = |text: &str| {
            let mut out = String::from("before");
            normalize(text, &mut out).then_some(out)
        };
        assert_eq!(
            normal(r#"[{"a": 1, "b": {"c": 1, "c": 2}, "\u0061": 3}, {"a": 4}]"#).as_deref(),
            Some(r#"before[{"a":3,"b":{"c":2}},{"a":4}]"#)
        );
        let many: Vec<String> = (0..40).map(|n| format!("\"k{}\":{n}", n % 20)).collect();
        let bag = normal(&format!("{{{}}}", many.join(","))).expect("a bag");
        assert_eq!(members(&bag["before".len()..]).count(), 20);
        assert_eq!(member(&bag["before".len()..], "k0"), Some("20"));
    }

    #[test]
    fn numbers_stand_to_longs_with_their_fractions() {
        let cases = [
            ("1", 1, Some(Ordering::Equal)),
            ("1.0", 1, Some(Ordering::Equal)),
            ("-0.0", 0, Some(Ordering::Equal)),
            ("1.5", 1, Some(Ordering::Greater)),
            ("-1.5", -1, Some(Ordering::Less)),
            (
                "9007199254740993",
                9_007_199_254_740_992,
                Some(Ordering::Greater),
            ),
            ("9223372036854775808", i64::MAX, Some(Ordering::Greater)),
            ("-1e300", i64::MIN, Some(Ordering::Less)),
            ("\"2.5\"", 2, Some(Ordering::Greater)),
            ("\"x\"", 2, None),
            ("[1]", 1, None),
            ("null", 0, None),
        ];
        for (value, long, expected) in cases {
            assert_eq!(compare_to_long(value, long), expected, "{value} {long}");
        }
    }

    #[test]
    fn equality_is_by_value() {
        assert!(equal("1", "1.0"));
        assert!(equal(r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"a":1}"#));
        assert!(!equal(r#"{"a":1}"#, r#"{"a":1,"b":2}"#));
        assert!(!equal("[1]", "[1,2]"));
    }
}
