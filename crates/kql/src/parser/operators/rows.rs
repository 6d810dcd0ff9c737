//! `sort`, `serialize`, `scan`, `partition`, `range`, `sample-distinct`.

use super::super::{Parse, Parser};
use crate::ast::{
    Expr, Name, OperatorKind, Partition, Range, Scan, ScanStep, ScanVariable, Sort, SortKey,
};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(in crate::parser) fn sort_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&[])?;
        self.expect_word("by")?;
        let keys = self.list(Self::sort_key)?;
        Ok(OperatorKind::Sort(Sort { params, keys }))
    }

    pub(in crate::parser) fn sort_key(&mut self) -> Parse<SortKey> {
        let expr = self.named_expr()?;
        let ascending = self.either("asc", "desc");
        let nulls_first = if self.eat_word("nulls") {
            let first = self.either("first", "last");
            if first.is_none() {
                return Err(self.expected("`first` or `last`"));
            }
            first
        } else {
            None
        };
        Ok(SortKey {
            expr,
            ascending,
            nulls_first,
        })
    }

    fn either(&mut self, yes: &str, no: &str) -> Option<bool> {
        if self.eat_word(yes) {
            return Some(true);
        }
        self.eat_word(no).then_some(false)
    }

    pub(in crate::parser) fn serialize_operator(&mut self) -> Parse<OperatorKind> {
        self.params(&[])?;
        let done = matches!(
            self.kind(),
            TokenKind::Pipe
                | TokenKind::End
                | TokenKind::CloseParen
                | TokenKind::Semicolon
                | TokenKind::CloseBrace
        );
        let columns = if done {
            Vec::new()
        } else {
            self.list(Self::named_expr)?
        };
        Ok(OperatorKind::Serialize(columns))
    }

    pub(in crate::parser) fn range_operator(&mut self) -> Parse<OperatorKind> {
        let name = self.name("a column name")?;
        self.expect_word("from")?;
        let from = self.expr()?;
        self.expect_word("to")?;
        let to = self.expr()?;
        self.expect_word("step")?;
        Ok(OperatorKind::Range(Range {
            name,
            from,
            to,
            step: self.expr()?,
        }))
    }

    pub(in crate::parser) fn sample_distinct_operator(&mut self) -> Parse<OperatorKind> {
        let count = self.expr()?;
        self.expect_word("of")?;
        Ok(OperatorKind::SampleDistinct(count, self.named_expr()?))
    }

    pub(in crate::parser) fn partition_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&[])?;
        self.expect_word("by")?;
        let by = self.entity()?;
        if self.is(TokenKind::OpenParen) {
            let subquery = self.parenthesized_pipeline()?;
            return Ok(OperatorKind::Partition(Partition {
                params,
                by,
                subquery,
                braces: false,
            }));
        }
        self.expect(TokenKind::OpenBrace, "`(` or `{`")?;
        let subquery = self.nested(Self::pipeline)?;
        self.expect(TokenKind::CloseBrace, "`}`")?;
        Ok(OperatorKind::Partition(Partition {
            params,
            by,
            subquery,
            braces: true,
        }))
    }

    pub(in crate::parser) fn scan_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&["with_match_id", "with_step_name"])?;
        let mut order = Vec::new();
        if self.eat_word("order") || self.eat_word("sort") {
            self.expect_word("by")?;
            order = self.list(Self::sort_key)?;
        }
        let mut partition = Vec::new();
        if self.eat_word("partition") {
            self.expect_word("by")?;
            partition = self.list(Self::expr)?;
        }
        let declare = if self.eat_word("declare") {
            self.scan_variables()?
        } else {
            Vec::new()
        };
        self.expect_word("with")?;
        self.expect(TokenKind::OpenParen, "`(` and steps")?;
        let mut steps = Vec::new();
        while self.eat_word("step") {
            steps.push(self.scan_step()?);
        }
        if steps.is_empty() {
            return Err(self.expected("`step`"));
        }
        self.expect(TokenKind::CloseParen, "`)` or `step`")?;
        Ok(OperatorKind::Scan(Scan {
            params,
            order,
            partition,
            declare,
            steps,
        }))
    }

    fn scan_variables(&mut self) -> Parse<Vec<ScanVariable>> {
        self.expect(TokenKind::OpenParen, "`(`")?;
        let variables = self.list(|parser| {
            let name = parser.name("a column name")?;
            parser.expect(TokenKind::Colon, "`:` and a type")?;
            let ty = parser.scalar_type()?;
            let default = if parser.eat(TokenKind::Assign) {
                Some(parser.expr()?)
            } else {
                None
            };
            Ok(ScanVariable { name, ty, default })
        })?;
        self.expect(TokenKind::CloseParen, "`)` or `,`")?;
        Ok(variables)
    }

    fn scan_step(&mut self) -> Parse<ScanStep> {
        let name = self.name("a step name")?;
        let optional = self.eat_word("optional");
        let output = if self.is_word("output") {
            self.bump();
            self.expect(TokenKind::Assign, "`=`")?;
            Some(self.name("`all`, `last` or `none`")?)
        } else {
            None
        };
        self.expect(TokenKind::Colon, "`:` and a condition")?;
        let condition = self.expr()?;
        let assignments = if self.eat(TokenKind::Arrow) {
            self.list(Self::assignment)?
        } else {
            Vec::new()
        };
        self.expect(TokenKind::Semicolon, "`;` after the step")?;
        Ok(ScanStep {
            name,
            optional,
            output,
            condition,
            assignments,
        })
    }

    fn assignment(&mut self) -> Parse<(Name, Expr)> {
        let name = self.name("a column name")?;
        self.expect(TokenKind::Assign, "`=`")?;
        Ok((name, self.expr()?))
    }
}
