//! Text read as numbers, bools and guids.

/// A whole number, decimal or hexadecimal, with white space round it.
pub(crate) fn parse_long(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return u64::from_str_radix(hex, 16).ok().map(|value| value as i64);
    }
    text.parse().ok()
}

/// A number, or one of the names of what is no number.
pub(crate) fn parse_real(text: &str) -> Option<f64> {
    let text = text.trim();
    match text {
        "nan" | "NaN" => Some(f64::NAN),
        "inf" | "+inf" | "Infinity" | "+Infinity" => Some(f64::INFINITY),
        "-inf" | "-Infinity" => Some(f64::NEG_INFINITY),
        _ if text
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) =>
        {
            text.parse().ok()
        }
        _ => None,
    }
}

/// The first 32 hexadecimal digits, with or without hyphens where they belong; what follows is
/// passed over.
///
/// <https://learn.microsoft.com/kusto/query/toguid-function>
pub(super) fn parse_guid(text: &str) -> Option<String> {
    const HYPHENS: [usize; 4] = [8, 12, 16, 20];
    let mut chars = text.trim_start().chars().peekable();
    let mut guid = String::with_capacity(36);
    for digits in 0..32 {
        if HYPHENS.contains(&digits) {
            chars.next_if_eq(&'-');
            guid.push('-');
        }
        let digit = chars.next().filter(char::is_ascii_hexdigit)?;
        guid.push(digit.to_ascii_lowercase());
    }
    Some(guid)
}

/// `true`, `false`, or a whole number, without white space.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        return Some(true);
    }
    if text.eq_ignore_ascii_case("false") {
        return Some(false);
    }
    text.parse::<i64>().ok().map(|value| value != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn reals_out_of_range_become_the_least_long() {
        check(&[
            ("tolong(2.9)", "2"),
            ("tolong(9223372036854775807.0)", "-9223372036854775808"),
            ("tolong(-1e300)", "-9223372036854775808"),
            ("toint(-2.9)", "-2"),
            ("toint(real(null))", "null"),
        ]);
        check_refused(&[("toint(1e19)", "not supported")]);
    }

    #[test]
    fn guids_may_lack_hyphens() {
        let guid = Some("01234567-89ab-cdef-0123-456789abcdef".to_owned());
        for text in [
            "0123456789abcdef0123456789abcdef",
            "0123456789ab-cdef-0123-456789abcdef",
            " 01234567-89AB-CDEF-0123-456789ABCDEF and more",
        ] {
            assert_eq!(parse_guid(text), guid, "{text}");
        }
        for text in [
            "",
            "a string",
            "0123-4567",
            "01234567--89ab-cdef-0123-456789abcdef",
        ] {
            assert_eq!(parse_guid(text), None, "{text}");
        }
    }

    #[test]
    fn text_reads_as_numbers() {
        assert_eq!(parse_long(" 0x1F "), Some(31));
        assert_eq!(parse_long("+5"), Some(5));
        assert_eq!(parse_long("5.0"), None);
        assert_eq!(parse_real("-1e400"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_real("INF"), None);
        assert_eq!(parse_bool("tRuE"), Some(true));
        assert_eq!(parse_bool(" true"), None);
    }
}
