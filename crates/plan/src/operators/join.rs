use datafusion_common::{Column as PlanColumn, JoinType, NullEquality, ScalarValue};
use datafusion_expr::{Expr, LogicalPlanBuilder, lit, when};
use functions::aggregate::{aggregates, picked_field};
use functions::scalar::internal;
use kql::ast::{self, BinaryOp, ExprKind, LogicalOp};
use kql::{Code, Diagnostic, Span, Type, suggest};

use super::project::unknown_column;
use crate::binder::Binder;
use crate::error::{At, Result, error, error_with_hint};
use crate::expr::Row;
use crate::names::Names;
use crate::relation::{Column, Output, Relation, Visible, aliased};
use crate::scope::Scope;
use crate::typed::{Typed, column};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    InnerUnique,
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    LeftSemi,
    RightSemi,
    LeftAnti,
    RightAnti,
}

const KINDS: &[(&str, Kind)] = &[
    ("innerunique", Kind::InnerUnique),
    ("inner", Kind::Inner),
    ("leftouter", Kind::LeftOuter),
    ("rightouter", Kind::RightOuter),
    ("fullouter", Kind::FullOuter),
    ("leftsemi", Kind::LeftSemi),
    ("semi", Kind::LeftSemi),
    ("rightsemi", Kind::RightSemi),
    ("leftanti", Kind::LeftAnti),
    ("anti", Kind::LeftAnti),
    ("leftantisemi", Kind::LeftAnti),
    ("rightanti", Kind::RightAnti),
    ("rightantisemi", Kind::RightAnti),
];

fn kind_of(join: &ast::Join, default: Kind) -> Result<Kind> {
    let Some(param) = join.params.iter().find(|param| param.name.text == "kind") else {
        return Ok(default);
    };
    let text = param.text().unwrap_or("");
    match KINDS.iter().find(|(name, _)| *name == text) {
        Some((_, kind)) => Ok(*kind),
        None => {
            let hint = suggest::did_you_mean(text, KINDS.iter().map(|(name, _)| *name));
            let message = format!("`{text}` is no kind of join");
            Err(
                Diagnostic::error(Code::Parameter, param.value_span(), message)
                    .with_hint_opt(hint)
                    .into(),
            )
        }
    }
}

/// `L | join kind=… (R) on …`. Null keys match each other; both sides' keys stay, the right side's
/// under other names where they clash.
///
/// <https://learn.microsoft.com/kusto/query/join-operator>
pub(crate) fn bind<'q>(
    binder: &mut Binder<'_>,
    join: &'q ast::Join,
    left: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let kind = kind_of(join, Kind::InnerUnique)?;
    let right = binder.table_expr(&join.right, scope)?;
    let (left, right, keys) = keyed(binder, join, left, right, scope, span)?;
    let left = if kind == Kind::InnerUnique {
        unique(left, &keys.left, span)?
    } else {
        left
    };
    run(left, right, &keys, kind, &[], span)
}

/// `L | lookup kind=… (R) on …`: as a join whose right keys are left out.
///
/// <https://learn.microsoft.com/kusto/query/lookup-operator>
pub(crate) fn bind_lookup<'q>(
    binder: &mut Binder<'_>,
    join: &'q ast::Join,
    left: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<Relation> {
    let kind = kind_of(join, Kind::LeftOuter)?;
    if !matches!(kind, Kind::LeftOuter | Kind::Inner) {
        return Err(error(
            Code::Parameter,
            span,
            "the kind of a `lookup` is `leftouter` or `inner`",
        ));
    }
    let right = binder.table_expr(&join.right, scope)?;
    let (left, right, keys) = keyed(binder, join, left, right, scope, span)?;
    let dropped = keys.right_names.clone();
    run(left, right, &keys, kind, &dropped, span)
}

/// The fields that the sides are matched by.
struct Keys {
    left: Vec<String>,
    right: Vec<String>,
    /// The right side's columns that are its keys.
    right_names: Vec<String>,
}

/// Both sides with a field for each key, of equal types.
fn keyed<'q>(
    binder: &mut Binder<'_>,
    join: &'q ast::Join,
    left: Relation,
    right: Relation,
    scope: &Scope<'q>,
    span: Span,
) -> Result<(Relation, Relation, Keys)> {
    let mut pairs = Vec::new();
    for condition in &join.on {
        conditions(binder, condition, &left, &right, scope, &mut pairs)?;
    }
    if pairs.is_empty() {
        return Err(error_with_hint(
            Code::Semantic,
            span,
            "the join has no `on`",
            "write `on` and the columns to match",
        ));
    }
    let mut keys = Keys {
        left: Vec::new(),
        right: Vec::new(),
        right_names: Vec::new(),
    };
    let (mut left_keys, mut right_keys) = (Vec::new(), Vec::new());
    for (l, r, at) in pairs {
        if l.ty == Type::Dynamic || r.ty == Type::Dynamic {
            let hint = "convert both sides before the join, with `tostring(…)` for example";
            return Err(error_with_hint(
                Code::Type,
                at,
                "a dynamic value can't be a key",
                hint,
            ));
        }
        if let Expr::Column(column) = &r.expr {
            let name = right.columns.iter().find(|c| c.field == column.name);
            keys.right_names.extend(name.map(|c| c.name.clone()));
        }
        let (l, r) = binder.comparable(l, r, "on", at)?;
        left_keys.push(l);
        right_keys.push(r);
    }
    let (left, left_fields) = with_keys(left, left_keys, span)?;
    let (right, right_fields) = with_keys(right, right_keys, span)?;
    keys.left = left_fields;
    keys.right = right_fields;
    Ok((left, right, keys))
}

