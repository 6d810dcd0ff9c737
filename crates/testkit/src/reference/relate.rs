//! What `union`, `join` and `lookup` mean.

use std::collections::HashSet;

use kql::Type;
use kql::ast::{BinaryOp, Expr, ExprKind, Join, Param, Union, UnionSource};

use super::operators::key;
use super::types::absent;
use super::{Known, Scope, Table, Value, unknown};

/// A column of a union: its name, its name in the legs, and its type.
type United = (String, String, Type);

impl<'q> Scope<'q> {
    /// The rows of all legs; columns are matched by name and type.
    pub(super) fn union(&self, union: &'q Union, input: Option<Table>) -> Known<Table> {
        let mut legs = Vec::new();
        if let Some(input) = input {
            legs.push((String::new(), input));
        }
        for source in &union.sources {
            let UnionSource::Expr(expr) = source else {
                return unknown("a union by pattern");
            };
            let name = match &expr.kind {
                ExprKind::Name(name) => name.clone(),
                _ => String::new(),
            };
            legs.push((name, self.table(expr)?));
        }
        let text = |name: &str| union.params.iter().find(|p| p.name.text == name)?.text();
        let columns = united(&legs, text("kind") == Some("inner"));
        let mut header: Vec<_> = columns
            .iter()
            .map(|(name, _, ty)| (name.clone(), *ty))
            .collect();
        let origin = text("withsource");
        if let Some(origin) = origin {
            header.insert(0, (origin.to_owned(), Type::String));
        }
        let mut rows = Vec::new();
        for (index, (name, leg)) in legs.iter().enumerate() {
            let place = |column: &United| {
                let position = leg.position(&column.1)?;
                (leg.columns[position].1 == column.2).then_some(position)
            };
            let places: Vec<_> = columns.iter().map(|c| (place(c), absent(c.2))).collect();
            for row in &leg.rows {
                let mut cells = Vec::with_capacity(header.len());
                if origin.is_some() {
                    let named = !name.is_empty();
                    cells.push(match named {
                        true => Value::text(name.as_str()),
                        false => Value::text(format!("union_arg{index}")),
                    });
                }
                cells.extend(places.iter().map(|(place, absent)| {
                    place.map_or_else(|| absent.clone(), |position| row[position].clone())
                }));
                rows.push(cells);
            }
        }
        Ok(Table::new(header, rows))
    }

    /// <https://learn.microsoft.com/kusto/query/join-operator>
    pub(super) fn join(&self, left: Table, join: &'q Join) -> Known<Table> {
        let right = self.table(&join.right)?;
        let kind = kind(&join.params).unwrap_or("innerunique");
        let pairs = conditions(&join.on, &left, &right)?;
        let left_keys = keys(&left, pairs.iter().map(|pair| pair.0));
        let right_keys = keys(&right, pairs.iter().map(|pair| pair.1));
        let matched = |keys: &[Vec<String>], others: &[Vec<String>]| -> Vec<bool> {
            let others: HashSet<_> = others.iter().collect();
            keys.iter().map(|key| others.contains(key)).collect()
        };
        match kind {
            "leftsemi" => return Ok(only(left, &matched(&left_keys, &right_keys), true)),
            "leftanti" => return Ok(only(left, &matched(&left_keys, &right_keys), false)),
            "rightsemi" => return Ok(only(right, &matched(&right_keys, &left_keys), true)),
            "rightanti" => return Ok(only(right, &matched(&right_keys, &left_keys), false)),
            _ => {}
        }
        let outer_left = matches!(kind, "leftouter" | "fullouter");
        let outer_right = matches!(kind, "rightouter" | "fullouter");
        if !outer_left && !outer_right && !matches!(kind, "inner" | "innerunique") {
            return unknown(format!("join kind={kind}"));
        }
        let mut seen = HashSet::new();
        let mut rows = Vec::new();
        for (cells, key) in left.rows.iter().zip(&left_keys) {
            // One of the rows of each key is enough; which one is open.
            if kind == "innerunique" && !seen.insert(key) {
                continue;
            }
            let before = rows.len();
            let others = right
                .rows
                .iter()
                .zip(&right_keys)
                .filter(|(_, other)| *other == key);
            rows.extend(others.map(|(other, _)| [cells.as_slice(), other].concat()));
            if outer_left && rows.len() == before {
                rows.push([cells.clone(), nothing(&right)].concat());
            }
        }
        if outer_right {
            let matched = matched(&right_keys, &left_keys);
            let alone = right
                .rows
                .iter()
                .zip(matched)
                .filter(|(_, matched)| !matched);
            rows.extend(alone.map(|(cells, _)| [nothing(&left), cells.clone()].concat()));
        }
        Ok(Table::new(joined(&left.columns, &right.columns)?, rows))
    }

