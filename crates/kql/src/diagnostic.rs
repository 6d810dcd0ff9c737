//! What is wrong with a query, where, and what to try.
//!
//! A [`Diagnostic`] is data; [`render`] draws the picture that people see. Codes are stable: they
//! travel in gRPC details and in Azure's error JSON.

use std::fmt::Write as _;

use crate::span::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The query can't run.
    Error,
    /// The query runs, and its author should know this.
    Warning,
}

/// The stable name of a kind of mistake.
///
/// `SYN…` is text that is not KQL, `SEM…` is KQL that means nothing here, `LIM…` is a bound that
/// was met, and `UNS…` is KQL that Loggia does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// Text that fits no token, such as an unterminated string.
    Lexical,
    /// A token where another was expected.
    Syntax,
    /// A literal whose content is not a value of its type.
    Literal,
    /// A word after `|` that is no operator.
    UnknownOperator,
    /// A parameter or a keyword value that the operator does not take.
    Parameter,
    /// A name that is neither column nor scalar.
    UnknownColumn,
    /// A name that is no table.
    UnknownTable,
    /// A name that is no function.
    UnknownFunction,
    /// A name that is no workspace.
    UnknownWorkspace,
    /// A name that could mean more than one thing, or is given twice.
    Ambiguous,
    /// An operand or argument of a type that does not fit.
    Type,
    /// Too few or too many arguments.
    Arity,
    /// An aggregate where none may stand, or none where one must.
    Aggregate,
    /// A value that must be constant and isn't, or is out of range.
    Constant,
    /// An expression where another kind of expression is needed.
    Semantic,
    /// A bound of the language service.
    Limit,
    /// Valid KQL that Loggia does not run.
    Unsupported,
}

impl Code {
    /// The code as text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lexical => "SYN0001",
            Self::Syntax => "SYN0002",
            Self::Literal => "SYN0003",
            Self::UnknownOperator => "SYN0004",
            Self::Parameter => "SYN0005",
            Self::UnknownColumn => "SEM0100",
            Self::UnknownTable => "SEM0101",
            Self::UnknownFunction => "SEM0102",
            Self::UnknownWorkspace => "SEM0103",
            Self::Ambiguous => "SEM0104",
            Self::Type => "SEM0105",
            Self::Arity => "SEM0106",
            Self::Aggregate => "SEM0107",
            Self::Constant => "SEM0108",
            Self::Semantic => "SEM0109",
            Self::Limit => "LIM0001",
            Self::Unsupported => "UNS0001",
        }
    }

    /// Whether the text itself is at fault, rather than its meaning.
    pub fn is_syntax(self) -> bool {
        self.as_str().starts_with("SYN")
    }
}

/// One finding about a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Which kind of mistake.
    pub code: Code,
    /// What is wrong: lower case, no final full stop, names in backticks.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What to try.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            message: message.into(),
            span,
            hint: None,
        }
    }

    /// A warning at `span`.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, span, message)
        }
    }

    /// The same with advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with advice, where there is any.
    #[must_use]
    pub fn with_hint_opt(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }

    /// The message and the hint on one line, for protocols that carry one text.
    pub fn one_line(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message.clone(),
        }
    }
}

/// A place in a text as people count: lines and columns from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// Where the byte `offset` of `text` stands.
pub fn position(text: &str, offset: u32) -> Position {
    let before = floor_char_boundary(text, offset as usize);
    let line_start = text[..before].rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: 1 + text[..before].bytes().filter(|byte| *byte == b'\n').count() as u32,
        column: 1 + text[line_start..before].chars().count() as u32,
    }
}

/// Longest text of the query that a message repeats.
const TEXT_CHARS_MAX: usize = 60;

/// `text`, or its beginning if it is too long to stand in a message.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Draws the diagnostics over the query's own lines, with a caret under each place.
///
/// ```
/// let (_, diagnostics) = kql::parse("T | were x > 1");
/// let picture = kql::diagnostic::render("T | were x > 1", &diagnostics);
/// assert!(picture.contains("1 | T | were x > 1"));
/// assert!(picture.contains("^^^^"));
/// ```
pub fn render(text: &str, diagnostics: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        render_one(&mut out, text, diagnostic);
    }
    out
}

