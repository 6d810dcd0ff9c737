use datafusion_common::ScalarValue;
use datafusion_expr::lit;
use functions::scalar::internal::{self, MATCHED, ParseSpec, parsed_field};
use kql::ast::{self, ParseSegment};
use kql::{Code, Span, Type};

use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint};
use crate::expr::Row;
use crate::relation::{Output, Relation, Visible};
use crate::scope::Scope;
use crate::typed::Typed;

/// `T | parse text with pattern`, `parse-where`: columns out of a text.
///
/// The pattern becomes one regular expression over the whole text. In the simple kind, columns take
/// as little as they can and all are blank unless all fit their types; in the relaxed kind, those
/// that fit stay; in the regex kind, columns take as much as they can.
/// <https://learn.microsoft.com/kusto/query/parse-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    parse: &'q ast::Parse,
    input: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let text = binder.scalar(&parse.expr, scope, Row::of(&input))?;
    let text = binder.convert(text, Type::String, parse.expr.span)?;
    let options = Options::read(parse)?;
    let (spec, columns) = compile(parse, &options, span)?;
    let spec = lit(ScalarValue::Utf8View(Some(spec.to_text())));
    let parsed = internal::parse_text().call(vec![text.expr, spec]);
    let mut outputs: Vec<Output> = input
        .columns
        .iter()
        .filter(|column| column.visible != Visible::Never)
        .map(Output::keep)
        .collect();
    let kept = outputs.len();
    let value = Typed::new(parsed, Type::Dynamic);
    outputs.push(Output {
        name: "#parsed".to_owned(),
        value,
        visible: Visible::Never,
    });
    let mut with_parsed = input.project(outputs, span)?;
    let parsed = with_parsed.columns[kept].field.clone();
    let field = |name: &str| {
        let name = lit(ScalarValue::Utf8View(Some(name.to_owned())));
        internal::field().call(vec![crate::typed::column(&parsed), name])
    };
    if parse.where_matched {
        with_parsed = with_parsed.filter(field(MATCHED), span)?;
    }
    let mut outputs: Vec<Output> = with_parsed.columns[..kept]
        .iter()
        .map(Output::keep)
        .collect();
    for (index, (name, ty)) in columns.into_iter().enumerate() {
        let output = Output::new(&*name, Typed::new(field(&parsed_field(index)), ty));
        match outputs.iter_mut().find(|other| other.name == name) {
            Some(other) => *other = output,
            None => outputs.push(output),
        }
    }
    with_parsed.project(outputs, span)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Simple,
    Relaxed,
    Regex,
}

struct Options {
    kind: Kind,
    flags: String,
}

impl Options {
    fn read(parse: &ast::Parse) -> Result<Self> {
        let mut options = Self {
            kind: Kind::Simple,
            flags: String::new(),
        };
        for param in &parse.params {
            match (param.name.text.as_str(), param.text()) {
                ("kind", Some("simple")) => options.kind = Kind::Simple,
                ("kind", Some("relaxed")) => options.kind = Kind::Relaxed,
                ("kind", Some("regex")) => options.kind = Kind::Regex,
                ("kind", _) => {
                    let message = "the kind of a `parse` is `simple`, `relaxed` or `regex`";
                    return Err(error(Code::Parameter, param.value_span(), message));
                }
                ("flags", Some(flags)) if flags.chars().all(|flag| "Uimsx".contains(flag)) => {
                    options.flags = flags.to_owned();
                }
                _ => {
                    let message = "flags are letters of `U`, `i`, `m`, `s`";
                    return Err(error(Code::Parameter, param.value_span(), message));
                }
            }
        }
        if !options.flags.is_empty() && options.kind != Kind::Regex {
            return Err(error_with_hint(
                Code::Parameter,
                parse.expr.span,
                "`flags` go with `kind=regex`",
                "write `parse kind=regex flags=…`",
            ));
        }
        Ok(options)
    }
}

fn compile(
    parse: &ast::Parse,
    options: &Options,
    span: Span,
) -> Result<(ParseSpec, Vec<(String, Type)>)> {
    let regex_kind = options.kind == Kind::Regex;
    let any = if regex_kind { ".*" } else { ".*?" };
    let mut regex = if regex_kind {
        // Kusto's `U` swaps greed, as the regex crate's does.
        if options.flags.is_empty() {
            "^".to_owned()
        } else {
            format!("(?{})^", options.flags)
        }
    } else {
        "(?s)^".to_owned()
    };
    let mut columns: Vec<(String, Type)> = Vec::new();
    for (index, segment) in parse.pattern.iter().enumerate() {
        if let ParseSegment::Star(at) = segment {
            check_star(index.checked_sub(1).and_then(|i| parse.pattern.get(i)), *at)?;
        }
        match segment {
            // A star before text skips as little as it can, in every kind.
            ParseSegment::Star(_) if index + 1 == parse.pattern.len() => regex.push_str(any),
            ParseSegment::Star(_) => regex.push_str(".*?"),
            ParseSegment::Text(text, at) if regex_kind => {
                // A group of its own would shift the numbers of ours.
                regex.push_str(&format!("(?:{})", without_groups(text, *at)?));
            }
            ParseSegment::Text(text, _) => regex.push_str(&functions::escape_regex(text)),
            ParseSegment::Column(name, ty) => {
                let ty = ty.unwrap_or(Type::String);
                if columns.iter().any(|(known, _)| *known == name.text) {
                    let message = format!("the column `{}` is given twice", name.text);
                    return Err(error(Code::Ambiguous, name.span, message));
                }
                let bounded = matches!(
                    parse.pattern.get(index + 1),
                    None | Some(ParseSegment::Text(..))
                );
                let loose = options.kind == Kind::Relaxed && bounded;
                regex.push_str(&format!(
                    "({})",
                    if loose { any } else { value_regex(ty, any) }
                ));
                columns.push((name.text.clone(), ty));
            }
        }
    }
    regex.push('$');
    if columns.is_empty() {
        return Err(error(Code::Semantic, span, "the pattern has no column"));
    }
    let types = columns.iter().map(|(_, ty)| *ty).collect();
    let spec = ParseSpec {
        regex,
        types,
        strict: options.kind != Kind::Relaxed,
    };
    Ok((spec, columns))
}

/// Refuses a star after a column of strings: nothing says where the column ends.
fn check_star(before: Option<&ParseSegment>, star: Span) -> Result<()> {
    let Some(ParseSegment::Column(name, None | Some(Type::String))) = before else {
        return Ok(());
    };
    let message = format!("`*` can't follow the string column `{}`", name.text);
    Err(error(Code::Semantic, star, message))
}

/// What the text of a value looks like.
fn value_regex(ty: Type, any: &str) -> &str {
    match ty {
        Type::Int | Type::Long => r"\s*[-+]?\d+\s*",
        Type::Real | Type::Decimal => r"\s*[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?\s*",
        _ => any,
    }
}

/// A regular expression with its capturing groups made plain.
fn without_groups(text: &str, span: Span) -> Result<String> {
    let mut out = String::with_capacity(text.len() + 8);
    let mut chars = text.chars().peekable();
    let mut in_class = false;
    while let Some(c) = chars.next() {
        out.push(c);
        match c {
            '\\' => out.extend(chars.next()),
            '[' => in_class = true,
            ']' => in_class = false,
            '(' if !in_class && chars.peek() != Some(&'?') => out.push_str("?:"),
            _ => {}
        }
    }
    if out.contains("(?P<") || out.contains("(?<") {
        return Err(error(
            Code::Unsupported,
            span,
            "named groups can't stand in a `parse` pattern",
        ));
    }
    Ok(out)
}
