//! `parse`, `parse-where`, `parse-kv`.

use super::super::{Parse, Parser};
use crate::ast::{OperatorKind, ParseKv, ParseSegment};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(in crate::parser) fn parse_operator(&mut self, where_matched: bool) -> Parse<OperatorKind> {
        let params = self.params(&["kind", "flags"])?;
        let expr = self.expr()?;
        self.expect_word("with")?;
        let mut pattern = Vec::new();
        loop {
            match self.kind() {
                TokenKind::Star => pattern.push(ParseSegment::Star(self.bump().span)),
                TokenKind::String => {
                    let token = self.bump();
                    pattern.push(ParseSegment::Text(self.string_token(token)?, token.span));
                }
                _ if self.is_name() => {
                    let name = self.name("a column name")?;
                    let ty = if self.eat(TokenKind::Colon) {
                        Some(self.scalar_type()?)
                    } else {
                        None
                    };
                    pattern.push(ParseSegment::Column(name, ty));
                }
                _ if pattern.is_empty() => return Err(self.expected("a pattern")),
                _ => break,
            }
        }
        Ok(OperatorKind::Parse(crate::ast::Parse {
            params,
            where_matched,
            expr,
            pattern,
        }))
    }

    pub(in crate::parser) fn parse_kv_operator(&mut self) -> Parse<OperatorKind> {
        let expr = self.expr()?;
        self.eat_word("as");
        let columns = self.row_schema()?;
        let properties = if self.eat_word("with") {
            self.property_list()?
        } else {
            Vec::new()
        };
        Ok(OperatorKind::ParseKv(ParseKv {
            expr,
            columns,
            properties,
        }))
    }
}
