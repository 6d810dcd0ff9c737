//! Functions of statistics: the error, gamma and beta functions, and Welch's test.

use kql::Type::Real;
use statrs::function::beta::{checked_beta_reg, ln_beta};

use arrow::array::ArrayRef;
use datafusion_common::Result;

use super::real_function;
use crate::args::{self, Args};
use crate::registry::{Overload, Param::Is, ScalarFunction};

pub(in crate::scalar) const FUNCTIONS: &[ScalarFunction] = &[
    real_function!("erf", "The error function.", libm::erf).named_after_argument(),
    real_function!("erfc", "What the error function is short of 1.", libm::erfc)
        .named_after_argument(),
    real_function!("gamma", "The gamma function.", libm::tgamma).named_after_argument(),
    real_function!(
        "loggamma",
        "The natural logarithm of the gamma function without its sign.",
        libm::lgamma
    )
    .named_after_argument(),
    ScalarFunction::new(
        "beta_cdf",
        "The beta distribution's cumulative probability up to a value.",
        &[Overload::new(&[Is(Real), Is(Real), Is(Real)], Real, |a| {
            of_three(a, |x, alpha, beta| {
                let valid = (0.0..=1.0).contains(&x) && is_shape(alpha) && is_shape(beta);
                Some(if valid {
                    cumulative(x, alpha, beta)
                } else {
                    f64::NAN
                })
            })
        })],
    ),
    ScalarFunction::new(
        "beta_inv",
        "The value up to which the beta distribution has a cumulative probability.",
        &[Overload::new(&[Is(Real), Is(Real), Is(Real)], Real, |a| {
            // The reference's notes and its example disagree on what is null and what is NaN; these
            // are the answers that the example shows.
            of_three(a, |probability, alpha, beta| {
                if !(probability > 0.0 && probability <= 1.0) {
                    return None;
                }
                if !(is_shape(alpha) && is_shape(beta)) {
                    return Some(f64::NAN);
                }
                // Near 1 the other tail tells values apart that this one can't.
                Some(if probability > 0.5 {
                    1.0 - value_at(1.0 - probability, beta, alpha)
                } else {
                    value_at(probability, alpha, beta)
                })
            })
        })],
    ),
    ScalarFunction::new(
        "beta_pdf",
        "The beta distribution's density at a value.",
        &[Overload::new(&[Is(Real), Is(Real), Is(Real)], Real, |a| {
            of_three(a, |x, alpha, beta| {
                if !(x > 0.0 && x < 1.0 && alpha > 0.0 && beta > 0.0) {
                    return Some(f64::NAN);
                }
                let powers = (alpha - 1.0) * x.ln() + (beta - 1.0) * (-x).ln_1p();
                Some((powers - ln_beta(alpha, beta)).exp())
            })
        })],
    ),
    ScalarFunction::new(
        "welch_test",
        "The p-value of Welch's test of two means, each with its variance and count.",
        &[Overload::new(
            &[Is(Real), Is(Real), Is(Real), Is(Real), Is(Real), Is(Real)],
            Real,
            welch_test,
        )],
    ),
];

fn of_three(a: &Args<'_>, op: impl Fn(f64, f64, f64) -> Option<f64>) -> Result<ArrayRef> {
    let (x, y, z) = (a.f64(0)?, a.f64(1)?, a.f64(2)?);
    args::reals(a.rows(), |row| op(x.get(row)?, y.get(row)?, z.get(row)?))
}

/// Whether a number may be a parameter of the beta distribution.
fn is_shape(value: f64) -> bool {
    value > 0.0 && value <= 10_000.0
}

/// The beta distribution's cumulative probability. `x` is from 0 to 1, and the parameters are
/// positive.
fn cumulative(x: f64, alpha: f64, beta: f64) -> f64 {
    checked_beta_reg(alpha, beta, x).unwrap_or(f64::NAN)
}

/// The least value up to which the beta distribution has a cumulative probability, by halving.
fn value_at(probability: f64, alpha: f64, beta: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return high;
        }
        if cumulative(middle, alpha, beta) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// The two-sided probability of a difference as large, by Student's distribution.
fn welch_test(a: &Args<'_>) -> Result<ArrayRef> {
    let columns = (0..6).map(|i| a.f64(i)).collect::<Result<Vec<_>>>()?;
    args::reals(a.rows(), |row| {
        let mut values = [0.0; 6];
        for (value, column) in values.iter_mut().zip(&columns) {
            *value = column.get(row)?;
        }
        let [mean1, variance1, count1, mean2, variance2, count2] = values;
        let (error1, error2) = (variance1 / count1, variance2 / count2);
        let error = error1 + error2;
        let squared = (mean1 - mean2).powi(2) / error;
        let freedom =
            error * error / (error1 * error1 / (count1 - 1.0) + error2 * error2 / (count2 - 1.0));
        let valid = freedom > 0.0 && freedom.is_finite() && squared >= 0.0;
        Some(if valid {
            cumulative(freedom / (freedom + squared), freedom / 2.0, 0.5)
        } else {
            f64::NAN
        })
    })
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::check;

    #[test]
    fn values_are_those_of_the_reference() {
        check(&[
            ("round(erf(1), 15)", "0.842700792949715"),
            ("erf(0)", "0.0"),
            ("round(erf(-3), 15)", "-0.999977909503001"),
            ("round(erfc(2), 17)", "0.00467773498104727"),
            ("gamma(5)", "24.0"),
            ("round(loggamma(5), 14)", "3.17805383034795"),
            ("round(beta_cdf(0.9, 10.0, 20.0), 15)", "0.999999999999959"),
            ("beta_cdf(1.5, 10.0, 20.0)", "NaN"),
            ("beta_cdf(0.1, -1.0, 20.0)", "NaN"),
            ("beta_cdf(0.1, 1.0, 10001)", "NaN"),
            ("beta_cdf(real(nan), 1.0, 1.0)", "NaN"),
            ("beta_cdf(real(null), 1.0, 1.0)", "null"),
            ("round(beta_inv(0.1, 10.0, 20.0), 13)", "0.2264150223887"),
            ("beta_inv(1, 2, 3)", "1.0"),
            ("round(beta_inv(1e-300, 1e-3, 1e-3), 3)", "0.0"),
            ("beta_inv(real(nan), 2, 3)", "null"),
            ("beta_inv(1.5, 10.0, 20.0)", "null"),
            ("beta_inv(0.1, -1.0, 20.0)", "NaN"),
            ("round(beta_pdf(0.5, 10.0, 20.0), 12)", "0.746176019311"),
            ("beta_pdf(1, 10.0, 20.0)", "NaN"),
        ]);
    }

    #[test]
    fn means_are_compared_by_welchs_test() {
        check(&[
            (
                "round(welch_test(20.82, 7.867429, 15, 22.986667, 3.812667, 15), 3)",
                "0.021",
            ),
            ("welch_test(1, 0, 5, 2, 0, 5)", "NaN"),
            ("welch_test(1, 1, 1, 2, 1, 1)", "NaN"),
            ("welch_test(1, 1, 5, 1, 1, 5)", "1.0"),
        ]);
    }
}
