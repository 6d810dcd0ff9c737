//! When things happen: by day more than by night, on weekdays more than at weekends.

use kql::value::datetime::{UNIX_EPOCH_TICKS, civil_from_days};
use kql::value::{TICKS_PER_DAY, TICKS_PER_SECOND};

/// Ticks in an hour.
pub(crate) const TICKS_PER_HOUR: i64 = 3_600 * TICKS_PER_SECOND;

const SLOT_TICKS: i64 = TICKS_PER_HOUR / 2;

/// How much goes on in each hour of a weekday, and what part of it at weekends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rhythm {
    hours: [f64; 24],
    weekend: f64,
}

/// People at work, in Europe, seen in UTC.
pub(crate) const PEOPLE: Rhythm = Rhythm {
    hours: [
        0.05, 0.05, 0.05, 0.05, 0.08, 0.2, 0.5, 0.9, 1.1, 1.2, 1.1, 0.7, 0.9, 1.2, 1.1, 0.9, 0.6,
        0.35, 0.25, 0.2, 0.2, 0.15, 0.1, 0.08,
    ],
    weekend: 0.2,
};

/// Customers calling endpoints.
pub(crate) const CUSTOMERS: Rhythm = Rhythm {
    hours: [
        0.25, 0.2, 0.18, 0.18, 0.2, 0.3, 0.5, 0.75, 0.95, 1.05, 1.1, 1.1, 1.0, 1.05, 1.1, 1.1, 1.0,
        0.95, 1.0, 1.05, 0.95, 0.7, 0.5, 0.35,
    ],
    weekend: 0.65,
};

/// The time that the logs span, and how a rhythm fills it.
///
/// An event has a share of the total activity before it, drawn without a look at the clock; the
/// calendar turns shares into instants. So another `now` moves events and changes nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The activity up to the end of each slot.
    activity: Vec<f64>,
}

impl Calendar {
    pub(crate) fn new(start: i64, end: i64, rhythm: &Rhythm) -> Self {
        let mut total = 0.0;
        let slots = (start..end).step_by(SLOT_TICKS as usize);
        let activity = slots.map(|slot| {
            let days = slot.div_euclid(TICKS_PER_DAY);
            let hour = slot.rem_euclid(TICKS_PER_DAY) / TICKS_PER_HOUR;
            // 0001-01-01 was a Monday.
            let is_weekend = days.rem_euclid(7) >= 5;
            let length = (end - slot).min(SLOT_TICKS) as f64 / SLOT_TICKS as f64;
            total += rhythm.hours[hour as usize]
                * if is_weekend { rhythm.weekend } else { 1.0 }
                * length;
            total
        });
        Self {
            activity: activity.collect(),
            start,
            end,
        }
    }

    /// The instant before which lies that share (0 to 1) of all activity.
    pub(crate) fn at(&self, share: f64) -> i64 {
        let Some(total) = self.activity.last() else {
            return self.start;
        };
        let wanted = share.clamp(0.0, 1.0) * total;
        let slot = self.activity.partition_point(|activity| *activity < wanted);
        let slot = slot.min(self.activity.len() - 1);
        let before = if slot == 0 {
            0.0
        } else {
            self.activity[slot - 1]
        };
        let within = (wanted - before) / (self.activity[slot] - before);
        let from = self.start + slot as i64 * SLOT_TICKS;
        let length = (self.end - from).min(SLOT_TICKS);
        from + (within * length as f64) as i64
    }
}

/// Ticks at an instant in nanoseconds since 1970.
pub(crate) fn ticks(nanos: i64) -> i64 {
    nanos.div_euclid(100) + UNIX_EPOCH_TICKS
}

/// Year, month, day and hour.
pub(crate) fn hour_parts(ticks: i64) -> (i64, u32, u32, i64) {
    let (year, month, day) = civil_from_days(ticks.div_euclid(TICKS_PER_DAY));
    (
        year,
        month,
        day,
        ticks.rem_euclid(TICKS_PER_DAY) / TICKS_PER_HOUR,
    )
}

/// Ticks in a number of seconds.
pub(crate) fn seconds(seconds: f64) -> i64 {
    (seconds * TICKS_PER_SECOND as f64) as i64
}

#[cfg(test)]
mod tests {
    use kql::value::datetime;

    use super::*;

    fn calendar() -> Calendar {
        let at = |text| datetime::parse(text).expect("an instant");
        // Monday to Monday.
        Calendar::new(
            at("2026-11-16T00:00:00Z"),
            at("2026-11-23T00:00:00Z"),
            &PEOPLE,
        )
    }

    #[test]
    fn shares_are_instants_in_order() {
        let calendar = calendar();
        assert_eq!(calendar.at(0.0), calendar.start);
        assert_eq!(calendar.at(1.0), calendar.end);
        let instants: Vec<i64> = (0..=1000)
            .map(|i| calendar.at(f64::from(i) / 1000.0))
            .collect();
        assert!(instants.is_sorted());
    }

    #[test]
    fn weekends_and_nights_are_quiet() {
        let calendar = calendar();
        let instants = (0..10_000).map(|i| calendar.at(f64::from(i) / 10_000.0));
        let (mut weekend, mut night) = (0, 0);
        for instant in instants {
            weekend += i32::from(instant.div_euclid(TICKS_PER_DAY) % 7 >= 5);
            night += i32::from(hour_parts(instant).3 < 5);
        }
        assert!((500..1_000).contains(&weekend), "{weekend}");
        assert!(night < 400, "{night}");
    }
}
