//! `project` and its kin, `as`, `render`, `evaluate`, `facet`, `fork`.

use super::super::{Parse, Parser};
use crate::ast::{
    As, Call, EntityGroup, Evaluate, Facet, Invocation, MacroExpand, NamePattern, NamedExpr,
    OperatorKind, Pipeline, Render, Reorder, ReorderBy,
};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(in crate::parser) fn project_operator(&mut self) -> Parse<Vec<NamedExpr>> {
        self.list(Self::named_expr)
    }

    pub(in crate::parser) fn patterns_operator(&mut self) -> Parse<Vec<NamePattern>> {
        self.list(|parser| parser.name_pattern("a column name"))
    }

    pub(in crate::parser) fn project_reorder_operator(&mut self) -> Parse<OperatorKind> {
        let items = self.list(|parser| {
            let pattern = parser.name_pattern("a column name")?;
            let order = if parser.eat_hyphenated("granny-asc") {
                Some(ReorderBy::GrannyAsc)
            } else if parser.eat_hyphenated("granny-desc") {
                Some(ReorderBy::GrannyDesc)
            } else if parser.eat_word("asc") {
                Some(ReorderBy::Asc)
            } else if parser.eat_word("desc") {
                Some(ReorderBy::Desc)
            } else {
                None
            };
            Ok(Reorder { pattern, order })
        })?;
        Ok(OperatorKind::ProjectReorder(items))
    }

    pub(in crate::parser) fn as_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&[])?;
        Ok(OperatorKind::As(As {
            params,
            name: self.name("a name")?,
        }))
    }

    pub(in crate::parser) fn render_operator(&mut self) -> Parse<OperatorKind> {
        let visualization = self.name("a chart, such as `timechart`")?;
        let mut properties = Vec::new();
        if self.eat_word("with") {
            properties = self.property_list()?;
        } else {
            while self.is(TokenKind::Word) && self.kind_at(1) == TokenKind::Assign {
                let property = self.property()?;
                self.push_param(&mut properties, property);
                self.eat(TokenKind::Comma);
            }
        }
        Ok(OperatorKind::Render(Render {
            visualization,
            properties,
        }))
    }

    pub(in crate::parser) fn evaluate_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&[])?;
        let plugin = self.invocation()?;
        let mut with_source = false;
        let schema = if !self.eat(TokenKind::Colon) {
            None
        } else if self.is(TokenKind::OpenParen) && self.kind_at(1) == TokenKind::Star {
            with_source = true;
            Some(self.schema_with_source()?)
        } else {
            Some(self.row_schema()?)
        };
        Ok(OperatorKind::Evaluate(Evaluate {
            params,
            plugin,
            schema,
            with_source,
        }))
    }

    /// `(*, name: type, …)`.
    fn schema_with_source(&mut self) -> Parse<Vec<crate::ast::ColumnDecl>> {
        self.expect(TokenKind::OpenParen, "`(`")?;
        self.expect(TokenKind::Star, "`*`")?;
        let mut columns = Vec::new();
        while self.eat(TokenKind::Comma) {
            let name = self.name("a column name")?;
            self.expect(TokenKind::Colon, "`:` and a type")?;
            let ty = self.scalar_type()?;
            columns.push(crate::ast::ColumnDecl { name, ty });
        }
        self.expect(TokenKind::CloseParen, "`)` or `,`")?;
        Ok(columns)
    }

    /// `f(…)`.
    pub(in crate::parser) fn invocation(&mut self) -> Parse<Invocation> {
        let name = self.name("a function call")?;
        let start = name.span;
        let args = self.arguments()?;
        Ok(Invocation {
            call: Call { name, args },
            span: start.to(self.last_span()),
        })
    }

    pub(in crate::parser) fn facet_operator(&mut self) -> Parse<OperatorKind> {
        self.expect_word("by")?;
        let by = self.list(|parser| parser.name("a column name"))?;
        let with = if !self.eat_word("with") {
            None
        } else if self.is(TokenKind::OpenParen) {
            Some(self.parenthesized_pipeline()?)
        } else {
            let start = self.span();
            let operator = self.nested(Self::operator)?;
            let span = start.to(self.last_span());
            Some(Pipeline {
                source: None,
                operators: vec![operator],
                span,
            })
        };
        Ok(OperatorKind::Facet(Facet { by, with }))
    }

    pub(in crate::parser) fn fork_operator(&mut self) -> Parse<OperatorKind> {
        let mut branches = Vec::new();
        loop {
            let named = self.is_name() && self.kind_at(self.name_tokens()) == TokenKind::Assign;
            let name = if named {
                let name = self.name("a name")?;
                self.bump();
                Some(name)
            } else {
                None
            };
            branches.push((name, self.parenthesized_pipeline()?));
            self.eat(TokenKind::Comma);
            if !self.is(TokenKind::OpenParen) && !self.is_name() {
                return Ok(OperatorKind::Fork(branches));
            }
        }
    }

    /// `( operators )`, whose rows come from round about.
    pub(in crate::parser) fn parenthesized_pipeline(&mut self) -> Parse<Pipeline> {
        self.enclosed(|parser| {
            parser.expect(TokenKind::OpenParen, "`(`")?;
            let pipeline = parser.nested(Self::contextual_pipeline)?;
            parser.expect(TokenKind::CloseParen, "`)` or `|`")?;
            Ok(pipeline)
        })
    }

    pub(in crate::parser) fn macro_expand_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&["kind", "isfuzzy"])?;
        let (group, name) = if self.is_name() && self.is_word_at(self.name_tokens(), "in") {
            let name = self.name("a name")?;
            self.bump();
            let group = self.nested(Self::entity)?;
            (EntityGroup::Named(group), name)
        } else {
            let group = if self.is_entity_group() {
                EntityGroup::Inline(self.entity_group()?)
            } else {
                EntityGroup::Named(self.expr()?)
            };
            self.expect_word("as")?;
            (group, self.name("a name")?)
        };
        self.expect(TokenKind::OpenParen, "`(`")?;
        let mut statements = Vec::new();
        while !self.is(TokenKind::CloseParen) {
            statements.push(self.nested(Self::statement)?);
            if !self.eat(TokenKind::Semicolon) {
                break;
            }
        }
        self.expect(TokenKind::CloseParen, "`)` or `;`")?;
        Ok(OperatorKind::MacroExpand(MacroExpand {
            params,
            group,
            name,
            statements,
        }))
    }
}
