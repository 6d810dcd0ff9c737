//! Scalar expressions, loosest binding first: `or`, `and`, equality and membership, order, sums,
//! products, string operators, signs, paths.

use super::{Parse, Parser};
use crate::ast::{
    Between, BinaryOp, Call, DataTable, Expr, ExprKind, ExternalData, Literal, LogicalOp,
    Membership, MembershipOp, NamedExpr, Names, UnaryOp,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::lexer::{self, TokenKind};
use crate::span::Span;

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
            let is_foreign = match op {
                LogicalOp::Or => self.is_double_pipe() && !self.is_operator_at(2),
                LogicalOp::And => self.is(TokenKind::Ampersands),
            };
            if self.is_word(word) {
                self.bump();
            } else if is_foreign {
                // Read on as if it were the word, since it is plain what is meant.
                let mut span = self.bump().span;
                if op == LogicalOp::Or {
                    span = span.to(self.bump().span);
                }
                let message = format!("`{symbol}` is no operator");
                let diagnostic = Diagnostic::error(Code::Syntax, span, message);
                self.report(diagnostic.with_hint(format!("KQL writes `{word}`")));
            } else {
                break;
            }
            operands.push(self.operand(|parser| parser.logical_operand(op))?);
        }
        if operands.len() == 1 {
            return Ok(operands.remove(0));
        }
        self.deepen()?;
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
        let left = self.relational()?;
        let expr = if let Some(op) = self.equality_op() {
            self.link(op, left, Self::relational)?
        } else if let Some(op) = self.membership_op() {
            self.membership(op, left)?
        } else if self.is_between() {
            self.between(left)?
        } else {
            left
        };
        if self.is(TokenKind::Assign) {
            let span = self.span();
            return Err(self.report(
                Diagnostic::error(Code::Syntax, span, "`=` does not compare")
                    .with_hint("KQL compares with `==`"),
            ));
        }
        let chains =
            self.equality_op().is_some() || self.membership_op().is_some() || self.is_between();
        self.refuse_chain(chains)?;
        Ok(expr)
    }

    /// `a == b == c` and `a < b < c` are no KQL: what they would mean is not what they look like.
    fn refuse_chain(&mut self, chains: bool) -> Parse<()> {
        if !chains {
            return Ok(());
        }
        let span = self.span();
        let diagnostic = Diagnostic::error(Code::Syntax, span, "comparisons do not chain");
        Err(self.report(diagnostic.with_hint("join two with `and`, or put one in parentheses")))
    }

    fn is_between(&self) -> bool {
        self.is_word("between") || self.is_word("!between")
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
        let items = self.enclosed(|parser| {
            parser.expect(TokenKind::OpenParen, "`(` and the values")?;
            let mut items = Vec::new();
            while !parser.is(TokenKind::CloseParen) {
                items.push(parser.tabular_or_scalar()?);
                if !parser.eat(TokenKind::Comma) {
                    break;
                }
            }
            parser.expect(TokenKind::CloseParen, "`)` or `,`")?;
            Ok(items)
        })?;
        self.deepen()?;
        let span = value.span.to(self.last_span());
        self.make(
            ExprKind::Membership(Box::new(Membership { op, value, items })),
            span,
        )
    }

    fn between(&mut self, value: Expr) -> Parse<Expr> {
        let negated = self.bump().span.text(self.text).starts_with('!');
        let (low, high) = self.enclosed(|parser| {
            parser.expect(TokenKind::OpenParen, "`(` and a range `low .. high`")?;
            let low = parser.nested(Self::additive)?;
            parser.expect(TokenKind::DotDot, "`..`")?;
            let high = parser.nested(Self::additive)?;
            parser.expect(TokenKind::CloseParen, "`)`")?;
            Ok((low, high))
        })?;
        self.deepen()?;
        let span = value.span.to(self.last_span());
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
        let left = self.additive()?;
        let Some(op) = self.relational_op() else {
            return Ok(left);
        };
        let expr = self.link(op, left, Self::additive)?;
        self.refuse_chain(self.relational_op().is_some())?;
        Ok(expr)
    }

    fn relational_op(&self) -> Option<BinaryOp> {
        match self.kind() {
            TokenKind::Less => Some(BinaryOp::Less),
            TokenKind::LessOrEqual => Some(BinaryOp::LessOrEqual),
            TokenKind::Greater => Some(BinaryOp::Greater),
            TokenKind::GreaterOrEqual => Some(BinaryOp::GreaterOrEqual),
            _ => None,
        }
    }

    fn additive(&mut self) -> Parse<Expr> {
        let mut left = self.multiplicative()?;
        loop {
            let op = match self.kind() {
                TokenKind::Plus => BinaryOp::Add,
                TokenKind::Minus => BinaryOp::Subtract,
                _ => return Ok(left),
            };
            left = self.link(op, left, Self::multiplicative)?;
        }
    }

    fn multiplicative(&mut self) -> Parse<Expr> {
        let mut left = self.string_operation()?;
        loop {
            let op = match self.kind() {
                TokenKind::Star => BinaryOp::Multiply,
                TokenKind::Slash => BinaryOp::Divide,
                TokenKind::Percent => BinaryOp::Modulo,
                _ => return Ok(left),
            };
            left = self.link(op, left, Self::string_operation)?;
        }
    }

    fn string_operation(&mut self) -> Parse<Expr> {
        let left = self.signed()?;
        let Some(op) = self.string_op() else {
            return Ok(left);
        };
        let expr = self.link(op, left, |parser| {
            if op == BinaryOp::MatchesRegex {
                parser.expect_word("regex")?;
            }
            parser.signed()
        })?;
        self.refuse_chain(self.string_op().is_some())?;
        Ok(expr)
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

    /// One more link of a chain: the operator, which is the next token, and its right operand.
    fn link(
        &mut self,
        op: BinaryOp,
        left: Expr,
        right: impl FnOnce(&mut Self) -> Parse<Expr>,
    ) -> Parse<Expr> {
        self.bump();
        let right = self.operand(right)?;
        self.deepen()?;
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
        loop {
            let bracket = match self.kind() {
                TokenKind::Dot => {
                    self.bump();
                    self.is(TokenKind::OpenBracket) && !self.is_name()
                }
                TokenKind::OpenBracket => true,
                _ => return Ok(base),
            };
            self.deepen()?;
            if bracket {
                let index = self.enclosed(|parser| {
                    parser.bump();
                    let index = parser.expr()?;
                    parser.expect(TokenKind::CloseBracket, "`]`")?;
                    Ok(index)
                })?;
                let span = base.span.to(self.last_span());
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
        while self.eat(TokenKind::Dot) {
            self.deepen()?;
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
                let is_word = self.is(TokenKind::Word);
                let name = self.name("a name")?;
                if self.is(TokenKind::OpenParen) {
                    let args = self.arguments()?;
                    let span = name.span.to(self.last_span());
                    if is_word && lexer::is_type_word(&name.text) {
                        return Err(self.not_constant(&name.text, span));
                    }
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
        self.enclosed(|parser| {
            let open = parser.bump().span;
            let mut inner = parser.tabular_or_scalar()?;
            let close = parser.expect(TokenKind::CloseParen, "`)`")?;
            // The parentheses belong to the expression, so that carets cover them.
            inner.span = open.to(close.span);
            Ok(inner)
        })
    }

    /// `(…)` after a function's name.
    pub(super) fn arguments(&mut self) -> Parse<Vec<NamedExpr>> {
        self.enclosed(|parser| parser.nested(Self::argument_list))
    }

    fn argument_list(&mut self) -> Parse<Vec<NamedExpr>> {
        self.expect(TokenKind::OpenParen, "`(`")?;
        let mut args = Vec::new();
        while !self.is(TokenKind::CloseParen) {
            let names = self.names()?;
            let expr = self.tabular_or_scalar()?;
            args.push(NamedExpr { names, expr });
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.expect(TokenKind::CloseParen, "`)` or `,`")?;
        Ok(args)
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

    fn datatable(&mut self) -> Parse<Expr> {
        let keyword = self.bump().span;
        let columns = self.row_schema()?;
        let values = self.enclosed(Self::rows)?;
        let span = keyword.to(self.last_span());
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

    fn rows(&mut self) -> Parse<Vec<Expr>> {
        self.expect(TokenKind::OpenBracket, "`[` and the rows")?;
        let mut values = Vec::new();
        while !self.is(TokenKind::CloseBracket) {
            let (literal, span) = self.signed_literal()?;
            values.push(self.make(ExprKind::Literal(literal), span)?);
            if !self.eat(TokenKind::Comma) {
                break;
            }
        }
        self.expect(TokenKind::CloseBracket, "`]` or `,`")?;
        Ok(values)
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
