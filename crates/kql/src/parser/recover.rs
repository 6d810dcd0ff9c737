//! Going on after a mistake, so that it does not hide the next.

use super::{Parse, Parser};
use crate::lexer::{Token, TokenKind};

impl Parser<'_> {
    /// Skips to the next `|`, `;` or closing bracket that belongs to this level.
    pub(super) fn recover(&mut self) {
        let mut open = 0usize;
        loop {
            match self.kind() {
                TokenKind::End => return,
                TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::OpenBrace => open += 1,
                TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace => {
                    if open == 0 {
                        return;
                    }
                    open -= 1;
                }
                TokenKind::Pipe | TokenKind::Semicolon if open == 0 => return,
                _ => {}
            }
            self.bump();
        }
    }

    /// Skips to the next `;` outside brackets.
    pub(super) fn recover_statement(&mut self) {
        loop {
            self.recover();
            match self.kind() {
                TokenKind::End | TokenKind::Semicolon => return,
                _ => {
                    self.bump();
                }
            }
        }
    }

    /// Runs `parse`, which begins at an opening bracket; if it fails, goes on behind the bracket
    /// that closes it.
    pub(super) fn enclosed<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        let open = self.at;
        let result = parse(self);
        if result.is_err() && !self.halted {
            self.skip_group(open);
        }
        result
    }

    fn skip_group(&mut self, open: usize) {
        if self.partners.is_empty() {
            self.partners = partners(&self.tokens);
        }
        let close = self.partners[open];
        if close != open {
            self.at = self.at.max(close + 1);
        }
    }
}

/// For each opening bracket the place of the one that closes it, and for any other token its own.
fn partners(tokens: &[Token]) -> Vec<usize> {
    let mut partners: Vec<usize> = (0..tokens.len()).collect();
    let mut open = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::OpenBrace => {
                open.push(index);
            }
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseBrace => {
                if let Some(open) = open.pop() {
                    partners[open] = index;
                }
            }
            _ => {}
        }
    }
    partners
}
