//! Parts of a datetime: how much of each it has, where each begins, and how many lie between two.

use kql::value::datetime::{days_from_civil, days_in_month};

use crate::scalar::datetime::with_months;
use crate::time::{Civil, EPOCH_DAYS, NANOS_PER_DAY, NANOS_PER_SECOND, days, weekday};

/// A part of a datetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Year,
    Quarter,
    Month,
    Week,
    WeekOfYear,
    OldWeekOfYear,
    Day,
    DayOfYear,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

impl Part {
    /// The part of that name; letter case does not count.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" => Self::Week,
            "week_of_year" => Self::WeekOfYear,
            "weekofyear" => Self::OldWeekOfYear,
            "day" => Self::Day,
            "dayofyear" => Self::DayOfYear,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "millisecond" => Self::Millisecond,
            "microsecond" => Self::Microsecond,
            "nanosecond" => Self::Nanosecond,
            _ => return None,
        })
    }

    /// Whether it is a number inside a datetime.
    pub(super) fn extractable(self) -> bool {
        self != Self::Week
    }

    /// Whether it is a length of time.
    pub(super) fn countable(self) -> bool {
        !matches!(
            self,
            Self::WeekOfYear | Self::OldWeekOfYear | Self::DayOfYear
        )
    }

    /// The number of the part in a datetime.
    pub(super) fn of(self, nanos: i64) -> i64 {
        let civil = Civil::from_nanos(nanos);
        let in_day = civil.nanos_in_day;
        match self {
            Self::Year => civil.year,
            Self::Quarter => i64::from(civil.month - 1) / 3 + 1,
            Self::Month => i64::from(civil.month),
            Self::Week | Self::WeekOfYear => week_of_year(nanos, 4),
            Self::OldWeekOfYear => week_of_year(nanos, 3),
            Self::Day => i64::from(civil.day),
            Self::DayOfYear => civil.day_of_year(),
            Self::Hour => in_day / (3_600 * NANOS_PER_SECOND),
            Self::Minute => in_day / (60 * NANOS_PER_SECOND) % 60,
            Self::Second => in_day / NANOS_PER_SECOND % 60,
            Self::Millisecond => in_day % NANOS_PER_SECOND / 1_000_000,
            Self::Microsecond => in_day % NANOS_PER_SECOND / 1_000,
            Self::Nanosecond => in_day % NANOS_PER_SECOND,
        }
    }

    /// Where the part that holds the instant begins.
    pub(super) fn start(self, nanos: i64) -> Option<i64> {
        let civil = Civil {
            nanos_in_day: 0,
            ..Civil::from_nanos(nanos)
        };
        match self {
            Self::Year => Civil {
                month: 1,
                day: 1,
                ..civil
            }
            .to_nanos(),
            Self::Month => Civil { day: 1, ..civil }.to_nanos(),
            Self::Week => {
                let day = days(nanos);
                (day - weekday(day) - EPOCH_DAYS).checked_mul(NANOS_PER_DAY)
            }
            _ => (days(nanos) - EPOCH_DAYS).checked_mul(NANOS_PER_DAY),
        }
    }

    /// The instant `count` parts later; `None` if it is out of range.
    pub(super) fn add(self, nanos: i64, count: i64) -> Option<i64> {
        let months = match self {
            Self::Year => 12,
            Self::Quarter => 3,
            Self::Month => 1,
            _ => return nanos.checked_add(self.nanos()?.checked_mul(count)?),
        };
        let civil = with_months(Civil::from_nanos(nanos), count.checked_mul(months)?)?;
        let day = civil.day.min(days_in_month(civil.year, civil.month));
        Civil { day, ..civil }.to_nanos()
    }

    /// How many borders of the part lie from `to` up to `from`.
    pub(super) fn difference(self, from: i64, to: i64) -> i64 {
        let months = |nanos| {
            let civil = Civil::from_nanos(nanos);
            civil.year * 12 + i64::from(civil.month) - 1
        };
        let count = |nanos: i64| match self {
            Self::Year => Civil::from_nanos(nanos).year,
            Self::Quarter => months(nanos).div_euclid(3),
            Self::Month => months(nanos),
            Self::Week => (days(nanos) + 1).div_euclid(7),
            _ => nanos.div_euclid(self.nanos().unwrap_or(1)),
        };
        count(from).wrapping_sub(count(to))
    }

    /// The length of a part that always has the same.
    fn nanos(self) -> Option<i64> {
        Some(match self {
            Self::Week => 7 * NANOS_PER_DAY,
            Self::Day => NANOS_PER_DAY,
            Self::Hour => 3_600 * NANOS_PER_SECOND,
            Self::Minute => 60 * NANOS_PER_SECOND,
            Self::Second => NANOS_PER_SECOND,
            Self::Millisecond => 1_000_000,
            Self::Microsecond => 1_000,
            Self::Nanosecond => 1,
            _ => return None,
        })
    }
}

/// The week of the year, Monday first, where a week belongs to the year that has its `anchor`th day.
fn week_of_year(nanos: i64, anchor: i64) -> i64 {
    let day = days(nanos);
    let monday = day - (weekday(day) + 6).rem_euclid(7);
    let anchor_day = monday + anchor - 1;
    let (year, ..) = kql::value::datetime::civil_from_days(anchor_day);
    (anchor_day - days_from_civil(year, 1, 1)) / 7 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(text: &str) -> i64 {
        let ticks = kql::value::datetime::parse(text).expect("a datetime");
        crate::time::nanos_from_ticks(ticks).expect("in range")
    }

    #[test]
    fn weeks_of_the_year_follow_iso() {
        assert_eq!(Part::WeekOfYear.of(nanos("2020-12-31")), 53);
        assert_eq!(Part::WeekOfYear.of(nanos("2021-01-03")), 53);
        assert_eq!(Part::WeekOfYear.of(nanos("2021-01-04")), 1);
        assert_eq!(Part::WeekOfYear.of(nanos("2017-10-30")), 44);
    }

    #[test]
    fn months_are_cut_to_their_length() {
        assert_eq!(
            Part::Month.add(nanos("2020-01-31"), 1),
            Some(nanos("2020-02-29"))
        );
        assert_eq!(
            Part::Year.add(nanos("2020-02-29"), 1),
            Some(nanos("2021-02-28"))
        );
        assert_eq!(Part::Month.add(nanos("2020-01-31"), i64::MAX), None);
    }
}
