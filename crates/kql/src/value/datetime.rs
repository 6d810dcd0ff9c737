//! Instants: civil calendar, the formats that KQL reads, and the one that it prints.
//!
//! <https://learn.microsoft.com/kusto/query/scalar-data-types/datetime>

use super::{TICKS_PER_DAY, TICKS_PER_SECOND};

/// The last tick of the year 9999.
pub const MAX_TICKS: i64 = days_from_civil(10_000, 1, 1) * TICKS_PER_DAY - 1;

/// Ticks at 1970-01-01T00:00:00Z.
pub const UNIX_EPOCH_TICKS: i64 = days_from_civil(1970, 1, 1) * TICKS_PER_DAY;

/// Days from 0001-01-01 to the given day of the proleptic Gregorian calendar.
pub const fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    // Counts years from March, so that the leap day ends a year (H. Hinnant's algorithm).
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 } as i64;
    let day_of_year = (153 * shifted_month + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 306
}

/// The year, month and day that lie `days` after 0001-01-01.
pub const fn civil_from_days(days: i64) -> (i64, u32, u32) {
    let shifted = days + 306;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted_month + 2) / 5 + 1) as u32;
    let month = if shifted_month < 10 {
        shifted_month as u32 + 3
    } else {
        shifted_month as u32 - 9
    };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Days in a month.
pub const fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Reads an instant in any of the documented formats, as ticks; `None` if it is none of them.
///
/// ISO 8601 with any precision, `Z` or an offset; RFC 822 and RFC 850; a year, or a year and month,
/// alone; and `month/day/year`, which the engine reads though its pages do not say so.
pub fn parse(text: &str) -> Option<i64> {
    let text = text.trim();
    let mut reader = Reader {
        rest: text.as_bytes(),
    };
    let ticks = if text.as_bytes().first()?.is_ascii_digit() {
        reader.numeric_form()?
    } else {
        reader.skip_weekday()?;
        reader.named_month_form()?
    };
    (0..=MAX_TICKS).contains(&ticks).then_some(ticks)
}

/// Prints ticks as `2014-05-25T08:20:03.1234567Z`; always seven digits of fraction.
pub fn format(ticks: i64) -> String {
    let (year, month, day) = civil_from_days(ticks.div_euclid(TICKS_PER_DAY));
    let in_day = ticks.rem_euclid(TICKS_PER_DAY);
    let seconds = in_day / TICKS_PER_SECOND;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:07}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        in_day % TICKS_PER_SECOND
    )
}

