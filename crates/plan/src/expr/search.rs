//! Predicates of `search`: terms that may stand in any column, beside ordinary conditions.
//!
//! <https://learn.microsoft.com/kusto/query/search-operator>

use datafusion_expr::{Expr, lit, not};
use functions::escape_regex;
use kql::ast::{self, BinaryOp, ExprKind, Literal, LogicalOp};
use kql::{Code, Span, Type};

use super::{Mode, Row, balanced};
use crate::binder::Binder;
use crate::error::{Result, error, error_with_hint, unsupported};
use crate::relation::Relation;
use crate::scope::{Binding, Scope};
use crate::typed::Typed;

/// What strings are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Letters {
    /// Letter case does not count, but where an operator says so.
    Alike,
    /// Letter case counts everywhere.
    Apart,
}

impl Binder<'_> {
    /// Binds a predicate of `search` over the columns of `rows`.
    pub(crate) fn search_predicate<'q>(
        &mut self,
        expr: &'q ast::Expr,
        scope: &Scope<'q>,
        rows: &Relation,
        letters: Letters,
    ) -> Result<Expr> {
        if let Some(term) = term_of(expr, scope) {
            return self.term(term, expr.span, rows, letters);
        }
        match &expr.kind {
            ExprKind::Star => Ok(lit(true)),
            ExprKind::Literal(literal) if !matches!(literal, Literal::Bool(_)) => {
                Err(error_with_hint(
                    Code::Unsupported,
                    expr.span,
                    "a search term that is not a string is not supported",
                    "put it in quotes, or compare a column with it",
                ))
            }
            ExprKind::Logical(op, operands) => {
                let operands = operands
                    .iter()
                    .map(|operand| self.search_predicate(operand, scope, rows, letters))
                    .collect::<Result<Vec<_>>>()?;
                Ok(balanced(*op, operands))
            }
            ExprKind::Call(call) if call.name.text == "not" && call.args.len() == 1 => {
                let operand = &call.args[0].expr;
                let operand = self.search_predicate(operand, scope, rows, letters)?;
                Ok(not(Expr::IsTrue(Box::new(operand))))
            }
            ExprKind::Binary(op, left, right) if !matches!(left.kind, ExprKind::Star) => {
                if *op == BinaryOp::Has
                    && term_of(right, scope).is_some_and(|term| term.contains('*'))
                {
                    let what = "a wildcard in a search of one column";
                    return Err(unsupported(right.span, what));
                }
                let op = with_letters(*op, letters, expr.span)?;
                let row = Row::of(rows);
                let value = self.binary(op, left, right, expr.span, scope, row, Mode::Filter)?;
                Ok(value.expr)
            }
            ExprKind::Binary(op, _, right) => {
                let op = with_letters(*op, letters, expr.span)?;
                let value = self.any_column(op, right, expr.span, scope, Row::of(rows))?;
                Ok(value.expr)
            }
            _ => self.predicate(expr, scope, Row::of(rows)),
        }
    }

    /// Whether a term stands in any column.
    fn term(&mut self, term: &str, span: Span, rows: &Relation, letters: Letters) -> Result<Expr> {
        let (op, text) = pattern(term, letters);
        let op = with_letters(op, letters, span)?;
        let text = Typed::string(text);
        let mut tests = Vec::new();
        for column in rows.visible() {
            let value = self.convert(column.value(), Type::String, span)?;
            let test = self.string_operator(op, (value, span), (text.clone(), span), span)?;
            tests.push(test.expr);
        }
        if tests.is_empty() {
            return Err(error(
                Code::Semantic,
                span,
                "there are no columns to search",
            ));
        }
        Ok(balanced(LogicalOp::Or, tests))
    }
}

/// The text of a term that stands alone.
pub(crate) fn term_of<'e>(expr: &'e ast::Expr, scope: &'e Scope<'_>) -> Option<&'e str> {
    match &expr.kind {
        ExprKind::Literal(Literal::String(text)) => Some(text),
        ExprKind::Name(name) => match scope.get(name) {
            Some(Binding::Scalar(value)) if value.ty == Type::String => value.constant_text(),
            _ => None,
        },
        _ => None,
    }
}

