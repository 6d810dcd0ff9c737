//! The timespan of a request: ISO 8601 durations and intervals.

use kql::value::datetime;

const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Reads a timespan: a duration that ends now (`P1D`, `PT86400.0S`), two times (`start/end`), or a
/// time and a duration (`start/P1D`, `P1D/end`). Gives the first instant and the one after the last,
/// in nanoseconds since 1970.
///
/// A year counts as 365 days and a month as 30, as in Azure's own clients.
///
/// # Errors
/// Says what is wrong with the text.
pub fn parse(text: &str, now: i64) -> Result<(i64, i64), String> {
    let wrong = || {
        format!(
            "`{}` is no timespan; one is a duration such as `P1D` or `PT12H`, or an interval such as \
             `2026-01-01T00:00:00Z/2026-01-02T00:00:00Z` or `2026-01-01T00:00:00Z/P1D`",
            text.chars().take(100).collect::<String>()
        )
    };
    let range = match text.trim().split_once('/') {
        None => {
            let length = duration(text.trim()).ok_or_else(wrong)?;
            now.checked_sub(length).map(|start| (start, now))
        }
        Some((start, end)) => match (time(start), time(end), duration(start), duration(end)) {
            (Some(start), Some(end), ..) => Some((start, end)),
            (Some(start), _, _, Some(length)) => start.checked_add(length).map(|end| (start, end)),
            (_, Some(end), Some(length), _) => end.checked_sub(length).map(|start| (start, end)),
            _ => None,
        },
    };
    let (start, end) = range.ok_or_else(wrong)?;
    if start > end {
        return Err(format!(
            "the timespan `{}` ends before it begins",
            text.trim()
        ));
    }
    Ok((start, end))
}

fn time(text: &str) -> Option<i64> {
    // A bare number is a time to KQL, but none to ISO 8601.
    if !text.contains('-') {
        return None;
    }
    functions::time::nanos_from_ticks(datetime::parse(text)?).ok()
}

/// A duration such as `P1DT2H3M4.5S`, in nanoseconds.
fn duration(text: &str) -> Option<i64> {
    let (date, time) = match text.strip_prefix('P')?.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (text.strip_prefix('P')?, ""),
    };
    if date.is_empty() && time.is_empty() {
        return None;
    }
    let date_units = [
        ('Y', 365 * DAY),
        ('M', 30 * DAY),
        ('W', 7 * DAY),
        ('D', DAY),
    ];
    let time_units = [('H', 3600 * SECOND), ('M', 60 * SECOND), ('S', SECOND)];
    parts(date, &date_units)?.checked_add(parts(time, &time_units)?)
}

/// The sum of numbers that each bear a unit; units come in order, each at most once.
fn parts(mut text: &str, units: &[(char, i64)]) -> Option<i64> {
    let mut total = 0i64;
    let mut units = units.iter();
    while !text.is_empty() {
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, rest) = text.split_at(end);
        let unit = rest.chars().next()?;
        let (_, nanos) = units.find(|(name, _)| *name == unit)?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: i64 = whole.parse().ok()?;
        total = total.checked_add(whole.checked_mul(*nanos)?)?;
        if !fraction.is_empty() {
            let fraction: f64 = format!("0.{fraction}").parse().ok()?;
            total = total.checked_add((fraction * *nanos as f64).round() as i64)?;
        }
        text = &rest[unit.len_utf8()..];
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600 * SECOND;

    #[test]
    fn durations_end_now() {
        assert_eq!(parse("P1D", 5 * DAY), Ok((4 * DAY, 5 * DAY)));
        assert_eq!(parse("PT86400.0S", 5 * DAY), Ok((4 * DAY, 5 * DAY)));
        assert_eq!(parse("P1DT2H", 5 * DAY), Ok((4 * DAY - 2 * HOUR, 5 * DAY)));
        assert_eq!(parse("PT0.5S", DAY), Ok((DAY - SECOND / 2, DAY)));
        assert_eq!(parse("P2W", 20 * DAY), Ok((6 * DAY, 20 * DAY)));
    }

    #[test]
    fn intervals() {
        let (one, two) = ("1970-01-02T00:00:00Z", "1970-01-03T00:00:00.000Z");
        assert_eq!(parse(&format!("{one}/{two}"), 0), Ok((DAY, 2 * DAY)));
        assert_eq!(parse(&format!("{one}/P1D"), 0), Ok((DAY, 2 * DAY)));
        assert_eq!(parse(&format!("P1D/{two}"), 0), Ok((DAY, 2 * DAY)));
        assert_eq!(parse("1970-01-02/1970-01-03", 0), Ok((DAY, 2 * DAY)));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "", "P", "PT", "1D", "P1", "P1H", "PT1D", "P1D2Y", "x/y", "P1D/P1D", "-P1D",
        ] {
            assert!(parse(text, DAY).is_err(), "{text}");
        }
        assert!(parse("1970-01-03/1970-01-02", 0).is_err());
        assert!(parse("P99999999999999D", 0).is_err());
    }
}