    /// <https://learn.microsoft.com/kusto/query/lookup-operator>
    pub(super) fn lookup(&self, left: Table, lookup: &'q Join) -> Known<Table> {
        let right = self.table(&lookup.right)?;
        let inner = kind(&lookup.params) == Some("inner");
        let pairs = conditions(&lookup.on, &left, &right)?;
        let left_keys = keys(&left, pairs.iter().map(|pair| pair.0));
        let right_keys = keys(&right, pairs.iter().map(|pair| pair.1));
        let gone: Vec<usize> = pairs.iter().map(|pair| pair.1).collect();
        let rest = without(&right, &gone);
        let mut rows = Vec::new();
        for (cells, key) in left.rows.iter().zip(&left_keys) {
            let before = rows.len();
            let others = rest
                .rows
                .iter()
                .zip(&right_keys)
                .filter(|(_, other)| *other == key);
            rows.extend(others.map(|(other, _)| [cells.as_slice(), other].concat()));
            if !inner && rows.len() == before {
                rows.push([cells.clone(), nothing(&rest)].concat());
            }
        }
        Ok(Table::new(joined(&left.columns, &rest.columns)?, rows))
    }
}

fn united(legs: &[(String, Table)], inner: bool) -> Vec<United> {
    let mut found: Vec<(String, Type)> = Vec::new();
    for column in legs.iter().flat_map(|(_, leg)| &leg.columns) {
        if !found.contains(column) {
            // Columns of one name stand beside each other.
            let last = found.iter().rposition(|known| known.0 == column.0);
            found.insert(last.map_or(found.len(), |last| last + 1), column.clone());
        }
    }
    if inner {
        found.retain(|column| legs.iter().all(|(_, leg)| leg.columns.contains(column)));
    }
    let renamed = found.iter().map(|(name, ty)| {
        let types = found.iter().filter(|(other, _)| other == name).count();
        let shown = if types == 1 {
            name.clone()
        } else {
            format!("{name}_{ty}")
        };
        (shown, name.clone(), *ty)
    });
    renamed.collect()
}

fn kind(params: &[Param]) -> Option<&str> {
    params
        .iter()
        .find(|param| param.name.text == "kind")?
        .text()
}

/// The positions of the columns that must be equal.
fn conditions(on: &[Expr], left: &Table, right: &Table) -> Known<Vec<(usize, usize)>> {
    let mut pairs = Vec::new();
    for condition in on {
        let (l, r) = match &condition.kind {
            ExprKind::Name(name) => (name.as_str(), name.as_str()),
            ExprKind::Binary(BinaryOp::Equal, l, r) => match (&l.kind, &r.kind) {
                (ExprKind::Member(_, l), ExprKind::Member(_, r)) => {
                    (l.text.as_str(), r.text.as_str())
                }
                _ => return unknown("a condition"),
            },
            _ => return unknown("a condition"),
        };
        match (left.position(l), right.position(r)) {
            (Some(l), Some(r)) => pairs.push((l, r)),
            _ => return unknown("the column of a condition"),
        }
    }
    Ok(pairs)
}

/// Each row's key, in which null equals null, and an int equals a long.
fn keys(table: &Table, positions: impl Iterator<Item = usize>) -> Vec<Vec<String>> {
    let positions: Vec<usize> = positions.collect();
    let key_of = |row: &Vec<Value>| {
        let cells: Vec<Value> = positions
            .iter()
            .map(|position| row[*position].clone())
            .collect();
        key(&cells)
    };
    table.rows.iter().map(key_of).collect()
}

fn only(mut table: Table, matched: &[bool], wanted: bool) -> Table {
    let mut matched = matched.iter();
    table.rows.retain(|_| matched.next() == Some(&wanted));
    table.ordered = false;
    table
}

fn without(table: &Table, gone: &[usize]) -> Table {
    let rest = |index: &usize| !gone.contains(index);
    let kept: Vec<usize> = (0..table.columns.len()).filter(rest).collect();
    let columns = kept.iter().map(|index| table.columns[*index].clone());
    let rows = table
        .rows
        .iter()
        .map(|row| kept.iter().map(|index| row[*index].clone()).collect());
    Table::new(columns.collect(), rows.collect())
}

/// The cells of a side on which nothing matches.
fn nothing(table: &Table) -> Vec<Value> {
    table.columns.iter().map(|(_, ty)| absent(*ty)).collect()
}

/// The columns of both sides; those of the right get a number where a name is taken.
fn joined(left: &[(String, Type)], right: &[(String, Type)]) -> Known<Vec<(String, Type)>> {
    let mut columns = left.to_vec();
    for (name, ty) in right {
        let mut candidate = name.clone();
        let mut number = 0;
        while columns.iter().any(|(known, _)| *known == candidate) {
            number += 1;
            candidate = format!("{name}{number}");
        }
        if number > 0 && right.iter().any(|(other, _)| *other == candidate) {
            return unknown("a name with its number that is a name");
        }
        columns.push((candidate, *ty));
    }
    Ok(columns)
}
