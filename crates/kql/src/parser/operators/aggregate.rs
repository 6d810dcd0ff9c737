//! `summarize`, `distinct`, `count`, `make-series`, `top` and its kin, `reduce`.

use super::super::{Parse, Parser};
use crate::ast::{
    Distinct, Expr, MakeSeries, OperatorKind, Reduce, SeriesAggregate, Summarize, Top, TopHitters,
    TopNested,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(in crate::parser) fn count_operator(&mut self) -> Parse<OperatorKind> {
        self.params(&[])?;
        let name = if self.eat_word("as") {
            Some(self.name("a name")?)
        } else {
            None
        };
        if self.is(TokenKind::OpenParen) {
            let span = self.span();
            let diagnostic =
                Diagnostic::error(Code::Syntax, span, "`count` takes no arguments here");
            return Err(
                self.report(diagnostic.with_hint("write `| summarize count()`, or `| count`"))
            );
        }
        Ok(OperatorKind::Count(name))
    }

    pub(in crate::parser) fn distinct_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&[])?;
        let columns = if self.eat(TokenKind::Star) {
            Vec::new()
        } else {
            self.list(Self::named_expr)?
        };
        Ok(OperatorKind::Distinct(Distinct { params, columns }))
    }

    pub(in crate::parser) fn summarize_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&[])?;
        let aggregates = if self.is_word("by") && !self.ends_operand(1) {
            Vec::new()
        } else {
            self.list(Self::named_expr)?
        };
        let by = if self.eat_word("by") {
            Some(self.list(Self::named_expr)?)
        } else {
            None
        };
        let bin = if by.is_some() && self.is_word("bin") && self.kind_at(1) == TokenKind::Assign {
            self.bump();
            self.bump();
            Some(self.expr()?)
        } else {
            None
        };
        Ok(OperatorKind::Summarize(Summarize {
            params,
            aggregates,
            by,
            bin,
        }))
    }

    pub(in crate::parser) fn top_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&[])?;
        let count = self.expr()?;
        self.expect_word("by")?;
        let key = self.sort_key()?;
        Ok(OperatorKind::Top(Top { params, count, key }))
    }

    pub(in crate::parser) fn top_hitters_operator(&mut self) -> Parse<OperatorKind> {
        let count = self.expr()?;
        self.expect_word("of")?;
        let of = self.named_expr()?;
        let by = if self.eat_word("by") {
            Some(self.named_expr()?)
        } else {
            None
        };
        Ok(OperatorKind::TopHitters(TopHitters { count, of, by }))
    }

    pub(in crate::parser) fn top_nested_operator(&mut self) -> Parse<OperatorKind> {
        let mut levels = vec![self.top_nested_level()?];
        while self.eat(TokenKind::Comma) {
            if !self.eat_hyphenated("top-nested") {
                return Err(self.expected("`top-nested`"));
            }
            levels.push(self.top_nested_level()?);
        }
        Ok(OperatorKind::TopNested(levels))
    }

    fn top_nested_level(&mut self) -> Parse<TopNested> {
        let count = if self.is_word("of") {
            None
        } else {
            Some(self.expr()?)
        };
        self.expect_word("of")?;
        let of = self.named_expr()?;
        let others = if self.eat_word("with") {
            self.expect_word("others")?;
            self.expect(TokenKind::Assign, "`=`")?;
            Some(self.expr()?)
        } else {
            None
        };
        self.expect_word("by")?;
        Ok(TopNested {
            count,
            of,
            others,
            by: self.sort_key()?,
        })
    }

    pub(in crate::parser) fn make_series_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&["kind"])?;
        let aggregates = self.list(|parser| {
            let expr = parser.named_expr()?;
            let default = parser.is_word("default") && parser.kind_at(1) == TokenKind::Assign;
            let default = if default {
                parser.bump();
                parser.bump();
                Some(parser.expr()?)
            } else {
                None
            };
            Ok(SeriesAggregate { expr, default })
        })?;
        self.expect_word("on")?;
        let axis = self.named_expr()?;
        let in_range = self.is_word("in");
        let (from, to, step) = if in_range {
            self.in_range()?
        } else {
            self.bounds_and_step()?
        };
        let by = if self.eat_word("by") {
            self.list(Self::named_expr)?
        } else {
            Vec::new()
        };
        let series = MakeSeries {
            params,
            aggregates,
            axis,
            from,
            to,
            step,
            in_range,
            by,
        };
        Ok(OperatorKind::MakeSeries(series))
    }

    /// `in range(from, to, step)`.
    fn in_range(&mut self) -> Parse<(Option<Expr>, Option<Expr>, Expr)> {
        self.bump();
        self.expect_word("range")?;
        self.expect(TokenKind::OpenParen, "`(`")?;
        let from = self.expr()?;
        self.expect(TokenKind::Comma, "`,`")?;
        let to = self.expr()?;
        self.expect(TokenKind::Comma, "`,`")?;
        let step = self.expr()?;
        self.expect(TokenKind::CloseParen, "`)`")?;
        Ok((Some(from), Some(to), step))
    }

    fn bounds_and_step(&mut self) -> Parse<(Option<Expr>, Option<Expr>, Expr)> {
        let from = if self.eat_word("from") {
            Some(self.expr()?)
        } else {
            None
        };
        let to = if self.eat_word("to") {
            Some(self.expr()?)
        } else {
            None
        };
        self.expect_word("step")?;
        Ok((from, to, self.expr()?))
    }

    pub(in crate::parser) fn reduce_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&["kind"])?;
        self.expect_word("by")?;
        let by = self.named_expr()?;
        let with = if self.eat_word("with") {
            self.list(Self::named_expr)?
        } else {
            Vec::new()
        };
        Ok(OperatorKind::Reduce(Reduce { params, by, with }))
    }
}
