//! Scalar expressions, loosest binding first: `or`, `and`, equality and membership, order, sums,
//! products, string operators, signs, paths.

use super::{Parse, Parser};
use crate::ast::{
    Between, BinaryOp, Call, ColumnDecl, DataTable, Expr, ExprKind, ExternalData, Literal,
    LogicalOp, Membership, MembershipOp, NamedExpr, Names, UnaryOp,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::TokenKind;
use crate::span::Span;
use crate::types::Type;

impl Parser<'_> {
    pub(super) fn make(&mut self, kind: ExprKind, span: Span) -> Parse<Expr> {
        self.count_node()?;
        Ok(Expr { kind, span })
    }

    /// An expression.
    pub(super) fn expr(&mut self) -> Parse<Expr> {
        self.nested(|parser| parser.logical(LogicalOp::Or))
    }

    fn logical(&mut self, op: LogicalOp) -> Parse<Expr> {
        let (word, symbol) = match op {
            LogicalOp::Or => ("or", "||"),
            LogicalOp::And => ("and", "&&"),
        };
        let mut operands = vec![self.logical_operand(op)?];
        loop {
            if self.is_word(word) {
                self.bump();
            } else if op == LogicalOp::Or
                && self.is(TokenKind::Pipe)
                && self.kind_at(1) == TokenKind::Pipe
            {
                let span = self.span();
                let message = format!("`{symbol}` is no operator");
                return Err(self.report(
                    Diagnostic::error(Code::Syntax, span, message).with_hint("KQL writes `or`"),
                ));
            } else {
                break;
            }
            operands.push(self.logical_operand(op)?);
        }
        if operands.len() == 1 {
            return Ok(operands.remove(0));
        }
        let span = operands[0].span.to(self.last_span());
        self.make(ExprKind::Logical(op, operands), span)
    }

    fn logical_operand(&mut self, op: LogicalOp) -> Parse<Expr> {
        match op {
            LogicalOp::Or => self.logical(LogicalOp::And),
            LogicalOp::And => self.equality(),
        }
    }

    fn equality(&mut self) -> Parse<Expr> {
        let mut left = self.relational()?;
        let mut links = 0;
        loop {
            links += 1;
            self.check_depth(links)?;
            if let Some(op) = self.equality_op() {
                self.bump();
                let right = self.relational()?;
                left = self.binary(op, left, right)?;
            } else if self.is(TokenKind::Assign) {
                let span = self.span();
                return Err(self.report(
                    Diagnostic::error(Code::Syntax, span, "`=` does not compare")
                        .with_hint("KQL compares with `==`"),
                ));
            } else if let Some(op) = self.membership_op() {
                left = self.membership(op, left)?;
            } else if self.is_word("between") || self.is_word("!between") {
                left = self.between(left)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn equality_op(&self) -> Option<BinaryOp> {
        match self.kind() {
            TokenKind::Equal => Some(BinaryOp::Equal),
            TokenKind::NotEqual => Some(BinaryOp::NotEqual),
            _ => None,
        }
    }

    fn membership_op(&self) -> Option<MembershipOp> {
        if !self.is(TokenKind::Word) {
            return None;
        }
        // `on x in range(…)` belongs to `make-series`.
        let word = self.text_at(0);
        let op = MembershipOp::ALL
            .iter()
            .copied()
            .find(|op| op.as_str() == word)?;
        (!self.is_word_at(1, "range")).then_some(op)
    }

    fn membership(&mut self, op: MembershipOp, value: Expr) -> Parse<Expr> {
        self.bump();
        self.expect(TokenKind::OpenParen, "`(` and the values")?;
        let mut items = Vec::new();
        while !self.is(TokenKind::CloseParen) {
            items.push(self.tabular_or_scalar()?);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        let close = self.expect(TokenKind::CloseParen, "`)` or `,`")?;
        let span = value.span.to(close.span);
        self.make(
            ExprKind::Membership(Box::new(Membership { op, value, items })),
            span,
        )
    }

    fn between(&mut self, value: Expr) -> Parse<Expr> {
        let negated = self.bump().span.text(self.text).starts_with('!');
        self.expect(TokenKind::OpenParen, "`(` and a range `low .. high`")?;
        let low = self.nested(Self::additive)?;
        self.expect(TokenKind::DotDot, "`..`")?;
        let high = self.nested(Self::additive)?;
        let close = self.expect(TokenKind::CloseParen, "`)`")?;
        let span = value.span.to(close.span);
        self.make(
            ExprKind::Between(Box::new(Between {
                negated,
                value,
                low,
                high,
            })),
            span,
        )
    }

    fn relational(&mut self) -> Parse<Expr> {
        let mut left = self.additive()?;
        let mut links = 0;
        loop {
            let op = match self.kind() {
                TokenKind::Less => BinaryOp::Less,
                TokenKind::LessOrEqual => BinaryOp::LessOrEqual,
                TokenKind::Greater => BinaryOp::Greater,
                TokenKind::GreaterOrEqual => BinaryOp::GreaterOrEqual,
                _ => return Ok(left),
            };
            links += 1;
            self.check_depth(links)?;
            self.bump();
            let right = self.additive()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn additive(&mut self) -> Parse<Expr> {
        let mut left = self.multiplicative()?;
        let mut links = 0;
        loop {
            let op = match self.kind() {
                TokenKind::Plus => BinaryOp::Add,
                TokenKind::Minus => BinaryOp::Subtract,
                _ => return Ok(left),
            };
            links += 1;
            self.check_depth(links)?;
            self.bump();
            let right = self.multiplicative()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn multiplicative(&mut self) -> Parse<Expr> {
        let mut left = self.string_operation()?;
        let mut links = 0;
        loop {
            let op = match self.kind() {
                TokenKind::Star => BinaryOp::Multiply,
                TokenKind::Slash => BinaryOp::Divide,
                TokenKind::Percent => BinaryOp::Modulo,
                _ => return Ok(left),
            };
            links += 1;
            self.check_depth(links)?;
            self.bump();
            let right = self.string_operation()?;
            left = self.binary(op, left, right)?;
        }
    }

    fn string_operation(&mut self) -> Parse<Expr> {
        let mut left = self.signed()?;
        let mut links = 0;
        while let Some(op) = self.string_op() {
            links += 1;
            self.check_depth(links)?;
            self.bump();
            if op == BinaryOp::MatchesRegex {
                self.expect_word("regex")?;
            }
            let right = self.signed()?;
            left = self.binary(op, left, right)?;
        }
        Ok(left)
    }

    fn string_op(&self) -> Option<BinaryOp> {
        match self.kind() {
            TokenKind::EqualTilde => Some(BinaryOp::EqualTilde),
            TokenKind::NotTilde => Some(BinaryOp::NotTilde),
            // In a search, `column:"text"` is short for `column has "text"`.
            TokenKind::Colon => Some(BinaryOp::Has),
            TokenKind::Word => match self.text_at(0) {
                "matches" => Some(BinaryOp::MatchesRegex),
                "notcontains" => Some(BinaryOp::NotContains),
                "containscs" => Some(BinaryOp::ContainsCs),
                "notcontainscs" => Some(BinaryOp::NotContainsCs),
                word => BinaryOp::ALL
                    .iter()
                    .copied()
                    .find(|op| op.as_str() == word && *op != BinaryOp::MatchesRegex),
            },
            _ => None,
        }
    }

    fn binary(&mut self, op: BinaryOp, left: Expr, right: Expr) -> Parse<Expr> {
        let span = left.span.to(right.span);
        self.make(ExprKind::Binary(op, Box::new(left), Box::new(right)), span)
    }

    fn signed(&mut self) -> Parse<Expr> {
        let op = match self.kind() {
            TokenKind::Minus => UnaryOp::Minus,
            TokenKind::Plus => UnaryOp::Plus,
            _ => return self.path(),
        };
        let sign = self.bump().span;
        let operand = self.nested(Self::signed)?;
        let span = sign.to(operand.span);
        // A sign before a number is part of the number.
        let kind = match (op, operand.kind) {
            (UnaryOp::Minus, ExprKind::Literal(Literal::Long(Some(value)))) => {
                ExprKind::Literal(Literal::Long(Some(value.wrapping_neg())))
            }
            (UnaryOp::Minus, ExprKind::Literal(Literal::Real(Some(value)))) => {
                ExprKind::Literal(Literal::Real(Some(-value)))
            }
            (UnaryOp::Minus, ExprKind::Literal(Literal::Timespan(Some(value)))) => {
                ExprKind::Literal(Literal::Timespan(Some(value.wrapping_neg())))
            }
            (op, kind) => ExprKind::Unary(
                op,
                Box::new(Expr {
                    kind,
                    span: operand.span,
                }),
            ),
        };
        self.make(kind, span)
    }

    /// A primary expression and what is reached from it with points and brackets.
    fn path(&mut self) -> Parse<Expr> {
        let mut base = self.primary()?;
        let mut links = 0;
        loop {
            links += 1;
            self.check_depth(links)?;
            let bracket = match self.kind() {
                TokenKind::Dot => {
                    self.bump();
                    self.is(TokenKind::OpenBracket) && !self.is_name()
                }
                TokenKind::OpenBracket => true,
                _ => return Ok(base),
            };
            if bracket {
                self.bump();
                let index = self.expr()?;
                let close = self.expect(TokenKind::CloseBracket, "`]`")?;
                let span = base.span.to(close.span);
                base = self.make(ExprKind::Index(Box::new(base), Box::new(index)), span)?;
                continue;
            }
            let name = self.name("a name after `.`")?;
            if self.is(TokenKind::OpenParen) {
                let args = self.arguments()?;
                let span = base.span.to(self.last_span());
                let call = Call { name, args };
                base = self.make(ExprKind::MemberCall(Box::new(base), call), span)?;
            } else {
                let span = base.span.to(name.span);
                base = self.make(ExprKind::Member(Box::new(base), name), span)?;
            }
        }
    }

    /// A name, or names joined by points: what may stand where a call may not.
    pub(super) fn entity(&mut self) -> Parse<Expr> {
        let name = self.name("a column name")?;
        let span = name.span;
        let mut base = self.make(ExprKind::Name(name.text), span)?;
        let mut links = 0;
        while self.eat(TokenKind::Dot) {
            links += 1;
            self.check_depth(links)?;
            let name = self.name("a name after `.`")?;
            let span = base.span.to(name.span);
            base = self.make(ExprKind::Member(Box::new(base), name), span)?;
        }
        Ok(base)
    }

    fn primary(&mut self) -> Parse<Expr> {
        if self.is_literal() {
            let (literal, span) = self.literal()?;
            return self.make(ExprKind::Literal(literal), span);
        }
        match self.kind() {
            TokenKind::OpenParen => self.parenthesized(),
            TokenKind::Star => {
                let span = self.bump().span;
                self.make(ExprKind::Star, span)
            }
            TokenKind::Word if self.is_word("datatable") && !self.ends_operand(1) => {
                self.datatable()
            }
            TokenKind::Word
                if matches!(self.text_at(0), "externaldata" | "external_data")
                    && self.kind_at(1) == TokenKind::OpenParen =>
            {
                self.external_data()
            }
            _ if self.is_name() => {
                let name = self.name("a name")?;
                if self.is(TokenKind::OpenParen) {
                    let span = name.span;
                    let args = self.arguments()?;
                    let span = span.to(self.last_span());
                    return self.make(ExprKind::Call(Call { name, args }), span);
                }
                let span = name.span;
                self.make(ExprKind::Name(name.text), span)
            }
            _ => Err(self.expected("an expression")),
        }
    }

    /// Whether the token `ahead` ends an operand, so that the word before it is a mere name.
    pub(super) fn ends_operand(&self, ahead: usize) -> bool {
        use TokenKind as Kind;
        matches!(
            self.kind_at(ahead),
            Kind::End
                | Kind::Comma
                | Kind::CloseParen
                | Kind::CloseBracket
                | Kind::Pipe
                | Kind::Semicolon
                | Kind::Assign
                | Kind::Equal
                | Kind::NotEqual
                | Kind::Dot
        )
    }

    fn parenthesized(&mut self) -> Parse<Expr> {
        let open = self.bump().span;
        let mut inner = self.tabular_or_scalar()?;
        let close = self.expect(TokenKind::CloseParen, "`)`")?;
        // The parentheses belong to the expression, so that carets cover them.
        inner.span = open.to(close.span);
        Ok(inner)
    }

    /// `(…)` after a function's name.
    pub(super) fn arguments(&mut self) -> Parse<Vec<NamedExpr>> {
        self.nested(|parser| {
            parser.expect(TokenKind::OpenParen, "`(`")?;
            let mut args = Vec::new();
            while !parser.is(TokenKind::CloseParen) {
                let names = parser.names()?;
                let expr = parser.tabular_or_scalar()?;
                args.push(NamedExpr { names, expr });
                if !parser.eat(TokenKind::Comma) {
                    break;
                }
            }
            parser.expect(TokenKind::CloseParen, "`)` or `,`")?;
            Ok(args)
        })
    }

    /// `[name =] expr`, `(a, b) = expr`.
    pub(super) fn named_expr(&mut self) -> Parse<NamedExpr> {
        let names = self.names()?;
        Ok(NamedExpr {
            names,
            expr: self.expr()?,
        })
    }

    fn names(&mut self) -> Parse<Names> {
        if self.is_name() && self.kind_at(self.name_tokens()) == TokenKind::Assign {
            let name = self.name("a name")?;
            self.bump();
            return Ok(Names::One(name));
        }
        if self.is(TokenKind::OpenParen) && self.is_name_tuple() {
            self.bump();
            let names = self.list(|parser| parser.name("a name"))?;
            self.expect(TokenKind::CloseParen, "`)`")?;
            self.bump();
            return Ok(Names::Many(names));
        }
        Ok(Names::None)
    }

    /// Whether `(a, b, …) =` stands here.
    fn is_name_tuple(&self) -> bool {
        let mut ahead = 1;
        loop {
            match self.kind_at(ahead) {
                TokenKind::Word | TokenKind::Comma => ahead += 1,
                TokenKind::OpenBracket if self.kind_at(ahead + 1) == TokenKind::String => {
                    ahead += 3;
                }
                TokenKind::CloseParen => return self.kind_at(ahead + 1) == TokenKind::Assign,
                _ => return false,
            }
        }
    }

    /// `(name: type, …)`.
    pub(super) fn row_schema(&mut self) -> Parse<Vec<ColumnDecl>> {
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
            let diagnostic =
                Diagnostic::error(Code::Syntax, span, format!("unknown type `{word}`"));
            return Err(self.report(diagnostic.with_hint_opt(hint)));
        }
        Err(self.expected("a type"))
    }

    fn datatable(&mut self) -> Parse<Expr> {
        let keyword = self.bump().span;
        let columns = self.row_schema()?;
        self.expect(TokenKind::OpenBracket, "`[` and the rows")?;
        let mut values = Vec::new();
        while !self.is(TokenKind::CloseBracket) {
            let (literal, span) = self.signed_literal()?;
            values.push(self.make(ExprKind::Literal(literal), span)?);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        let close = self.expect(TokenKind::CloseBracket, "`]` or `,`")?;
        let span = keyword.to(close.span);
        let uneven = if columns.is_empty() {
            !values.is_empty()
        } else {
            values.len() % columns.len() != 0
        };
        if uneven {
            let message = format!(
                "{} values do not fill rows of {} columns",
                values.len(),
                columns.len()
            );
            return Err(self.error(Code::Syntax, span, message));
        }
        self.make(
            ExprKind::DataTable(Box::new(DataTable { columns, values })),
            span,
        )
    }

    fn external_data(&mut self) -> Parse<Expr> {
        let keyword = self.bump().span;
        let columns = self.row_schema()?;
        self.expect(TokenKind::OpenBracket, "`[` and addresses")?;
        let uris = self.list(Self::expr)?;
        self.expect(TokenKind::CloseBracket, "`]` or `,`")?;
        let properties = if self.eat_word("with") {
            self.property_list()?
        } else {
            Vec::new()
        };
        let span = keyword.to(self.last_span());
        self.make(
            ExprKind::ExternalData(Box::new(ExternalData {
                columns,
                uris,
                properties,
            })),
            span,
        )
    }
}