/// Longest part of a source line that is drawn; longer lines are cut round the place.
const LINE_CHARS_MAX: usize = 160;

fn render_one(out: &mut String, text: &str, diagnostic: &Diagnostic) {
    let word = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let start = floor_char_boundary(text, diagnostic.span.start as usize);
    let end = floor_char_boundary(text, (diagnostic.span.end as usize).max(start));
    let place = position(text, start as u32);
    let line_start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[start..]
        .find('\n')
        .map_or(text.len(), |newline| start + newline);
    let line = text[line_start..line_end].trim_end_matches('\r');

    let lead = text[line_start..start].chars().count();
    let beyond = line.chars().count().saturating_sub(LINE_CHARS_MAX);
    let cut = lead.saturating_sub(LINE_CHARS_MAX / 2).min(beyond);
    let shown: String = line
        .chars()
        .enumerate()
        .skip(cut)
        .take(LINE_CHARS_MAX)
        .map(|(index, c)| match index {
            _ if is_unseen(c) => ' ',
            _ if index == cut && cut > 0 => '…',
            _ if index + 1 == cut + LINE_CHARS_MAX && cut < beyond => '…',
            _ => c,
        })
        .collect();
    let marked = text[start..end.min(line_start + line.len()).max(start)]
        .chars()
        .count();
    let carets = marked.clamp(1, LINE_CHARS_MAX.saturating_sub(lead - cut).max(1));

    let number = place.line.to_string();
    let gutter = " ".repeat(number.len());
    // Writing to a string can't fail.
    let _ = writeln!(
        out,
        "{word}[{}]: {}",
        diagnostic.code.as_str(),
        diagnostic.message
    );
    let _ = writeln!(out, "{gutter}--> {}:{}", place.line, place.column);
    let _ = writeln!(out, "{gutter} |");
    let _ = writeln!(out, "{number} | {shown}");
    let _ = writeln!(
        out,
        "{gutter} | {}{}",
        " ".repeat(lead - cut),
        "^".repeat(carets)
    );
    if let Some(hint) = &diagnostic.hint {
        let _ = writeln!(out, "{gutter} = help: {hint}");
    }
}

/// Whether a character would move or hide what stands beside it: control characters, and the marks
/// of Unicode for direction and for no width.
fn is_unseen(c: char) -> bool {
    let marks = [
        '\u{200b}'..='\u{200f}',
        '\u{202a}'..='\u{202e}',
        '\u{2066}'..='\u{2069}',
    ];
    c.is_control() || c == '\u{feff}' || marks.iter().any(|range| range.contains(&c))
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picture_points_at_the_place() {
        let text = "T\n| where Levl == 1";
        let diagnostic = Diagnostic::error(
            Code::UnknownColumn,
            Span::new(10, 14),
            "unknown column `Levl`",
        )
        .with_hint("did you mean `Level`?");
        assert_eq!(
            render(text, &[diagnostic]),
            "error[SEM0100]: unknown column `Levl`\n --> 2:9\n  |\n2 | | where Levl == 1\n  |         ^^^^\n  = help: did you mean `Level`?\n"
        );
    }

    #[test]
    fn a_span_beyond_the_text_is_drawn_at_its_end() {
        let picture = render(
            "é",
            &[Diagnostic::error(Code::Syntax, Span::new(1, 9), "m")],
        );
        assert!(picture.contains("1 | é"), "{picture}");
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("{}x", "y".repeat(10_000));
        let picture = render(
            &text,
            &[Diagnostic::error(
                Code::Syntax,
                Span::new(10_000, 10_001),
                "m",
            )],
        );
        assert!(picture.len() < 600, "{}", picture.len());
        assert!(picture.contains('x'));
    }
}
