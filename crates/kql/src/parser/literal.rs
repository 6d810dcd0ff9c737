//! Constants, `dynamic(…)` among them.

use std::collections::HashMap;

use super::{Failed, Parse, Parser};
use crate::ast::Literal;
use crate::diagnostic::{Code, Diagnostic, shortened};
use crate::lexer::{Token, TokenKind};
use crate::span::Span;
use crate::types::Type;
use crate::value::{Json, datetime, timespan};

impl Parser<'_> {
    /// Whether a constant stands here, a sign aside.
    pub(super) fn is_literal(&self) -> bool {
        match self.kind() {
            TokenKind::String
            | TokenKind::Long
            | TokenKind::Real
            | TokenKind::Timespan
            | TokenKind::Typed => true,
            TokenKind::Word => match self.text_at(0) {
                "true" | "false" | "True" | "False" | "TRUE" | "FALSE" => true,
                "dynamic" => self.kind_at(1) == TokenKind::OpenParen,
                _ => false,
            },
            _ => false,
        }
    }

    /// A constant; the caller has seen that one stands here.
    pub(super) fn literal(&mut self) -> Parse<(Literal, Span)> {
        let token = self.bump();
        let text = token.span.text(self.text);
        let literal = match token.kind {
            TokenKind::String => return self.strings(token),
            TokenKind::Long => Literal::Long(Some(self.long_token(token)?)),
            TokenKind::Real => {
                let value = text
                    .parse()
                    .map_err(|_| self.bad_literal(token.span, "real"))?;
                Literal::Real(Some(value))
            }
            TokenKind::Timespan => {
                let unit_at = text
                    .find(|c: char| c.is_ascii_alphabetic())
                    .unwrap_or(text.len());
                let (number, unit) = text.split_at(unit_at);
                if timespan::unit_ticks(unit).is_none() {
                    // Reported when it was read.
                    return Err(Failed);
                }
                let ticks = timespan::from_unit(number, unit);
                Literal::Timespan(Some(
                    ticks.ok_or_else(|| self.bad_literal(token.span, "timespan"))?,
                ))
            }
            TokenKind::Typed => self.typed_token(token)?,
            _ if text == "dynamic" => return self.dynamic(token.span),
            _ => Literal::Bool(Some(text.eq_ignore_ascii_case("true"))),
        };
        Ok((literal, token.span))
    }

    /// A constant with an optional sign, as `datatable` cells and defaults are written.
    pub(super) fn signed_literal(&mut self) -> Parse<(Literal, Span)> {
        let sign = self.span();
        let negative = self.is(TokenKind::Minus);
        if !negative && !self.is(TokenKind::Plus) {
            if self.is_literal() {
                return self.literal();
            }
            return Err(self.expected("a constant"));
        }
        self.bump();
        if !self.is_literal() {
            return Err(self.expected("a number"));
        }
        let (literal, span) = self.literal()?;
        let span = sign.to(span);
        let literal = match literal {
            literal if !negative => literal,
            Literal::Int(value) => Literal::Int(value.map(i32::wrapping_neg)),
            Literal::Long(value) => Literal::Long(value.map(i64::wrapping_neg)),
            Literal::Real(value) => Literal::Real(value.map(|value| -value)),
            Literal::Timespan(value) => Literal::Timespan(value.map(i64::wrapping_neg)),
            _ => return Err(self.error(Code::Literal, span, "only a number can have a sign")),
        };
        Ok((literal, span))
    }

    /// One string or several in a row, which make one.
    fn strings(&mut self, first: Token) -> Parse<(Literal, Span)> {
        let mut value = self.string_token(first)?;
        let mut span = first.span;
        while self.is(TokenKind::String) {
            let next = self.bump();
            value.push_str(&self.string_token(next)?);
            span = span.to(next.span);
        }
        Ok((Literal::String(value), span))
    }

    /// The smallest long is its own negative, so it can only be written with a sign: the digits of
    /// 2^63 wrap here, and the sign keeps them.
    fn long_token(&mut self, token: Token) -> Parse<i64> {
        let text = token.span.text(self.text);
        let value = match text.get(..2) {
            Some("0x" | "0X") => u64::from_str_radix(&text[2..], 16)
                .ok()
                .map(|value| value as i64),
            _ => text.parse::<i64>().ok().or_else(|| {
                let after_minus = self.at >= 2 && self.tokens[self.at - 2].kind == TokenKind::Minus;
                (after_minus && text == "9223372036854775808").then_some(i64::MIN)
            }),
        };
        value.ok_or_else(|| {
            self.error(
                Code::Literal,
                token.span,
                format!("`{}` does not fit a long", shortened(text)),
            )
        })
    }

    fn bad_literal(&mut self, span: Span, ty: &str) -> Failed {
        let text = shortened(span.text(self.text));
        self.error(Code::Literal, span, format!("`{text}` is no {ty}"))
    }

    /// `datetime(…)` and its like: the token holds the whole literal.
    fn typed_token(&mut self, token: Token) -> Parse<Literal> {
        let text = token.span.text(self.text);
        let (keyword, rest) = text.split_once('(').unwrap_or((text, ""));
        let Some(inner) = rest.strip_suffix(')').map(str::trim) else {
            // Reported when it was read.
            return Err(Failed);
        };
        if keyword.trim() == "typeof" {
            let ty = Type::from_name(inner);
            return ty.map(Literal::Type).ok_or_else(|| {
                let names = Type::ALL.iter().map(|ty| ty.name());
                let hint = crate::suggest::did_you_mean(inner, names);
                self.report(
                    Diagnostic::error(
                        Code::Literal,
                        token.span,
                        format!("unknown type `{}`", shortened(inner)),
                    )
                    .with_hint_opt(hint),
                )
            });
        }
        let ty = Type::from_name(keyword.trim())
            .ok_or_else(|| self.bad_literal(token.span, "literal"))?;
        let value = inner.trim_matches(['"', '\'']).trim();
        if value.is_empty() || value.eq_ignore_ascii_case("null") {
            return Ok(null_of(ty));
        }
        typed_value(ty, value).ok_or_else(|| {
            let is_name = inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            if is_name && ty != Type::Guid {
                self.not_constant(keyword.trim(), token.span)
            } else {
                self.bad_literal(token.span, ty.name())
            }
        })
    }

    /// Reports `int(x)`, which looks like a conversion and is none.
    pub(super) fn not_constant(&mut self, word: &str, span: Span) -> Failed {
        let hint = match Type::from_name(word) {
            Some(ty) => format!("`to{}(…)` converts a value", ty.name()),
            None => "it names a type, as in `typeof(long)`".to_owned(),
        };
        let message = format!("`{word}(…)` takes a constant");
        self.report(Diagnostic::error(Code::Literal, span, message).with_hint(hint))
    }

    fn dynamic(&mut self, keyword: Span) -> Parse<(Literal, Span)> {
        self.expect(TokenKind::OpenParen, "`(`")?;
        let value = self.json()?;
        let close = self.expect(TokenKind::CloseParen, "`)`")?;
        Ok((Literal::Dynamic(value), keyword.to(close.span)))
    }

    fn json(&mut self) -> Parse<Json> {
        self.count_node()?;
        self.nested(Self::json_value)
    }

    fn json_value(&mut self) -> Parse<Json> {
        match self.kind() {
            TokenKind::OpenBracket => {
                self.bump();
                let mut values = Vec::new();
                while !self.eat(TokenKind::CloseBracket) {
                    values.push(self.json()?);
                    if !self.is(TokenKind::CloseBracket) {
                        self.expect(TokenKind::Comma, "`,` or `]`")?;
                    }
                }
                Ok(Json::Array(values))
            }
            TokenKind::OpenBrace => self.json_object(),
            TokenKind::Word if matches!(self.text_at(0), "null" | "Null" | "NULL") => {
                self.bump();
                Ok(Json::Null)
            }
            TokenKind::Word if !self.is_literal() => {
                let hint = "`pack_array(…)` and `bag_pack(…)` make values of what is not constant";
                Err(self.expected_with("a constant", Some(hint.to_owned())))
            }
            _ => {
                let (literal, span) = self.signed_literal()?;
                json_of(literal).ok_or_else(|| self.error(Code::Literal, span, "not a JSON value"))
            }
        }
    }

    fn json_object(&mut self) -> Parse<Json> {
        self.bump();
        let mut members: Vec<(String, Json)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        while !self.eat(TokenKind::CloseBrace) {
            let key = match self.kind() {
                TokenKind::String => {
                    let token = self.bump();
                    self.string_token(token)?
                }
                TokenKind::Word => self.bump().span.text(self.text).to_owned(),
                _ => return Err(self.expected("a quoted key or `}`")),
            };
            self.expect(TokenKind::Colon, "`:`")?;
            let value = self.json()?;
            match places.get(&key) {
                Some(place) => members[*place].1 = value,
                None => {
                    places.insert(key.clone(), members.len());
                    members.push((key, value));
                }
            }
            if !self.is(TokenKind::CloseBrace) {
                self.expect(TokenKind::Comma, "`,` or `}`")?;
            }
        }
        Ok(Json::Object(members))
    }
}

