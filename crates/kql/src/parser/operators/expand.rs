//! `mv-expand`, `mv-apply`.

use super::super::{Parse, Parser};
use crate::ast::{Expr, ExprKind, Literal, MvApply, MvColumn, MvExpand, OperatorKind};
use crate::lexer::TokenKind;
use crate::span::Span;

/// How many rows `mvexpand` gives of each row, unless it says how many.
const OLD_ROWS_MAX: i64 = 128;

impl Parser<'_> {
    /// `mv-expand`, or `mvexpand` of old, which has a limit even if it says none.
    pub(in crate::parser) fn mv_expand_operator(&mut self, keyword: Span) -> Parse<OperatorKind> {
        let params = self.params(&["kind", "bagexpansion", "with_itemindex"])?;
        let columns = self.list(Self::mv_column)?;
        let mut limit = self.row_limit()?;
        if limit.is_none() && keyword.text(self.text) == "mvexpand" {
            let rows = ExprKind::Literal(Literal::Long(Some(OLD_ROWS_MAX)));
            limit = Some(self.make(rows, keyword)?);
        }
        Ok(OperatorKind::MvExpand(MvExpand {
            params,
            columns,
            limit,
        }))
    }

    pub(in crate::parser) fn mv_apply_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&["kind", "bagexpansion", "with_itemindex"])?;
        let columns = self.list(Self::mv_column)?;
        let limit = self.row_limit()?;
        if self.is_word("id") && self.kind_at(1) == TokenKind::Typed {
            self.bump();
            self.bump();
        }
        self.expect_word("on")?;
        let subquery = self.parenthesized_pipeline()?;
        Ok(OperatorKind::MvApply(MvApply {
            params,
            columns,
            limit,
            subquery,
        }))
    }

    fn mv_column(&mut self) -> Parse<MvColumn> {
        let expr = self.named_expr()?;
        if !self.eat_word("to") {
            return Ok(MvColumn { expr, to: None });
        }
        if self.is(TokenKind::Typed) {
            let (literal, _) = self.literal()?;
            if let Literal::Type(ty) = literal {
                return Ok(MvColumn { expr, to: Some(ty) });
            }
        }
        Err(self.expected("`typeof(type)`"))
    }

    fn row_limit(&mut self) -> Parse<Option<Expr>> {
        if self.eat_word("limit") {
            self.expr().map(Some)
        } else {
            Ok(None)
        }
    }
}
