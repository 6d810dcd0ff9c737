//! Text of well-known forms, taken apart.

mod path;
mod url;
mod xml;

use arrow::array::ArrayRef;
use csv_core::ReadRecordResult;
use datafusion_common::{Result, exec_err};
use kql::Type::{Decimal, Dynamic, String as Text};

use crate::args::{self, Args};
use crate::dynamic;
use crate::registry::{
    Overload,
    Param::{Const, Is, Text as AnyText},
    ScalarFunction,
};

pub(super) const FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "parse_csv",
        "The values of a line of comma-separated values.",
        &[Overload::new(&[Is(Text)], Dynamic, |a| {
            let x = a.str(0)?;
            let mut value = Vec::new();
            args::written_option(a.rows(), |row, out| {
                write_csv(out, x.text(row), &mut value);
                Ok(true)
            })
        })],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "parse_xml",
        "XML as a property bag; null if it is none.",
        &[Overload::new(&[Is(Text)], Dynamic, |a| {
            let x = a.str(0)?;
            args::written_option(a.rows(), |row, out| xml::write(out, x.text(row)))
        })],
    )
    .named_after_argument(),
    ScalarFunction::new(
        "parse_url",
        "The parts of a URL.",
        &[Overload::new(&[Is(Text)], Dynamic, |a| {
            let x = a.str(0)?;
            args::written_option(a.rows(), |row, out| Ok(url::write(out, x.text(row))))
        })],
    )
    .aliases(&["parseurl"]),
    ScalarFunction::new(
        "parse_urlquery",
        "The parameters in the query of a URL.",
        &[Overload::new(&[Is(Text)], Dynamic, |a| {
            let x = a.str(0)?;
            args::written_option(a.rows(), |row, out| {
                url::write_query(out, x.text(row));
                Ok(true)
            })
        })],
    )
    .aliases(&["parseurlquery"]),
    ScalarFunction::new(
        "parse_path",
        "The parts of a path to a file.",
        &[Overload::new(&[Is(Text)], Dynamic, |a| {
            let x = a.str(0)?;
            args::written_option(a.rows(), |row, out| {
                path::write(out, x.text(row))?;
                Ok(true)
            })
        })],
    ),
    ScalarFunction::new(
        "parse_version",
        "A version of up to four numbers, as a decimal that versions can be compared by.",
        &[Overload::new(&[Is(Text)], Decimal, |a| {
            let x = a.str(0)?;
            args::decimals(a.rows(), |row| version(x.text(row)))
        })],
    ),
    ScalarFunction::new(
        "parse_command_line",
        "The arguments of a command line.",
        &[Overload::new(
            &[AnyText, Const(Text)],
            Dynamic,
            command_line,
        )],
    ),
];

/// Appends an array of the values of the first line.
fn write_csv(out: &mut String, text: &str, bytes: &mut Vec<u8>) {
    let mut reader = csv_core::Reader::new();
    let mut ends = vec![0; memchr::memchr_iter(b',', text.as_bytes()).count() + 1];
    bytes.clear();
    bytes.resize(text.len() + 1, 0);
    let (result, _, written, mut count) = reader.read_record(text.as_bytes(), bytes, &mut ends);
    if result == ReadRecordResult::InputEmpty {
        let rest = (&mut bytes[written..], &mut ends[count..]);
        let (_, _, _, more) = reader.read_record(&[], rest.0, rest.1);
        count += more;
    }
    out.push('[');
    let mut start = 0;
    // An empty text is one empty value.
    for (index, end) in ends[..count.max(1)].iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        dynamic::write_string(out, &String::from_utf8_lossy(&bytes[start..*end]));
        start = *end;
    }
    out.push(']');
}

/// Each part counts 10^8 times the next; parts that are left out are 0.
///
/// <https://learn.microsoft.com/kusto/query/parse-version-function>
fn version(text: &str) -> Result<Option<i128>> {
    let parts: Option<Vec<u32>> = text
        .split('.')
        .map(|part| {
            let digits = part.bytes().all(|byte| byte.is_ascii_digit());
            if digits && part.len() <= 8 {
                part.parse().ok()
            } else {
                None
            }
        })
        .collect();
    let Some(parts) = parts.filter(|parts| parts.len() <= 4) else {
        return Ok(None);
    };
    let mut parts = parts.into_iter();
    let number = (0..4).fold(0, |number, _| {
        number * 100_000_000 + i128::from(parts.next().unwrap_or(0))
    });
    match number.checked_mul(10i128.pow(18)) {
        Some(scaled) if scaled < 10i128.pow(38) => Ok(Some(scaled)),
        _ => exec_err!(
            "`parse_version` of `{text}` is out of range: Loggia keeps 20 digits before the point"
        ),
    }
}

