//! Functions that say what a series is like.

use super::{assert_all_near, assert_near, columns, get, numbers};
use crate::scalar::check::{check, check_refused};

#[test]
fn statistics_are_columns_or_a_bag() {
    let series = "[23,46,23,87,4,8,3,75,2,56,13,75,32,16,29]";
    let row = columns("series_stats", &[series]);
    let names: Vec<&str> = row.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "min", "min_idx", "max", "max_idx", "avg", "stdev", "variance"
        ]
    );
    for (name, expected) in [
        ("min", 2.0),
        ("min_idx", 8.0),
        ("max", 87.0),
        ("max_idx", 3.0),
        ("avg", 32.8),
        ("stdev", 28.503_633_853_548_3),
        ("variance", 812.457_142_857_143),
    ] {
        assert_near(&row, name, expected);
    }
    check(&[
        (&*format!("series_stats(dynamic({series}))"), "2.0"),
        (
            "series_stats_dynamic(dynamic([10,20]))",
            r#"{"min":10.0,"min_idx":0,"max":20.0,"max_idx":1,"avg":15.0,"stdev":7.0710678118654755,"variance":50.0,"sum":30.0,"len":2}"#,
        ),
        ("series_stats_dynamic(dynamic([1,null]))", "null"),
        (
            "series_stats_dynamic(dynamic([1,null,'NaN']), true)",
            r#"{"min":1.0,"min_idx":0,"max":1.0,"max_idx":0,"avg":1.0,"stdev":0.0,"variance":0.0,"sum":1.0,"len":3}"#,
        ),
        ("series_stats_dynamic(dynamic([]))", "null"),
    ]);
}

#[test]
fn a_line_is_fitted() {
    let fit = columns("series_fit_line", &["[2,5,6,8,11,15,17,18,25,26,30,30]"]);
    assert_near(&fit, "rsquare", 0.9829);
    assert_near(&fit, "slope", 2.730);
    assert_near(&fit, "variance", 98.628);
    assert_near(&fit, "rvariance", 1.686);
    assert_near(&fit, "interception", -1.666);
    let line = get(&fit, "line_fit");
    assert_eq!(numbers(&line).len(), 12);
    assert!((numbers(&line)[0] - 1.064).abs() < 1e-3, "{line}");
    assert!((numbers(&line)[11] - 31.102).abs() < 1e-3, "{line}");
    let null = columns("series_fit_line", &["[1]"]);
    assert!(null.iter().all(|(_, value)| value.is_empty()), "{null:?}");
    check(&[(
        "series_fit_line_dynamic(dynamic([1,3]))",
        r#"{"rsquare":1.0,"slope":2.0,"variance":2.0,"rvariance":0.0,"interception":-1.0,"line_fit":[1.0,3.0]}"#,
    )]);
}