/// Ticks at a civil date and time; `None` if there is no such day or time.
pub fn from_parts(year: i64, month: u32, day: u32, ticks_in_day: i64) -> Option<i64> {
    let valid = (1..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && (0..TICKS_PER_DAY).contains(&ticks_in_day);
    valid.then(|| days_from_civil(year, month, day) * TICKS_PER_DAY + ticks_in_day)
}

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    /// A form that begins with a digit.
    fn numeric_form(&mut self) -> Option<i64> {
        let (first, digits) = self.number()?;
        match self.rest.first() {
            None if digits == 4 => from_parts(first, 1, 1, 0),
            Some(b'-') if digits == 4 => self.iso_after_year(first, b'-'),
            Some(b'/') if digits == 4 => self.iso_after_year(first, b'/'),
            Some(&separator @ (b'/' | b'-'))
                if digits <= 2 && self.rest.get(1).is_some_and(u8::is_ascii_digit) =>
            {
                self.rest = &self.rest[1..];
                let (day, _) = self.number()?;
                self.expect(separator)?;
                let (year, _) = self.number()?;
                let time = self.time_after_date()?;
                Some(from_parts(full_year(year)?, first as u32, day as u32, 0)? + time)
            }
            None if digits == 8 => from_parts(
                first / 10_000,
                (first / 100 % 100) as u32,
                (first % 100) as u32,
                0,
            ),
            Some(b' ' | b'-') => self.named_month_after_day(first),
            _ => None,
        }
    }

    fn iso_after_year(&mut self, year: i64, separator: u8) -> Option<i64> {
        self.expect(separator)?;
        let (month, _) = self.number()?;
        if self.rest.is_empty() {
            return from_parts(year, month as u32, 1, 0);
        }
        self.expect(separator)?;
        let (day, _) = self.number()?;
        let time = self.time_after_date()?;
        Some(from_parts(year, month as u32, day as u32, 0)? + time)
    }

    /// `8 Nov 14 15:05:02 GMT`, `08-Nov-14 15:05:02`.
    fn named_month_form(&mut self) -> Option<i64> {
        let (day, _) = self.number()?;
        self.named_month_after_day(day)
    }

    fn named_month_after_day(&mut self, day: i64) -> Option<i64> {
        self.skip(b" -");
        let month = self.name(&MONTHS)? as u32 + 1;
        self.skip(b" -");
        let (year, _) = self.number()?;
        let time = self.time_after_date()?;
        Some(from_parts(full_year(year)?, month, day as u32, 0)? + time)
    }

    /// Nothing, or a separator, a time of day and a zone. Ticks to add, offset included.
    fn time_after_date(&mut self) -> Option<i64> {
        if matches!(self.rest.first(), Some(b'T' | b't')) {
            self.rest = &self.rest[1..];
        } else {
            self.skip(b" ");
            if let Some(zone) = self.zone_at_end() {
                return Some(-zone);
            }
        }
        let (hour, _) = self.number()?;
        self.expect(b':')?;
        let (minute, _) = self.number()?;
        let mut ticks = 0;
        if self.rest.first() == Some(&b':') {
            self.expect(b':')?;
            let (second, _) = self.number()?;
            if second > 59 {
                return None;
            }
            ticks = second * TICKS_PER_SECOND + self.fraction()?;
        }
        self.skip(b" ");
        let hour = self.meridiem(hour)?;
        if hour > 23 || minute > 59 {
            return None;
        }
        ticks += (hour * 60 + minute) * 60 * TICKS_PER_SECOND;
        Some(ticks - self.zone_at_end()?)
    }

    /// `AM` or `PM` after a twelve-hour time.
    fn meridiem(&mut self, hour: i64) -> Option<i64> {
        let afternoon = match self.rest {
            [b'A' | b'a', b'M' | b'm', ..] => false,
            [b'P' | b'p', b'M' | b'm', ..] => true,
            _ => return Some(hour),
        };
        self.rest = &self.rest[2..];
        self.skip(b" ");
        (1..=12)
            .contains(&hour)
            .then_some(hour % 12 + if afternoon { 12 } else { 0 })
    }

    /// The offset in ticks if nothing but a zone is left.
    fn zone_at_end(&mut self) -> Option<i64> {
        let rest = self.rest;
        if rest.is_empty()
            || [&b"z"[..], b"gmt", b"utc"]
                .iter()
                .any(|z| rest.eq_ignore_ascii_case(z))
        {
            return Some(0);
        }
        let (sign, digits) = match rest {
            [b'+', digits @ ..] => (1, digits),
            [b'-', digits @ ..] => (-1, digits),
            _ => return None,
        };
        let mut reader = Reader { rest: digits };
        let (mut hours, count) = reader.number()?;
        let mut minutes = 0;
        if count == 4 {
            (hours, minutes) = (hours / 100, hours % 100);
        } else if !reader.rest.is_empty() {
            reader.expect(b':')?;
            minutes = reader.number()?.0;
        }
        let valid = reader.rest.is_empty() && hours <= 14 && minutes <= 59;
        valid.then_some(sign * (hours * 60 + minutes) * 60 * TICKS_PER_SECOND)
    }

    /// The fraction of a second in ticks; digits past the seventh are dropped.
    fn fraction(&mut self) -> Option<i64> {
        if !matches!(self.rest.first(), Some(b'.' | b',')) {
            return Some(0);
        }
        self.rest = &self.rest[1..];
        let count = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let mut ticks = 0;
        for place in 0..7 {
            let digit = if place < count {
                self.rest[place] - b'0'
            } else {
                0
            };
            ticks = ticks * 10 + i64::from(digit);
        }
        self.rest = &self.rest[count..];
        (count > 0).then_some(ticks)
    }

    /// A number of up to eight digits, and how many digits it has.
    fn number(&mut self) -> Option<(i64, usize)> {
        let count = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if count == 0 || count > 8 {
            return None;
        }
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        let value = digits
            .iter()
            .fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        Some((value, count))
    }

    fn skip_weekday(&mut self) -> Option<()> {
        self.name(&WEEKDAYS)?;
        self.skip(b", ");
        Some(())
    }

    /// A word that begins with one of `names`, as an index.
    fn name(&mut self, names: &[&str]) -> Option<usize> {
        let count = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let (word, rest) = self.rest.split_at(count);
        let head = word.get(..3)?;
        let index = names
            .iter()
            .position(|name| head.eq_ignore_ascii_case(name.as_bytes()))?;
        self.rest = rest;
        Some(index)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        (*first == byte).then_some(())
    }

    fn skip(&mut self, bytes: &[u8]) {
        while self.rest.first().is_some_and(|first| bytes.contains(first)) {
            self.rest = &self.rest[1..];
        }
    }
}

