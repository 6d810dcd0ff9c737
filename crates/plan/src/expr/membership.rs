//! `in`, `in~`, `has_any`, `has_all` and their negations.

use datafusion_common::ScalarValue;
use datafusion_expr::{Expr, in_list, lit};
use functions::dynamic;
use functions::scalar::internal;
use kql::ast::{self, BinaryOp, ExprKind, LogicalOp, Membership, MembershipOp};
use kql::{Code, Span, Type};
use schema::arrow::data_type;

use super::compare::negate;
use super::{Mode, Row, balanced};
use crate::IN_VALUES_MAX;
use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint};
use crate::scope::Scope;
use crate::typed::Typed;

/// Longest list that is lowered to a plain `IN`, by which storage can prune.
const PLAIN_LIST_MAX: usize = 64;

impl Binder<'_> {
    pub(super) fn membership<'q>(
        &mut self,
        membership: &'q Membership,
        span: Span,
        scope: &Scope<'q>,
        row: Row<'_>,
        mode: Mode,
    ) -> Result<Typed> {
        let value = if matches!(membership.value.kind, ExprKind::Star) {
            return Err(error(
                Code::Unsupported,
                membership.value.span,
                "`*` is not supported here",
            ));
        } else {
            self.scalar(&membership.value, scope, row)?
        };
        let mut items = Vec::new();
        for item in &membership.items {
            self.items(item, &value, scope, row, &mut items)?;
        }
        if items.len() > IN_VALUES_MAX {
            let message = format!(
                "the list has {} values; the limit is {IN_VALUES_MAX}",
                items.len()
            );
            return Err(error(Code::Limit, span, message));
        }
        let at = membership.value.span;
        match membership.op {
            MembershipOp::In => self.in_values(value, items, span, mode),
            MembershipOp::NotIn => Ok(negate(self.in_values(value, items, span, Mode::Value)?)),
            MembershipOp::InTilde => self.in_texts("__in_ci", value, items, at, span),
            MembershipOp::NotInTilde => {
                Ok(negate(self.in_texts("__in_ci", value, items, at, span)?))
            }
            MembershipOp::HasAny => self.in_texts("__has_any", value, items, at, span),
            MembershipOp::HasAll => self.in_texts("__has_all", value, items, at, span),
        }
    }

    /// The values of one item: of an array its elements, of a table its first column. An array that
    /// may hold what is sought as text stays whole.
    fn items<'q>(
        &mut self,
        item: &'q ast::Expr,
        sought: &Typed,
        scope: &Scope<'q>,
        row: Row<'_>,
        items: &mut Vec<(Typed, Span)>,
    ) -> Result<()> {
        if self.is_tabular(item, scope) {
            let relation = self.table_in_value(item, scope)?;
            let Some(column) = relation.visible().next().cloned() else {
                return Err(error(Code::Semantic, item.span, "the table has no columns"));
            };
            let first = vec![crate::relation::Output::keep(&column)];
            let relation = relation.unordered().project(first, item.span)?;
            let plan = relation
                .builder(item.span)?
                .distinct()
                .and_then(|b| b.limit(0, Some(IN_VALUES_MAX + 1)))
                .and_then(datafusion_expr::LogicalPlanBuilder::build)
                .at(item.span)?;
            let rows = self.ask(relation.with_plan(plan), true, item.span)?;
            // In order, so that the plan does not depend on which shard answered first.
            let values = arrow::compute::sort(rows.column(0), None)
                .map_err(datafusion_common::DataFusionError::from)
                .at(item.span)?;
            for index in 0..values.len() {
                let value = ScalarValue::try_from_array(&values, index).at(item.span)?;
                items.push((Typed::new(lit(value), column.ty), item.span));
            }
            return Ok(());
        }
        let value = self.scalar(item, scope, row)?;
        match value.constant_text() {
            Some(text)
                if value.ty == Type::Dynamic
                    && dynamic::kind(text) == dynamic::Kind::Array
                    && !is_text_in_arrays(sought.ty) =>
            {
                for element in dynamic::elements(text) {
                    items.push((element_value(element), item.span));
                }
            }
            _ => items.push((value, item.span)),
        }
        Ok(())
    }

    /// Whether a value equals any of the items; that of no value is false, never null.
    fn in_values(
        &mut self,
        value: Typed,
        items: Vec<(Typed, Span)>,
        span: Span,
        mode: Mode,
    ) -> Result<Typed> {
        let mut tests = Vec::new();
        let mut groups: Vec<(Type, Vec<(Typed, Span)>)> = Vec::new();
        for (item, at) in items {
            let array = match item.constant() {
                None if item.ty == Type::Dynamic => Some(item.clone()),
                // Nothing equals null.
                Some(constant) if item.ty == Type::Dynamic && constant.is_null() => continue,
                Some(_) if item.ty == Type::Dynamic && is_text_in_arrays(value.ty) => {
                    Some(item.clone())
                }
                Some(_) if item.ty == Type::Dynamic && value.ty == Type::Dynamic => {
                    Some(self.invoke("pack_array", vec![item.clone()], at)?)
                }
                _ => None,
            };
            if let Some(array) = array {
                let found = self.invoke("__in", vec![value.clone(), array], at)?;
                tests.push(found.expr);
                continue;
            }
            // A dynamic value is compared as what the items are, which may be of several types.
            let class = match (value.ty, item.ty) {
                (Type::Dynamic, ty) if ty.is_numeric() => Type::Long,
                (Type::Dynamic, ty) => ty,
                (ty, _) => ty,
            };
            match groups.iter_mut().find(|(known, _)| *known == class) {
                Some((_, group)) => group.push((item, at)),
                None => groups.push((class, vec![(item, at)])),
            }
        }
        for (_, group) in groups {
            tests.push(self.in_group(value.clone(), group, span, mode)?.expr);
        }
        Ok(match tests.len() {
            0 => Typed::bool(false),
            _ => Typed::new(balanced(LogicalOp::Or, tests), Type::Bool),
        })
    }

    /// Whether a value equals any of the items, which compare as one type.
    fn in_group(
        &mut self,
        value: Typed,
        items: Vec<(Typed, Span)>,
        span: Span,
        mode: Mode,
    ) -> Result<Typed> {
        let (value, items) = match self.aligned(value, items, span)? {
            Aligned::Constants(value, items) => (value, items),
            Aligned::Exprs(value, items) => return self.any_equal(value, items, span),
        };
        if items.is_empty() {
            return Ok(Typed::bool(false));
        }
        let plain = items.len() <= PLAIN_LIST_MAX && (mode == Mode::Filter || !value.may_be_null());
        if plain && value.ty != Type::Real {
            let list = items.into_iter().map(lit).collect();
            return Ok(Typed::new(in_list(value.expr, list, false), Type::Bool));
        }
        // A null is in no set.
        Ok(Typed::new(in_set(value, items), Type::Bool))
    }

    /// The value and the items as one type.
    fn aligned(&mut self, value: Typed, items: Vec<(Typed, Span)>, span: Span) -> Result<Aligned> {
        let ty = match value.ty {
            Type::Dynamic => match items.first().map(|(item, _)| item.ty) {
                None | Some(Type::Dynamic) => Type::String,
                Some(ty) => ty,
            },
            ty => ty,
        };
        // Reals among whole numbers widen the whole list.
        let ty = items
            .iter()
            .filter(|(item, _)| item.ty.is_numeric() && ty.is_numeric())
            .fold(ty, |ty, (item, _)| super::compare::wider(ty, item.ty));
        let (ty, value) = match value.ty {
            // A number with a fraction is none of these.
            Type::Dynamic if ty.is_integer() => {
                (Type::Long, self.invoke("__exact_long", vec![value], span)?)
            }
            _ => (ty, self.convert(value, ty, span)?),
        };
        let mut exprs = Vec::with_capacity(items.len());
        for (item, at) in items {
            if item.ty == ty {
                exprs.push(item);
                continue;
            }
            let target = Typed::null(ty);
            let (_, item) = self.comparable(target, item, "in", at)?;
            exprs.push(self.convert(item, ty, at)?);
        }
        let constants: Option<Vec<ScalarValue>> =
            exprs.iter().map(|item| item.constant().cloned()).collect();
        Ok(match constants {
            Some(mut values) => {
                values.retain(|value| !value.is_null());
                Aligned::Constants(value, values)
            }
            None => Aligned::Exprs(value, exprs),
        })
    }

    fn any_equal(&mut self, value: Typed, items: Vec<Typed>, span: Span) -> Result<Typed> {
        let tests = items
            .into_iter()
            .map(|item| {
                let equal =
                    self.compare(BinaryOp::Equal, value.clone(), item, span, Mode::Value)?;
                Ok(equal.expr.is_true())
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Typed::new(balanced(LogicalOp::Or, tests), Type::Bool))
    }

    /// Operators that take texts: the items become one array.
    fn in_texts(
        &mut self,
        function: &str,
        value: Typed,
        items: Vec<(Typed, Span)>,
        value_span: Span,
        span: Span,
    ) -> Result<Typed> {
        if !matches!(value.ty, Type::String | Type::Dynamic | Type::Guid) {
            let message = format!("expected a string, found a {}", value.ty);
            return Err(error_with_hint(
                Code::Type,
                value_span,
                message,
                "convert it with `tostring(…)`",
            ));
        }
        let value = self.convert(value, Type::String, span)?;
        let texts = items
            .into_iter()
            .map(|(item, at)| match item.ty {
                Type::Dynamic => Ok(item),
                _ => self.convert(item, Type::String, at),
            })
            .collect::<Result<Vec<_>>>()?;
        let array = self.invoke("pack_array", texts, span)?;
        self.invoke(function, vec![value, array], span)
    }
}

