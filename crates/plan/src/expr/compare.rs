//! Comparisons and string operators.
//!
//! Equality is nearly two-valued: null equals nothing but makes no null either, except beside
//! another null. Where only truth counts, plain operators do, and storage can prune by them.
//!
//! <https://learn.microsoft.com/kusto/query/scalar-data-types/null-values>

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, Operator, binary_expr, lit, not, when};
use kql::ast::{self, Between, BinaryOp, LogicalOp};
use kql::{Code, Span, Type};

use super::{Mode, Row, balanced};
use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint, unsupported};
use crate::scope::Scope;
use crate::typed::Typed;

impl Binder<'_> {
    pub(super) fn compare(
        &mut self,
        op: BinaryOp,
        left: Typed,
        right: Typed,
        span: Span,
        mode: Mode,
    ) -> Result<Typed> {
        match (left.ty, right.ty) {
            (Type::Dynamic, ty) if ty.is_integer() => {
                return self.compare_number(op, left, right, span);
            }
            (ty, Type::Dynamic) if ty.is_integer() => {
                return self.compare_number(mirrored(op), right, left, span);
            }
            _ => {}
        }
        let (left, right) = self.comparable(left, right, op.as_str(), span)?;
        if left.ty != Type::Real
            && let (Some(left), Some(right)) = (left.constant(), right.constant())
            && let Some(value) = compared(op, left, right)
        {
            return Ok(Typed::new(lit(value), Type::Bool));
        }
        if left.ty == Type::Real {
            return self.compare_reals(op, left, right, span);
        }
        let nullable = left.may_be_null() && right.may_be_null();
        let never_null = !left.may_be_null() && !right.may_be_null();
        let (left, right) = (left.expr, right.expr);
        let plain = |left, operator, right| binary_expr(left, operator, right);
        let expr = match op {
            BinaryOp::Equal if mode == Mode::Filter || never_null => {
                plain(left, Operator::Eq, right)
            }
            BinaryOp::NotEqual if never_null => plain(left, Operator::NotEq, right),
            BinaryOp::NotEqual if mode == Mode::Filter || !nullable => {
                plain(left, Operator::IsDistinctFrom, right)
            }
            BinaryOp::Equal if !nullable => plain(left, Operator::IsNotDistinctFrom, right),
            BinaryOp::Equal | BinaryOp::NotEqual => {
                let operator = match op {
                    BinaryOp::Equal => Operator::IsNotDistinctFrom,
                    _ => Operator::IsDistinctFrom,
                };
                let both_null = left.clone().is_null().and(right.clone().is_null());
                let null = lit(ScalarValue::Boolean(None));
                when(both_null, null)
                    .otherwise(plain(left, operator, right))
                    .at(span)?
            }
            BinaryOp::Less => plain(left, Operator::Lt, right),
            BinaryOp::LessOrEqual => plain(left, Operator::LtEq, right),
            BinaryOp::Greater => plain(left, Operator::Gt, right),
            _ => plain(left, Operator::GtEq, right),
        };
        Ok(Typed::new(expr, Type::Bool))
    }

    /// A dynamic value beside a whole number: its fraction, if it has one, is not cut off.
    fn compare_number(
        &mut self,
        op: BinaryOp,
        value: Typed,
        number: Typed,
        span: Span,
    ) -> Result<Typed> {
        let args = vec![value, number];
        match op {
            BinaryOp::Equal => self.invoke("__equal_number", args, span),
            BinaryOp::NotEqual => Ok(negate(self.invoke("__equal_number", args, span)?)),
            _ => {
                let order = self.invoke("__order_number", args, span)?;
                self.compare(op, order, Typed::long(0), span, Mode::Value)
            }
        }
    }

    /// Reals compare by IEEE 754, in which what is not a number equals nothing and both zeros are
    /// equal; Arrow's order of all bit patterns is another.
    fn compare_reals(
        &mut self,
        op: BinaryOp,
        left: Typed,
        right: Typed,
        span: Span,
    ) -> Result<Typed> {
        let (function, swapped, negated) = match op {
            BinaryOp::Equal => ("__equal_real", false, false),
            BinaryOp::NotEqual => ("__equal_real", false, true),
            BinaryOp::Less => ("__less_real", false, false),
            BinaryOp::LessOrEqual => ("__less_or_equal_real", false, false),
            BinaryOp::Greater => ("__less_real", true, false),
            _ => ("__less_or_equal_real", true, false),
        };
        let args = if swapped {
            vec![right, left]
        } else {
            vec![left, right]
        };
        let compared = self.invoke(function, args, span)?;
        Ok(if negated { negate(compared) } else { compared })
    }

    /// Both sides as one type, or why they don't compare.
    pub(crate) fn comparable(
        &mut self,
        left: Typed,
        right: Typed,
        symbol: &str,
        span: Span,
    ) -> Result<(Typed, Typed)> {
        let (l, r) = (left.ty, right.ty);
        if l == r && l != Type::Dynamic {
            return Ok((left, right));
        }
        if l.is_numeric() && r.is_numeric() {
            let ty = wider(l, r);
            return Ok((
                self.convert(left, ty, span)?,
                self.convert(right, ty, span)?,
            ));
        }
        match (l, r) {
            (Type::Dynamic, Type::Dynamic) => {}
            (Type::Dynamic, ty) => return Ok((self.convert(left, ty, span)?, right)),
            (ty, Type::Dynamic) => return Ok((left, self.convert(right, ty, span)?)),
            // A number in quotes is taken for the number: `ResponseCode != "200"` is common.
            (Type::String, ty) if ty.is_numeric() => {
                if let Some(number) = self.quoted_number(&left, ty, span)? {
                    return Ok((number, right));
                }
            }
            (ty, Type::String) if ty.is_numeric() => {
                if let Some(number) = self.quoted_number(&right, ty, span)? {
                    return Ok((left, number));
                }
            }
            (Type::Guid, Type::String) => {
                if let Some(guid) = self.quoted_guid(&right, span)? {
                    return Ok((left, guid));
                }
            }
            (Type::String, Type::Guid) => {
                if let Some(guid) = self.quoted_guid(&left, span)? {
                    return Ok((guid, right));
                }
            }
            _ => {}
        }
        let hint = match (l, r) {
            (Type::Dynamic, Type::Dynamic) => {
                "convert one of them, with `tostring(…)` for example".to_owned()
            }
            (Type::String, ty) | (ty, Type::String) if ty.is_numeric() => {
                format!(
                    "convert one of them: `tostring(…)` or `{}(…)`",
                    super::conversion(ty)
                )
            }
            (Type::Datetime, Type::String) => {
                "write `datetime(…)` round the constant, or `todatetime(…)`".into()
            }
            (Type::String, ty) | (ty, Type::String) => {
                format!("convert one of them: `{}(…)`", super::conversion(ty))
            }
            (ty, _) => format!("convert one of them: `{}(…)`", super::conversion(ty)),
        };
        let message = format!("`{symbol}` does not compare a {l} with a {r}");
        Err(error_with_hint(Code::Type, span, message, hint))
    }

    fn quoted_number(&mut self, text: &Typed, ty: Type, span: Span) -> Result<Option<Typed>> {
        if text.constant_text().is_none() {
            return Ok(None);
        }
        // `"200"` beside an int column is an int, and `"200.5"` a real.
        let candidates = if ty.is_integer() {
            [Type::Long, Type::Real]
        } else {
            [ty, ty]
        };
        for ty in candidates {
            let number = self.invoke(super::conversion(ty), vec![text.clone()], span)?;
            if number.constant().is_some_and(|value| !value.is_null()) {
                if ty == Type::Real || ty == Type::Decimal {
                    return Ok(Some(number));
                }
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    fn quoted_guid(&mut self, text: &Typed, span: Span) -> Result<Option<Typed>> {
        if text.constant_text().is_none() {
            return Ok(None);
        }
        let guid = self.invoke("toguid", vec![text.clone()], span)?;
        Ok(guid
            .constant()
            .is_some_and(|value| !value.is_null())
            .then_some(guid))
    }

    /// `value between (low .. high)`, both ends included.
    pub(super) fn between<'q>(
        &mut self,
        between: &'q Between,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let value = self.scalar(&between.value, scope, row)?;
        let low = self.scalar(&between.low, scope, row)?;
        let high = self.scalar(&between.high, scope, row)?;
        // `datetime between (start .. length)` ends that length after its start.
        let is_instant = matches!(
            (value.ty, low.ty),
            (Type::Datetime, _) | (_, Type::Datetime)
        );
        let high = if is_instant && high.ty == Type::Timespan {
            self.invoke("__add", vec![low.clone(), high], between.high.span)?
        } else {
            high
        };
        let span = between.value.span.to(between.high.span);
        let from = self.compare(
            BinaryOp::GreaterOrEqual,
            value.clone(),
            low,
            span,
            Mode::Value,
        )?;
        let to = self.compare(BinaryOp::LessOrEqual, value, high, span, Mode::Value)?;
        let within = balanced(LogicalOp::And, vec![from.expr, to.expr]);
        let within = Typed::new(within, Type::Bool);
        Ok(if between.negated {
            negate(within)
        } else {
            within
        })
    }

    pub(super) fn string_operator(
        &mut self,
        op: BinaryOp,
        (left, left_span): (Typed, Span),
        (right, right_span): (Typed, Span),
        span: Span,
    ) -> Result<Typed> {
        for (side, at) in [(&left, left_span), (&right, right_span)] {
            if !matches!(side.ty, Type::String | Type::Dynamic | Type::Guid) {
                let message = format!("`{}` takes strings, found a {}", op.as_str(), side.ty);
                return Err(error_with_hint(
                    Code::Type,
                    at,
                    message,
                    "convert it with `tostring(…)`",
                ));
            }
        }
        let (function, negated) =
            string_function(op).ok_or_else(|| unsupported(span, format!("`{}`", op.as_str())))?;
        let left = self.convert(left, Type::String, left_span)?;
        let right = self.convert(right, Type::String, right_span)?;
        let found = self.invoke(function, vec![left, right], span)?;
        Ok(if negated { negate(found) } else { found })
    }

    /// `* has "x"`: whether any column fits.
    pub(super) fn any_column<'q>(
        &mut self,
        op: BinaryOp,
        right: &'q ast::Expr,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
    ) -> Result<Typed> {
        let Some(relation) = row.columns else {
            return Err(error(
                Code::Semantic,
                span,
                "`*` stands for columns, and there are none here",
            ));
        };
        let value = self.scalar(right, scope, row)?;
        // `* !has "x"` says that no column has it.
        let negative =
            op == BinaryOp::NotEqual || string_function(op).is_some_and(|(_, negated)| negated);
        let mut tests = Vec::new();
        for column in relation.visible() {
            let column = column.value();
            let test = if matches!(op, BinaryOp::Equal | BinaryOp::NotEqual) {
                match self.compare(BinaryOp::Equal, column, value.clone(), span, Mode::Filter) {
                    Ok(test) => test,
                    Err(_) => continue,
                }
            } else {
                let column = self.convert(column, Type::String, span)?;
                let test =
                    self.string_operator(op, (column, span), (value.clone(), right.span), span)?;
                if negative { negate(test) } else { test }
            };
            tests.push(test.expr);
        }
        let any = Typed::new(balanced(LogicalOp::Or, tests), Type::Bool);
        Ok(if negative { negate(any) } else { any })
    }
}