/// Two-digit years are taken as .NET does: up to 49 is this century.
fn full_year(year: i64) -> Option<i64> {
    match year {
        0..=49 => Some(2000 + year),
        50..=99 => Some(1900 + year),
        1000..=9999 => Some(year),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(parse(text).map(format).as_deref(), Some(expected), "{text}");
    }

    #[test]
    fn reads_the_documented_formats() {
        check(
            "2014-05-25T08:20:03.123456Z",
            "2014-05-25T08:20:03.1234560Z",
        );
        check("2014-05-25T08:20:03.123456", "2014-05-25T08:20:03.1234560Z");
        check("2014-05-25T08:20", "2014-05-25T08:20:00.0000000Z");
        check(
            "2014-11-08 15:55:55.123456Z",
            "2014-11-08T15:55:55.1234560Z",
        );
        check("2014-11-08 15:55", "2014-11-08T15:55:00.0000000Z");
        check("2014-11-08", "2014-11-08T00:00:00.0000000Z");
        check("2014", "2014-01-01T00:00:00.0000000Z");
        check("2014-7", "2014-07-01T00:00:00.0000000Z");
        check("Sat, 8 Nov 14 15:05:02 GMT", "2014-11-08T15:05:02.0000000Z");
        check("8 Nov 14 15:05", "2014-11-08T15:05:00.0000000Z");
        check(
            "Saturday, 08-Nov-14 15:05:02 GMT",
            "2014-11-08T15:05:02.0000000Z",
        );
        check("12/31/2020 11:59:59 PM", "2020-12-31T23:59:59.0000000Z");
        check("12-02-2022", "2022-12-02T00:00:00.0000000Z");
        check("2020-01-01T00:00:00+02:00", "2019-12-31T22:00:00.0000000Z");
        check(
            "2020-01-01 00:00:00.12345678",
            "2020-01-01T00:00:00.1234567Z",
        );
        check(
            "9999-12-31T23:59:59.9999999Z",
            "9999-12-31T23:59:59.9999999Z",
        );
        check("0001-01-01", "0001-01-01T00:00:00.0000000Z");
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in [
            "",
            "x",
            "2014-13-01",
            "2014-02-30",
            "2014-01-01T25:00",
            "2014-01-01T1",
            "2014-01-01 z9",
            "99999999999",
            "10000-01-01",
            "2020-01-01T00:00:00+99:00",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn calendar_round_trips() {
        for days in (0..3_652_059).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(days_from_civil(1970, 1, 1), 719_162);
    }
}
