//! Days, months and years of instants.

const DAY: i64 = 864_000_000_000;

/// Year, month and day of a day that is counted from 0001-01-01.
pub(super) fn civil(mut day: i64) -> (i64, i64, i64) {
    let mut year = 1;
    while day >= year_days(year) {
        day -= year_days(year);
        year += 1;
    }
    let mut month = 1;
    while day >= month_days(year, month) {
        day -= month_days(year, month);
        month += 1;
    }
    (year, month, day + 1)
}

/// The day that a date is, counted from 0001-01-01.
fn day_of(year: i64, month: i64) -> i64 {
    let years: i64 = (1..year).map(year_days).sum();
    let months: i64 = (1..month).map(|month| month_days(year, month)).sum();
    years + months
}

fn leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn year_days(year: i64) -> i64 {
    if leap(year) { 366 } else { 365 }
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `datetime_part`.
pub(super) fn part(name: &str, ticks: i64) -> Option<i64> {
    let (year, month, day) = civil(ticks.div_euclid(DAY));
    let in_day = ticks.rem_euclid(DAY);
    Some(match name {
        "year" => year,
        "month" => month,
        "day" => day,
        "hour" => in_day / (DAY / 24),
        "minute" => in_day / (DAY / 24 / 60) % 60,
        _ => return None,
    })
}

/// `startof…`. Weeks start on Sunday; 0001-01-01 was a Monday.
pub(super) fn start(unit: &str, ticks: i64) -> Option<i64> {
    let day = ticks.div_euclid(DAY);
    let (year, month, _) = civil(day);
    let day = match unit {
        "day" => day,
        "week" => day - (day + 1).rem_euclid(7),
        "month" => day_of(year, month),
        "year" => day_of(year, 1),
        _ => return None,
    };
    Some(day * DAY)
}

/// `endof…`: the last tick.
pub(super) fn end(unit: &str, ticks: i64) -> Option<i64> {
    let (year, month, _) = civil(ticks.div_euclid(DAY));
    let next = match unit {
        "day" => ticks.div_euclid(DAY) + 1,
        "month" => day_of(year, month) + month_days(year, month),
        _ => return None,
    };
    Some(next * DAY - 1)
}
