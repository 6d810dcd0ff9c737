//! Reading JSON shallowly: the members of an object and the elements of an array, each value as the
//! text that stands for it. A value is looked into only when a column wants it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

/// The members of an object in the order written: keys, and values as they are spelled.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a str)>;

/// The members of the object that `text` is.
///
/// # Errors
/// Says why it is none, or that it has more than `members_max` members.
pub(crate) fn members(text: &str, members_max: usize) -> Result<Members<'_>, String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let members = reader.deserialize_map(MembersVisitor { members_max });
    let members = members.map_err(|error| describe(&error))?;
    reader.end().map_err(|error| describe(&error))?;
    Ok(members)
}

/// Hands each element of the array that `text` is to `take`, in order.
///
/// # Errors
/// Says where the array breaks off; the elements before were handed over.
pub(crate) fn for_each_element<'a>(
    text: &'a str,
    take: &mut dyn FnMut(&'a str),
) -> Result<(), String> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let taken = reader.deserialize_seq(ElementsVisitor { take });
    taken.map_err(|error| describe(&error))?;
    reader.end().map_err(|error| describe(&error))
}

/// Whether `text` is one JSON value and nothing else.
pub(crate) fn is_complete(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The text of a JSON string, given with its quotes. Half a surrogate pair, which logs that were
/// cut somewhere do contain, becomes U+FFFD.
pub(crate) fn string_value(raw: &str) -> Cow<'_, str> {
    let inner = &raw[1..raw.len() - 1];
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    let mut reader = serde_json::Deserializer::from_str(raw);
    let bytes = reader.deserialize_bytes(BytesVisitor);
    // The text was read as a string before, so it has a value.
    let bytes = bytes.unwrap_or_default();
    Cow::Owned(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// Appends valid JSON without the space between its tokens; `None` if it nests too deep.
pub(crate) fn compact(raw: &str, nesting_max: usize, out: &mut String) -> Option<()> {
    let bytes = raw.as_bytes();
    let (mut at, mut taken, mut depth) = (0, 0, 0_usize);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.push_str(&raw[taken..at]);
                taken = at + 1;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > nesting_max {
                    return None;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    out.push_str(&raw[taken..]);
    Some(())
}

/// The end of the valid string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(found) = memchr::memchr2(b'"', b'\\', bytes.get(end..).unwrap_or_default()) {
        end += found;
        if bytes[end] == b'"' {
            return end + 1;
        }
        end += 2;
    }
    bytes.len()
}

fn describe(error: &serde_json::Error) -> String {
    if error.is_data() {
        let text = error.to_string();
        // Where in the text a limit was passed helps nobody.
        let end = text.find(" at line ").unwrap_or(text.len());
        return text[..end].to_owned();
    }
    format!("not JSON: {error}")
}

struct MembersVisitor {
    members_max: usize,
}

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(32);
        while let Some(key) = map.next_key_seed(Key)? {
            if members.len() == self.members_max {
                return Err(A::Error::custom(format_args!(
                    "an object of a record has at most {} members",
                    self.members_max
                )));
            }
            members.push((key, map.next_value::<&'de RawValue>()?.get()));
        }
        Ok(members)
    }
}

struct ElementsVisitor<'t, 'a> {
    take: &'t mut dyn FnMut(&'a str),
}

impl<'de> Visitor<'de> for ElementsVisitor<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(value) = seq.next_element::<&'de RawValue>()? {
            (self.take)(value.get());
        }
        Ok(())
    }
}

/// A key that borrows from the text unless it has escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

struct BytesVisitor;

impl<'de> Visitor<'de> for BytesVisitor {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        Ok(bytes.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_order_and_spelling() {
        let text = r#" { "a" : 1.50 , "b\u0062":"x\"y", "a": [ 1 , 2 ] } "#;
        let found = members(text, 10).expect("an object");
        assert_eq!(
            found,
            [
                (Cow::Borrowed("a"), "1.50"),
                (Cow::Borrowed("bb"), r#""x\"y""#),
                (Cow::Borrowed("a"), "[ 1 , 2 ]"),
            ]
        );
    }

    #[test]
    fn members_say_what_is_wrong() {
        let error = |text| members(text, 2).expect_err(text);
        assert!(error("{\"a\" 1}").starts_with("not JSON: expected `:`"));
        assert!(error("{} {}").starts_with("not JSON: trailing characters"));
        assert!(
            error("[]").contains("expected a JSON object"),
            "{}",
            error("[]")
        );
        assert_eq!(
            error(r#"{"a":1,"b":2,"c":3}"#),
            "an object of a record has at most 2 members"
        );
    }

    #[test]
    fn strings_survive_half_a_surrogate_pair() {
        assert_eq!(string_value(r#""a\n\u00e9\ud83d\ude00""#), "a\né😀");
        assert!(string_value(r#""cut \ud83d""#).starts_with("cut \u{fffd}"));
        assert!(matches!(string_value(r#""plain""#), Cow::Borrowed("plain")));
    }

    #[test]
    fn compact_keeps_space_inside_strings_and_counts_depth() {
        let mut out = String::new();
        compact(" { \"a b\\\" \" : [ 1 ,\n2 ] } ", 2, &mut out).expect("shallow");
        assert_eq!(out, r#"{"a b\" ":[1,2]}"#);
        assert_eq!(compact("[[[]]]", 2, &mut String::new()), None);
    }
}
