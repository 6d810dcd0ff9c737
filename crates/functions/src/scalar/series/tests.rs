mod models;

use arrow::array::AsArray;
use datafusion_common::ScalarValue;

use crate::args::ELEMENTS_MAX;
use crate::registry;
use crate::scalar::check::{check, check_refused};

#[test]
fn arithmetic_is_element_by_element() {
    check(&[
        ("series_add(dynamic([1,2,4]), dynamic([4,2,1]))", "[5,4,5]"),
        (
            "series_subtract(dynamic([1,2,4]), dynamic([4,2,1]))",
            "[-3,0,3]",
        ),
        (
            "series_multiply(dynamic([1,2,4]), dynamic([4,2,1]))",
            "[4,4,4]",
        ),
        (
            "series_divide(dynamic([1,2,4]), dynamic([4,2,1]))",
            "[0.25,1.0,4.0]",
        ),
        (
            "series_pow(dynamic([1,2,3,4]), dynamic([1,2,3,0.5]))",
            "[1.0,4.0,27.0,2.0]",
        ),
        ("series_add(dynamic([1,2.5]), dynamic([1,1]))", "[2.0,3.5]"),
        (
            "series_divide(dynamic([2,-2,0]), dynamic([0,0,0]))",
            r#"["Infinity","-Infinity","NaN"]"#,
        ),
    ]);
}

#[test]
fn a_number_stands_for_a_series_of_it() {
    check(&[
        ("series_multiply(10, dynamic([1,0,-1]))", "[10,0,-10]"),
        ("series_subtract(dynamic([1,2]), 0.5)", "[0.5,1.5]"),
        (
            "series_greater(dynamic([5,15,25]), 15)",
            "[false,false,true]",
        ),
        ("series_add(dynamic([1,2]), long(null))", "[null,null]"),
        ("series_add(dynamic([]), 1)", "[]"),
    ]);
    check_refused(&[
        ("series_add(1, 2)", "does not take"),
        ("series_add(dynamic([1]), 'a')", ""),
    ]);
}

#[test]
fn what_is_no_number_gives_null() {
    check(&[
        (
            "series_add(dynamic([1,null,'a',4]), dynamic([1,1,1]))",
            "[2,null,null,null]",
        ),
        (
            "series_less(dynamic([1,null]), dynamic([2,2]))",
            "[true,null]",
        ),
        (
            "series_abs(dynamic(['a',[1],{},true]))",
            "[null,null,null,null]",
        ),
        ("series_add(dynamic(null), dynamic([1]))", "null"),
        ("series_add(dynamic({'a':1}), dynamic([1]))", "null"),
    ]);
    check_refused(&[(
        "series_add(dynamic(['2024-01-01T00:00:00.0000000Z']), 0)",
        "a series of datetimes",
    )]);
}

#[test]
fn comparisons_are_element_by_element() {
    check(&[
        (
            "series_equals(dynamic([1,2,4]), dynamic([4,2.0,1]))",
            "[false,true,false]",
        ),
        (
            "series_not_equals(dynamic([1,2,4]), dynamic([4,2,1]))",
            "[true,false,true]",
        ),
        (
            "series_less(dynamic([1,2,4]), dynamic([4,2,1]))",
            "[true,false,false]",
        ),
        (
            "series_less_equals(dynamic([1,2,4]), dynamic([4,2,1]))",
            "[true,true,false]",
        ),
        (
            "series_greater(dynamic([1,2,4]), dynamic([4,2,1]))",
            "[false,false,true]",
        ),
        (
            "series_greater_equals(dynamic([1,2,4]), dynamic([4,2,1]))",
            "[false,true,true]",
        ),
    ]);
}

#[test]
fn mathematics_is_element_by_element() {
    check(&[
        ("series_abs(dynamic([-6.5,0,8.2]))", "[6.5,0,8.2]"),
        ("series_sign(dynamic([-6,0,8]))", "[-1,0,1]"),
        ("series_floor(dynamic([-1.5,1,2.5]))", "[-2.0,1.0,2.0]"),
        ("series_ceiling(dynamic([-1.5,1,2.5]))", "[-1.0,1.0,3.0]"),
        ("series_cos(dynamic([0]))", "[1.0]"),
        ("series_acos(dynamic([1]))", "[0.0]"),
        (
            "series_log(dynamic([1,0,-1]))",
            r#"[0.0,"-Infinity","NaN"]"#,
        ),
        ("series_exp(dynamic([0]))", "[1.0]"),
        ("series_atan(dynamic([0, null]))", "[0.0,null]"),
    ]);
}

