//! The value of a `dynamic` literal.

use std::fmt::Write as _;

/// A JSON value whose numbers keep KQL's distinction between `long` and `real`.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A number with a fraction or an exponent.
    Real(f64),
    /// Text. Instants, timespans and guids inside a dynamic literal become text.
    String(String),
    /// Values in order.
    Array(Vec<Json>),
    /// A property bag, in the order written; of equal keys the last one counts.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Prints compact JSON.
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Long(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Real(value) => out.push_str(&real_text(*value)),
            Self::String(value) => write_string(out, value),
            Self::Array(values) => {
                out.push('[');
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (index, (key, value)) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    write_string(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// A real as JSON: always with a point or an exponent, so that it reads back as a real. What JSON
/// has no number for becomes a string, as Kusto prints it.
pub fn real_text(value: f64) -> String {
    if value.is_nan() {
        return "\"NaN\"".into();
    }
    if value.is_infinite() {
        return if value > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        }
        .into();
    }
    format!("{value:?}")
}

/// Appends `value` as a JSON string with its quotes.
pub fn write_string(out: &mut String, value: &str) {
    out.push('"');
    let mut plain = 0;
    for (index, byte) in value.bytes().enumerate() {
        let escaped: &str = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0x08 => "\\b",
            0x0c => "\\f",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&value[plain..index]);
        plain = index + 1;
        if escaped.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escaped);
        }
    }
    out.push_str(&value[plain..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_compact_json_that_keeps_number_kinds() {
        let value = Json::Object(vec![
            (
                "a\"\n\u{1}".into(),
                Json::Array(vec![Json::Long(1), Json::Real(1.0), Json::Null]),
            ),
            ("b".into(), Json::Real(f64::NAN)),
        ]);
        assert_eq!(value.to_text(), r#"{"a\"\n\u0001":[1,1.0,null],"b":"NaN"}"#);
    }
}
