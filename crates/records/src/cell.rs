//! One value of a record on its way into a column.

use std::borrow::Cow;

use kql::Type;
use kql::value::{datetime, guid, timespan};

use crate::json;

/// A value of a column's type.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    /// A string, a guid, or a dynamic value as JSON text.
    Text(Cow<'a, str>),
    Bool(bool),
    Int(i32),
    Long(i64),
    Real(f64),
    Decimal(i128),
    /// An instant since 1970, or a length of time.
    Nanos(i64),
}

/// Why a value doesn't fit a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It is of another type, or out of the type's range.
    Type,
    /// It nests deeper than allowed.
    TooDeep,
}

/// The value that a JSON text is in a column of type `ty`; `None` if it says that there is none.
///
/// Text that reads as a number, an instant or a truth value does for one, since exports quote most
/// of them. An empty string is no value, except in a column of strings. Objects and arrays fit
/// columns of strings and dynamic values, as compact JSON. A dynamic column takes text that is
/// itself an object or an array for what it says.
pub(crate) fn convert(ty: Type, raw: &str, nesting_max: usize) -> Result<Option<Cell<'_>>, Misfit> {
    let holds_json = matches!(ty, Type::String | Type::Dynamic);
    match raw.as_bytes().first() {
        None | Some(b'n') => Ok(None),
        Some(b'{' | b'[') if holds_json => compact(raw, nesting_max).map(Some),
        Some(b'{' | b'[') => Err(Misfit::Type),
        Some(b'"') => {
            let text = json::string_value(raw);
            match ty {
                _ if text.is_empty() => Ok(None),
                Type::String => Ok(Some(Cell::Text(text))),
                Type::Dynamic => dynamic_of_text(raw, &text, nesting_max).map(Some),
                _ => scalar(ty, &text).map(Some).ok_or(Misfit::Type),
            }
        }
        Some(_) if holds_json => Ok(Some(Cell::Text(Cow::Borrowed(raw)))),
        Some(_) => scalar(ty, raw).map(Some).ok_or(Misfit::Type),
    }
}

/// Reads an instant as nanoseconds since 1970; `None` outside 1677–2262 and for what is none.
///
/// Only ISO 8601 counts: KQL reads `2024` and `1/2/2024` as instants too, but in a record those are
/// more likely something else.
pub(crate) fn instant(text: &str) -> Option<i64> {
    let text = text.trim();
    if text.as_bytes().get(4) != Some(&b'-') || text.len() < 10 {
        return None;
    }
    (datetime::parse(text)? - datetime::UNIX_EPOCH_TICKS).checked_mul(NANOS_PER_TICK)
}

const NANOS_PER_TICK: i64 = 100;

fn compact(raw: &str, nesting_max: usize) -> Result<Cell<'static>, Misfit> {
    let mut out = String::with_capacity(raw.len());
    json::compact(raw, nesting_max, &mut out).ok_or(Misfit::TooDeep)?;
    Ok(Cell::Text(Cow::Owned(out)))
}

fn dynamic_of_text<'a>(raw: &'a str, text: &str, nesting_max: usize) -> Result<Cell<'a>, Misfit> {
    let looks_like_json = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['));
    if looks_like_json && json::is_complete(text) {
        return compact(text, nesting_max);
    }
    Ok(Cell::Text(Cow::Borrowed(raw)))
}

fn scalar(ty: Type, text: &str) -> Option<Cell<'static>> {
    let text = text.trim();
    Some(match ty {
        Type::Bool => Cell::Bool(truth(text)?),
        Type::Int => Cell::Int(i32::try_from(whole_number(text)?).ok()?),
        Type::Long => Cell::Long(whole_number(text)?),
        Type::Real => Cell::Real(real(text)?),
        Type::Decimal => Cell::Decimal(decimal(text)?),
        Type::Datetime => Cell::Nanos(instant(text)?),
        // A bare number would be days, which no record means.
        Type::Timespan if text.contains(':') => {
            Cell::Nanos(timespan::parse(text)?.checked_mul(NANOS_PER_TICK)?)
        }
        Type::Guid => Cell::Text(Cow::Owned(guid(text)?)),
        Type::Timespan | Type::String | Type::Dynamic => return None,
    })
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "1" => Some(true),
        "0" => Some(false),
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// `16`, and `16.0` too: writers that know only one kind of number print whole ones so.
fn whole_number(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let number = finite(text)?;
    // Reals from 2^53 on don't tell neighbours apart.
    let is_exact = number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0;
    is_exact.then_some(number as i64)
}

fn real(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => finite(text),
    }
}

fn finite(text: &str) -> Option<f64> {
    // `inf` and `nan`, which Rust reads too, are no numbers in a log.
    let begins_as_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let number: f64 = text.parse().ok().filter(|_| begins_as_number)?;
    number.is_finite().then_some(number)
}

