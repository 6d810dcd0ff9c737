//! XML as property bags: elements are members, attributes are members that begin with `@`, and text
//! beside them is `#text`. Whatever else there is, is left out.
//!
//! <https://learn.microsoft.com/kusto/query/parse-xml-function>

use std::borrow::Cow;
use std::collections::HashMap;

use datafusion_common::{Result, exec_err};
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::dynamic::{self, Kind, NESTING_MAX};
use crate::scalar::{write_array, write_bag};

/// Longest text that is read as XML, in bytes.
const XML_BYTES_MAX: usize = 1 << 20;

/// Appends the bag of a document; `false` if the text is none.
pub(super) fn write(out: &mut String, text: &str) -> Result<bool> {
    if text.len() > XML_BYTES_MAX {
        return Ok(false);
    }
    match read(text)? {
        Some(root) if root.members.len() == 1 => {
            root.write(out);
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// An element: its members by name, each with the JSON of its values, and text not yet a member.
#[derive(Default)]
struct Element {
    name: String,
    members: Vec<(String, Vec<String>)>,
    places: HashMap<String, usize>,
    text: String,
}

impl Element {
    /// The element that a tag begins; `None` if its attributes are malformed.
    fn new(tag: &BytesStart<'_>) -> Option<Self> {
        let mut element = Self {
            name: tag.name().0.to_owned(),
            ..Self::default()
        };
        // The reader's own check for names that stand twice compares each with each.
        for attribute in tag.attributes().with_checks(false) {
            let attribute = attribute.ok()?;
            let value = quick_xml::escape::unescape(&attribute.value).ok()?;
            let name = format!("@{}", attribute.key.0);
            if element.places.contains_key(&name) {
                return None;
            }
            let mut json = String::new();
            dynamic::write_string(&mut json, &value);
            element.add(name, json);
        }
        Some(element)
    }

    fn add(&mut self, name: String, json: String) {
        match self.places.get(&name) {
            Some(place) => self.members[*place].1.push(json),
            None => {
                self.places.insert(name.clone(), self.members.len());
                self.members.push((name, vec![json]));
            }
        }
    }

    /// Makes a member of text that other content follows.
    fn flush(&mut self) {
        let text = self.text.trim();
        if !text.is_empty() {
            let json = text_json(text);
            self.add("#text".to_owned(), json);
        }
        self.text.clear();
    }

    /// The value of an element: null if there is nothing in it, text if there is nothing else.
    fn json(mut self) -> String {
        self.flush();
        let mut out = String::new();
        match self.members.as_mut_slice() {
            [] => out.push_str("null"),
            [(name, values)] if name == "#text" && values.len() == 1 => out.push_str(&values[0]),
            _ => self.write(&mut out),
        }
        out
    }

    fn write(&self, out: &mut String) {
        let values: Vec<Cow<'_, str>> = self
            .members
            .iter()
            .map(|(_, values)| match values.as_slice() {
                [value] => Cow::Borrowed(value.as_str()),
                values => {
                    let mut array = String::new();
                    write_array(&mut array, values.iter().map(String::as_str));
                    Cow::Owned(array)
                }
            })
            .collect();
        let names = self
            .members
            .iter()
            .map(|(name, _)| Cow::Borrowed(name.as_str()));
        write_bag(out, names.zip(values.iter().map(AsRef::as_ref)));
    }
}

/// A number if the text is one, as the reference has it, else a string.
fn text_json(text: &str) -> String {
    let mut json = String::new();
    let number = dynamic::normalize(text, &mut json)
        && match dynamic::kind(&json) {
            Kind::Long => json.parse::<i64>().is_ok(),
            Kind::Real => true,
            _ => false,
        };
    if !number {
        json.clear();
        dynamic::write_string(&mut json, text);
    }
    json
}

/// An element that holds the document's root; `None` if the text is no document.
fn read(text: &str) -> Result<Option<Element>> {
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        let Ok(event) = reader.read_event() else {
            return Ok(None);
        };
        let within = open.len() > 1;
        let current = open.last_mut().expect("the document itself stays open");
        match event {
            Event::Start(tag) | Event::Empty(tag) if !within && !current.members.is_empty() => {
                drop(tag);
                return Ok(None);
            }
            Event::Start(tag) => {
                current.flush();
                let Some(element) = Element::new(&tag) else {
                    return Ok(None);
                };
                open.push(element);
                // The document is a bag around its root.
                if open.len() > NESTING_MAX - 1 {
                    return exec_err!("XML that `parse_xml` reads nests deeper than {NESTING_MAX}");
                }
            }
            Event::Empty(tag) => {
                current.flush();
                let Some(element) = Element::new(&tag) else {
                    return Ok(None);
                };
                current.add(element.name.clone(), element.json());
            }
            Event::End(_) => {
                let element = open.pop().filter(|_| within);
                let (Some(element), Some(parent)) = (element, open.last_mut()) else {
                    return Ok(None);
                };
                parent.add(element.name.clone(), element.json());
            }
            Event::Text(text) => current.text.push_str(&text),
            Event::GeneralRef(reference) => match resolved(&reference) {
                Some(text) => current.text.push_str(&text),
                None => return Ok(None),
            },
            Event::Eof => {
                let stray = !current.text.trim().is_empty();
                return Ok(if within || stray { None } else { open.pop() });
            }
            Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::DocType(_) => {}
        }
    }
}

/// The text that `&…;` stands for.
fn resolved(reference: &BytesRef<'_>) -> Option<String> {
    if let Ok(Some(character)) = reference.resolve_char_ref() {
        return Some(character.to_string());
    }
    quick_xml::escape::resolve_predefined_entity(reference).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::check;

    #[test]
    fn elements_become_members() {
        for (xml, expected) in [
            ("<e/>", r#"{"e":null}"#),
            ("<e></e>", r#"{"e":null}"#),
            ("<e>text</e>", r#"{"e":"text"}"#),
            (r#"<e name="value" />"#, r#"{"e":{"@name":"value"}}"#),
            (
                r#"<e name="value">text</e>"#,
                r##"{"e":{"@name":"value","#text":"text"}}"##,
            ),
            (
                "<e> <a>text</a> <b>text</b> </e>",
                r#"{"e":{"a":"text","b":"text"}}"#,
            ),
            (
                "<e> <a>text</a> <a>text</a> </e>",
                r#"{"e":{"a":["text","text"]}}"#,
            ),
            (
                "<e> text <a>text</a> </e>",
                r##"{"e":{"#text":"text","a":"text"}}"##,
            ),
            (
                r#"<?xml version="1.0"?><!-- note --><d><v>118.0</v><c>5</c></d>"#,
                r#"{"d":{"v":118.0,"c":5}}"#,
            ),
            (
                "<e a='1 &lt; 2'>x &amp; &#65;y</e>",
                r##"{"e":{"@a":"1 < 2","#text":"x & Ay"}}"##,
            ),
            ("<a><b/></a><c/>", "null"),
            ("<a>", "null"),
            ("<a></b>", "null"),
            ("</a>", "null"),
            ("<a b=c/>", "null"),
            ("<a b='1' b='2'/>", "null"),
            ("<a>&nope;</a>", "null"),
            ("text", "null"),
            ("<a/>text", "null"),
            ("", "null"),
        ] {
            let call = format!("parse_xml(@\"{}\")", xml.replace('"', "\"\""));
            check(&[(&call, expected)]);
        }
    }
}
