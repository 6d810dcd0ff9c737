//! Lengths of time: the forms that KQL reads, and the one that it prints.
//!
//! <https://learn.microsoft.com/kusto/query/scalar-data-types/timespan>

use super::{TICKS_PER_DAY, TICKS_PER_SECOND};

/// The ticks in one of a unit such as `d`, `hours` or `ms`; nanoseconds are below a tick and count
/// as a hundredth of one.
pub fn unit_ticks(unit: &str) -> Option<f64> {
    let ticks = match unit {
        "d" | "day" | "days" => TICKS_PER_DAY as f64,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0 * TICKS_PER_SECOND as f64,
        "m" | "min" | "minute" | "minutes" => 60.0 * TICKS_PER_SECOND as f64,
        "s" | "sec" | "second" | "seconds" => TICKS_PER_SECOND as f64,
        "ms" | "milli" | "millis" | "millisec" | "millisecond" | "milliseconds" => 10_000.0,
        "micro" | "micros" | "microsec" | "microsecond" | "microseconds" => 10.0,
        "tick" | "ticks" => 1.0,
        "nano" | "nanos" | "nanosec" | "nanosecond" | "nanoseconds" => 0.01,
        _ => return None,
    };
    Some(ticks)
}

/// Reads `number` of `unit`, as ticks; whole numbers keep every digit.
pub fn from_unit(number: &str, unit: &str) -> Option<i64> {
    let scale = unit_ticks(unit)?;
    if let Ok(whole) = number.parse::<i64>()
        && scale >= 1.0
    {
        return whole.checked_mul(scale as i64);
    }
    let ticks = (number.parse::<f64>().ok()? * scale).round();
    (ticks.abs() < i64::MAX as f64).then_some(ticks as i64)
}

/// Reads `1d`, `15 seconds`, `2` (days), `0.12:34:56.7`, `-01:00`; `None` if it is none of them.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let ticks = if text.contains(':') {
        clock(text)?
    } else {
        let number_end = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(number_end);
        match unit.trim() {
            "" => from_unit(number, "d")?,
            unit => from_unit(number, unit)?,
        }
    };
    Some(if negative { -ticks } else { ticks })
}

/// `[d.]hh:mm[:ss[.fffffff]]`.
fn clock(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (first, minutes) = (parts.next()?, parts.next()?);
    let seconds = parts.next().unwrap_or("0");
    // `d:hh:mm:ss` is .NET's other spelling of days.
    let (days, hours, minutes, seconds) = match (first.split_once('.'), parts.next()) {
        (Some((days, hours)), None) => (days, hours, minutes, seconds),
        (None, None) => ("0", first, minutes, seconds),
        (None, Some(last)) => (first, minutes, seconds, last),
        (Some(_), Some(_)) => return None,
    };
    if parts.next().is_some() {
        return None;
    }
    let (days, hours, minutes) = (digits(days)?, digits(hours)?, digits(minutes)?);
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let seconds = digits(seconds)?;
    if hours > 23 || minutes > 59 || seconds > 59 || fraction.len() > 9 {
        return None;
    }
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Digits past the seventh are below a tick.
    let fraction = digits(&format!("{fraction:0<7}")[..7])?;
    let in_day = ((hours * 60 + minutes) * 60 + seconds) * TICKS_PER_SECOND + fraction;
    days.checked_mul(TICKS_PER_DAY)?.checked_add(in_day)
}

fn digits(text: &str) -> Option<i64> {
    let valid = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if valid { text.parse().ok() } else { None }
}

/// Prints ticks as `[-][d.]hh:mm:ss[.fffffff]`; the fraction has seven digits or is absent.
pub fn format(ticks: i64) -> String {
    let sign = if ticks < 0 { "-" } else { "" };
    let magnitude = ticks.unsigned_abs();
    let days = magnitude / TICKS_PER_DAY as u64;
    let seconds = magnitude / TICKS_PER_SECOND as u64;
    let fraction = magnitude % TICKS_PER_SECOND as u64;
    let mut out = String::with_capacity(24);
    out.push_str(sign);
    if days > 0 {
        out.push_str(&format!("{days}."));
    }
    out.push_str(&format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600 % 24,
        seconds / 60 % 60,
        seconds % 60
    ));
    if fraction > 0 {
        out.push_str(&format!(".{fraction:07}"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).map(format).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn reads_the_documented_forms() {
        check("2d", "2.00:00:00");
        check("1.5h", "01:30:00");
        check("15 seconds", "00:00:15");
        check("2", "2.00:00:00");
        check("0.12:34:56.7", "12:34:56.7000000");
        check("-01:00", "-01:00:00");
        check("100ms", "00:00:00.1000000");
        check("1tick", "00:00:00.0000001");
        check("100nanos", "00:00:00.0000001");
        check("1:2:3:4", "1.02:03:04");
        check("365.12:03:04", "365.12:03:04");
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "x",
            "1x",
            "25:00",
            "1:60",
            ":",
            "1:2:3:4:5",
            "--1d",
            "1e99d",
            "00:00:00.123456é",
            "00:00:00.1x",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
