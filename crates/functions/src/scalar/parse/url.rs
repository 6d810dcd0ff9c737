//! URLs: `scheme://user:password@host:port/path?key=value#fragment`.
//!
//! Parts stand in the result as they stand in the URL, without decoding; the path of a URL's root is
//! empty.
//!
//! <https://learn.microsoft.com/kusto/query/parse-url-function>

use std::borrow::Cow;

use crate::dynamic;
use crate::scalar::write_bag;

/// Appends the parts of a URL; `false` if the text is none.
pub(super) fn write(out: &mut String, text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    // The colons of an address in brackets are its own.
    let colon = host
        .rfind(':')
        .filter(|colon| !host[*colon..].contains(']'));
    let (host, port) = colon.map_or((host, ""), |colon| (&host[..colon], &host[colon + 1..]));
    let path = if path == "/" { "" } else { path };
    let mut text = String::new();
    out.push('{');
    for (name, part) in [
        ("Scheme", scheme),
        ("Host", host),
        ("Port", port),
        ("Path", path),
        ("Username", user),
        ("Password", password),
    ] {
        text.clear();
        dynamic::write_string(&mut text, part);
        out.push_str(&format!("\"{name}\":{text},"));
    }
    out.push_str("\"Query Parameters\":");
    write_parameters(out, query);
    out.push_str(",\"Fragment\":");
    dynamic::write_string(out, fragment);
    out.push('}');
    true
}

/// Appends the parameters of a query, with or without its `?`.
pub(super) fn write_query(out: &mut String, text: &str) {
    out.push_str("{\"Query Parameters\":");
    write_parameters(out, text.strip_prefix('?').unwrap_or(text));
    out.push('}');
}

/// Of equal keys the last counts, as in any property bag.
fn write_parameters(out: &mut String, query: &str) {
    let mut members: Vec<(&str, String)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let mut json = String::new();
        dynamic::write_string(&mut json, value);
        let place = *places.entry(key).or_insert(members.len());
        match members.get_mut(place) {
            Some(member) => member.1 = json,
            None => members.push((key, json)),
        }
    }
    let members = members.iter();
    write_bag(
        out,
        members.map(|(key, value)| (Cow::Borrowed(*key), value.as_str())),
    );
}

#[cfg(test)]
mod tests {
    use crate::scalar::check::check;

    #[test]
    fn urls_have_parts() {
        check(&[
            (
                "parse_url('scheme://username:password@host:1234/this/is/a/path?k1=v1&k2=v2#fragment')",
                r#"{"Scheme":"scheme","Host":"host","Port":"1234","Path":"/this/is/a/path","Username":"username","Password":"password","Query Parameters":{"k1":"v1","k2":"v2"},"Fragment":"fragment"}"#,
            ),
            (
                "parse_url('https://[::1]:80/?q=a%20b&q=c&d')",
                r#"{"Scheme":"https","Host":"[::1]","Port":"80","Path":"","Username":"","Password":"","Query Parameters":{"q":"c","d":""},"Fragment":""}"#,
            ),
            (
                "parse_url('http://[::1]')",
                r#"{"Scheme":"http","Host":"[::1]","Port":"","Path":"","Username":"","Password":"","Query Parameters":{},"Fragment":""}"#,
            ),
            ("parse_url('bing.com')", "null"),
            ("parse_url('')", "null"),
        ]);
    }

    #[test]
    fn queries_have_parameters() {
        check(&[
            (
                "parse_urlquery('k1=v1&k2=v2&k3=v3')",
                r#"{"Query Parameters":{"k1":"v1","k2":"v2","k3":"v3"}}"#,
            ),
            (
                "parse_urlquery('?a=b=c')",
                r#"{"Query Parameters":{"a":"b=c"}}"#,
            ),
            ("parse_urlquery('')", r#"{"Query Parameters":{}}"#),
        ]);
    }
}
