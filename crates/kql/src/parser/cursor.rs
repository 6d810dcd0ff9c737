//! Looking at tokens, taking them, and complaining about them.

use super::{Failed, Parse, Parser};
use crate::ast::{Name, NamePattern};
use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::{self, Token, TokenKind};
use crate::limits;
use crate::span::Span;

impl<'a> Parser<'a> {
    pub(super) fn token(&self) -> Token {
        self.tokens[self.at]
    }

    pub(super) fn kind(&self) -> TokenKind {
        self.token().kind
    }

    pub(super) fn kind_at(&self, ahead: usize) -> TokenKind {
        self.tokens
            .get(self.at + ahead)
            .map_or(TokenKind::End, |token| token.kind)
    }

    pub(super) fn span(&self) -> Span {
        self.token().span
    }

    /// The span of the token taken last.
    pub(super) fn last_span(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    pub(super) fn text_at(&self, ahead: usize) -> &'a str {
        self.tokens
            .get(self.at + ahead)
            .map_or("", |token| token.span.text(self.text))
    }

    pub(super) fn is(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.is_word_at(0, word)
    }

    pub(super) fn is_word_at(&self, ahead: usize, word: &str) -> bool {
        self.kind_at(ahead) == TokenKind::Word && self.text_at(ahead) == word
    }

    /// Whether the next token stands right after the one before it, without white space.
    pub(super) fn is_joined(&self, ahead: usize) -> bool {
        let at = self.at + ahead;
        at > 0
            && at < self.tokens.len()
            && self.tokens[at - 1].span.end == self.tokens[at].span.start
    }

    pub(super) fn bump(&mut self) -> Token {
        let token = self.token();
        if token.kind != TokenKind::End {
            self.at += 1;
        }
        token
    }