/// The operator that a term stands for, by where its asterisks are, and what it looks for.
fn pattern(term: &str, letters: Letters) -> (BinaryOp, String) {
    let inner = term.trim_start_matches('*').trim_end_matches('*');
    let (open_start, open_end) = (term.starts_with('*'), term.ends_with('*'));
    if inner.contains('*') {
        let pieces: Vec<String> = inner.split('*').map(escape_regex).collect();
        let regex = format!(
            "{}{}{}{}",
            if letters == Letters::Alike {
                "(?i)"
            } else {
                ""
            },
            if open_start { "" } else { r"\b" },
            pieces.join(".*"),
            if open_end { "" } else { r"\b" }
        );
        return (BinaryOp::MatchesRegex, regex);
    }
    let op = match (open_start, open_end) {
        (false, false) => BinaryOp::Has,
        (true, false) => BinaryOp::HasSuffix,
        (false, true) => BinaryOp::HasPrefix,
        (true, true) => BinaryOp::Contains,
    };
    (op, inner.to_owned())
}

/// The operator that compares as `search` was told to.
fn with_letters(op: BinaryOp, letters: Letters, span: Span) -> Result<BinaryOp> {
    if letters == Letters::Alike {
        return Ok(op);
    }
    Ok(match op {
        BinaryOp::Has => BinaryOp::HasCs,
        BinaryOp::NotHas => BinaryOp::NotHasCs,
        BinaryOp::HasPrefix => BinaryOp::HasPrefixCs,
        BinaryOp::NotHasPrefix => BinaryOp::NotHasPrefixCs,
        BinaryOp::HasSuffix => BinaryOp::HasSuffixCs,
        BinaryOp::NotHasSuffix => BinaryOp::NotHasSuffixCs,
        BinaryOp::Contains => BinaryOp::ContainsCs,
        BinaryOp::NotContains => BinaryOp::NotContainsCs,
        BinaryOp::StartsWith => BinaryOp::StartsWithCs,
        BinaryOp::NotStartsWith => BinaryOp::NotStartsWithCs,
        BinaryOp::EndsWith => BinaryOp::EndsWithCs,
        BinaryOp::NotEndsWith => BinaryOp::NotEndsWithCs,
        BinaryOp::EqualTilde | BinaryOp::NotTilde => {
            let what = format!("`{}` in a case-sensitive search", op.as_str());
            return Err(unsupported(span, what));
        }
        op => op,
    })
}

/// Adds the names that an expression mentions.
pub(crate) fn names<'e>(expr: &'e ast::Expr, found: &mut Vec<&'e str>) {
    match &expr.kind {
        ExprKind::Name(name) => found.push(name),
        ExprKind::Unary(_, operand) => names(operand, found),
        ExprKind::Binary(_, left, right) | ExprKind::Index(left, right) => {
            names(left, found);
            names(right, found);
        }
        ExprKind::Logical(_, operands) => {
            operands.iter().for_each(|operand| names(operand, found));
        }
        ExprKind::Between(between) => {
            for expr in [&between.value, &between.low, &between.high] {
                names(expr, found);
            }
        }
        ExprKind::Membership(membership) => {
            names(&membership.value, found);
            membership.items.iter().for_each(|item| names(item, found));
        }
        ExprKind::Call(call) => call.exprs().for_each(|arg| names(arg, found)),
        ExprKind::Member(base, _) => names(base, found),
        ExprKind::Literal(_)
        | ExprKind::Star
        | ExprKind::MemberCall(..)
        | ExprKind::Pipeline(_)
        | ExprKind::DataTable(_)
        | ExprKind::ExternalData(_) => {}
    }
}

/// Whether a predicate looks into all columns of whatever table.
pub(crate) fn reads_all_columns(expr: &ast::Expr, scope: &Scope<'_>) -> bool {
    if term_of(expr, scope).is_some() {
        return true;
    }
    match &expr.kind {
        ExprKind::Star => true,
        ExprKind::Binary(_, left, _) => matches!(left.kind, ExprKind::Star),
        ExprKind::Logical(_, operands) => operands
            .iter()
            .any(|operand| reads_all_columns(operand, scope)),
        ExprKind::Call(call) if call.name.text == "not" => call
            .exprs()
            .any(|operand| reads_all_columns(operand, scope)),
        _ => false,
    }
}
