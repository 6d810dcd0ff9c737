//! Text to tokens. Total: whatever the text, there are tokens and diagnostics, and the last token
//! is [`TokenKind::End`].

mod foreign;
mod typed;

pub(crate) use typed::is_type_word;

use crate::diagnostic::{Code, Diagnostic, shortened};
use crate::limits;
use crate::span::Span;
use crate::value::timespan;

/// What a token is. Names, numbers and strings keep their text in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A name or a word; also `in~`, `!has`, `!in~` and their like.
    Word,
    /// A quoted string of any form, prefix included.
    String,
    /// A whole number, decimal or hexadecimal.
    Long,
    /// A number with a point or an exponent.
    Real,
    /// A number with a unit of time.
    Timespan,
    /// `datetime(…)`, `guid(…)`, `typeof(…)` and so on, up to the closing parenthesis.
    Typed,
    Pipe,
    Semicolon,
    Comma,
    Colon,
    OpenParen,
    CloseParen,
    OpenBracket,
    CloseBracket,
    OpenBrace,
    CloseBrace,
    Dot,
    DotDot,
    Plus,
    Minus,
    Star,
    Slash,
    Percent,
    Assign,
    Equal,
    NotEqual,
    EqualTilde,
    NotTilde,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Arrow,
    /// `&&`, which is no KQL.
    Ampersands,
    /// The end of the text.
    End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// Splits `text` into tokens.