/// A side with a field for each of its keys: the column that the key is, or one that is added.
fn with_keys(side: Relation, keys: Vec<Typed>, span: Span) -> Result<(Relation, Vec<String>)> {
    let side = side.unordered();
    let kept = side
        .columns
        .iter()
        .filter(|c| c.visible != Visible::Never)
        .map(Output::keep);
    let mut outputs: Vec<Output> = kept.collect();
    let mut positions = Vec::with_capacity(keys.len());
    for value in keys {
        let known = outputs
            .iter()
            .position(|output| output.value.expr == value.expr);
        positions.push(known.unwrap_or_else(|| {
            outputs.push(Output {
                name: "#key".to_owned(),
                value,
                visible: Visible::Never,
            });
            outputs.len() - 1
        }));
    }
    let side = side.project(outputs, span)?;
    let fields = positions
        .into_iter()
        .map(|position| side.columns[position].field.clone());
    let fields = fields.collect();
    Ok((side, fields))
}

type Pair = (Typed, Typed, Span);

/// Takes a condition apart: a name, `$left.a == $right.b`, or several joined by `and`.
fn conditions<'q>(
    binder: &mut Binder<'_>,
    condition: &'q ast::Expr,
    left: &Relation,
    right: &Relation,
    scope: &Scope<'q>,
    pairs: &mut Vec<Pair>,
) -> Result<()> {
    let span = condition.span;
    match &condition.kind {
        ExprKind::Name(name) => {
            let (Some(l), Some(r)) = (left.column(name), right.column(name)) else {
                let side = if left.column(name).is_none() {
                    left
                } else {
                    right
                };
                return Err(unknown_column(side, name, span));
            };
            pairs.push((l.value(), r.value(), span));
            Ok(())
        }
        ExprKind::Logical(LogicalOp::And, operands) => operands
            .iter()
            .try_for_each(|op| conditions(binder, op, left, right, scope, pairs)),
        ExprKind::Binary(BinaryOp::Equal, a, b) => {
            let a = sided(binder, a, left, right, scope)?;
            let b = sided(binder, b, left, right, scope)?;
            match (a, b) {
                ((l, Side::Left), (r, Side::Right)) | ((r, Side::Right), (l, Side::Left)) => {
                    pairs.push((l, r, span));
                    Ok(())
                }
                _ => Err(error_with_hint(
                    Code::Semantic,
                    span,
                    "a join condition compares one side with the other",
                    "write `$left.a == $right.b`",
                )),
            }
        }
        _ => Err(error_with_hint(
            Code::Semantic,
            span,
            "a join matches by equality only",
            "write a column, or `$left.a == $right.b`; filter with `where` after the join",
        )),
    }
}

#[derive(PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

/// One side of an equality: a path that begins with `$left` or `$right`.
fn sided<'q>(
    binder: &mut Binder<'_>,
    expr: &'q ast::Expr,
    left: &Relation,
    right: &Relation,
    scope: &Scope<'q>,
) -> Result<(Typed, Side)> {
    let ExprKind::Member(base, name) = &expr.kind else {
        let message = "expected `$left.column` or `$right.column`";
        return Err(error(Code::Semantic, expr.span, message));
    };
    let side = match &base.kind {
        ExprKind::Name(side) if side == "$left" => Side::Left,
        ExprKind::Name(side) if side == "$right" => Side::Right,
        _ => {
            let message = "expected `$left.column` or `$right.column`";
            return Err(error(Code::Semantic, expr.span, message));
        }
    };
    let relation = if side == Side::Left { left } else { right };
    match relation.column(&name.text) {
        Some(column) => Ok((column.value(), side)),
        None => Err(binder.unknown_column(&name.text, name.span, scope, Row::of(relation))),
    }
}

