//! What the `parse-kv` operator takes out of a text.
//!
//! <https://learn.microsoft.com/kusto/query/parse-kv-operator>

use std::borrow::Cow;

use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err, internal_err};
use datafusion_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature};

use crate::args::{Args, written_option};
use crate::dynamic;

super::internal_udf!(ParseKvUdf, "kql_parse_kv");

impl ScalarUDFImpl for ParseKvUdf {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        crate::udf::call(&args, parse)
    }
}

/// Which keys to look for, and how a text holds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyValueSpec {
    /// The keys.
    pub keys: Vec<String>,
    /// How keys and values are told apart.
    pub form: KeyValueForm,
}

/// How a text holds keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyValueForm {
    /// Pairs between delimiters.
    Delimited {
        /// What stands between pairs.
        pair: String,
        /// What stands between a key and its value.
        key: String,
        /// Opening and closing quotes.
        quotes: Vec<(char, char)>,
        /// What takes the meaning from the character after it, between quotes.
        escapes: Vec<char>,
    },
    /// The two groups of a regular expression.
    Regex(String),
}

impl Default for KeyValueForm {
    fn default() -> Self {
        Self::Regex(String::new())
    }
}

impl KeyValueSpec {
    /// The spec as the JSON that travels in the plan.
    pub fn to_text(&self) -> String {
        let form = match &self.form {
            KeyValueForm::Delimited {
                pair,
                key,
                quotes,
                escapes,
            } => {
                let quotes: Vec<String> = quotes
                    .iter()
                    .map(|(open, close)| format!("{open}{close}"))
                    .collect();
                let escapes: String = escapes.iter().collect();
                serde_json::json!({"pair": pair, "key": key, "quotes": quotes, "escapes": escapes})
            }
            KeyValueForm::Regex(regex) => serde_json::json!({"regex": regex}),
        };
        serde_json::json!({"keys": self.keys, "form": form}).to_string()
    }

    fn from_text(text: &str) -> Result<Self> {
        let parsed = serde_json::from_str::<serde_json::Value>(text).ok();
        let spec = parsed.as_ref().and_then(|value| {
            let texts = |value: &serde_json::Value| -> Option<Vec<String>> {
                let texts = value.as_array()?.iter();
                texts.map(|text| Some(text.as_str()?.to_owned())).collect()
            };
            let form = &value["form"];
            let form = if let Some(regex) = form["regex"].as_str() {
                KeyValueForm::Regex(regex.to_owned())
            } else {
                let quotes = texts(&form["quotes"])?;
                let quotes = quotes.iter().map(|quotes| {
                    let mut quotes = quotes.chars();
                    Some((quotes.next()?, quotes.next()?))
                });
                KeyValueForm::Delimited {
                    pair: form["pair"].as_str()?.to_owned(),
                    key: form["key"].as_str()?.to_owned(),
                    quotes: quotes.collect::<Option<_>>()?,
                    escapes: form["escapes"].as_str()?.chars().collect(),
                }
            };
            Some(Self {
                keys: texts(&value["keys"])?,
                form,
            })
        });
        match spec {
            Some(spec) => Ok(spec),
            None => internal_err!("a spec of keys that is none: {text}"),
        }
    }
}

/// The first value of each key, as a bag of strings.
fn parse(args: &Args<'_>) -> Result<arrow::array::ArrayRef> {
    let Some(spec) = args.const_str(1) else {
        return exec_err!("a spec of keys is constant");
    };
    let spec = KeyValueSpec::from_text(spec)?;
    let regex = match &spec.form {
        KeyValueForm::Regex(regex) => {
            let compiled = crate::scalar::regex::compile(regex)?;
            if compiled.captures_len() != 3 {
                return exec_err!("the regular expression of `parse-kv` must have two groups");
            }
            Some(compiled)
        }
        KeyValueForm::Delimited { .. } => None,
    };
    let texts = args.str(0)?;
    let mut found: Vec<Option<Cow<'_, str>>> = vec![None; spec.keys.len()];
    written_option(args.rows(), |row, out| {
        found.fill(None);
        let text = texts.text(row);
        let mut note = |key: &str, value: Cow<'_, str>| {
            let wanted = spec.keys.iter().position(|wanted| wanted == key);
            if let Some(slot) = wanted.map(|index| &mut found[index])
                && slot.is_none()
            {
                *slot = Some(Cow::Owned(value.into_owned()));
            }
        };
        match (&regex, &spec.form) {
            (Some(regex), _) => {
                for groups in regex.captures_iter(text) {
                    let group = |index| groups.get(index).map_or("", |found| found.as_str());
                    note(group(1).trim(), group(2).trim().into());
                }
            }
            (None, form) => pairs(text, form, &mut note),
        }
        out.push('{');
        let mut first = true;
        for (key, value) in spec.keys.iter().zip(&found) {
            let Some(value) = value else { continue };
            if !std::mem::take(&mut first) {
                out.push(',');
            }
            dynamic::write_string(out, key);
            out.push(':');
            dynamic::write_string(out, value);
        }
        out.push('}');
        Ok(true)
    })
}