pub(crate) fn lex(text: &str, diagnostics: &mut Vec<Diagnostic>) -> Vec<Token> {
    if text.len() > limits::TEXT_BYTES_MAX {
        let message = format!(
            "the query has {} bytes; the limit is {} bytes",
            text.len(),
            limits::TEXT_BYTES_MAX
        );
        diagnostics.push(Diagnostic::error(Code::Limit, Span::default(), message));
        return vec![Token {
            kind: TokenKind::End,
            span: Span::default(),
        }];
    }
    let mut lexer = Lexer {
        text,
        at: 0,
        tokens: Vec::with_capacity(text.len() / 4),
        diagnostics,
    };
    while lexer.next_token() {}
    // The end stands where something could be added, not behind what says nothing.
    let end = lexer.tokens.last().map_or(0, |token| token.span.end);
    lexer.tokens.push(Token {
        kind: TokenKind::End,
        span: Span::new(end, end),
    });
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text
            .as_bytes()
            .get(self.at + ahead)
            .copied()
            .unwrap_or(0)
    }

    fn push(&mut self, kind: TokenKind, bytes: usize) {
        let start = self.at;
        self.at += bytes;
        self.tokens.push(Token {
            kind,
            span: Span::new(start as u32, self.at as u32),
        });
    }

    fn error(&mut self, bytes: usize, message: &str, hint: Option<&str>) {
        if self.diagnostics.len() < limits::DIAGNOSTICS_MAX {
            let span = Span::new(self.at as u32, (self.at + bytes) as u32);
            self.diagnostics.push(
                Diagnostic::error(Code::Lexical, span, message)
                    .with_hint_opt(hint.map(str::to_owned)),
            );
        }
    }

    /// Takes one token, or white space, or a comment; `false` at the end of the text.
    fn next_token(&mut self) -> bool {
        let Some(first) = self.rest().chars().next() else {
            return false;
        };
        match first {
            c if c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '\u{180e}') => {
                self.at += c.len_utf8();
            }
            '/' if self.peek(1) == b'/' => {
                let bytes = self.rest().find(['\n', '\u{2028}', '\u{2029}']);
                self.at += bytes.unwrap_or(self.rest().len());
            }
            '/' if self.peek(1) == b'*' => self.foreign_comment(),
            '"' | '\'' => self.quoted(0, false),
            '@' if matches!(self.peek(1), b'"' | b'\'') => self.quoted(1, true),
            'h' | 'H' if matches!(self.peek(1), b'"' | b'\'') => self.quoted(1, false),
            'h' | 'H' if self.peek(1) == b'@' && matches!(self.peek(2), b'"' | b'\'') => {
                self.quoted(2, true);
            }
            '`' | '~' if self.multi_line(0) => {}
            'h' | 'H' if matches!(self.peek(1), b'`' | b'~') && self.multi_line(1) => {}
            '“' | '‘' | '`' if self.foreign_quotes(first) => {}
            '0'..='9' => self.number(),
            'a'..='z' | 'A'..='Z' | '_' | '$' => self.word(),
            c if c.is_alphabetic() => self.foreign_word(),
            _ => self.punctuation(first),
        }
        true
    }

    /// A string in single or double quotes that ends on its own line.
    fn quoted(&mut self, prefix: usize, verbatim: bool) {
        let bytes = self.text.as_bytes();
        let open = self.at + prefix;
        let quote = bytes[open];
        let mut end = open + 1;
        loop {
            match bytes.get(end) {
                None | Some(b'\n' | b'\r') => {
                    self.error(
                        end - self.at,
                        "unterminated string",
                        Some("close the quote, or use @\"…\" for a string that holds backslashes"),
                    );
                    // Take it as a string so that one mistake stays one mistake.
                    return self.push(TokenKind::String, end - self.at);
                }
                Some(b'\\') if !verbatim => {
                    end += 1 + self.text[end + 1..]
                        .chars()
                        .next()
                        .map_or(0, char::len_utf8);
                }
                Some(byte) if *byte == quote => {
                    if verbatim && bytes.get(end + 1) == Some(&quote) {
                        end += 2;
                    } else {
                        break;
                    }
                }
                Some(_) => end += 1,
            }
        }
        self.push(TokenKind::String, end + 1 - self.at);
    }

    /// A string between triple back-ticks or triple tildes; `false` if there is none here.
    fn multi_line(&mut self, prefix: usize) -> bool {
        let rest = &self.rest()[prefix..];
        let Some(fence) = ["```", "~~~"].into_iter().find(|f| rest.starts_with(f)) else {
            return false;
        };
        match rest[3..].find(fence) {
            Some(length) => self.push(TokenKind::String, prefix + 3 + length + 3),
            None => {
                let bytes = self.rest().len();
                self.error(bytes, "unterminated multi-line string", None);
                self.push(TokenKind::String, bytes);
            }
        }
        true
    }

    fn number(&mut self) {
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| {
            bytes[from..]
                .iter()
                .take_while(|b| b.is_ascii_digit())
                .count()
        };
        if bytes[0] == b'0' && matches!(self.peek(1), b'x' | b'X') {
            let hex = bytes[2..]
                .iter()
                .take_while(|b| b.is_ascii_hexdigit())
                .count();
            if hex > 0 {
                return self.push(TokenKind::Long, 2 + hex);
            }
        }
        let mut end = digits(0);
        let mut kind = TokenKind::Long;
        if self.peek(end) == b'.' && self.peek(end + 1) != b'.' {
            kind = TokenKind::Real;
            end += 1 + digits(end + 1);
        }
        if matches!(self.peek(end), b'e' | b'E') {
            let sign = usize::from(matches!(self.peek(end + 1), b'+' | b'-'));
            let exponent = bytes
                .get(end + 1 + sign)
                .map_or(0, |_| digits(end + 1 + sign));
            if exponent > 0 {
                return self.push(TokenKind::Real, end + 1 + sign + exponent);
            }
        }
        let unit_bytes = word_bytes(&self.rest()[end..]);
        if unit_bytes == 0 {
            return self.push(kind, end);
        }
        let unit = &self.rest()[end..end + unit_bytes];
        if timespan::unit_ticks(unit).is_some() {
            self.push(TokenKind::Timespan, end + unit_bytes);
        } else if kind == TokenKind::Long {
            // Names may begin with digits, as `3rdParty` does.
            self.push(TokenKind::Word, end + unit_bytes);
        } else {
            let message = format!("`{}` is no unit of time", shortened(unit));
            self.error(
                end + unit_bytes,
                &message,
                Some("units are d, h, m, s, ms, microsecond, tick"),
            );
            self.push(TokenKind::Timespan, end + unit_bytes);
        }
    }

    fn word(&mut self) {
        let mut bytes = word_bytes(self.rest()).max(1);
        if self.rest()[bytes..].starts_with(|c: char| !c.is_ascii() && c.is_alphabetic()) {
            return self.foreign_word();
        }
        let word = &self.rest()[..bytes];
        if is_type_word(word)
            && let Some(bytes) = self.typed_bytes(bytes)
        {
            return self.push(TokenKind::Typed, bytes);
        }
        if matches!(word, "in" | "has" | "startswith" | "endswith") && self.peek(bytes) == b'~' {
            bytes += 1;
        }
        self.push(TokenKind::Word, bytes);
    }

    fn punctuation(&mut self, first: char) {
        use TokenKind as Kind;
        let (kind, bytes) = match (first, self.peek(1)) {
            ('!', b'=') => (Kind::NotEqual, 2),
            ('!', b'~') => (Kind::NotTilde, 2),
            ('!', b'a'..=b'z' | b'A'..=b'Z') => {
                let word = 1 + word_bytes(&self.rest()[1..]);
                (Kind::Word, word + usize::from(self.peek(word) == b'~'))
            }
            ('&', b'&') => (Kind::Ampersands, 2),
            ('=', b'=') => (Kind::Equal, 2),
            ('=', b'~') => (Kind::EqualTilde, 2),
            ('=', b'>') => (Kind::Arrow, 2),
            ('<', b'=') => (Kind::LessOrEqual, 2),
            ('<', b'>') => (Kind::NotEqual, 2),
            ('>', b'=') => (Kind::GreaterOrEqual, 2),
            ('.', b'.') => (Kind::DotDot, 2),
            ('=', _) => (Kind::Assign, 1),
            ('<', _) => (Kind::Less, 1),
            ('>', _) => (Kind::Greater, 1),
            ('.', _) => (Kind::Dot, 1),
            ('|', _) => (Kind::Pipe, 1),
            (';', _) => (Kind::Semicolon, 1),
            (',', _) => (Kind::Comma, 1),
            (':', _) => (Kind::Colon, 1),
            ('(', _) => (Kind::OpenParen, 1),
            (')', _) => (Kind::CloseParen, 1),
            ('[', _) => (Kind::OpenBracket, 1),
            (']', _) => (Kind::CloseBracket, 1),
            ('{', _) => (Kind::OpenBrace, 1),
            ('}', _) => (Kind::CloseBrace, 1),
            ('+', _) => (Kind::Plus, 1),
            ('-', _) => (Kind::Minus, 1),
            ('*', _) => (Kind::Star, 1),
            ('/', _) => (Kind::Slash, 1),
            ('%', _) => (Kind::Percent, 1),
            _ => {
                let bytes = first.len_utf8();
                self.error(bytes, &foreign::message(first), foreign::hint(first));
                self.at += bytes;
                return;
            }
        };
        self.push(kind, bytes);
    }
}

