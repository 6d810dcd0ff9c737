//! `join`, `lookup`, `union`, `search`, `find`: operators that read other tables.

use super::super::{Parse, Parser};
use crate::ast::{
    Expr, ExprKind, Find, FindProject, Join, OperatorKind, Search, Union, UnionSource,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(in crate::parser) fn join_operator(&mut self) -> Parse<Join> {
        let params = self.params(&["kind", "isfuzzy"])?;
        if self.is(TokenKind::Word) && self.kind_at(1) == TokenKind::Assign {
            let span = self.span();
            let name = self.text_at(0).to_owned();
            let diagnostic =
                Diagnostic::error(Code::Parameter, span, format!("unknown parameter `{name}`"));
            return Err(self.report(diagnostic.with_hint("`join` takes `kind` and hints")));
        }
        let right = self.expr()?;
        let on = if self.eat_word("on") {
            self.list(Self::expr)?
        } else if self.eat_word("where") {
            vec![self.expr()?]
        } else {
            Vec::new()
        };
        Ok(Join { params, right, on })
    }

    pub(in crate::parser) fn union_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&["kind", "withsource", "with_source", "isfuzzy"])?;
        let sources = self.list(Self::union_source)?;
        Ok(OperatorKind::Union(Union { params, sources }))
    }

    /// A table, a pattern of tables, or a tabular expression in parentheses.
    fn union_source(&mut self) -> Parse<UnionSource> {
        if self.is_pattern() {
            return Ok(UnionSource::Pattern(None, self.name_pattern("a table")?));
        }
        // `workspace("w").Aml*`: take the scope, then the pattern.
        if let Some(length) = self.scoped_pattern() {
            let scope = self.scope_call(length)?;
            self.bump();
            return Ok(UnionSource::Pattern(
                Some(scope),
                self.name_pattern("a table")?,
            ));
        }
        Ok(UnionSource::Expr(self.expr()?))
    }

    /// If `f(…).pattern*` stands here, the number of tokens before the point.
    fn scoped_pattern(&self) -> Option<usize> {
        if !self.is(TokenKind::Word) || self.kind_at(1) != TokenKind::OpenParen {
            return None;
        }
        let close = (2..8).find(|ahead| self.kind_at(*ahead) == TokenKind::CloseParen)?;
        let star = self.kind_at(close + 2) == TokenKind::Star
            || (self.kind_at(close + 3) == TokenKind::Star && self.is_joined(close + 3));
        (self.kind_at(close + 1) == TokenKind::Dot && star).then_some(close + 1)
    }

    fn scope_call(&mut self, tokens: usize) -> Parse<Expr> {
        let end = self.at + tokens;
        let name = self.name("a name")?;
        let start = name.span;
        let args = self.arguments()?;
        debug_assert_eq!(self.at, end);
        let span = start.to(self.last_span());
        self.make(ExprKind::Call(crate::ast::Call { name, args }), span)
    }

    /// `in (T1, T*, …)`.
    fn in_tables(&mut self) -> Parse<Vec<UnionSource>> {
        if !self.is_word("in") || self.kind_at(1) != TokenKind::OpenParen {
            return Ok(Vec::new());
        }
        self.bump();
        self.bump();
        let tables = self.list(Self::union_source)?;
        self.expect(TokenKind::CloseParen, "`)` or `,`")?;
        Ok(tables)
    }

    pub(in crate::parser) fn search_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&["kind"])?;
        let tables = self.in_tables()?;
        let predicate = self.expr()?;
        Ok(OperatorKind::Search(Search {
            params,
            tables,
            predicate,
        }))
    }

    pub(in crate::parser) fn find_operator(&mut self) -> Parse<OperatorKind> {
        let params = self.params(&["withsource", "with_source", "datascope", "isfuzzy"])?;
        let tables = self.in_tables()?;
        self.eat_word("where");
        let predicate = self.expr()?;
        let project = self.find_project()?;
        let project_away = if self.eat_hyphenated("project-away") {
            self.list(|parser| parser.name_pattern("a column name"))?
        } else {
            Vec::new()
        };
        Ok(OperatorKind::Find(Find {
            params,
            tables,
            predicate,
            project,
            project_away,
        }))
    }

    fn find_project(&mut self) -> Parse<FindProject> {
        let joined = self.kind_at(1) == TokenKind::Minus && self.is_joined(1);
        if self.eat_hyphenated("project-smart") || !self.is_word("project") || joined {
            return Ok(FindProject::Smart);
        }
        self.bump();
        let (mut columns, mut pack) = (Vec::new(), false);
        loop {
            if matches!(self.text_at(0), "pack" | "pack_all")
                && self.kind_at(1) == TokenKind::OpenParen
            {
                self.bump();
                self.bump();
                self.eat(TokenKind::Star);
                self.expect(TokenKind::CloseParen, "`)`")?;
                pack = true;
            } else {
                let name = self.name("a column name")?;
                let ty = if self.eat(TokenKind::Colon) {
                    Some(self.scalar_type()?)
                } else {
                    None
                };
                columns.push((name, ty));
            }
            if !self.eat(TokenKind::Comma) {
                return Ok(FindProject::Columns { columns, pack });
            }
        }
    }
}