/// Tells the pairs of a text, in order.
fn pairs(text: &str, form: &KeyValueForm, note: &mut impl FnMut(&str, Cow<'_, str>)) {
    let KeyValueForm::Delimited { pair, key, .. } = form else {
        return;
    };
    let after_pair = |rest: &'_ str| rest.find(pair.as_str()).map(|at| at + pair.len());
    let blank_pair = pair.trim().is_empty();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return;
        }
        let (name, behind) = match quoted(rest, form) {
            Some((name, behind)) => (name, behind.trim_start()),
            None => match (rest.find(key.as_str()), rest.find(pair.as_str())) {
                (Some(at), other) if other.is_none_or(|other| at < other) => {
                    (Cow::Borrowed(rest[..at].trim()), &rest[at..])
                }
                (_, Some(at)) => {
                    rest = &rest[at + pair.len()..];
                    continue;
                }
                (_, None) => return,
            },
        };
        if let Some(value) = behind.strip_prefix(key.as_str()) {
            let value = if blank_pair {
                value
            } else {
                value.trim_start()
            };
            if let Some((value, behind)) = quoted(value, form) {
                note(name.trim(), value);
                rest = behind;
            } else {
                let end = value.find(pair.as_str()).unwrap_or(value.len());
                note(name.trim(), value[..end].trim().into());
                rest = &value[end..];
            }
        } else {
            rest = behind;
        }
        match after_pair(rest) {
            Some(at) => rest = &rest[at..],
            None => return,
        }
    }
}

/// The text between quotes at the beginning, and what comes after them.
fn quoted<'t>(text: &'t str, form: &KeyValueForm) -> Option<(Cow<'t, str>, &'t str)> {
    let KeyValueForm::Delimited {
        quotes, escapes, ..
    } = form
    else {
        return None;
    };
    let first = text.chars().next()?;
    let (open, close) = quotes.iter().find(|(open, _)| *open == first)?;
    let inner = &text[open.len_utf8()..];
    let mut plain = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        if escapes.contains(&c) {
            plain.extend(chars.next().map(|(_, escaped)| escaped));
        } else if c == *close {
            return Some((Cow::Owned(plain), &inner[at + c.len_utf8()..]));
        } else {
            plain.push(c);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, pair: &str, key: &str, quotes: &[(char, char)]) -> Vec<(String, String)> {
        let form = KeyValueForm::Delimited {
            pair: pair.to_owned(),
            key: key.to_owned(),
            quotes: quotes.to_vec(),
            escapes: vec!['\\'],
        };
        let mut found = Vec::new();
        pairs(text, &form, &mut |key, value| {
            found.push((key.to_owned(), value.into_owned()));
        });
        found
    }

    fn pair(key: &str, value: &str) -> (String, String) {
        (key.to_owned(), value.to_owned())
    }

    #[test]
    fn pairs_lie_between_delimiters() {
        assert_eq!(
            read("a: 1 , b:x:y,c, d:", ",", ":", &[]),
            [pair("a", "1"), pair("b", "x:y"), pair("d", "")]
        );
        assert_eq!(
            read("k=one two=2 three", " ", "=", &[]),
            [pair("k", "one"), pair("two", "2")]
        );
        assert_eq!(read("a==>b", ",", "==>", &[]), [pair("a", "b")]);
    }

    #[test]
    fn quotes_hold_delimiters() {
        let quotes = [('"', '"'), ('(', ')')];
        assert_eq!(
            read(r#"a="x y" "b c"=(1 2) d="e \"f\"" g="h"#, " ", "=", &quotes),
            [
                pair("a", "x y"),
                pair("b c", "1 2"),
                pair("d", "e \"f\""),
                pair("g", "\"h")
            ]
        );
    }

    #[test]
    fn specs_survive_their_text() {
        for form in [
            KeyValueForm::Regex("(a)(b)".to_owned()),
            KeyValueForm::Delimited {
                pair: ";".to_owned(),
                key: "=".to_owned(),
                quotes: vec![('"', '"'), ('(', ')')],
                escapes: vec!['\\', '^'],
            },
        ] {
            let spec = KeyValueSpec {
                keys: vec!["a".to_owned(), "b \"c".to_owned()],
                form,
            };
            assert_eq!(
                KeyValueSpec::from_text(&spec.to_text()).expect("a spec"),
                spec
            );
        }
    }
}