/// The length of the name at the start of `text`.
fn word_bytes(text: &str) -> usize {
    let bytes = text.as_bytes();
    let start = usize::from(bytes.first() == Some(&b'$'));
    start
        + bytes[start..]
            .iter()
            .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .count()
}

/// The value of a string token, or what is wrong with one of its escapes.
pub(crate) fn string_value(token: &str) -> Result<String, String> {
    let token = token.strip_prefix(['h', 'H']).unwrap_or(token);
    for fence in ["```", "~~~"] {
        if let Some(fenced) = token.strip_prefix(fence) {
            return Ok(fenced.strip_suffix(fence).unwrap_or(fenced).to_owned());
        }
    }
    if let Some(foreign) = token.strip_prefix(['“', '‘', '`']) {
        let inner = foreign.strip_suffix(['”', '’', '`']);
        return Ok(inner.unwrap_or(foreign).to_owned());
    }
    if let Some(verbatim) = token.strip_prefix('@') {
        let quote = &verbatim[..1];
        let inner = verbatim[1..].strip_suffix(quote).unwrap_or(&verbatim[1..]);
        return Ok(inner.replace(&quote.repeat(2), quote));
    }
    let quote = &token[..1];
    let inner = token[1..].strip_suffix(quote).unwrap_or(&token[1..]);
    if inner.contains('\\') {
        unescape(inner)
    } else {
        Ok(inner.to_owned())
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let first = escape
            .chars()
            .next()
            .ok_or("a string can't end in a backslash")?;
        let (character, bytes) = match first {
            'n' => ('\n', 1),
            't' => ('\t', 1),
            'r' => ('\r', 1),
            'a' => ('\u{7}', 1),
            'b' => ('\u{8}', 1),
            'f' => ('\u{c}', 1),
            'v' => ('\u{b}', 1),
            '\\' | '"' | '\'' | '/' => (first, 1),
            'u' => unicode_escape(escape)?,
            'U' => (hex_escape(escape, 8)?, 9),
            'x' => (hex_escape(escape, 2)?, 3),
            '0'..='7' => octal_escape(escape)?,
            other => {
                return Err(format!(
                    "unknown escape `\\{}`; write `\\\\` for a backslash, or @\"…\"",
                    other.escape_debug()
                ));
            }
        };
        out.push(character);
        rest = &escape[bytes..];
    }
    out.push_str(rest);
    Ok(out)
}

