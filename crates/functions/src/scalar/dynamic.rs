//! Dynamic values: following paths into them, and telling what they are.

pub(in crate::scalar) mod path;

use arrow::array::ArrayRef;
use datafusion_common::{Result, exec_err};
use kql::Type::{Dynamic, String as Text};

use crate::args::{self, Args};
use crate::dynamic::{self, Kind};
use crate::registry::{
    Overload,
    Param::{Const, Is, Json},
    ResultName, ScalarFunction,
};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    // The binder turns `d.a`, `d["a"]` and `d[0]` into these; steps of a path follow each other.
    ScalarFunction::new(
        "__path",
        "",
        &[Overload::new(&[Is(Dynamic), Json], Dynamic, |a| {
            let x = a.str(0)?;
            let steps = (1..a.len())
                .map(|i| Step::new(a, i))
                .collect::<Result<Vec<_>>>()?;
            let mut out = args::Strings::new(a.rows());
            for row in 0..a.rows() {
                let found = x
                    .get(row)
                    .and_then(|x| steps.iter().try_fold(x, |x, step| step.follow(row, x)));
                out.push_option(found.and_then(dynamic::non_null))?;
            }
            Ok(out.finish())
        })
        .variadic()],
    ),
    ScalarFunction::new(
        "gettype",
        "The name of a dynamic value's type.",
        &[Overload::new(&[Is(Dynamic)], Text, |a| {
            let x = a.str(0)?;
            args::strs(a.rows(), |row| match dynamic::kind(x.text(row)) {
                Kind::Null => "null",
                Kind::Bool => "bool",
                Kind::Long => "long",
                Kind::Real => "double",
                Kind::String => "string",
                Kind::Array => "array",
                Kind::Bag => "dictionary",
            })
        })],
    )
    .result_name(ResultName::Prefix("type")),
    ScalarFunction::new(
        "dynamic_to_json",
        "A dynamic value as JSON with its keys in order.",
        &[Overload::new(&[Is(Dynamic)], Text, |a| {
            let x = a.str(0)?;
            args::written(a.rows(), |row, out| {
                write_sorted(out, x.get(row).unwrap_or("null"));
                Ok(())
            })
        })],
    ),
    ScalarFunction::new(
        "extract_json",
        "What a path leads to in JSON text, as text; empty if nothing.",
        &[Overload::new(&[Const(Text), Is(Text)], Text, extract_json)],
    )
    .aliases(&["extractjson"]),
];

/// One step of a path: a key or an index, constant or not.
enum Step<'a> {
    Key(String),
    Index(i64),
    Column(args::Str<'a>),
}

impl<'a> Step<'a> {
    fn new(a: &Args<'a>, index: usize) -> Result<Self> {
        Ok(match a.const_str(index) {
            Some(step) if dynamic::kind(step) == Kind::String => {
                Self::Key(dynamic::string_value(step).into_owned())
            }
            Some(step) => dynamic::to_long(step).map_or(Self::Key(step.to_owned()), Self::Index),
            None => Self::Column(a.str(index)?),
        })
    }

    fn follow<'x>(&self, row: usize, value: &'x str) -> Option<&'x str> {
        match self {
            Self::Key(key) => dynamic::member(value, key),
            Self::Index(index) => dynamic::element(value, *index),
            Self::Column(column) => {
                let step = column.get(row)?;
                match dynamic::kind(step) {
                    Kind::String => dynamic::member(value, &dynamic::string_value(step)),
                    _ => dynamic::element(value, dynamic::to_long(step)?),
                }
            }
        }
    }
}

fn extract_json(a: &Args<'_>) -> Result<ArrayRef> {
    let text = a.const_str(0).unwrap_or("");
    let Some(steps) = path::parse(text) else {
        return exec_err!("`{text}` is no path; paths are written as `$.a['b'][0]`");
    };
    let x = a.str(1)?;
    let mut json = String::new();
    args::written(a.rows(), |row, out| {
        json.clear();
        if dynamic::normalize(x.text(row), &mut json)
            && let Some(found) = path::follow(&json, &steps)
        {
            out.push_str(&dynamic::to_text(found));
        }
        Ok(())
    })
}

fn write_sorted(out: &mut String, value: &str) {
    match dynamic::kind(value) {
        Kind::Bag => {
            let mut members: Vec<_> = dynamic::members(value).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            out.push('{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                dynamic::write_string(out, key);
                out.push(':');
                write_sorted(out, value);
            }
            out.push('}');
        }
        Kind::Array => {
            out.push('[');
            for (index, value) in dynamic::elements(value).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_sorted(out, value);
            }
            out.push(']');
        }
        _ => out.push_str(value),
    }
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn json_text_is_searched_by_path() {
        check(&[
            (
                "extract_json('$.name', '{\"name\": \"John\", \"age\": 30}')",
                "John",
            ),
            (
                "extract_json('$.age', '{\"name\": \"John\", \"age\": 30}')",
                "30",
            ),
            (
                "extractjson('$.a[1].b', '{\"a\": [1, {\"b\": [2, 3]}]}')",
                "[2,3]",
            ),
            ("extract_json(\"$['a b']\", '{\"a b\": null}')", ""),
            ("extract_json('$.x', '{\"a\": 1}')", ""),
            ("extract_json('$.a', 'no json')", ""),
            ("extract_json('$', ' [1, 2] ')", "[1,2]"),
        ]);
        check_refused(&[("extract_json('$..a', '{}')", "is no path")]);
    }

    #[test]
    fn types_are_named() {
        check(&[
            ("gettype(dynamic(1))", "long"),
            ("gettype(dynamic(1.5))", "double"),
            ("gettype(dynamic({}))", "dictionary"),
            ("gettype(dynamic(null))", "null"),
            (
                "dynamic_to_json(dynamic({'b': [1, {'d': 1, 'c': 2}], 'a': 'x'}))",
                r#"{"a":"x","b":[1,{"c":2,"d":1}]}"#,
            ),
        ]);
    }
}
