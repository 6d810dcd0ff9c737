//! Reading JSON text without building a tree.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::NESTING_MAX;

/// Appends the compact form of a JSON text; `false` if it is none, or nests too deep. What was
/// appended by then is for the caller to cut off.
///
/// Equal strings and numbers are written alike, and the keys of a bag are unique: of members that
/// share one, the last stands where the first did.
pub fn normalize(text: &str, out: &mut String) -> bool {
    let mut reader = Reader {
        text,
        at: 0,
        out,
        members: Vec::new(),
    };
    reader.skip_space();
    reader.value(0).is_some() && {
        reader.skip_space();
        reader.at == text.len()
    }
}

struct Reader<'a, 'b> {
    text: &'a str,
    at: usize,
    out: &'b mut String,
    /// Where in `out` the members of the bags that are open lie.
    members: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    key: Range<usize>,
    value: Range<usize>,
}

/// Longest bag whose keys are compared each with each.
const FEW_MEMBERS: usize = 16;

impl Reader<'_, '_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `end - at` bytes over.
    fn take_to(&mut self, end: usize) {
        self.out.push_str(&self.text[self.at..end]);
        self.at = end;
    }

    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'{' if depth < NESTING_MAX => self.sequence(depth, b'}', true),
            b'[' if depth < NESTING_MAX => self.sequence(depth, b']', false),
            b'"' => self.string(),
            b'-' | b'0'..=b'9' => self.number(),
            _ => {
                let word = ["null", "true", "false"]
                    .into_iter()
                    .find(|word| self.text[self.at..].starts_with(word))?;
                self.take_to(self.at + word.len());
                Some(())
            }
        }
    }

    fn string(&mut self) -> Option<()> {
        let end = string_end(self.text, self.at)?;
        let string = &self.text[self.at..end];
        if string.contains('\\') {
            super::write_string(self.out, &super::string_value(string));
            self.at = end;
        } else {
            self.take_to(end);
        }
        Some(())
    }

    fn number(&mut self) -> Option<()> {
        let end = number_end(self.text.as_bytes(), self.at)?;
        let number = &self.text[self.at..end];
        let real = number
            .bytes()
            .any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        match number.parse::<f64>() {
            Ok(value) if real && value.is_finite() => {
                super::write_real(self.out, value);
                self.at = end;
            }
            _ => self.take_to(end),
        }
        Some(())
    }

    fn sequence(&mut self, depth: usize, close: u8, keys: bool) -> Option<()> {
        let (start, first) = (self.out.len(), self.members.len());
        self.take_to(self.at + 1);
        self.skip_space();
        if self.peek() == Some(close) {
            self.take_to(self.at + 1);
            return Some(());
        }
        loop {
            let key = self.out.len();
            if keys {
                self.key()?;
            }
            let value = self.out.len();
            self.value(depth + 1)?;
            if keys {
                self.members.push(Member {
                    key: key..value,
                    value: value..self.out.len(),
                });
            }
            self.skip_space();
            match self.peek()? {
                b',' => {
                    self.take_to(self.at + 1);
                    self.skip_space();
                }
                byte if byte == close => {
                    self.take_to(self.at + 1);
                    if keys {
                        self.make_unique(start, first);
                    }
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// A key and the colon after it.
    fn key(&mut self) -> Option<()> {
        if self.peek() != Some(b'"') {
            return None;
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return None;
        }
        self.take_to(self.at + 1);
        self.skip_space();
        Some(())
    }

    /// Closes the bag that begins at `start` in `out`, whose members are those from `first` on.
    fn make_unique(&mut self, start: usize, first: usize) {
        let members = &self.members[first..];
        let key = |member: &Member| &self.out[member.key.clone()];
        let unique = if members.len() <= FEW_MEMBERS {
            let mut rest = members.iter().enumerate();
            rest.all(|(index, member)| members[..index].iter().all(|m| key(m) != key(member)))
        } else {
            let mut known = HashSet::with_capacity(members.len());
            members.iter().all(|member| known.insert(key(member)))
        };
        if !unique {
            let mut last = HashMap::new();
            for member in members {
                last.insert(key(member), member.value.clone());
            }
            let mut bag = String::with_capacity(self.out.len() - start);
            for member in members {
                if let Some(value) = last.remove(key(member)) {
                    bag.push(if bag.is_empty() { '{' } else { ',' });
                    bag.push_str(key(member));
                    bag.push_str(&self.out[value]);
                }
            }
            bag.push('}');
            self.out.truncate(start);
            self.out.push_str(&bag);
        }
        self.members.truncate(first);
    }
}

/// The end of the string that begins at `at`, if its escapes are right.
fn string_end(text: &str, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut end = at + 1;
    loop {
        match *bytes.get(end)? {
            b'"' => return Some(end + 1),
            b'\\' => match *bytes.get(end + 1)? {
                b'u' => {
                    let digits = bytes.get(end + 2..end + 6)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    end += 6;
                }
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => end += 2,
                _ => return None,
            },
            0..=0x1f => return None,
            _ => end += 1,
        }
    }
}

fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    let digits = |from: usize| {
        bytes[from.min(bytes.len())..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut end = at + usize::from(bytes[at] == b'-');
    let whole = digits(end);
    if whole == 0 || (whole > 1 && bytes[end] == b'0') {
        return None;
    }
    end += whole;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent == 0 {
            return None;
        }
        end += 1 + sign + exponent;
    }
    Some(end)
}

/// The end of the value that begins at `at` of compact JSON.
fn skip(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'"') => skip_string(bytes, at),
        Some(b'{' | b'[') => {
            let (mut end, mut open) = (at, 0usize);
            while let Some(byte) = bytes.get(end) {
                match byte {
                    b'"' => {
                        end = skip_string(bytes, end);
                        continue;
                    }
                    b'{' | b'[' => open += 1,
                    b'}' | b']' => {
                        open -= 1;
                        if open == 0 {
                            return end + 1;
                        }
                    }
                    _ => {}
                }
                end += 1;
            }
            end
        }
        _ => {
            let rest = &bytes[at.min(bytes.len())..];
            let length = rest
                .iter()
                .position(|byte| matches!(byte, b',' | b'}' | b']'));
            at + length.unwrap_or(rest.len())
        }
    }
}

fn skip_string(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[end.min(bytes.len())..]) {
        end += found;
        if bytes[end] == b'"' {
            return end + 1;
        }
        end += 2;
    }
    bytes.len()
}