fn null_of(ty: Type) -> Literal {
    match ty {
        Type::Bool => Literal::Bool(None),
        Type::Int => Literal::Int(None),
        Type::Long => Literal::Long(None),
        Type::Real => Literal::Real(None),
        Type::Decimal => Literal::Decimal(None),
        Type::String => Literal::String(String::new()),
        Type::Datetime => Literal::Datetime(None),
        Type::Timespan => Literal::Timespan(None),
        Type::Dynamic => Literal::Dynamic(Json::Null),
        Type::Guid => Literal::Guid(None),
    }
}

fn typed_value(ty: Type, text: &str) -> Option<Literal> {
    Some(match ty {
        Type::Bool => Literal::Bool(Some(match text.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            number => number.parse::<i64>().ok()? != 0,
        })),
        Type::Int => Literal::Int(Some(integer(text)?.try_into().ok()?)),
        Type::Long => Literal::Long(Some(integer(text)?)),
        Type::Real => Literal::Real(Some(real(text)?)),
        Type::Decimal => Literal::Decimal(Some(decimal(text)?)),
        Type::Datetime => Literal::Datetime(Some(datetime::parse(text)?)),
        Type::Timespan => Literal::Timespan(Some(timespan::parse(text)?)),
        Type::Guid => Literal::Guid(Some(guid(text)?)),
        Type::String | Type::Dynamic => return None,
    })
}

fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    let magnitude = match digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        Some(hex) => u64::from_str_radix(hex, 16).ok()? as i64,
        None => return text.parse().ok(),
    };
    Some(if negative {
        magnitude.wrapping_neg()
    } else {
        magnitude
    })
}

fn real(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        "nan" => Some(f64::NAN),
        "inf" | "+inf" | "infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        other => other.parse().ok(),
    }
}

/// Most digits of a decimal once its exponent is multiplied out.
const DECIMAL_DIGITS_MAX: usize = 60;

/// Plain decimal notation; an exponent is multiplied out.
fn decimal(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all = format!("{whole}{fraction}");
    let valid = !all.is_empty() && all.bytes().all(|b| b.is_ascii_digit());
    if !valid || all.len() > DECIMAL_DIGITS_MAX || exponent.unsigned_abs() > 60 {
        return None;
    }
    let point = whole.len() as i32 + exponent;
    let plain = if point <= 0 {
        format!("0.{}{all}", "0".repeat(point.unsigned_abs() as usize))
    } else if point as usize >= all.len() {
        format!("{all}{}", "0".repeat(point as usize - all.len()))
    } else {
        format!("{}.{}", &all[..point as usize], &all[point as usize..])
    };
    let digits = plain.bytes().filter(u8::is_ascii_digit).count();
    (digits <= DECIMAL_DIGITS_MAX).then(|| format!("{sign}{plain}"))
}

/// A guid in lower case with hyphens, from any of the usual spellings.
pub fn guid(text: &str) -> Option<String> {
    let inner = text.trim_matches(['{', '}', '(', ')']);
    let digits: String = inner.chars().filter(|c| *c != '-').collect();
    let hyphens = inner.len() - digits.len();
    let valid = digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !valid || !(hyphens == 0 || hyphens == 4) {
        return None;
    }
    let d = digits.to_ascii_lowercase();
    Some(format!(
        "{}-{}-{}-{}-{}",
        &d[..8],
        &d[8..12],
        &d[12..16],
        &d[16..20],
        &d[20..]
    ))
}

/// A constant inside `dynamic(…)`: what JSON has no form for becomes a string.
fn json_of(literal: Literal) -> Option<Json> {
    Some(match literal {
        Literal::Bool(value) => value.map_or(Json::Null, Json::Bool),
        Literal::Int(value) => value.map_or(Json::Null, |value| Json::Long(value.into())),
        Literal::Long(value) => value.map_or(Json::Null, Json::Long),
        Literal::Real(value) => value.map_or(Json::Null, Json::Real),
        Literal::Decimal(value) => value.map_or(Json::Null, Json::String),
        Literal::String(value) => Json::String(value),
        Literal::Datetime(value) => {
            value.map_or(Json::Null, |ticks| Json::String(datetime::format(ticks)))
        }
        Literal::Timespan(value) => {
            value.map_or(Json::Null, |ticks| Json::String(timespan::format(ticks)))
        }
        Literal::Guid(value) => value.map_or(Json::Null, Json::String),
        Literal::Dynamic(value) => value,
        Literal::Type(_) => return None,
    })
}