/// `\uXXXX`, or two of them that make one character.
fn unicode_escape(escape: &str) -> Result<(char, usize), String> {
    let unit = |text: &str| {
        let digits = text.strip_prefix('u').and_then(|text| text.get(..4));
        digits.and_then(|digits| u16::from_str_radix(digits, 16).ok())
    };
    let high = unit(escape).ok_or("`\\u` takes four hexadecimal digits")?;
    if let Some(character) = char::from_u32(u32::from(high)) {
        return Ok((character, 5));
    }
    let low = escape
        .get(5..)
        .and_then(|rest| rest.strip_prefix('\\'))
        .and_then(unit);
    let pair = low.and_then(|low| char::decode_utf16([high, low]).next()?.ok());
    pair.map(|character| (character, 11))
        .ok_or_else(|| "half of a surrogate pair".to_owned())
}

fn hex_escape(escape: &str, digits: usize) -> Result<char, String> {
    let value = escape
        .get(1..=digits)
        .and_then(|text| u32::from_str_radix(text, 16).ok());
    value
        .and_then(char::from_u32)
        .ok_or_else(|| format!("`\\{}` takes {digits} hexadecimal digits", &escape[..1]))
}

fn octal_escape(escape: &str) -> Result<(char, usize), String> {
    let count = escape
        .bytes()
        .take(3)
        .take_while(|b| (b'0'..=b'7').contains(b))
        .count();
    let value = u32::from_str_radix(&escape[..count], 8)
        .ok()
        .and_then(char::from_u32);
    value
        .map(|character| (character, count))
        .ok_or_else(|| "bad octal escape".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<(TokenKind, String)> {
        let mut diagnostics = Vec::new();
        let tokens = lex(text, &mut diagnostics);
        assert_eq!(diagnostics, [], "{text}");
        tokens
            .iter()
            .filter(|token| token.kind != TokenKind::End)
            .map(|token| (token.kind, token.span.text(text).to_owned()))
            .collect()
    }

    #[test]
    fn numbers_units_and_ranges() {
        use TokenKind::*;
        let kinds = kinds("1 1.5 1e5 0xFf 1d 1.5h 1..5 3rd 100ms 1.");
        let kinds: Vec<_> = kinds.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(
            kinds,
            [
                Long, Real, Real, Long, Timespan, Timespan, Long, DotDot, Long, Word, Timespan,
                Real
            ]
        );
    }

    #[test]
    fn strings_of_every_form() {
        for (token, value) in [
            (r#""a\tb""#, "a\tb"),
            (r"'it\'s'", "it's"),
            (r#"@"c:\x ""y""""#, r#"c:\x "y""#),
            (r#"h"secret""#, "secret"),
            ("```two\nlines```", "two\nlines"),
            (r#""\u00e9\x41\uD83D\uDE00\101""#, "éA😀A"),
        ] {
            assert_eq!(kinds(token), [(TokenKind::String, token.to_owned())]);
            assert_eq!(string_value(token).as_deref(), Ok(value));
        }
        assert!(string_value(r#""\q""#).is_err());
        assert!(string_value(r#""\u12""#).is_err());
        assert!(string_value(r#""\uD83D""#).is_err());
    }

    #[test]
    fn typed_literals_and_words_with_marks() {
        let kinds = kinds("datetime(2020-01-01) !in~ in~ !has // comment\n date");
        let texts: Vec<_> = kinds.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            ["datetime(2020-01-01)", "!in~", "in~", "!has", "date"]
        );
        assert_eq!(kinds[0].0, TokenKind::Typed);
        assert_eq!(kinds[4].0, TokenKind::Word);
    }

    #[test]
    fn any_text_lexes() {
        for text in [
            "\"abc",
            "'a\\",
            "@'",
            "```",
            "h",
            "h@",
            "1.5q",
            "€",
            "datetime(",
            "0x",
            "\\",
            "\"\\",
        ] {
            let tokens = lex(text, &mut Vec::new());
            assert_eq!(
                tokens.last().map(|token| token.kind),
                Some(TokenKind::End),
                "{text}"
            );
        }
    }
}
