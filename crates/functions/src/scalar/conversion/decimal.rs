//! Decimals, which are kept scaled by 10^18, and their text.

/// Reads a decimal into its scaled form; digits past the eighteenth after the point are dropped.
pub(crate) fn parse_decimal(text: &str) -> Option<i128> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let valid = whole
        .bytes()
        .chain(fraction.bytes())
        .all(|b| b.is_ascii_digit());
    if !valid || (whole.is_empty() && fraction.is_empty()) || exponent.abs() > 60 {
        return None;
    }
    // The digit at place `p` after the point counts 10^(18 - p).
    let mut scaled: i128 = 0;
    let point = whole.len() as i32 + exponent;
    for (index, digit) in whole.bytes().chain(fraction.bytes()).enumerate() {
        let power = 18 + point - 1 - index as i32;
        let digit = i128::from(digit - b'0');
        if power >= 0 && digit != 0 {
            let unit = 10i128.checked_pow(power.unsigned_abs())?;
            scaled = scaled.checked_add(digit.checked_mul(unit)?)?;
        }
    }
    let limit = 10i128.pow(38);
    (scaled < limit).then_some(if negative { -scaled } else { scaled })
}

/// Prints a scaled decimal without zeros at its end.
pub(crate) fn decimal_text(scaled: i128) -> String {
    let sign = if scaled < 0 { "-" } else { "" };
    let (whole, fraction) = (
        scaled.unsigned_abs() / 10u128.pow(18),
        scaled.unsigned_abs() % 10u128.pow(18),
    );
    let fraction = format!("{fraction:018}");
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() {
        format!("{sign}{whole}")
    } else {
        format!("{sign}{whole}.{fraction}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_print_as_text() {
        for text in ["0", "3.5", "-12.000000000000000001", "99999999999999999999"] {
            assert_eq!(parse_decimal(text).map(decimal_text).as_deref(), Some(text));
        }
        assert_eq!(
            parse_decimal("1.5e2").map(decimal_text).as_deref(),
            Some("150")
        );
        assert_eq!(parse_decimal("100000000000000000000"), None);
        assert_eq!(parse_decimal("abc"), None);
    }
}