enum Aligned {
    /// All items are constants; nulls are left out, as nothing equals them.
    Constants(Typed, Vec<ScalarValue>),
    Exprs(Typed, Vec<Typed>),
}

/// Whether arrays hold values of a type as text.
fn is_text_in_arrays(ty: Type) -> bool {
    matches!(ty, Type::Datetime | Type::Timespan)
}

fn in_set(value: Typed, items: Vec<ScalarValue>) -> Expr {
    let list = ScalarValue::new_list(&items, &data_type(value.ty), true);
    internal::in_set().call(vec![value.expr, lit(ScalarValue::List(list))])
}

/// An element of a constant array as a constant of its own type.
fn element_value(element: &str) -> Typed {
    match dynamic::kind(element) {
        dynamic::Kind::String => Typed::string(dynamic::string_value(element).into_owned()),
        dynamic::Kind::Long => match dynamic::to_long(element) {
            Some(value) => Typed::long(value),
            None => Typed::null(Type::Long),
        },
        dynamic::Kind::Real => {
            let value = ScalarValue::Float64(dynamic::to_real(element));
            Typed::new(lit(value), Type::Real)
        }
        dynamic::Kind::Bool => Typed::bool(element == "true"),
        _ => Typed::new(
            lit(ScalarValue::Utf8View(
                dynamic::non_null(element).map(str::to_owned),
            )),
            Type::Dynamic,
        ),
    }
}