/// The comparison that says the same with its sides exchanged.
fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessOrEqual => BinaryOp::GreaterOrEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterOrEqual => BinaryOp::LessOrEqual,
        op => op,
    }
}

/// A comparison of constants of one type; `None` if it is not to be told here.
fn compared(op: BinaryOp, left: &ScalarValue, right: &ScalarValue) -> Option<ScalarValue> {
    let order = match (left.is_null(), right.is_null()) {
        (true, true) => return Some(ScalarValue::Boolean(None)),
        (false, false) => left.partial_cmp(right)?,
        _ => {
            let unequal = match op {
                BinaryOp::Equal => Some(false),
                BinaryOp::NotEqual => Some(true),
                _ => None,
            };
            return Some(ScalarValue::Boolean(unequal));
        }
    };
    let holds = match op {
        BinaryOp::Equal => order.is_eq(),
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessOrEqual => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        BinaryOp::GreaterOrEqual => order.is_ge(),
        _ => return None,
    };
    Some(ScalarValue::Boolean(Some(holds)))
}

pub(super) fn negate(value: Typed) -> Typed {
    match value.constant() {
        Some(ScalarValue::Boolean(value)) => Typed::new(
            lit(ScalarValue::Boolean(value.map(|value| !value))),
            Type::Bool,
        ),
        _ => Typed::new(not(value.expr), Type::Bool),
    }
}

