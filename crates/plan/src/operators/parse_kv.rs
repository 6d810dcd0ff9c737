use functions::scalar::internal::{self, KeyValueForm, KeyValueSpec};
use kql::ast::{self, Literal, ParamValue};
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error, unsupported};
use crate::expr::{Row, conversion};
use crate::relation::{Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// `T | parse-kv text as (key: type, …) with (pair_delimiter = ",", kv_delimiter = ":")`: a column for
/// each key, with the first value that the text gives it.
///
/// <https://learn.microsoft.com/kusto/query/parse-kv-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    parse: &'q ast::ParseKv,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let text = binder.scalar(&parse.expr, scope, Row::of(&input))?;
    let text = binder.convert(text, Type::String, parse.expr.span)?;
    let keys = parse.columns.iter().map(|column| column.name.text.clone());
    let spec = KeyValueSpec {
        keys: keys.collect(),
        form: form(&parse.properties, span)?,
    };
    let mut outputs: Vec<Output> = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .map(Output::keep)
        .collect();
    let kept = outputs.len();
    let spec = Typed::string(spec.to_text()).expr;
    let bag = Typed::new(
        internal::parse_kv().call(vec![text.expr, spec]),
        Type::Dynamic,
    );
    outputs.push(Output {
        visible: Visible::Never,
        ..Output::new("#pairs", bag)
    });
    let paired = input.project(outputs, span)?;
    let bag = paired.columns[kept].value();
    let mut outputs: Vec<Output> = paired.columns[..kept].iter().map(Output::keep).collect();
    for column in &parse.columns {
        let name = &column.name.text;
        let key = binder.convert(Typed::string(&**name), Type::Dynamic, span)?;
        let value = binder.invoke("__path", vec![bag.clone(), key], span)?;
        let text = binder.convert(value, Type::String, span)?;
        let value = match column.ty {
            Type::String => text,
            Type::Dynamic => binder.invoke("parse_json", vec![text], span)?,
            ty => binder.invoke(conversion(ty), vec![text], span)?,
        };
        let output = Output::new(name, value);
        match outputs.iter_mut().find(|other| other.name == *name) {
            Some(other) => *other = output,
            None => outputs.push(output),
        }
    }
    paired.project(outputs, span)
}

/// How the text holds keys and values, by what stands after `with`.
fn form(properties: &[ast::Param], span: Span) -> Result<KeyValueForm> {
    let (mut pair, mut key, mut regex) = (None, None, None);
    let (mut quotes, mut escapes) = (Vec::new(), Vec::new());
    for property in properties {
        let at = property.value_span();
        let text = || match property.text() {
            Some(text) if !text.is_empty() => Ok(text.to_owned()),
            _ => Err(error(Code::Parameter, at, "expected a string")),
        };
        match property.name.text.as_str() {
            "pair_delimiter" => pair = Some(text()?),
            "kv_delimiter" => key = Some(text()?),
            "regex" => regex = Some(text()?),
            "quote" => match text()?.chars().collect::<Vec<_>>()[..] {
                [quote] => quotes.push((quote, quote)),
                [open, close] => quotes.push((open, close)),
                _ => {
                    return Err(error(
                        Code::Parameter,
                        at,
                        "a quote is one character or two",
                    ));
                }
            },
            "escape" => match text()?.chars().collect::<Vec<_>>()[..] {
                [escape] => escapes.push(escape),
                _ => return Err(error(Code::Parameter, at, "an escape is one character")),
            },
            "greedy" if is_false(property) => {}
            "greedy" => return Err(unsupported(at, "`parse-kv` in greedy mode")),
            name => {
                let message = format!("`parse-kv` has no property `{name}`");
                return Err(error(Code::Parameter, property.name.span, message));
            }
        }
    }
    match (regex, pair, key) {
        (Some(regex), None, None) if quotes.is_empty() && escapes.is_empty() => {
            Ok(KeyValueForm::Regex(regex))
        }
        (None, Some(pair), Some(key)) => Ok(KeyValueForm::Delimited {
            pair,
            key,
            quotes,
            escapes,
        }),
        (None, None, None) => Err(unsupported(span, "`parse-kv` without delimiters")),
        _ => {
            let message = "`parse-kv` takes a `pair_delimiter` and a `kv_delimiter`, or a `regex`";
            Err(error(Code::Parameter, span, message))
        }
    }
}

fn is_false(property: &ast::Param) -> bool {
    matches!(
        &property.value,
        ParamValue::Literal(Literal::Bool(Some(false)), _)
    )
}