#[test]
fn reductions_give_one_number() {
    check(&[
        ("series_sum(dynamic([1,2,3,4]))", "10.0"),
        ("series_product(dynamic([1,2,3,4]))", "24.0"),
        ("series_sum(dynamic([1,'a']))", "null"),
        (
            "series_dot_product(dynamic([1,2,4]), dynamic([4,2,1]))",
            "12.0",
        ),
        ("series_dot_product(dynamic([3,6,12]), 3)", "63.0"),
        (
            "series_dot_product(dynamic([1,2,3]), dynamic([1,2]))",
            "5.0",
        ),
        (
            "series_dot_product(dynamic([1,null,3]), dynamic([1,2,3]))",
            "10.0",
        ),
        ("series_dot_product(dynamic([]), dynamic([1]))", "null"),
        (
            "round(series_magnitude(dynamic([1,2,3,4])), 9)",
            "5.477225575",
        ),
        ("series_magnitude(dynamic([]))", "null"),
        (
            "round(series_cosine_similarity(dynamic([0.1,0.2,0.1,0.2]), dynamic([0.11,0.2,0.11,0.21])), 9)",
            "0.999353438",
        ),
        (
            "round(series_cosine_similarity(dynamic([0.1,0.2,0.1,0.2]), dynamic([1,2,3,4])), 9)",
            "0.923760431",
        ),
        (
            "series_cosine_similarity(dynamic([2,0]), dynamic([3,0]), 2.0, 6.0)",
            "0.5",
        ),
        (
            "round(series_pearson_correlation(dynamic([1,2,3,4,5]), dynamic([2,4,6,8,10])), 9)",
            "1.0",
        ),
        (
            "round(series_pearson_correlation(dynamic([1,2,3]), dynamic([3,2,1])), 9)",
            "-1.0",
        ),
        (
            "series_pearson_correlation(dynamic([1,2]), dynamic([1]))",
            "null",
        ),
        (
            "series_pearson_correlation(dynamic([1,null]), dynamic([1,2]))",
            "null",
        ),
    ]);
}

#[test]
fn gaps_are_filled_and_the_rest_keeps_its_type() {
    let gaps = "dynamic([111,null,36,41,null,null,16,61,33,null,null])";
    check(&[
        (
            &*format!("series_fill_const({gaps}, 0.0)"),
            "[111,0.0,36,41,0.0,0.0,16,61,33,0.0,0.0]",
        ),
        (
            &*format!("series_fill_const({gaps}, -1)"),
            "[111,-1,36,41,-1,-1,16,61,33,-1,-1]",
        ),
        ("series_fill_const(dynamic([1,0,2]), 9, 0)", "[1,9,2]"),
        (
            "series_fill_forward(dynamic([null,null,36,41,null,null,16,null]))",
            "[null,null,36,41,41,41,16,16]",
        ),
        (
            &*format!("series_fill_backward({gaps})"),
            "[111,36,36,41,16,16,16,61,33,null,null]",
        ),
        (
            "series_fill_forward(dynamic([7,-1,'a',-1.0]), -1)",
            r#"[7,7,"a","a"]"#,
        ),
        ("series_fill_forward(dynamic('a'))", "null"),
    ]);
}

#[test]
fn lines_fill_gaps() {
    let wholes = "dynamic([null,111,null,36,41,null,null,16,61,33,null,null])";
    let reals = "dynamic([null,111.0,null,36.0,null])";
    check(&[
        (
            &*format!("series_fill_linear({wholes})"),
            "[111,111,73,36,41,32,24,16,61,33,33,33]",
        ),
        (
            &*format!("series_fill_linear({wholes}, double(null), false)"),
            "[null,111,73,36,41,32,24,16,61,33,null,null]",
        ),
        (
            &*format!("series_fill_linear({reals})"),
            "[111.0,111.0,73.5,36.0,36.0]",
        ),
        ("series_fill_linear(dynamic([null,null]))", "[0.0,0.0]"),
        (
            "series_fill_linear(dynamic([null,null]), double(null), false)",
            "[0.0,0.0]",
        ),
        (
            "series_fill_linear(dynamic([null,null]), double(null), true, 3.14159)",
            "[3.14159,3.14159]",
        ),
        (
            "series_fill_linear(dynamic([null]), double(null), true, double(null))",
            "[null]",
        ),
        ("series_fill_linear(dynamic([0,-1,-1,7]), -1)", "[0,2,4,7]"),
        (
            "series_fill_linear(dynamic([0,null,null,-7]))",
            "[0,-2,-4,-7]",
        ),
        ("series_fill_linear(dynamic([]))", "[]"),
    ]);
}

