//! Quantities from one unit to another. A unit that is not known gives null.
//!
//! <https://learn.microsoft.com/kusto/query/convert-length-function>

mod units;

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Real, String as Text};

use crate::args::{self, Args};
use crate::registry::{Overload, Param::Is, ScalarFunction};

macro_rules! conversion {
    ($name:literal, $doc:literal, $units:expr) => {
        ScalarFunction::new(
            $name,
            $doc,
            &[Overload::new(&[Is(Real), Is(Text), Is(Text)], Real, |a| {
                convert(a, |unit| {
                    let found = $units.iter().find(|(name, _)| *name == unit);
                    found.map(|(_, factor)| (*factor, 0.0))
                })
            })],
        )
    };
}

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "convert_angle",
        "An angle in another unit.",
        &[Overload::new(
            &[Is(Real), Is(Text), Is(Text)],
            Real,
            convert_angle,
        )],
    ),
    conversion!(
        "convert_energy",
        "An energy in another unit.",
        units::ENERGY
    ),
    conversion!("convert_force", "A force in another unit.", units::FORCE),
    conversion!("convert_length", "A length in another unit.", units::LENGTH),
    conversion!("convert_mass", "A mass in another unit.", units::MASS),
    conversion!("convert_speed", "A speed in another unit.", units::SPEED),
    conversion!("convert_volume", "A volume in another unit.", units::VOLUME),
    ScalarFunction::new(
        "convert_temperature",
        "A temperature in another unit.",
        &[Overload::new(&[Is(Real), Is(Text), Is(Text)], Real, |a| {
            convert(a, |unit| {
                let found = units::TEMPERATURE.iter().find(|(name, ..)| *name == unit);
                found.map(|(_, scale, zero)| (*scale, *zero))
            })
        })],
    ),
];

fn convert_angle(a: &Args<'_>) -> Result<ArrayRef> {
    let (from, to) = (a.str(1)?, a.str(2)?);
    // A tilt is no multiple of an angle.
    if (0..a.rows()).any(|row| from.text(row) == "Tilt" || to.text(row) == "Tilt") {
        return exec_err!("`convert_angle` does not take the unit `Tilt`");
    }
    convert(a, |unit| {
        let found = units::ANGLE.iter().find(|(name, _)| *name == unit);
        found.map(|(_, factor)| (*factor, 0.0))
    })
}

/// Converts by the factor of each unit and what its zero is in the unit of the factors.
fn convert(a: &Args<'_>, unit: impl Fn(&str) -> Option<(f64, f64)>) -> Result<ArrayRef> {
    let (x, from, to) = (a.f64(0)?, a.str(1)?, a.str(2)?);
    let same = |text: Option<&str>| text.map(&unit);
    let (constant_from, constant_to) = (same(a.const_str(1)), same(a.const_str(2)));
    args::reals(a.rows(), |row| {
        let (factor, zero) = constant_from.unwrap_or_else(|| unit(from.text(row)))?;
        let (wanted, wanted_zero) = constant_to.unwrap_or_else(|| unit(to.text(row)))?;
        Some((x.get(row)? * factor + zero - wanted_zero) / wanted)
    })
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn quantities_are_converted() {
        check(&[
            ("convert_angle(1.2, 'Degree', 'Arcminute')", "72.0"),
            (
                "convert_angle(180, 'Degree', 'Radian')",
                "3.141592653589793",
            ),
            (
                "round(convert_energy(1.2, 'Joule', 'BritishThermalUnit'), 9)",
                "0.001137381",
            ),
            (
                "round(convert_force(1.2, 'Newton', 'Decanewton'), 9)",
                "0.12",
            ),
            (
                "round(convert_length(1.2, 'Meter', 'Foot'), 9)",
                "3.937007874",
            ),
            (
                "round(convert_mass(1.2, 'Kilogram', 'Pound'), 9)",
                "2.645547146",
            ),
            (
                "round(convert_speed(1.2, 'MeterPerSecond', 'CentimeterPerHour'), 9)",
                "432000.0",
            ),
            (
                "round(convert_temperature(1.2, 'Kelvin', 'DegreeCelsius'), 9)",
                "-271.95",
            ),
            (
                "round(convert_temperature(98.6, 'DegreeFahrenheit', 'DegreeCelsius'), 9)",
                "37.0",
            ),
            (
                "round(convert_volume(1.2, 'CubicMeter', 'AcreFoot'), 13)",
                "0.0009728568",
            ),
        ]);
    }

    #[test]
    fn unknown_units_give_null() {
        check(&[
            ("convert_length(1, 'Meter', 'foot')", "null"),
            ("convert_length(1, '', 'Foot')", "null"),
            ("convert_length(real(null), 'Meter', 'Foot')", "null"),
        ]);
        check_refused(&[("convert_angle(1, 'Tilt', 'Degree')", "Tilt")]);
    }
}
