//! Every function with arguments that nobody means well: whatever comes out, nothing panics.

use std::panic::{AssertUnwindSafe, catch_unwind};

use datafusion_common::ScalarValue;
use datafusion_expr::ColumnarValue;
use kql::Type;

use crate::args::{Args, data_type};
use crate::registry::{Overload, Param};
use crate::scalar;

const ROUNDS: usize = 32;
const ROWS: usize = 2;

const TEXTS: &[&str] = &[
    "",
    "a",
    "é\u{0}\u{10ffff}",
    "[",
    "{\"a\":",
    "0x",
    "1e400",
    "-1",
    "$.a[",
    "$",
    "\\",
    "*(",
    "(a*)*b",
    "%",
    "%c3%",
    "xn--\u{80}.xn--",
    "regex",
    "windows",
    "KB",
    "2020-13-45",
    "99999.23:59:59.9999999",
    "1.2.3.4/33",
    "::ffff:1.2.3.4/129",
    "1.2.3.",
    "<a b='",
    "<a>&#0;</a>",
    "\"a,\"\"",
    "file://\\\\?\\C:",
    "://@:?#",
    "H4sIAAAAAAAA/wEUAOv/",
    "yyyy-MM-dd",
    "month",
    "Europe/Berlin",
];

const DYNAMICS: &[&str] = &[
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "\"a\"",
    "-0.0",
    "1e308",
    "9223372036854775807",
    "99999999999999999999",
    "[null]",
    "[1,2,3]",
    "[1e308,-1e308,1e308]",
    "[9223372036854775807,-9223372036854775808]",
    "[null,1,\"a\",{},[]]",
    "[[1,2],[3]]",
    "[\"$.a\",\"$[0]\",\"\"]",
    "[true,false,0,1]",
    "{\"a\":{\"b\":[1,{\"c\":null}]},\"\":1}",
    "{\"a\":1,\"a\":2}",
    "[\"\\u0000\",\"\\ud83d\\ude00\"]",
];

const LONGS: &[i64] = &[0, 1, -1, 2, 7, 16, 63, 64, 1 << 16, i64::MIN, i64::MAX];

const REALS: &[f64] = &[
    0.0,
    -0.0,
    1.0,
    -1.5,
    0.5,
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
];

fn values(ty: Type) -> Vec<ScalarValue> {
    let text = |text: &str| ScalarValue::Utf8View(Some(text.to_owned()));
    let mut values: Vec<ScalarValue> = match ty {
        Type::Bool => vec![
            ScalarValue::Boolean(Some(true)),
            ScalarValue::Boolean(Some(false)),
        ],
        Type::Int => [0, 1, -1, 31, i32::MIN, i32::MAX]
            .map(|value| ScalarValue::Int32(Some(value)))
            .to_vec(),
        Type::Long => LONGS
            .iter()
            .map(|value| ScalarValue::Int64(Some(*value)))
            .collect(),
        Type::Real => REALS
            .iter()
            .map(|value| ScalarValue::Float64(Some(*value)))
            .collect(),
        Type::Decimal => [0, 1, -1, 10i128.pow(38) - 1, 1 - 10i128.pow(38)]
            .map(|value| ScalarValue::Decimal128(Some(value), 38, 18))
            .to_vec(),
        Type::Datetime => LONGS
            .iter()
            .map(|value| ScalarValue::TimestampNanosecond(Some(*value), Some("UTC".into())))
            .collect(),
        Type::Timespan => LONGS
            .iter()
            .map(|value| ScalarValue::DurationNanosecond(Some(*value)))
            .collect(),
        Type::String => TEXTS.iter().map(|value| text(value)).collect(),
        Type::Guid => vec![text("00000000-0000-0000-0000-000000000000")],
        Type::Dynamic => {
            let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
            let mut values: Vec<_> = DYNAMICS.iter().map(|value| text(value)).collect();
            values.push(text(&deep));
            values
        }
    };
    let null = ScalarValue::try_from(data_type(ty)).expect("each type has a null");
    values.push(null);
    values
}

/// The arguments of a round, and whether all are constants.
fn arguments(overload: &Overload, round: usize) -> Vec<ColumnarValue> {
    let extra = if overload.variadic { round % 3 } else { 0 };
    let count = overload.required.max(match round % 2 {
        0 => overload.required,
        _ => overload.params.len(),
    }) + extra;
    (0..count)
        .map(|position| {
            let param = overload.param(position).expect("the form takes as many");
            let ty = match param {
                Param::Is(ty) | Param::Const(ty) => ty,
                Param::Text => Type::String,
                Param::Json => Type::Dynamic,
            };
            let values = values(ty);
            let value = &values[(round * (2 * position + 1) + 5 * position) % values.len()];
            if matches!(param, Param::Const(_)) || round % 4 == 3 {
                ColumnarValue::Scalar(value.clone())
            } else {
                ColumnarValue::Array(value.to_array_of_size(ROWS).expect("an array"))
            }
        })
        .collect()
}

#[test]
fn no_function_panics_on_hostile_arguments() {
    let mut panicked = Vec::new();
    for function in scalar::all() {
        for overload in function.overloads {
            for round in 0..ROUNDS {
                let arguments = arguments(overload, round);
                let call = || {
                    let _ = (overload.eval)(&Args::new(&arguments, ROWS));
                    if let Some(folded) = overload.folded {
                        let _ = folded(&Args::new(&arguments, ROWS));
                    }
                };
                if catch_unwind(AssertUnwindSafe(call)).is_err() {
                    panicked.push(format!("{} {arguments:?}", function.name));
                    break;
                }
            }
        }
    }
    assert!(panicked.is_empty(), "{}", panicked.join("\n"));
}
