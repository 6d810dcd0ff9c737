//! Whatever the text, the parser ends, within its limits, and names every place rightly.

use std::path::Path;

use kql::ast::{BinaryOp, MembershipOp, OPERATOR_NAMES};
use kql::limits::{NESTING_MAX, NODES_MAX, PIPES_MAX, STATEMENTS_MAX, TEXT_BYTES_MAX};
use kql::{Code, Type};

#[path = "support/random.rs"]
mod random;
#[path = "support/round_trip.rs"]
mod round_trip;

use random::Random;
use round_trip::{Outcome, check};

/// Less than a thread has by default; builds with optimization take a fraction of it.
const STACK_BYTES: usize = 3 << 19;

#[test]
fn a_text_may_be_as_long_as_the_limit() {
    let text = |bytes: usize| format!("T{}", " ".repeat(bytes - 1));
    assert_eq!(limit_met(&text(TEXT_BYTES_MAX)), None);
    assert_eq!(
        limit_met(&text(TEXT_BYTES_MAX + 1)).as_deref(),
        Some("the query has 1048577 bytes; the limit is 1048576 bytes")
    );
    let (expr, diagnostics) = kql::parse_expr(&text(TEXT_BYTES_MAX + 1));
    assert!(expr.is_none());
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
}

#[test]
fn nesting_may_be_as_deep_as_the_limit() {
    let met = Some("the expression nests deeper than 100 levels");
    // The operator and the expression are a level each, and a parenthesis is two: it may hold a
    // pipeline.
    let parentheses = |count: usize| format!("print {}1{}", "(".repeat(count), ")".repeat(count));
    let most = (NESTING_MAX - 2) / 2;
    assert_eq!(limit_met(&parentheses(most)), None);
    assert_eq!(limit_met(&parentheses(most + 1)).as_deref(), met);
    let most = NESTING_MAX - 2;
    for link in [" + a", " * a", " - a", ".a", "[0]"] {
        let chain = |links: usize| format!("print a{}", link.repeat(links));
        assert_eq!(limit_met(&chain(most)), None, "{link}");
        assert_eq!(limit_met(&chain(most + 1)).as_deref(), met, "{link}");
    }
    let signs = |count: usize| format!("print {}a", "-".repeat(count));
    assert_eq!(limit_met(&signs(most)), None);
    assert_eq!(limit_met(&signs(most + 1)).as_deref(), met);
    let arrays =
        |count: usize| format!("print dynamic({}{})", "[".repeat(count), "]".repeat(count));
    assert_eq!(limit_met(&arrays(most)), None);
    assert_eq!(limit_met(&arrays(most + 1)).as_deref(), met);
}

#[test]
fn chains_of_several_kinds_nest_as_deep_as_they_are_long_together() {
    let chain = |links: usize| {
        let (paths, products, sums) = (".a", " * a", " + a");
        format!(
            "print a{}{}{}",
            paths.repeat(links),
            products.repeat(links),
            sums.repeat(links)
        )
    };
    assert_eq!(limit_met(&chain((NESTING_MAX - 2) / 3)), None);
    assert!(limit_met(&chain(NESTING_MAX / 3 + 1)).is_some());
    // Operands that stand beside each other do not add up.
    let products = format!("print {}", ["a * b * c * d"; NESTING_MAX - 5].join(" + "));
    assert_eq!(limit_met(&products), None);
    let comparisons = format!(
        "T | where {}",
        ["a + b + c == d - e - f"; 2_000].join(" and ")
    );
    assert_eq!(limit_met(&comparisons), None);
}

#[test]
fn nodes_may_be_as_many_as_the_limit() {
    // The statement and its operator are nodes as well.
    let numbers = |count: usize| format!("print {}", vec!["1"; count].join(","));
    assert_eq!(limit_met(&numbers(NODES_MAX - 2)), None);
    assert_eq!(
        limit_met(&numbers(NODES_MAX - 1)).as_deref(),
        Some("the query has more than 250000 syntax nodes")
    );
}

#[test]
fn pipes_may_be_as_many_as_the_limit() {
    let met = Some("the pipeline has more than 200 operators");
    let pipes = |count: usize| format!("T{}", " | take 1".repeat(count));
    assert_eq!(limit_met(&pipes(PIPES_MAX)), None);
    assert_eq!(limit_met(&pipes(PIPES_MAX + 1)).as_deref(), met);
    let inner = |count: usize| format!("T | fork (take 1{})", " | take 1".repeat(count - 1));
    assert_eq!(limit_met(&inner(PIPES_MAX)), None);
    assert_eq!(limit_met(&inner(PIPES_MAX + 1)).as_deref(), met);
}

