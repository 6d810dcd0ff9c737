//! Saying what was expected, and what the author may have meant instead.

use super::{Failed, Parser};
use crate::ast::{BinaryOp, MembershipOp, OPERATOR_NAMES};
use crate::diagnostic::{Code, Diagnostic, shortened};
use crate::lexer::TokenKind;
use crate::span::Span;
use crate::suggest;

impl Parser<'_> {
    /// Reports that something else was expected here.
    pub(super) fn expected(&mut self, what: &str) -> Failed {
        self.expected_with(what, self.slip())
    }

    pub(super) fn expected_with(&mut self, what: &str, hint: Option<String>) -> Failed {
        let span = self.span();
        // What is missing here may be what could not be read.
        let read_to = match self.at {
            0 => 0,
            _ => self.last_span().end,
        };
        let unread = self.diagnostics.iter().any(|other| {
            other.code == Code::Lexical && (read_to..=span.start).contains(&other.span.start)
        });
        if unread {
            return Failed;
        }
        let found = match self.kind() {
            TokenKind::End => "the end of the query".to_owned(),
            _ => format!("`{}`", shortened(span.text(self.text))),
        };
        let message = format!("expected {what}, found {found}");
        self.report(Diagnostic::error(Code::Syntax, span, message).with_hint_opt(hint))
    }

    /// Reports that the query ends before the bracket that closes its last group.
    pub(super) fn unclosed(&mut self, what: &str) -> Failed {
        let mut open = Vec::new();
        for token in &self.tokens {
            match token.kind {
                TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::OpenBrace => {
                    open.push(token.span);
                }
                TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace => {
                    open.pop();
                }
                _ => {}
            }
        }
        let span = open
            .last()
            .map_or(self.span(), |open| open.to(self.last_span()));
        let message = format!("expected {what}, found the end of the query");
        self.error(Code::Syntax, span, message)
    }

    /// Complains about what follows a statement that began at `start` and should have ended.
    pub(super) fn after_statement(&mut self, start: Span, is_let: bool) {
        if self.diagnostics.iter().any(|d| d.span.start >= start.start) {
            return;
        }
        if matches!(
            self.kind(),
            TokenKind::CloseParen | TokenKind::CloseBrace | TokenKind::CloseBracket
        ) {
            let text = self.text_at(0);
            self.error(
                Code::Syntax,
                self.span(),
                format!("`{text}` closes nothing"),
            );
            return;
        }
        let hint = match start.text(self.text) {
            _ if is_let || self.is_word("let") => Some("a `;` ends each statement".to_owned()),
            "function" | "def" | "fn" => Some("KQL writes `let f = (x: long) { … }`".to_owned()),
            _ => self.slip(),
        };
        self.expected_with("`|`, `;` or the end of the query", hint);
    }

    /// The operator that is named here although no pipe stands before it.
    pub(super) fn unpiped_operator(&self) -> Option<&'static str> {
        if !self.is(TokenKind::Word) {
            return None;
        }
        let mut last = 0;
        while self.kind_at(last + 1) == TokenKind::Minus
            && self.kind_at(last + 2) == TokenKind::Word
            && self.is_joined(last + 1)
            && self.is_joined(last + 2)
        {
            last += 2;
        }
        let end = self.tokens.get(self.at + last)?.span.end;
        let text = Span::new(self.span().start, end).text(self.text);
        let name = OPERATOR_NAMES.iter().find(|name| **name == text)?;
        let ends = matches!(self.kind_at(last + 1), TokenKind::Pipe | TokenKind::End);
        let alone = matches!(*name, "count" | "getschema" | "serialize" | "consume");
        (!self.ends_operand(last + 1) || ends && alone).then_some(name)
    }

    /// What may be meant by the token here, which fits nothing.
    fn slip(&self) -> Option<String> {
        let after = self.text_before();
        let hint = match (self.kind(), after) {
            (TokenKind::Pipe, ",") | (TokenKind::End, ",") => "nothing follows the last comma",
            (TokenKind::Assign, "==" | "=") if self.is_joined(0) => "KQL compares with `==`",
            (TokenKind::Assign, ":") => "KQL writes `=`",
            (TokenKind::Colon, ":") => "a function converts, as `tolong(…)` does",
            (TokenKind::OpenBracket, "in" | "!in" | "in~" | "!in~" | "has_any" | "has_all") => {
                "the values stand in parentheses"
            }
            (TokenKind::OpenBracket, _) => "a name in brackets is quoted: `['a b']`",
            (TokenKind::Word, _) => return self.word_slip(after),
            (_, "not") => "KQL writes `not(…)`",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn word_slip(&self, after: &str) -> Option<String> {
        let word = self.text_at(0);
        let lower: String = word.to_ascii_lowercase().chars().take(60).collect();
        let next = self.text_at(1).to_ascii_lowercase();
        if word.starts_with('!') && next == "(" {
            return Some("KQL writes `not(…)`".to_owned());
        }
        if lower == "is" {
            return Some("KQL writes `isnull(…)` or `isempty(…)`".to_owned());
        }
        if lower == "not" && infix_words().any(|word| word == next) {
            return Some(format!("KQL writes `!{next}`"));
        }
        if after == "not" {
            return Some("KQL writes `not(…)`".to_owned());
        }
        // `from` bounds a range as well.
        if lower != "from"
            && let Some(habit) = sql_habit(&lower)
        {
            return Some(habit.to_owned());
        }
        let known = infix_words().chain(["asc", "desc"]);
        let nearest = suggest::nearest(word, known.chain(OPERATOR_NAMES.iter().copied()))?;
        // Words of two letters are too near to each other, and a word is no slip for itself.
        if word.len() < 3 || nearest == word {
            return None;
        }
        Some(if OPERATOR_NAMES.contains(&nearest) {
            format!("did you mean `| {nearest}`?")
        } else {
            format!("did you mean `{nearest}`?")
        })
    }

    /// Whether the word `ahead` stands between operands.
    pub(super) fn is_infix_at(&self, ahead: usize) -> bool {
        let word = self.text_at(ahead);
        // `matches regex` is two words.
        infix_words().any(|infix| infix.split(' ').next() == Some(word))
    }

    fn text_before(&self) -> &str {
        match self.at.checked_sub(1) {
            Some(before) => self.tokens[before].span.text(self.text),
            None => "",
        }
    }
}

/// The words that stand between operands.
fn infix_words() -> impl Iterator<Item = &'static str> {
    let binary = BinaryOp::ALL.iter().map(|op| op.as_str());
    let membership = MembershipOp::ALL.iter().map(|op| op.as_str());
    let words = binary
        .chain(membership)
        .filter(|word| word.contains(|c: char| c.is_alphabetic()));
    words.chain(["and", "or", "between", "!between"])
}

/// What people who write SQL mean.
pub(super) fn sql_habit(word: &str) -> Option<&'static str> {
    Some(match word {
        "select" => "KQL writes `project`",
        "group" | "groupby" | "group-by" | "aggregate" => "KQL writes `summarize … by …`",
        "orderby" | "order-by" => "KQL writes `order by`",
        "having" => "KQL filters after `summarize` with `where`",
        "from" => "KQL names the table first: `T | where …`",
        "head" => "KQL writes `take`",
        "unnest" | "explode" | "flatten" => "KQL writes `mv-expand`",
        "rename" => "KQL writes `project-rename`",
        "drop" => "KQL writes `project-away`",
        "stats" => "KQL writes `summarize`",
        "eval" => "KQL writes `extend`",
        "inner" | "left" | "right" | "full" | "outer" | "cross" => {
            "KQL writes the kind behind: `join kind=inner …`"
        }
        _ => return None,
    })
}
