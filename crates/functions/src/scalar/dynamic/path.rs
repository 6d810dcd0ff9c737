//! Paths into dynamic values, as JSONPath writes them: `$.a['b c'][0]`.
//!
//! <https://learn.microsoft.com/kusto/query/jsonpath>

use datafusion_common::{Result, exec_err};

use crate::dynamic;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::scalar) enum Step {
    /// To a member of a bag.
    Key(String),
    /// To an element of an array.
    Index(usize),
}

/// The steps that follow a path's `$`; `None` if the text is no path.
pub(in crate::scalar) fn parse(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let step;
        (step, rest) = match rest.strip_prefix('.') {
            Some(name) => {
                let end = name.find(['.', '[']).unwrap_or(name.len());
                let (name, rest) = name.split_at(end);
                (Step::Key(name.to_owned()), rest)
            }
            None => in_brackets(rest.strip_prefix('[')?)?,
        };
        if matches!(&step, Step::Key(name) if name.is_empty()) {
            return None;
        }
        steps.push(step);
    }
    Some(steps)
}

fn in_brackets(text: &str) -> Option<(Step, &str)> {
    for quote in ["'", "\""] {
        if let Some(name) = text.strip_prefix(quote) {
            let (name, rest) = name.split_once(quote)?;
            return Some((Step::Key(name.to_owned()), rest.strip_prefix(']')?));
        }
    }
    let (index, rest) = text.split_once(']')?;
    Some((Step::Index(index.parse().ok()?), rest))
}

/// The value that a path leads to.
pub(in crate::scalar) fn follow<'a>(value: &'a str, steps: &[Step]) -> Option<&'a str> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => dynamic::member(value, key),
        Step::Index(index) => dynamic::element(value, i64::try_from(*index).ok()?),
    })
}

/// What a key of `bag_has_key()` and its like names: the keys on the way down, one if it is no path.
///
/// # Errors
/// If the path leads through an array or nowhere, which these functions do not take.
pub(in crate::scalar) fn keys(key: &str) -> Result<Vec<String>> {
    let Some(steps) = parse(key) else {
        return Ok(vec![key.to_owned()]);
    };
    if steps.is_empty() {
        return exec_err!("the path `$` names no key");
    }
    let keys = steps.into_iter().map(|step| match step {
        Step::Key(key) => Ok(key),
        Step::Index(_) => {
            exec_err!("the path `{key}` leads through an array, which is not supported")
        }
    });
    keys.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_take_names_quotes_and_indexes() {
        let key = |name: &str| Step::Key(name.to_owned());
        assert_eq!(parse("$"), Some(vec![]));
        assert_eq!(
            parse("$.a['b c'][\"d.e\"][2].f"),
            Some(vec![
                key("a"),
                key("b c"),
                key("d.e"),
                Step::Index(2),
                key("f")
            ])
        );
        for text in [
            "", "a", "$a", "$.", "$..a", "$[", "$[-1]", "$['a'", "$['a", "$[*]", "$.a.",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