#[test]
fn filters_count_what_lies_beyond_the_ends_as_zero() {
    check(&[
        (
            "series_fir(dynamic([5,15,10,20]), dynamic([1,-1]), false, false)",
            "[5.0,10.0,-5.0,10.0]",
        ),
        ("series_fir(dynamic([5,15]), dynamic([1,-1]))", "[5.0,10.0]"),
        (
            "series_fir(dynamic([0,0,4,8]), dynamic([1,1]))",
            "[0.0,0.0,2.0,6.0]",
        ),
        (
            "series_fir(dynamic([3,3,3]), dynamic([1,1,1]), true, true)",
            "[2.0,3.0,2.0]",
        ),
        ("series_fir(dynamic([1,2]), dynamic([1,-1]), true)", "null"),
        ("series_fir(dynamic([1,null]), dynamic([1]))", "null"),
        (
            "series_iir(dynamic([1.0,2,3,4]), dynamic([1]), dynamic([1,-1]))",
            "[1.0,3.0,6.0,10.0]",
        ),
        (
            "series_iir(dynamic([2,2]), dynamic([1]), dynamic([2]))",
            "[1.0,1.0]",
        ),
        (
            "series_iir(dynamic([1]), dynamic([1]), dynamic([0]))",
            "null",
        ),
    ]);
    check_refused(&[(
        "series_fir(dynamic([1,2,3]), dynamic([1,1]), true, true)",
        "even length",
    )]);
}

#[test]
fn hostile_series_do_no_harm() {
    let deep = format!("dynamic({}1{})", "[".repeat(90), "]".repeat(90));
    check(&[
        (&*format!("series_add({deep}, 1)"), "[null]"),
        (
            "series_add(parse_json('[99999999999999999999]'), 1)",
            "[1e20]",
        ),
        (
            "series_add(dynamic([9223372036854775807]), 1)",
            "[-9223372036854775808]",
        ),
        (
            "series_abs(parse_json('[-9223372036854775808]'))",
            "[-9223372036854775808]",
        ),
        ("series_fit_line(dynamic([]))", "null"),
        ("series_stats(dynamic(['NaN','Infinity']), true)", "null"),
        (
            "series_fit_poly(dynamic([1e308,-1e308,1e308]), dynamic(['NaN',1,2]))",
            "null",
        ),
    ]);
}

#[test]
fn work_on_a_series_is_bounded() {
    let ones = |count: usize| ScalarValue::Utf8View(Some(format!("[{}1]", "1,".repeat(count - 1))));
    let error = |name: &str, args: &[ScalarValue]| {
        let udf = registry::scalar_udf(registry::scalar(name).expect("a function"), 0);
        crate::fold(&udf, args).expect_err(name).to_string()
    };
    let longest = error("series_sum", &[ones(ELEMENTS_MAX + 1)]);
    assert!(longest.contains("too long"), "{longest}");
    let args = [ones(400_000), ones(400_000), ScalarValue::Int64(Some(30))];
    let poly = error("series_fit_poly", &args);
    assert!(poly.contains("degree 30"), "{poly}");
    let filter = error("series_fir", &[ones(40_000), ones(40_000)]);
    assert!(filter.contains("too long"), "{filter}");
}

/// The columns of a call on one row, as text; null is empty.
fn columns(name: &str, args: &[&str]) -> Vec<(String, String)> {
    let function = registry::scalar(name).expect("a function");
    let udf = registry::columns_udf(function, 0).expect("several columns");
    let args: Vec<ScalarValue> = args
        .iter()
        .zip(function.overloads[0].params)
        .map(|(arg, param)| {
            let (registry::Param::Is(ty) | registry::Param::Const(ty)) = param else {
                panic!("a typed parameter")
            };
            let ty = schema::arrow::data_type(*ty);
            ScalarValue::try_from_string((*arg).to_owned(), &ty).expect("a value")
        })
        .collect();
    let row = crate::fold(&udf, &args).expect("a row");
    let row = row.to_array().expect("an array");
    let row = row.as_struct();
    row.fields()
        .iter()
        .zip(row.columns())
        .map(|(field, column)| {
            let value = ScalarValue::try_from_array(column, 0).expect("a value");
            let text = match value {
                ScalarValue::Float64(Some(value)) => format!("{value:?}"),
                value if value.is_null() => String::new(),
                value => value.to_string(),
            };
            (field.name().clone(), text)
        })
        .collect()
}

fn get(row: &[(String, String)], name: &str) -> String {
    let found = row.iter().find(|(field, _)| field == name);
    found.expect("a column").1.clone()
}

fn numbers(text: &str) -> Vec<f64> {
    serde_json::from_str(text).expect("numbers")
}

fn assert_all_near(text: &str, expected: &[f64]) {
    let found = numbers(text);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-9, "{text}");
    }
}

fn assert_near(row: &[(String, String)], name: &str, expected: f64) {
    let found: f64 = get(row, name).parse().expect("a number");
    assert!(
        (found - expected).abs() < 1e-3,
        "{name} is {found}, not {expected}"
    );
}
