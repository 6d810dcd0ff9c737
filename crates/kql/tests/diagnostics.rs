//! What people are told about the slips they make: the code, the words, the place, the hint.
//!
//! `mistakes/*.kql` holds the wrong texts, a paragraph each below its title, and `snapshots/` what
//! is said of them. `INSTA_UPDATE=always` accepts what is said now; read it before it is committed.

use std::fmt::Write as _;
use std::path::Path;

use kql::Diagnostic;

#[path = "support/round_trip.rs"]
mod round_trip;

use round_trip::{Outcome, check};

#[test]
fn every_slip_is_named_where_it_stands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("its entries are readable").path();
        let text = std::fs::read_to_string(&path).expect("a file of mistakes is readable");
        let name = path.file_stem().and_then(|stem| stem.to_str());
        let name = name.expect("a file of mistakes has a plain name");
        let cases = text.trim_end().split("\n\n").map(|case| {
            let (title, text) = case.split_once('\n').expect("a text below its title");
            (title, text.to_owned())
        });
        let cases: Vec<_> = cases.collect();
        count += cases.len();
        assert_pictures(&format!("mistakes_{name}"), &cases);
    }
    assert!(count > 150, "{count} texts are not all");
}

#[test]
fn places_are_right_in_any_layout() {
    let long = |before: usize, after: usize| {
        format!(
            "T | where {}oops = 1{}",
            "a == 1 and ".repeat(before),
            " and b == 2".repeat(after)
        )
    };
    let cases = [
        ("// nothing", String::new()),
        ("// nothing but blanks", " \n\t ".to_owned()),
        ("// nothing but a comment", "// T | take 5".to_owned()),
        (
            "// accents before the place",
            "['größe'] | where é = 1".to_owned(),
        ),
        (
            "// wide characters before the place",
            "print '漢字', '😀' | tke 5".to_owned(),
        ),
        (
            "// tabs before the place",
            "T\n\t| where\ta = 1\t| tke 5".to_owned(),
        ),
        (
            "// lines that end as on Windows",
            "T\r\n| where a = 1\r\n| tke 5\r\n".to_owned(),
        ),
        (
            "// a string that ends with a line of Windows",
            "T | where a == 'x\r\n| tke 5".to_owned(),
        ),
        ("// a mistake at the end of a long line", long(100, 0)),
        ("// a mistake at the beginning of a long line", long(0, 100)),
        ("// a mistake in the middle of a long line", long(100, 100)),
        (
            "// a string as long as a page",
            format!("print '{}", "x".repeat(4000)),
        ),
        (
            "// a mistake over several lines",
            "datatable(a: long, b: long) [\n  1,\n  2, 3\n]".to_owned(),
        ),
        (
            "// a mistake at the very end",
            "T\n| where a ==\n\n\n".to_owned(),
        ),
        (
            "// characters that are not seen",
            "T | where a == 1\u{7} \u{202e} and b".to_owned(),
        ),
        (
            "// a mark at the beginning of a file",
            "\u{feff}T | tke 5".to_owned(),
        ),
    ];
    assert_pictures("layout_of_mistakes", &cases);
}

#[test]
fn no_more_than_twenty_mistakes_are_told() {
    let (_, diagnostics) = kql::parse(&format!("T{}", " | oops".repeat(50)));
    assert_eq!(diagnostics.len(), kql::limits::DIAGNOSTICS_MAX);
}

#[test]
fn mistakes_are_told_in_the_order_of_the_text() {
    let (_, diagnostics) = kql::parse("T | were 'x' | extend y = # 1 | tke 5; U | sort");
    let starts: Vec<u32> = diagnostics.iter().map(|d| d.span.start).collect();
    assert!(starts.len() > 3 && starts.is_sorted(), "{starts:?}");
}

#[test]
fn one_expression_is_told_what_it_lacks() {
    let told = |text: &str| -> Vec<String> {
        let (_, diagnostics) = kql::parse_expr(text);
        diagnostics.iter().map(Diagnostic::one_line).collect()
    };
    assert_eq!(told("a == 1 and b"), [""; 0]);
    assert_eq!(
        told(""),
        ["expected an expression, found the end of the query"]
    );
    assert_eq!(
        told("a b"),
        ["expected the end of the expression, found `b`"]
    );
    assert_eq!(
        told("a = 1"),
        ["`=` does not compare; KQL compares with `==`"]
    );
}

fn assert_pictures(name: &str, cases: &[(&str, String)]) {
    let mut golden = String::new();
    for (title, text) in cases {
        match check(text) {
            Outcome::Faulty(picture) => {
                let _ = writeln!(golden, "{title}\n{picture}");
            }
            Outcome::Sound(printed) => panic!("{title}: nothing is said of it:\n{printed}"),
            Outcome::Broken(why) => panic!("{title}: {why}"),
        }
    }
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, golden));
}
