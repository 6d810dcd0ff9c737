//! What every text must hold to: it parses to something, every place that is named lies in it, and
//! if it is without fault, it prints to a text that says the same.

use kql::Code;
use kql::ast::Query;

/// What a text came to.
pub(crate) enum Outcome {
    /// It is without fault; this is its canonical print.
    Sound(String),
    /// It is no KQL; this is the picture of what is wrong with it.
    Faulty(String),
    /// The parser or the printer is wrong, and this is how.
    Broken(String),
}

/// Parses `text`, prints the tree, and parses that again.
pub(crate) fn check(text: &str) -> Outcome {
    let (tree, diagnostics) = kql::parse(text);
    // Both trees and diagnostics show each of their places.
    if let Err(why) = spans_fit(text, &format!("{tree:?} {diagnostics:?}")) {
        return Outcome::Broken(why);
    }
    if !diagnostics.is_empty() {
        return Outcome::Faulty(kql::diagnostic::render(text, &diagnostics));
    }
    reprint(&tree)
}

fn reprint(tree: &Query) -> Outcome {
    let printed = kql::print(tree);
    let (again, diagnostics) = kql::parse(&printed);
    // A print may be longer than its text, and have more parentheses: it may meet a limit that the
    // text did not.
    if diagnostics.iter().any(|d| d.code == Code::Limit) {
        return Outcome::Sound(printed);
    }
    if !diagnostics.is_empty() {
        let picture = kql::diagnostic::render(&printed, &diagnostics);
        return Outcome::Broken(format!("its own print does not parse\n{picture}"));
    }
    let reprinted = kql::print(&again);
    if reprinted != printed {
        return Outcome::Broken(format!(
            "its own print says something else:\n{printed}\n{reprinted}"
        ));
    }
    // What is not a number differs from itself; its picture does not.
    if *tree != again && without_spans(tree) != without_spans(&again) {
        return Outcome::Broken(format!("its own print means something else:\n{printed}"));
    }
    Outcome::Sound(printed)
}

const SPAN: &str = "Span { start: ";

fn spans_fit(text: &str, picture: &str) -> Result<(), String> {
    for part in picture.split(SPAN).skip(1) {
        let numbers = part.split_once(" }").and_then(|(numbers, _)| {
            let (start, end) = numbers.split_once(", end: ")?;
            Some((start.parse().ok()?, end.parse().ok()?))
        });
        // The words may stand in a string of the query as well.
        let Some((start, end)) = numbers else {
            continue;
        };
        if text.get::<std::ops::Range<usize>>(start..end).is_none() {
            return Err(format!("the span {start}..{end} does not fit the text"));
        }
    }
    Ok(())
}

fn without_spans(tree: &Query) -> String {
    let picture = format!("{tree:?}");
    let mut parts = picture.split(SPAN);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out.push_str(part.split_once('}').map_or(part, |(_, rest)| rest));
    }
    out
}
