//! Statements, and the bodies of functions.

use super::{Failed, Parse, Parser};
use crate::ast::{
    Expr, ExprKind, Function, Let, LetValue, Literal, Parameter, ParameterKind, Pipeline, Query,
    Statement, StatementKind,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::TokenKind;
use crate::limits;

impl Parser<'_> {
    pub(super) fn query(&mut self) -> Query {
        let mut query = Query::default();
        loop {
            while self.eat(TokenKind::Semicolon) {}
            if self.is(TokenKind::End) {
                break;
            }
            if query.statements.len() == limits::STATEMENTS_MAX {
                let message = format!(
                    "the query has more than {} statements",
                    limits::STATEMENTS_MAX
                );
                self.over_limit(self.span(), message);
                break;
            }
            let start = self.span();
            let is_let = self.is_word("let");
            match self.statement() {
                Ok(statement) => query.statements.push(statement),
                Err(_) => self.recover(),
            }
            if !self.is(TokenKind::End) && !self.is(TokenKind::Semicolon) {
                self.after_statement(start, is_let);
                self.recover();
                // Only to report the mistakes behind this one.
                let _ = self.piped_operators(&mut Vec::new());
                self.recover_statement();
            }
        }
        if query.statements.is_empty() && self.diagnostics.is_empty() {
            self.error(Code::Syntax, self.span(), "the query is empty");
        }
        query
    }

    pub(super) fn statement(&mut self) -> Parse<Statement> {
        self.count_node()?;
        let start = self.span();
        let kind = self.statement_kind()?;
        Ok(Statement {
            kind,
            span: start.to(self.last_span()),
        })
    }

    fn statement_kind(&mut self) -> Parse<StatementKind> {
        let span = self.span();
        if self.is(TokenKind::Dot) {
            let diagnostic = Diagnostic::error(
                Code::Unsupported,
                span,
                "management commands are not supported",
            );
            return Err(self.report(diagnostic.with_hint("a query begins with a table or `let`")));
        }
        if self.is_word("let") && self.kind_at(1) == TokenKind::Assign {
            return self.let_statement().map(StatementKind::Let);
        }
        if self.is(TokenKind::Word) && !self.ends_operand(1) {
            match (self.text_at(0), self.text_at(1)) {
                ("let", _) => return self.let_statement().map(StatementKind::Let),
                ("set", _) if self.is_name_at(1) => return self.set_statement(),
                ("declare", "query_parameters") => {
                    self.bump();
                    self.bump();
                    return self.parameters().map(StatementKind::QueryParameters);
                }
                ("declare", "pattern") => return self.pattern_statement(),
                ("alias", "database") => {
                    self.bump();
                    self.bump();
                    let name = self.name("a name")?;
                    self.expect(TokenKind::Assign, "`=`")?;
                    return Ok(StatementKind::Alias(name, self.expr()?));
                }
                ("restrict", "access") => return self.restrict_statement(),
                ("select" | "SELECT" | "Select", _) => return Err(self.is_sql()),
                ("from" | "FROM" | "From" | "with" | "WITH" | "With", _)
                    if self.kind_at(1) == TokenKind::Word && !self.is_operator_at(1) =>
                {
                    return Err(self.is_sql());
                }
                _ => {}
            }
        }
        self.pipeline().map(StatementKind::Query)
    }

    fn is_sql(&mut self) -> Failed {
        let span = self.span();
        let diagnostic = Diagnostic::error(Code::Syntax, span, "this is SQL, not KQL");
        self.report(diagnostic.with_hint("write the table first: `T | where … | project …`"))
    }

    fn let_statement(&mut self) -> Parse<Let> {
        self.bump();
        let name = self.name("a name after `let`")?;
        self.expect(TokenKind::Assign, "`=`")?;
        let value = if self.is_word("view")
            && self.kind_at(1) == TokenKind::OpenParen
            && self.is_function(1)
        {
            self.bump();
            LetValue::Function(self.function(true)?)
        } else if self.is_entity_group() {
            LetValue::EntityGroup(self.entity_group()?)
        } else if self.is(TokenKind::OpenParen) && self.is_function(0) {
            LetValue::Function(self.function(false)?)
        } else {
            LetValue::Expr(self.tabular_or_scalar()?)
        };
        Ok(Let { name, value })
    }

    pub(super) fn is_entity_group(&self) -> bool {
        self.is_word("entity_group") && self.kind_at(1) == TokenKind::OpenBracket
    }

    /// `entity_group [database("a"), …]`.
    pub(super) fn entity_group(&mut self) -> Parse<Vec<Expr>> {
        self.bump();
        self.bump();
        let members = self.list(Self::expr)?;
        self.expect(TokenKind::CloseBracket, "`]` or `,`")?;
        Ok(members)
    }

    /// Whether the parentheses that open `ahead` are a parameter list with a body behind it.
    fn is_function(&self, ahead: usize) -> bool {
        let mut open = 0;
        for index in ahead.. {
            match self.kind_at(index) {
                TokenKind::OpenParen => open += 1,
                TokenKind::CloseParen => {
                    open -= 1;
                    if open == 0 {
                        return self.kind_at(index + 1) == TokenKind::OpenBrace;
                    }
                }
                TokenKind::End | TokenKind::Semicolon | TokenKind::Pipe => return false,
                _ => {}
            }
        }
        false
    }

    fn function(&mut self, view: bool) -> Parse<Function> {
        let parameters = self.parameters()?;
        let (statements, body) = self.enclosed(|parser| {
            parser.expect(TokenKind::OpenBrace, "`{`")?;
            let parts = parser.nested(Self::function_body)?;
            parser.expect(TokenKind::CloseBrace, "`}`")?;
            Ok(parts)
        })?;
        Ok(Function {
            view,
            parameters,
            statements,
            body,
        })
    }

    fn function_body(&mut self) -> Parse<(Vec<Statement>, Expr)> {
        let mut statements = Vec::new();
        loop {
            while self.eat(TokenKind::Semicolon) {}
            let is_let = self.is_word("let") && !self.ends_operand(1);
            let is_declare = self.is_word("declare") && self.is_word_at(1, "query_parameters");
            if !is_let && !is_declare {
                break;
            }
            statements.push(self.statement()?);
            if !self.is(TokenKind::CloseBrace) {
                self.expect(TokenKind::Semicolon, "`;`")?;
            }
        }
        let body = self.tabular_or_scalar()?;
        while self.eat(TokenKind::Semicolon) {}
        Ok((statements, body))
    }

    fn parameters(&mut self) -> Parse<Vec<Parameter>> {
        self.expect(TokenKind::OpenParen, "`(` and parameters")?;
        let mut parameters = Vec::new();
        while !self.is(TokenKind::CloseParen) {
            let name = self.name("a parameter name")?;
            self.expect(TokenKind::Colon, "`:` and a type")?;
            parameters.push(Parameter {
                name,
                kind: self.parameter_kind()?,
            });
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.expect(TokenKind::CloseParen, "`)` or `,`")?;
        Ok(parameters)
    }

    fn parameter_kind(&mut self) -> Parse<ParameterKind> {
        if !self.is(TokenKind::OpenParen) {
            let ty = self.scalar_type()?;
            let default = if self.eat(TokenKind::Assign) {
                Some(self.signed_literal()?.0)
            } else {
                None
            };
            return Ok(ParameterKind::Scalar(ty, default));
        }
        if self.kind_at(1) == TokenKind::Star && self.kind_at(2) == TokenKind::CloseParen {
            self.at += 3;
            return Ok(ParameterKind::AnyTable);
        }
        Ok(ParameterKind::Table(self.row_schema()?))
    }

    fn set_statement(&mut self) -> Parse<StatementKind> {
        self.bump();
        let name = self.name("an option")?;
        let value = if !self.eat(TokenKind::Assign) {
            None
        } else if self.is_name() && !self.is_literal() {
            Some(Literal::String(self.name("a value")?.text))
        } else {
            Some(self.signed_literal()?.0)
        };
        Ok(StatementKind::Set { name, value })
    }

    /// Read as far as the name: patterns are refused when bound.
    fn pattern_statement(&mut self) -> Parse<StatementKind> {
        self.bump();
        self.bump();
        let name = self.name("a name")?;
        let mut open = 0usize;
        while !self.is(TokenKind::End) && (open > 0 || !self.is(TokenKind::Semicolon)) {
            match self.bump().kind {
                TokenKind::OpenBrace => open += 1,
                TokenKind::CloseBrace => open = open.saturating_sub(1),
                _ => {}
            }
        }
        Ok(StatementKind::Pattern(name))
    }

    fn restrict_statement(&mut self) -> Parse<StatementKind> {
        self.bump();
        self.bump();
        self.expect_word("to")?;
        self.expect(TokenKind::OpenParen, "`(`")?;
        let entities = self.list(Self::union_source)?;
        self.expect(TokenKind::CloseParen, "`)`")?;
        Ok(StatementKind::Restrict(entities))
    }

    /// A pipeline, or a scalar where no operator follows.
    pub(super) fn tabular_or_scalar(&mut self) -> Parse<Expr> {
        let start = self.span();
        let pipeline = self.nested(Self::pipeline)?;
        match pipeline {
            Pipeline {
                source: Some(expr),
                operators,
                ..
            } if operators.is_empty() => Ok(expr),
            pipeline => {
                let span = start.to(self.last_span());
                self.make(ExprKind::Pipeline(Box::new(pipeline)), span)
            }
        }
    }
}