#[test]
fn statements_may_be_as_many_as_the_limit() {
    let statements = |count: usize| "T;".repeat(count);
    assert_eq!(limit_met(&statements(STATEMENTS_MAX)), None);
    assert_eq!(
        limit_met(&statements(STATEMENTS_MAX + 1)).as_deref(),
        Some("the query has more than 1000 statements")
    );
}

#[test]
fn every_kind_of_nesting_is_bounded() {
    on_a_small_stack(|| {
        for (before, open, close) in NESTINGS {
            // Once far too deep, and at depths about the limit.
            let endless = open.repeat(TEXT_BYTES_MAX / 16 / open.len());
            total(&format!("{before}{endless}"));
            for depth in [2, 10, 24, 40, 60, 99, 200] {
                let text = format!("{before}{}1{}", open.repeat(depth), close.repeat(depth));
                if let Outcome::Broken(why) = check(&text) {
                    panic!("{text}\n{why}");
                }
            }
        }
    });
}

/// What stands before, what opens a level, and what closes it.
const NESTINGS: [(&str, &str, &str); 34] = [
    ("", "(", ")"),
    ("print ", "(", ")"),
    ("print ", "-", ""),
    ("print ", "-(", ")"),
    ("print ", "+ -", ""),
    ("print ", "f(", ")"),
    ("print ", "f(x = ", ")"),
    ("print ", "a.b(", ")"),
    ("print ", "a[", "]"),
    ("print ", "a * (b + ", ")"),
    ("print ", "a.b * c + d == e and (", ")"),
    ("print ", "(((a + b) * c) has d) == (", ")"),
    ("print ", "dynamic([", "])"),
    ("print dynamic(", "[", "]"),
    ("print dynamic(", "{a:", "}"),
    ("print dynamic(", "dynamic(", ")"),
    ("T | where ", "a in (", ")"),
    ("T | where a in ", "(T | where a in ", ")"),
    ("T | where ", "a between (1 .. ", ")"),
    ("T | where ", "not(a or b and ", ")"),
    ("T | where x == ", "toscalar(T | where x == ", ")"),
    ("", "T | join (", ") on k"),
    ("", "T | lookup (", ") on k"),
    ("", "union (", ")"),
    ("", "let f = () { ", " }"),
    ("", "let f = (x: long) { let g = 1; ", " }"),
    ("T | ", "facet by a with ", "take 1"),
    ("T | ", "facet by a with (", ")"),
    ("T | ", "fork (", ")"),
    ("T | ", "mv-apply x on (", ")"),
    ("T | ", "partition by k (", ")"),
    ("T | ", "partition by k { U | ", " }"),
    ("", "macro-expand g as X (", ")"),
    ("T | ", "scan with (step s: ", ")"),
];

#[test]
fn every_chain_is_bounded() {
    on_a_small_stack(|| {
        let links = [
            "a + ",
            "a * ",
            "a and ",
            "a or ",
            "a == ",
            "a < ",
            "a has ",
            "a in (b) ",
            "a.",
            "a[0]",
            "-",
            "a, ",
            "T | ",
            "T; ",
            "let a = ",
            "let a = 1; ",
            "'a' ",
            "1 ",
            "1.",
            "1d ",
            "int(",
            "int(1) ",
            "['a']",
            "['a'].",
            "print ",
            "project-",
            "top-nested of a by b, ",
            "hint.a=1 ",
            "f(), ",
            "()",
            "[]",
            "{}",
            ")(",
            "][",
            "}{",
            "a = ",
            "(a, b) = ",
            "/*",
            "| where (= ",
            "f(= | ",
            "let a = (= ; ",
            "[(= ) | ",
            "T | project-a-b ",
            "/**/",
            "\"\\",
            "'\\'",
            "``",
            "“",
            "“”",
            "é ",
            "..",
            "=>",
            "!a",
            "a~",
            "&&",
            "||",
            "| ",
            "datetime(1|",
            "@'",
            "h'",
            "```",
            "h~~~",
        ];
        for before in ["", "T | where ", "print "] {
            for link in links {
                let count = (TEXT_BYTES_MAX / 32 - before.len()) / link.len();
                total(&format!("{before}{}", link.repeat(count)));
            }
        }
    });
}

#[test]
fn a_text_of_one_character_is_bounded() {
    on_a_small_stack(|| {
        for character in "([{)'\"`~/-.|a9 \n\0é“😀".chars() {
            let count = TEXT_BYTES_MAX / character.len_utf8();
            total(&character.to_string().repeat(count));
        }
    });
}