    pub(super) fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.is(kind);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.bump();
        }
        found
    }

    pub(super) fn expect(&mut self, kind: TokenKind, what: &str) -> Parse<Token> {
        if self.is(kind) {
            return Ok(self.bump());
        }
        let closes = matches!(
            kind,
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace
        );
        Err(if closes && self.is(TokenKind::End) {
            self.unclosed(what)
        } else {
            self.expected(what)
        })
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Parse<Token> {
        if self.is_word(word) {
            Ok(self.bump())
        } else {
            Err(self.expected(&format!("`{word}`")))
        }
    }

    pub(super) fn expect_end(&mut self) -> Parse<()> {
        self.expect(TokenKind::End, "the end of the expression")
            .map(|_| ())
    }

    /// Takes the word `a-b-c` if it stands here, written without white space.
    pub(super) fn eat_hyphenated(&mut self, word: &str) -> bool {
        let parts = word.split('-').count() * 2 - 1;
        let joined = (1..parts).all(|ahead| self.is_joined(ahead));
        let start = self.span().start;
        let end = self
            .tokens
            .get(self.at + parts - 1)
            .map_or(start, |token| token.span.end);
        let found = joined && Span::new(start, end).text(self.text) == word;
        if found {
            self.at += parts;
        }
        found
    }

    pub(super) fn error(&mut self, code: Code, span: Span, message: impl Into<String>) -> Failed {
        self.report(Diagnostic::error(code, span, message))
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) -> Failed {
        let repeated = self.diagnostics.iter().any(|other| {
            other.span.start == diagnostic.span.start && other.code == diagnostic.code
        });
        if !repeated && self.diagnostics.len() < limits::DIAGNOSTICS_MAX {
            self.diagnostics.push(diagnostic);
        }
        if self.diagnostics.len() >= limits::DIAGNOSTICS_MAX {
            self.halt();
        }
        Failed
    }

    /// Reports a limit; nothing more is read.
    pub(super) fn over_limit(&mut self, span: Span, message: String) -> Failed {
        if !self.halted {
            self.diagnostics.truncate(limits::DIAGNOSTICS_MAX - 1);
            self.diagnostics
                .push(Diagnostic::error(Code::Limit, span, message));
            self.halt();
        }
        Failed
    }

    fn halt(&mut self) {
        self.halted = true;
        self.at = self.tokens.len() - 1;
    }

    /// Counts a node.
    pub(super) fn count_node(&mut self) -> Parse<()> {
        self.nodes += 1;
        if self.nodes > limits::NODES_MAX {
            let message = format!("the query has more than {} syntax nodes", limits::NODES_MAX);
            return Err(self.over_limit(self.span(), message));
        }
        Ok(())
    }

    fn check_reach(&mut self) -> Parse<()> {
        if self.reach > limits::NESTING_MAX {
            let message = format!(
                "the expression nests deeper than {} levels",
                limits::NESTING_MAX
            );
            return Err(self.over_limit(self.span(), message));
        }
        Ok(())
    }

    /// Runs `parse` one level deeper.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        self.depth += 1;
        let before = std::mem::replace(&mut self.reach, self.depth);
        let result = self.check_reach().and_then(|()| parse(self));
        self.reach = self.reach.max(before);
        self.depth -= 1;
        result
    }

    /// Runs `parse` for an operand whose nesting does not add to that of the operands before it.
    pub(super) fn operand<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        let before = std::mem::replace(&mut self.reach, self.depth);
        let result = parse(self);
        self.reach = self.reach.max(before);
        result
    }

    /// Accounts for a node above all that was read at this level.
    pub(super) fn deepen(&mut self) -> Parse<()> {
        self.reach += 1;
        self.check_reach()
    }

    /// One or more, apart by commas.
    pub(super) fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(TokenKind::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// Whether a name stands here, bare or in brackets.
    pub(super) fn is_name(&self) -> bool {
        self.is_name_at(0)
    }

    pub(super) fn is_name_at(&self, ahead: usize) -> bool {
        let text = self.text_at(ahead);
        match self.kind_at(ahead) {
            TokenKind::Word => !text.starts_with('!') && !text.ends_with('~'),
            TokenKind::OpenBracket => {
                self.kind_at(ahead + 1) == TokenKind::String
                    && self.kind_at(ahead + 2) == TokenKind::CloseBracket
            }
            _ => false,
        }
    }

    /// How many tokens the name here has.
    pub(super) fn name_tokens(&self) -> usize {
        self.name_tokens_at(0)
    }

    pub(super) fn name_tokens_at(&self, ahead: usize) -> usize {
        match self.kind_at(ahead) {
            TokenKind::Word => 1,
            _ => 3,
        }
    }

    /// A name, bare or in brackets.
    pub(super) fn name(&mut self, what: &str) -> Parse<Name> {
        if !self.is_name() {
            return Err(self.expected(what));
        }
        let first = self.bump();
        if first.kind == TokenKind::Word {
            return Ok(Name {
                text: first.span.text(self.text).to_owned(),
                span: first.span,
            });
        }
        let string = self.bump();
        let text = self.string_token(string)?;
        let close = self.bump();
        Ok(Name {
            text,
            span: first.span.to(close.span),
        })
    }

    /// The value of a string token.
    pub(super) fn string_token(&mut self, token: Token) -> Parse<String> {
        lexer::string_value(token.span.text(self.text))
            .map_err(|message| self.error(Code::Literal, token.span, message))
    }

    /// Whether a name pattern with a `*` may stand here: `T*`, `*x`, `*`.
    pub(super) fn is_pattern(&self) -> bool {
        self.is(TokenKind::Star)
            || (self.is(TokenKind::Word) && self.kind_at(1) == TokenKind::Star && self.is_joined(1))
    }

    /// A column name or pattern.
    pub(super) fn name_pattern(&mut self, what: &str) -> Parse<NamePattern> {
        if !self.is_pattern() {
            let name = self.name(what)?;
            return Ok(NamePattern {
                text: name.text,
                wildcard: false,
                span: name.span,
            });
        }
        let first = self.bump();
        let mut end = first;
        let part = |kind| matches!(kind, TokenKind::Star | TokenKind::Word | TokenKind::Long);
        while part(self.kind()) && self.is_joined(0) {
            end = self.bump();
        }
        let span = first.span.to(end.span);
        Ok(NamePattern {
            text: span.text(self.text).to_owned(),
            wildcard: true,
            span,
        })
    }
}