/// The wider of two numeric types.
pub(crate) fn wider(a: Type, b: Type) -> Type {
    let rank = |ty| match ty {
        Type::Int => 0,
        Type::Long => 1,
        Type::Real => 2,
        _ => 3,
    };
    if rank(a) >= rank(b) { a } else { b }
}

/// The function of a string operator, and whether its result is negated.
fn string_function(op: BinaryOp) -> Option<(&'static str, bool)> {
    Some(match op {
        BinaryOp::EqualTilde => ("__equal_ci", false),
        BinaryOp::NotTilde => ("__equal_ci", true),
        BinaryOp::Has => ("__has", false),
        BinaryOp::NotHas => ("__has", true),
        BinaryOp::HasCs => ("__has_cs", false),
        BinaryOp::NotHasCs => ("__has_cs", true),
        BinaryOp::HasPrefix => ("__hasprefix", false),
        BinaryOp::NotHasPrefix => ("__hasprefix", true),
        BinaryOp::HasPrefixCs => ("__hasprefix_cs", false),
        BinaryOp::NotHasPrefixCs => ("__hasprefix_cs", true),
        BinaryOp::HasSuffix => ("__hassuffix", false),
        BinaryOp::NotHasSuffix => ("__hassuffix", true),
        BinaryOp::HasSuffixCs => ("__hassuffix_cs", false),
        BinaryOp::NotHasSuffixCs => ("__hassuffix_cs", true),
        BinaryOp::Contains => ("__contains", false),
        BinaryOp::NotContains => ("__contains", true),
        BinaryOp::ContainsCs => ("__contains_cs", false),
        BinaryOp::NotContainsCs => ("__contains_cs", true),
        BinaryOp::StartsWith => ("__startswith", false),
        BinaryOp::NotStartsWith => ("__startswith", true),
        BinaryOp::StartsWithCs => ("__startswith_cs", false),
        BinaryOp::NotStartsWithCs => ("__startswith_cs", true),
        BinaryOp::EndsWith => ("__endswith", false),
        BinaryOp::NotEndsWith => ("__endswith", true),
        BinaryOp::EndsWithCs => ("__endswith_cs", false),
        BinaryOp::NotEndsWithCs => ("__endswith_cs", true),
        BinaryOp::MatchesRegex => ("__matches_regex", false),
        _ => return None,
    })
}

/// The type of two branches of one expression; `None` if they have none.
pub(crate) fn common_type(a: Type, b: Type) -> Option<Type> {
    match (a, b) {
        (a, b) if a == b => Some(a),
        (a, b) if a.is_numeric() && b.is_numeric() => Some(wider(a, b)),
        (Type::Dynamic, _) | (_, Type::Dynamic) => Some(Type::Dynamic),
        _ => None,
    }
}

/// Whether a value is null, or the empty string of a string.
pub(crate) fn is_missing(value: &Typed) -> Expr {
    match value.ty {
        Type::String => binary_expr(value.expr.clone(), Operator::Eq, Typed::string("").expr),
        _ => value.expr.clone().is_null(),
    }
}