/// The left side with one row for each key, whichever.
fn unique(left: Relation, keys: &[String], span: Span) -> Result<Relation> {
    let rest: Vec<Column> = left
        .columns
        .iter()
        .filter(|column| !keys.contains(&column.field))
        .cloned()
        .collect();
    let mut groups: Vec<Expr> = Vec::new();
    for key in keys {
        let group = column(key);
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let picked = left.fresh("#picked");
    let mut args = vec![lit(0_i64)];
    args.extend(rest.iter().map(|c| column(&c.field)));
    let parts = if rest.is_empty() {
        vec![]
    } else {
        vec![aggregates().take_any.call(args).alias(&picked)]
    };
    let plan = left
        .builder(span)?
        .aggregate(groups, parts)
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    let outputs = left.columns.iter().map(|c| {
        let value = match rest.iter().position(|other| other.field == c.field) {
            None => column(&c.field),
            Some(index) => {
                let field = lit(ScalarValue::Utf8View(Some(picked_field(index))));
                internal::field().call(vec![column(&picked), field])
            }
        };
        Output {
            name: c.name.clone(),
            value: Typed::new(value, c.ty),
            visible: c.visible,
        }
    });
    let outputs = outputs.collect();
    left.derived(plan, left.columns.clone())
        .project(outputs, span)
}

/// The pairs of rows whose fields are the same; of the right side, the columns `dropped` are left out.
pub(super) fn inner(
    left: Relation,
    right: Relation,
    (left_fields, right_fields): (Vec<String>, Vec<String>),
    dropped: &[String],
    span: Span,
) -> Result<Relation> {
    let keys = Keys {
        left: left_fields,
        right: right_fields,
        right_names: Vec::new(),
    };
    run(left, right, &keys, Kind::Inner, dropped, span)
}

/// Joins, and gives the columns their names. `dropped` are columns of the right side to leave out.
fn run(
    left: Relation,
    right: Relation,
    keys: &Keys,
    kind: Kind,
    dropped: &[String],
    span: Span,
) -> Result<Relation> {
    // In the plan the right side's fields have names of their own, so that none is ambiguous.
    let renamed: Vec<(Column, String)> = right
        .columns
        .iter()
        .map(|column| (column.clone(), right.fresh(&column.name)))
        .collect();
    let exprs: Vec<Expr> = renamed
        .iter()
        .map(|(c, field)| aliased(column(&c.field), field))
        .collect();
    let right_plan = right
        .builder(span)?
        .project(exprs)
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    let join_type = match kind {
        Kind::InnerUnique | Kind::Inner => JoinType::Inner,
        Kind::LeftOuter => JoinType::Left,
        Kind::RightOuter => JoinType::Right,
        Kind::FullOuter => JoinType::Full,
        Kind::LeftSemi => JoinType::LeftSemi,
        Kind::RightSemi => JoinType::RightSemi,
        Kind::LeftAnti => JoinType::LeftAnti,
        Kind::RightAnti => JoinType::RightAnti,
    };
    let left_keys: Vec<PlanColumn> = keys.left.iter().map(PlanColumn::new_unqualified).collect();
    let field_of = |name: &String| {
        let found = renamed.iter().find(|(column, _)| column.field == *name);
        PlanColumn::new_unqualified(found.map_or(name, |(_, field)| field))
    };
    let right_keys: Vec<PlanColumn> = keys.right.iter().map(field_of).collect();
    let plan = left
        .builder(span)?
        .join_detailed(
            right_plan,
            join_type,
            (left_keys, right_keys),
            None,
            NullEquality::NullEqualsNull,
        )
        .and_then(LogicalPlanBuilder::build)
        .at(span)?;
    let (has_left, has_right) = match kind {
        Kind::LeftSemi | Kind::LeftAnti => (true, false),
        Kind::RightSemi | Kind::RightAnti => (false, true),
        _ => (true, true),
    };
    let left_padded = matches!(kind, Kind::RightOuter | Kind::FullOuter);
    let right_padded = matches!(kind, Kind::LeftOuter | Kind::FullOuter);
    let mut columns: Vec<Column> = Vec::new();
    let mut outputs: Vec<Output> = Vec::new();
    if has_left {
        for c in left.columns.iter().filter(|c| c.visible != Visible::Never) {
            let value = padded(&c.field, c.ty, left_padded, span)?;
            columns.push(c.clone());
            outputs.push(Output {
                name: c.name.clone(),
                value,
                visible: c.visible,
            });
        }
    }
    if has_right {
        let right = renamed
            .iter()
            .filter(|(c, _)| c.visible == Visible::Always && !dropped.contains(&c.name));
        let right: Vec<&(Column, String)> = right.collect();
        for (name, (c, field)) in right_names(&outputs, &right).into_iter().zip(right) {
            outputs.push(Output {
                name,
                value: padded(field, c.ty, right_padded, span)?,
                visible: c.visible,
            });
        }
    }
    left.derived(plan, columns).project(outputs, span)
}

/// The names of the right side's columns. One that clashes gives way to all others, those that come
/// after it among them: `c` beside `c, c1` is `c2`.
fn right_names(left: &[Output], right: &[&(Column, String)]) -> Vec<String> {
    let left = || left.iter().map(|output| &output.name);
    let right = right.iter().map(|(column, _)| &column.name);
    let mut names = Names::new(left().chain(right.clone()).cloned());
    let named = right.map(|name| match left().any(|other| other == name) {
        true => names.unique(name),
        false => name.clone(),
    });
    named.collect()
}

/// A column of a side that an outer join may pad: a string that is missing is empty.
fn padded(field: &str, ty: Type, padded: bool, span: Span) -> Result<Typed> {
    let value = column(field);
    if !padded || ty != Type::String {
        return Ok(Typed::new(value, ty));
    }
    let value = when(value.clone().is_null(), Typed::string("").expr)
        .otherwise(value)
        .at(span)?;
    Ok(Typed::new(value, ty))
}