fn decimal(text: &str) -> Option<i128> {
    use arrow::compute::kernels::cast_utils::parse_decimal;
    use arrow::datatypes::Decimal128Type;
    use schema::arrow::{DECIMAL_PRECISION, DECIMAL_SCALE};
    parse_decimal::<Decimal128Type>(text, DECIMAL_PRECISION, DECIMAL_SCALE).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ty: Type, raw: &str, expected: impl Into<Option<Cell<'static>>>) {
        assert_eq!(convert(ty, raw, 4), Ok(expected.into()), "{ty} {raw}");
    }

    fn check_misfit(ty: Type, raws: &[&str]) {
        for raw in raws {
            assert_eq!(convert(ty, raw, 4), Err(Misfit::Type), "{ty} {raw}");
        }
    }

    fn text(text: &'static str) -> Cell<'static> {
        Cell::Text(Cow::Borrowed(text))
    }

    #[test]
    fn nothing_stays_nothing() {
        for ty in Type::ALL {
            check(ty, "null", None);
            check(ty, "\"\"", None);
        }
    }

    #[test]
    fn strings_take_everything() {
        check(Type::String, r#""a\tb""#, text("a\tb"));
        check(Type::String, "200", text("200"));
        check(Type::String, "true", text("true"));
        check(Type::String, r#"{ "a": [1, 2] }"#, text(r#"{"a":[1,2]}"#));
    }

    #[test]
    fn numbers_come_bare_or_quoted() {
        check(Type::Int, "200", Cell::Int(200));
        check(Type::Int, "\" 200 \"", Cell::Int(200));
        check(Type::Int, "16.0", Cell::Int(16));
        check(Type::Long, "\"-9223372036854775808\"", Cell::Long(i64::MIN));
        check(Type::Long, "1e3", Cell::Long(1000));
        check(Type::Real, "\"0.25\"", Cell::Real(0.25));
        check(Type::Real, "\"-Infinity\"", Cell::Real(f64::NEG_INFINITY));
        check(
            Type::Decimal,
            "\"1.5\"",
            Cell::Decimal(1_500_000_000_000_000_000),
        );
        check_misfit(
            Type::Int,
            &["2147483648", "1.5", "true", "\"abc\"", "[]", "\"0x10\""],
        );
        check_misfit(Type::Long, &["9223372036854775808", "1e300", "{}"]);
        check_misfit(Type::Real, &["1e999", "\"1,5\"", "\"inf\"", "false"]);
        check_misfit(Type::Decimal, &["\"x\"", "true"]);
    }

    #[test]
    fn truth_comes_bare_or_quoted() {
        check(Type::Bool, "true", Cell::Bool(true));
        check(Type::Bool, "\"False\"", Cell::Bool(false));
        check(Type::Bool, "1", Cell::Bool(true));
        check_misfit(Type::Bool, &["2", "\"yes\"", "{}"]);
    }

    #[test]
    fn instants_are_iso_and_fit_nanoseconds() {
        let nanos = 1_400_000_000_123_456_700;
        check(
            Type::Datetime,
            "\"2014-05-13T16:53:20.1234567Z\"",
            Cell::Nanos(nanos),
        );
        check(
            Type::Datetime,
            "\"2014-05-13T18:53:20.12345678+02:00\"",
            Cell::Nanos(nanos),
        );
        check(Type::Datetime, "\"1970-01-01\"", Cell::Nanos(0));
        check_misfit(
            Type::Datetime,
            &[
                "1400000000",
                "\"2014\"",
                "\"5/13/2014\"",
                "\"0001-01-01T00:00:00Z\"",
                "\"1677-09-01T00:00:00Z\"",
                "\"2262-05-01T00:00:00Z\"",
                "\"2014-02-30T00:00:00Z\"",
            ],
        );
    }

    #[test]
    fn lengths_of_time_and_guids() {
        check(Type::Timespan, "\"00:01:30\"", Cell::Nanos(90_000_000_000));
        check_misfit(Type::Timespan, &["90", "\"90\"", "\"x:y\""]);
        check(
            Type::Guid,
            "\"74BE27DE1E4E49D9B579FE0B331D3642\"",
            text("74be27de-1e4e-49d9-b579-fe0b331d3642"),
        );
        check_misfit(Type::Guid, &["\"74be27de\"", "1"]);
    }

    #[test]
    fn dynamic_is_compact_json() {
        check(Type::Dynamic, "[ 1, {} ]", text("[1,{}]"));
        check(Type::Dynamic, "1.50", text("1.50"));
        check(Type::Dynamic, "\"a\\u0041\"", text("\"a\\u0041\""));
        check(Type::Dynamic, r#""{ \"a\" : 1 }""#, text(r#"{"a":1}"#));
        check(Type::Dynamic, r#""[broken""#, text(r#""[broken""#));
    }

    #[test]
    fn depth_is_bounded() {
        assert_eq!(convert(Type::String, "[[[[[]]]]]", 4), Err(Misfit::TooDeep));
        assert_eq!(
            convert(Type::Dynamic, "\"[[[[[]]]]]\"", 4),
            Err(Misfit::TooDeep)
        );
    }
}
