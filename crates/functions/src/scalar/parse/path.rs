//! Paths to files, with either kind of slash.
//!
//! <https://learn.microsoft.com/kusto/query/parse-path-function>

use datafusion_common::{Result, exec_err};

use crate::dynamic;

const SLASHES: [char; 2] = ['/', '\\'];

/// Appends the parts of a path.
pub(super) fn write(out: &mut String, text: &str) -> Result<()> {
    if text.starts_with(r"\\?\") {
        return exec_err!("`parse_path` does not take long paths, which begin with `\\\\?\\`");
    }
    let (scheme, path) = text.split_once("://").unwrap_or(("", text));
    let root = match path.as_bytes() {
        [letter, b':', ..] if letter.is_ascii_alphabetic() => &path[..2],
        _ => "",
    };
    let (directory, file) = match path.rfind(SLASHES) {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => ("", path),
    };
    let name = &directory[directory.rfind(SLASHES).map_or(0, |slash| slash + 1)..];
    let name = if name == root { "" } else { name };
    let (file, stream) = file.split_once(':').unwrap_or((file, ""));
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    for (index, (key, part)) in [
        ("Scheme", scheme),
        ("RootPath", root),
        ("DirectoryPath", directory),
        ("DirectoryName", name),
        ("Filename", file),
        ("Extension", extension),
        ("AlternateDataStreamName", stream),
    ]
    .into_iter()
    .enumerate()
    {
        out.push(if index == 0 { '{' } else { ',' });
        dynamic::write_string(out, key);
        out.push(':');
        dynamic::write_string(out, part);
    }
    out.push('}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::write;
    use crate::dynamic::{member, string_value};

    #[test]
    fn paths_have_parts() {
        for (path, expected) in [
            (
                r"C:\temp\file.txt",
                ["", "C:", r"C:\temp", "temp", "file.txt", "txt", ""],
            ),
            (
                r"temp\file.txt",
                ["", "", "temp", "temp", "file.txt", "txt", ""],
            ),
            (
                "file://C:/temp/file.txt:some.exe",
                [
                    "file", "C:", "C:/temp", "temp", "file.txt", "txt", "some.exe",
                ],
            ),
            (
                r"\\shared\users\temp\file.txt.gz",
                [
                    "",
                    "",
                    r"\\shared\users\temp",
                    "temp",
                    "file.txt.gz",
                    "gz",
                    "",
                ],
            ),
            (
                "/usr/lib/temp/file.txt",
                ["", "", "/usr/lib/temp", "temp", "file.txt", "txt", ""],
            ),
            ("file", ["", "", "", "", "file", "", ""]),
            ("", ["", "", "", "", "", "", ""]),
            ("é:", ["", "", "", "", "é", "", ""]),
        ] {
            let mut bag = String::new();
            write(&mut bag, path).expect("a path");
            let found = [
                "Scheme",
                "RootPath",
                "DirectoryPath",
                "DirectoryName",
                "Filename",
                "Extension",
                "AlternateDataStreamName",
            ]
            .map(|key| string_value(member(&bag, key).expect(key)).into_owned());
            assert_eq!(found, expected, "{path}");
        }
        assert!(write(&mut String::new(), r"\\?\C:\a").is_err());
    }
}