#[test]
fn two_lines_are_fitted_where_the_trend_breaks() {
    let series = "[1,2.2,2.5,4.7,5.0,12,10.3,10.3,9,8.3,6.2]";
    let fit = columns("series_fit_2lines", &[series]);
    assert_eq!(get(&fit, "split_idx"), "5");
    assert_near(&fit, "left_slope", 1.05);
    assert_near(&fit, "left_interception", -0.07);
    assert_near(&fit, "right_slope", -1.037);
    let line = numbers(&get(&fit, "line_fit"));
    assert!((line[0] - 0.98).abs() < 1e-3, "{line:?}");
    let bag = crate::scalar::check::value(&format!("series_fit_2lines_dynamic(dynamic({series}))"))
        .expect("a bag");
    assert!(
        bag.contains(r#""split_idx":5"#) && bag.contains(r#""right":{"rsquare":"#),
        "{bag}"
    );
    let null = columns("series_fit_2lines", &["[1,2,3]"]);
    assert!(null.iter().all(|(_, value)| value.is_empty()), "{null:?}");
}

#[test]
fn polynomials_are_fitted() {
    let line = columns("series_fit_line", &["[2,5,6,8,11]"]);
    let poly = columns("series_fit_poly", &["[2,5,6,8,11]"]);
    for name in ["rsquare", "variance", "rvariance"] {
        assert_near(&poly, name, get(&line, name).parse().expect("a number"));
    }
    // 2x² - 3x + 1 at places that are not evenly spaced.
    let (x, y) = ("[0,1,3,4,10,100]", "[1,0,10,21,171,19701]");
    let poly = columns("series_fit_poly", &[y, x, "2"]);
    let coefficients: Vec<f64> =
        serde_json::from_str(&get(&poly, "coefficients")).expect("numbers");
    for (found, expected) in coefficients.iter().zip([2.0, -3.0, 1.0]) {
        assert!((found - expected).abs() < 1e-8, "{coefficients:?}");
    }
    assert_near(&poly, "rsquare", 1.0);
    for unfit in ["[1]", "[1,1,1,1]"] {
        let null = columns("series_fit_poly", &["[1,2,3,4]", unfit, "2"]);
        assert!(null.iter().all(|(_, value)| value.is_empty()), "{null:?}");
    }
    check_refused(&[(
        "series_fit_poly(dynamic([1,2]), dynamic([1,2]), 99)",
        "degree",
    )]);
}

#[test]
fn outliers_are_scored_as_kusto_scores_them() {
    let series = "dynamic([-3,2.4,15,3.9,5,6,4.5,5.2,3,4,5,16,7,5,5,4])";
    let scores = crate::scalar::check::value(&format!("series_outliers({series})"));
    let mut expected = [0.0; 16];
    expected[0] = -1.904_078_548_360_857;
    expected[1] = -0.100_214_660_440_045_17;
    expected[2] = 1.336_195_472_533_935;
    expected[11] = 1.670_244_340_667_418_8;
    assert_all_near(&scores.expect("scores"), &expected);
    check(&[
        (
            "series_outliers(dynamic([1,2,3,4,5]), 'tukey')",
            "[-0.5,0.0,0.0,0.0,0.5]",
        ),
        (
            "series_outliers(dynamic([1,2,null,3,4,5,99]), 'tukey', 99)",
            "[-0.5,0.0,0.0,0.0,0.0,0.5,0.0]",
        ),
        ("series_outliers(dynamic([7,7,7]))", "[0.0,0.0,0.0]"),
        ("series_outliers(dynamic([null]))", "[0.0]"),
        ("series_outliers(dynamic([]))", "[]"),
    ]);
    check_refused(&[
        (
            "series_outliers(dynamic([1]), 'other')",
            "`tukey` or `ctukey`",
        ),
        (
            "series_outliers(dynamic([1]), 'ctukey', real(null), 20.0, 80.0)",
            "no other percentiles",
        ),
        (
            "series_outliers(dynamic([0,0,0,0,0,0,0,0,0,0,0,0,5]))",
            "can't be scored",
        ),
    ]);
}

#[test]
fn what_repeats_is_the_median_of_each_place() {
    check(&[
        (
            "series_seasonal(dynamic([1,3,5,1,3,5,2,4,6]), 3)",
            "[1.0,3.0,5.0,1.0,3.0,5.0,1.0,3.0,5.0]",
        ),
        (
            "series_seasonal(dynamic([1,3,5,2,4,6,1,3,5,2,4,6]), 3)",
            "[1.5,3.5,5.5,1.5,3.5,5.5,1.5,3.5,5.5,1.5,3.5,5.5]",
        ),
        ("series_seasonal(dynamic([1,2]), 0)", "[0.0,0.0]"),
        (
            "series_seasonal(dynamic([1,2,1,2,1,2,1]))",
            "[0.0,0.0,0.0,0.0,0.0,0.0,0.0]",
        ),
        (
            "series_seasonal(dynamic([1,2]), 9000000000000000000)",
            "[1.0,2.0]",
        ),
    ]);
    check_refused(&[
        (
            "series_seasonal(dynamic([1,2,1,2,1,2,1,2]))",
            "finding the period",
        ),
        (
            "series_decompose(dynamic([1,2,1,2,1,2,1,2]))",
            "finding the period",
        ),
        (
            "series_decompose_anomalies(dynamic([1,2,1,2,1,2,1,2]), 1.5, -1)",
            "finding the period",
        ),
    ]);
}

#[test]
fn a_series_is_its_parts() {
    let parts = columns("series_decompose", &["[1,5,3,7]", "2", "linefit"]);
    assert_eq!(get(&parts, "seasonal"), "[2.0,6.0,2.0,6.0]");
    assert_all_near(&get(&parts, "trend"), &[-1.2, -0.4, 0.4, 1.2]);
    let parts = columns("series_decompose", &["[1,2,6]", "0"]);
    assert_eq!(get(&parts, "baseline"), "[3.0,3.0,3.0]");
    assert_eq!(get(&parts, "residual"), "[-2.0,-1.0,3.0]");
    check(&[
        (
            "series_decompose(dynamic([1,2,6]), 0, 'none')",
            "[0.0,0.0,0.0]",
        ),
        (
            "series_decompose_forecast(dynamic([1,2,3,0,0]), 2, 0, 'linefit')",
            "[1.0,2.0,3.0,4.0,5.0]",
        ),
        (
            "series_decompose_forecast(dynamic([1,2,1,2,0,0]), 2, 2)",
            "[1.0,2.0,1.0,2.0,1.0,2.0]",
        ),
        ("series_decompose_forecast(dynamic([1,2]), 2, 0)", "null"),
        ("series_decompose(dynamic([1,null]), 0)", "null"),
    ]);
}

#[test]
fn anomalies_are_outliers_of_the_rest() {
    let series = "[1,2,3,1,2,3,1,2,3,1,2,9,1.5,2.5,3.5,0.5,1.5,2.5]";
    let found = columns("series_decompose_anomalies", &[series, "1.5", "3"]);
    assert_eq!(
        get(&found, "ad_flag"),
        "[0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0]"
    );
    check_refused(&[(
        "series_decompose_anomalies(dynamic([1,2]), 1.5, 0, 'avg', 1)",
        "test points",
    )]);
}

#[test]
fn fourier_transforms_have_inverses() {
    for series in [
        "[1.0,2.0,4.0,8.0]",
        "[1.0,-2.0,3.5]",
        "[1.0,2.0,3.0,4.0,5.0,6.0,7.0]",
        "[3.0]",
        "[]",
    ] {
        let found = columns("series_fft", &[series]);
        let back = columns(
            "series_ifft",
            &[&*get(&found, "real"), &*get(&found, "imag")],
        );
        for (found, expected) in numbers(&get(&back, "real")).iter().zip(numbers(series)) {
            assert!((found - expected).abs() < 1e-9, "{series}: {back:?}");
        }
    }
    let found = columns("series_fft", &["[1,2,4]"]);
    let reals: Vec<f64> = serde_json::from_str(&get(&found, "real")).expect("numbers");
    assert!(
        (reals[0] - 7.0).abs() < 1e-9 && (reals[1] + 2.0).abs() < 1e-9,
        "{found:?}"
    );
}