/// The elements of an array in compact JSON; of anything else, none.
pub fn elements(value: &str) -> impl Iterator<Item = &str> {
    let bytes = value.as_bytes();
    let mut at = if bytes.first() == Some(&b'[') {
        1
    } else {
        bytes.len()
    };
    std::iter::from_fn(move || {
        if at >= bytes.len() || bytes[at] == b']' {
            return None;
        }
        let end = skip(bytes, at);
        let element = &value[at..end];
        at = end + 1;
        Some(element)
    })
}

/// The members of a bag in compact JSON; of anything else, none.
pub fn members(value: &str) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
    let bytes = value.as_bytes();
    let mut at = if bytes.first() == Some(&b'{') {
        1
    } else {
        bytes.len()
    };
    std::iter::from_fn(move || {
        if at >= bytes.len() || bytes[at] != b'"' {
            return None;
        }
        let key_end = skip(bytes, at);
        let key = super::string_value(&value[at..key_end]);
        let end = skip(bytes, key_end + 1);
        let member = value.get(key_end + 1..end)?;
        at = end + 1;
        Some((key, member))
    })
}

/// The text of the inside of a JSON string.
pub(super) fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let (character, bytes) = match escape.as_bytes().first() {
            Some(b'n') => ('\n', 1),
            Some(b't') => ('\t', 1),
            Some(b'r') => ('\r', 1),
            Some(b'b') => ('\u{8}', 1),
            Some(b'f') => ('\u{c}', 1),
            Some(b'u') => unicode_escape(escape),
            Some(byte) if byte.is_ascii() => (char::from(*byte), 1),
            _ => ('\\', 0),
        };
        out.push(character);
        rest = &escape[bytes..];
    }
    out.push_str(rest);
    out
}

/// The character of `uXXXX`, or of two of them; half a surrogate pair becomes U+FFFD.
fn unicode_escape(escape: &str) -> (char, usize) {
    let unit = |text: Option<&str>| text.and_then(|text| u16::from_str_radix(text, 16).ok());
    let Some(high) = unit(escape.get(1..5)) else {
        return ('\u{fffd}', 1);
    };
    if let Some(character) = char::from_u32(u32::from(high)) {
        return (character, 5);
    }
    let low = escape
        .get(5..7)
        .filter(|mark| *mark == "\\u")
        .and_then(|_| unit(escape.get(7..11)));
    let pair = low.and_then(|low| char::decode_utf16([high, low]).next()?.ok());
    pair.map_or(('\u{fffd}', 5), |character| (character, 11))
}