fn command_line(a: &Args<'_>) -> Result<ArrayRef> {
    let (x, parser) = (a.str(0)?, a.const_str(1).unwrap_or(""));
    if parser != "windows" {
        return exec_err!("`{parser}` is no parser of command lines; the parser is `windows`");
    }
    args::written_option(a.rows(), |row, out| {
        out.push('[');
        for (index, arg) in windows_arguments(x.text(row)).iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            dynamic::write_string(out, arg);
        }
        out.push(']');
        Ok(true)
    })
}

/// Arguments as `CommandLineToArgvW` of Windows finds them: the first is a path, in which only
/// quotes count; in the others backslashes before a quote count as well.
///
/// <https://learn.microsoft.com/windows/win32/api/shellapi/nf-shellapi-commandlinetoargvw>
fn windows_arguments(text: &str) -> Vec<String> {
    let blank = |c: char| c == ' ' || c == '\t';
    if text.is_empty() {
        return Vec::new();
    }
    let (first, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
        None => text.split_at(text.find(blank).unwrap_or(text.len())),
    };
    let mut arguments = vec![first.to_owned()];
    let mut chars = rest.trim_start_matches(blank).chars().peekable();
    while chars.peek().is_some() {
        let mut argument = String::new();
        let mut quotes = 0;
        let mut backslashes = 0;
        while let Some(c) = chars.next_if(|c| quotes > 0 || !blank(*c)) {
            if c == '\\' {
                backslashes += 1;
                argument.push(c);
                continue;
            }
            if c != '"' {
                argument.push(c);
                backslashes = 0;
                continue;
            }
            let kept = argument.len() - backslashes + backslashes / 2;
            argument.truncate(kept);
            if backslashes % 2 == 1 {
                argument.push('"');
            } else {
                quotes += 1;
            }
            backslashes = 0;
            // The third quote in a row stands for itself.
            while chars.next_if_eq(&'"').is_some() {
                quotes += 1;
                if quotes == 3 {
                    argument.push('"');
                    quotes = 0;
                }
            }
            quotes %= 2;
        }
        arguments.push(argument);
        while chars.next_if(|c| blank(*c)).is_some() {}
    }
    arguments
}

#[cfg(test)]
mod tests {
    use super::windows_arguments;
    use crate::scalar::check::{check, check_refused};

    #[test]
    fn lines_of_values_are_split() {
        check(&[
            (
                r#"parse_csv('aa,"b,b,b",cc,"Escaping quotes: ""Title""","line1\nline2"')"#,
                r#"["aa","b,b,b","cc","Escaping quotes: \"Title\"","line1\nline2"]"#,
            ),
            (
                "parse_csv('record1,a,b,c\\nrecord2,x,y,z')",
                r#"["record1","a","b","c"]"#,
            ),
            ("parse_csv('a,,')", r#"["a","",""]"#),
            ("parse_csv('')", r#"[""]"#),
            ("parse_csv('\"a')", r#"["a"]"#),
        ]);
    }

    #[test]
    fn versions_compare_as_numbers() {
        check(&[
            ("parse_version('0.0.0.5')", "5"),
            ("parse_version('0.0.7.0')", "700000000"),
            ("parse_version('0.0.3')", "300000000"),
            ("parse_version('0.2')", "20000000000000000"),
            ("parse_version('0')", "0"),
            ("parse_version('')", "null"),
            ("parse_version('0.0.0.0.0')", "null"),
            ("parse_version('0.123456789')", "null"),
            ("parse_version('0.-1')", "null"),
        ]);
        check_refused(&[("parse_version('1.2.3.4')", "out of range")]);
    }

    #[test]
    fn command_lines_are_split_as_windows_does() {
        check(&[(
            r#"parse_command_line("echo \"hello world!\"", "windows")"#,
            r#"["echo","hello world!"]"#,
        )]);
        check_refused(&[("parse_command_line('a', 'bash')", "no parser")]);
        let cases: [(&str, &[&str]); 7] = [
            ("", &[]),
            (r#""C:\a b\c.exe" d  e"#, &[r"C:\a b\c.exe", "d", "e"]),
            (r#"x a\\b d"e f"g h"#, &["x", r"a\\b", "de fg", "h"]),
            (r#"x a\\\"b c d"#, &["x", r#"a\"b"#, "c", "d"]),
            (r#"x a\\\\"b c" d e"#, &["x", r"a\\b c", "d", "e"]),
            (r#"x "a""b" c"#, &["x", r#"a"b c"#]),
            (r#"x """a""" b"#, &["x", r#""a""#, "b"]),
        ];
        for (text, expected) in cases {
            assert_eq!(windows_arguments(text), expected, "{text}");
        }
    }
}
