//! `join`, `lookup`, `union`, `search`, `find`: operators that read other tables.

use super::super::{Parse, Parser};
use crate::ast::{
    Call, Expr, ExprKind, Find, FindProject, Join, OperatorKind, Search, Union, UnionSource,
};
use crate::diagnostic::{Code, Diagnostic, shortened};
use crate::lexer::TokenKind;

impl Parser<'_> {
    pub(in crate::parser) fn join_operator(&mut self) -> Parse<Join> {
        let params = self.params(&["kind", "isfuzzy"])?;
        if self.is(TokenKind::Word) && self.kind_at(1) == TokenKind::Assign {
            let span = self.span();
            let name = shortened(self.text_at(0));
            let diagnostic =
                Diagnostic::error(Code::Parameter, span, format!("unknown parameter `{name}`"));
            return Err(self.report(diagnostic.with_hint("`join` takes `kind` and hints")));
        }
        let is_kind = self.is_word("kind") && self.kind_at(1) == TokenKind::Word;
        if is_kind && !self.is_word_at(1, "on") {
            self.bump();
            return Err(self.expected("`=`"));
        }
        let right = self.expr()?;
        if self.is(TokenKind::Word) && self.kind_at(1) == TokenKind::Assign {
            let span = self.span();
            let message = "a parameter stands before the table";
            let diagnostic = Diagnostic::error(Code::Parameter, span, message);
            return Err(self.report(diagnostic.with_hint("write `join kind=inner (…) on …`")));
        }
        let on = if self.eat_word("on") {
            self.list(Self::expr)?
        } else if self.is_word("where") {
            let span = self.span();
            let message = "`where` in place of `on` is not supported";
            let diagnostic = Diagnostic::error(Code::Unsupported, span, message);
            return Err(self.report(diagnostic.with_hint("write the keys after `on`")));
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
    pub(in crate::parser) fn union_source(&mut self) -> Parse<UnionSource> {
        if self.is_pattern() {
            return Ok(UnionSource::Pattern(None, self.name_pattern("a table")?));
        }
        // `workspace("w").Aml*`: take the scope, then the pattern.
        if self.is_scoped_pattern() {
            let scope = self.scope()?;
            return Ok(UnionSource::Pattern(
                Some(scope),
                self.name_pattern("a table")?,
            ));
        }
        Ok(UnionSource::Expr(self.expr()?))
    }

    /// Whether `f(…).pattern*` or `f(…).g(…).pattern*` stands here.
    fn is_scoped_pattern(&self) -> bool {
        let mut at = 0;
        for _ in 0..2 {
            if !self.is_name_at(at) {
                return false;
            }
            let open = at + self.name_tokens_at(at);
            if self.kind_at(open) != TokenKind::OpenParen {
                return false;
            }
            let close = self.arguments_end(open);
            let Some(close) = close.filter(|at| self.kind_at(at + 1) == TokenKind::Dot) else {
                return false;
            };
            at = close + 2;
            let word = self.kind_at(at) == TokenKind::Word && self.is_joined(at + 1);
            if self.kind_at(at + usize::from(word)) == TokenKind::Star {
                return true;
            }
        }
        false
    }

    /// Where the parenthesis of `open` closes, if no pipe stands before that.
    fn arguments_end(&self, open: usize) -> Option<usize> {
        let mut depth = 0usize;
        for at in open.. {
            match self.kind_at(at) {
                TokenKind::OpenParen => depth += 1,
                TokenKind::CloseParen if depth == 1 => return Some(at),
                TokenKind::CloseParen => depth -= 1,
                TokenKind::Pipe | TokenKind::Semicolon | TokenKind::End => return None,
                _ => {}
            }
        }
        None
    }

    /// The calls before the pattern, and the point after them.
    fn scope(&mut self) -> Parse<Expr> {
        let mut scope: Option<Expr> = None;
        loop {
            let name = self.name("a name")?;
            let start = scope.as_ref().map_or(name.span, |scope| scope.span);
            let args = self.arguments()?;
            let span = start.to(self.last_span());
            let call = Call { name, args };
            let kind = match scope {
                None => ExprKind::Call(call),
                Some(base) => ExprKind::MemberCall(Box::new(base), call),
            };
            let made = self.make(kind, span)?;
            self.expect(TokenKind::Dot, "`.`")?;
            if self.is_pattern() {
                return Ok(made);
            }
            scope = Some(made);
        }
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