#[test]
fn odd_texts_are_told_of() {
    for text in [
        "`1ȋ",
        "```éé",
        "~~~\u{1F600}",
        "h```é",
        "print timespan(00:00:00.123456é)",
        "print timespan(1:2:3.é)",
        "print decimal(1e-2147483648)",
        "print decimal(1e2147483648)",
        "print datetime(99999999-99999999-99999999)",
        "print guid(éééééééééééééééé)",
        "print \"\\uD83D\\u00\"",
        "print \"\\U0010FFF\"",
        "print 99999999999999999999999999d",
        "print timespan(9223372036854775807d)",
        "declare pattern",
        "let f = (",
        "T | as",
        "T | scan with (step",
        "G | graph-match (a)-[*",
        "union workspace(\"a\").",
        "T | partition by",
    ] {
        assert!(matches!(check(text), Outcome::Faulty(_)), "{text}");
    }
}

#[test]
fn spoilt_queries_are_told_of_or_read() {
    let queries = paragraphs(&["queries", "mistakes"]);
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    let (mut sound, mut faulty) = (0, 0);
    for seed in 0..20_000 {
        let mut random = Random(seed);
        let query = random.pick(&queries);
        let text = random.spoil(query, &queries);
        match check(&text) {
            Outcome::Sound(printed) => sound += usize::from(!printed.is_empty()),
            Outcome::Faulty(picture) => faulty += usize::from(!picture.is_empty()),
            Outcome::Broken(why) => panic!("seed {seed}: {text:?}\n{why}"),
        }
    }
    // The spoiling is neither too gentle nor too rough to show anything.
    assert!(sound > 1_000 && faulty > 1_000, "{sound} and {faulty}");
}

#[test]
fn any_bytes_are_told_of_or_read() {
    for seed in 0..3_000 {
        let mut random = Random(seed);
        let bytes: Vec<u8> = (0..random.below(200))
            .map(|_| random.below(256) as u8)
            .collect();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Outcome::Broken(why) = check(&text) {
            panic!("seed {seed}: {text:?}\n{why}");
        }
    }
}

#[test]
fn any_words_are_told_of_or_read() {
    let words = dictionary();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    for seed in 0..5_000 {
        let mut random = Random(seed);
        let mut text = String::from(random.pick(&["", "T | ", "print ", "T | where "]));
        for _ in 0..random.below(20) {
            text.push_str(random.pick(&words));
            text.push_str(random.pick(&[" ", " ", "a", "(", ")", ", ", " 1 "]));
        }
        if let Outcome::Broken(why) = check(&text) {
            panic!("seed {seed}: {text:?}\n{why}");
        }
    }
}

#[test]
fn the_fuzzer_knows_the_words_of_the_language() {
    let words = dictionary();
    let known = |word: &str| words.iter().any(|known| known.trim() == word);
    let operators = OPERATOR_NAMES.iter().copied();
    let binary = BinaryOp::ALL.iter().map(|op| op.as_str());
    let membership = MembershipOp::ALL.iter().map(|op| op.as_str());
    let types = Type::ALL.iter().map(|ty| ty.name());
    for word in operators.chain(binary).chain(membership).chain(types) {
        assert!(known(word), "tests/fuzz/kql.dict lacks `{word}`");
    }
}

/// The limit that `text` meets, if any; no other fault is expected.
fn limit_met(text: &str) -> Option<String> {
    let (_, diagnostics) = kql::parse(text);
    assert!(diagnostics.len() <= 1, "{diagnostics:?}");
    let met = diagnostics.first()?;
    assert_eq!(met.code, Code::Limit, "{met:?}");
    Some(met.message.clone())
}

/// Parses a text too long for [`check`], which draws the whole tree.
fn total(text: &str) {
    let (_, diagnostics) = kql::parse(text);
    for diagnostic in &diagnostics {
        let (start, end) = (diagnostic.span.start, diagnostic.span.end);
        let place = text.get(start as usize..end as usize);
        assert!(place.is_some(), "{diagnostic:?}");
    }
    assert!(kql::diagnostic::render(text, &diagnostics).len() < 100_000);
}

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
    let thread = thread.spawn(test).expect("a thread starts");
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn paragraphs(folders: &[&str]) -> Vec<String> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut paths = Vec::new();
    for folder in folders {
        let entries = std::fs::read_dir(tests.join(folder)).expect("the folder is readable");
        paths.extend(entries.map(|entry| entry.expect("its entries are readable").path()));
    }
    // The order of a folder is not the same everywhere, and seeds are to be.
    paths.sort();
    let texts = paths
        .iter()
        .map(|path| std::fs::read_to_string(path).expect("a file is readable"));
    let texts: Vec<String> = texts.collect();
    texts
        .iter()
        .flat_map(|text| text.split("\n\n"))
        .map(str::to_owned)
        .collect()
}

/// The words of the fuzzer's dictionary.
fn dictionary() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/kql.dict");
    let text = std::fs::read_to_string(path).expect("the dictionary is readable");
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix('"')?.strip_suffix('"'));
    lines
        .map(|line| line.replace("\\\"", "\"").replace("\\\\", "\\"))
        .collect()
}
