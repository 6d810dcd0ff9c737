//! Columns with their types.

use super::{Parse, Parser};
use crate::ast::ColumnDecl;
use crate::diagnostic::{Code, Diagnostic, shortened};
use crate::lexer::TokenKind;
use crate::types::Type;

impl Parser<'_> {
    /// `(name: type, …)`.
    pub(super) fn row_schema(&mut self) -> Parse<Vec<ColumnDecl>> {
        self.enclosed(Self::column_list)
    }

    fn column_list(&mut self) -> Parse<Vec<ColumnDecl>> {
        self.expect(TokenKind::OpenParen, "`(` and columns `name: type`")?;
        let mut columns = Vec::new();
        while !self.is(TokenKind::CloseParen) {
            let name = self.name("a column name")?;
            self.expect(TokenKind::Colon, "`:` and a type")?;
            let ty = self.scalar_type()?;
            columns.push(ColumnDecl { name, ty });
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.expect(TokenKind::CloseParen, "`)` or `,`")?;
        Ok(columns)
    }

    pub(super) fn scalar_type(&mut self) -> Parse<Type> {
        let span = self.span();
        let word = self.text_at(0);
        if self.is(TokenKind::Word)
            && let Some(ty) = Type::from_name(word)
        {
            self.bump();
            return Ok(ty);
        }
        if self.is(TokenKind::Word) {
            let names = Type::ALL.iter().map(|ty| ty.name());
            let hint = crate::suggest::did_you_mean(word, names);
            let diagnostic = Diagnostic::error(
                Code::Syntax,
                span,
                format!("unknown type `{}`", shortened(word)),
            );
            return Err(self.report(diagnostic.with_hint_opt(hint)));
        }
        Err(self.expected("a type"))
    }
}
