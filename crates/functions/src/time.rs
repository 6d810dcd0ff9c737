//! Nanoseconds, in which Arrow counts, and ticks, in which KQL counts.

use datafusion_common::{Result, exec_err};
use kql::value::{TICKS_PER_DAY, datetime};

/// Nanoseconds in a tick.
pub const NANOS_PER_TICK: i64 = 100;
/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a day.
pub const NANOS_PER_DAY: i64 = TICKS_PER_DAY * NANOS_PER_TICK;

/// Nanoseconds since 1970 of an instant in ticks since 0001.
///
/// # Errors
/// If the instant lies outside the years that nanoseconds reach, 1677 to 2262. KQL reaches further;
/// refusing is the price of plain Parquet timestamps.
pub fn nanos_from_ticks(ticks: i64) -> Result<i64> {
    let since_epoch = ticks.checked_sub(datetime::UNIX_EPOCH_TICKS);
    match since_epoch.and_then(|ticks| ticks.checked_mul(NANOS_PER_TICK)) {
        Some(nanos) => Ok(nanos),
        None => exec_err!(
            "the datetime {} is out of range: Loggia keeps the years 1677 to 2262",
            datetime::format(ticks)
        ),
    }
}

/// Ticks since 0001 of an instant in nanoseconds since 1970; parts of a tick are dropped.
pub fn ticks_from_nanos(nanos: i64) -> i64 {
    nanos.div_euclid(NANOS_PER_TICK) + datetime::UNIX_EPOCH_TICKS
}

/// Nanoseconds of a length of time in ticks.
///
/// # Errors
/// If it is longer than 292 years, which nanoseconds do not reach.
pub fn span_from_ticks(ticks: i64) -> Result<i64> {
    match ticks.checked_mul(NANOS_PER_TICK) {
        Some(nanos) => Ok(nanos),
        None => exec_err!(
            "the timespan {} is out of range: Loggia keeps up to 292 years",
            kql::value::timespan::format(ticks)
        ),
    }
}

/// Ticks of a length of time in nanoseconds.
pub fn ticks_from_span(nanos: i64) -> i64 {
    nanos / NANOS_PER_TICK
}

/// An instant as KQL prints it.
pub fn format_nanos(nanos: i64) -> String {
    datetime::format(ticks_from_nanos(nanos))
}

/// A length of time as KQL prints it.
pub fn format_span(nanos: i64) -> String {
    kql::value::timespan::format(ticks_from_span(nanos))
}

/// A civil date and the nanoseconds into its day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year, 1677 to 2262.
    pub year: i64,
    /// Month, 1 to 12.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Nanoseconds since midnight.
    pub nanos_in_day: i64,
}

/// Days from 0001-01-01 to 1970-01-01.
pub const EPOCH_DAYS: i64 = datetime::days_from_civil(1970, 1, 1);

impl Civil {
    /// The civil date and time of an instant.
    pub fn from_nanos(nanos: i64) -> Self {
        let days = nanos.div_euclid(NANOS_PER_DAY) + EPOCH_DAYS;
        let (year, month, day) = datetime::civil_from_days(days);
        Self {
            year,
            month,
            day,
            nanos_in_day: nanos.rem_euclid(NANOS_PER_DAY),
        }
    }

    /// The instant; `None` if nanoseconds do not reach it. The day is cut to the month's length.
    pub fn to_nanos(self) -> Option<i64> {
        let day = self.day.min(datetime::days_in_month(self.year, self.month));
        let days = datetime::days_from_civil(self.year, self.month, day) - EPOCH_DAYS;
        let nanos = i128::from(days) * i128::from(NANOS_PER_DAY) + i128::from(self.nanos_in_day);
        i64::try_from(nanos).ok()
    }

    /// Day of the year, from 1.
    pub fn day_of_year(self) -> i64 {
        let first = datetime::days_from_civil(self.year, 1, 1);
        datetime::days_from_civil(self.year, self.month, self.day) - first + 1
    }
}

/// Days since 0001-01-01, a Monday, of an instant.
pub fn days(nanos: i64) -> i64 {
    nanos.div_euclid(NANOS_PER_DAY) + EPOCH_DAYS
}

/// Day of the week of a day count: Sunday is 0.
pub fn weekday(days: i64) -> i64 {
    (days + 1).rem_euclid(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_nanos_agree() {
        let ticks = datetime::parse("2020-02-29T12:34:56.1234567Z").expect("a datetime");
        let nanos = nanos_from_ticks(ticks).expect("in range");
        assert_eq!(format_nanos(nanos), "2020-02-29T12:34:56.1234567Z");
        assert!(nanos_from_ticks(0).is_err());
        assert_eq!(Civil::from_nanos(nanos).to_nanos(), Some(nanos));
        assert_eq!(weekday(days(nanos)), 6);
    }
}
