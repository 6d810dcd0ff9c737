//! What tabular operators mean.

use std::collections::HashSet;

use kql::Type;
use kql::ast::{Expr, ExprKind, MvExpand, NamedExpr, Names, OperatorKind, SortKey};
use serde_json::{Map, Value as Json};

use super::expr::Row;
use super::types::type_of;
use super::{Known, Scope, Table, Unknown, Value, convert, unknown};

impl<'q> Scope<'q> {
    /// The rows that an operator makes of others.
    pub(super) fn operator(&self, kind: &'q OperatorKind, input: Option<Table>) -> Known<Table> {
        if let OperatorKind::Union(union) = kind {
            return self.union(union, input);
        }
        let Some(input) = input else {
            return unknown("an operator without rows");
        };
        if input.open && !matches!(kind, OperatorKind::Count(_)) {
            return unknown("which rows are taken");
        }
        match kind {
            OperatorKind::Where(predicate) => self.filter(input, predicate),
            OperatorKind::Extend(columns) => self.extend(input, columns),
            OperatorKind::Project(columns) => self.project(input, columns),
            OperatorKind::ProjectAway(patterns) => keep(input, |name| {
                !patterns.iter().any(|pattern| pattern.matches(name))
            }),
            OperatorKind::ProjectKeep(patterns) => keep(input, |name| {
                patterns.iter().any(|pattern| pattern.matches(name))
            }),
            OperatorKind::ProjectRename(columns) => rename(input, columns),
            OperatorKind::Count(_) => Ok(Table::new(
                vec![("Count".to_owned(), Type::Long)],
                vec![vec![Value::Long(input.rows.len() as i64)]],
            )),
            OperatorKind::Distinct(distinct) => {
                let mut table = if distinct.columns.is_empty() {
                    input
                } else {
                    self.project(input, &distinct.columns)?
                };
                let mut seen = HashSet::new();
                table.rows.retain(|row| seen.insert(key(row)));
                table.ordered = false;
                Ok(table)
            }
            OperatorKind::Sort(sort) => self.sort(input, &sort.keys),
            OperatorKind::Top(top) => {
                let sorted = self.sort(input, std::slice::from_ref(&top.key))?;
                self.take(sorted, &top.count)
            }
            OperatorKind::Take(count) => self.take(input, count),
            OperatorKind::Summarize(summarize) => self.summarize(input, summarize),
            OperatorKind::Join(join) => self.join(input, join),
            OperatorKind::Lookup(join) => self.lookup(input, join),
            OperatorKind::MvExpand(expand) => self.expand(input, expand),
            OperatorKind::Parse(parse) => self.parse(input, parse),
            _ => unknown("an operator"),
        }
    }

    fn filter(&self, mut input: Table, predicate: &'q Expr) -> Known<Table> {
        let mut kept = Vec::new();
        for cells in std::mem::take(&mut input.rows) {
            let row = Row {
                columns: &input.columns,
                cells: &cells,
            };
            if self.truth(predicate, row)? == Some(true) {
                kept.push(cells);
            }
        }
        input.rows = kept;
        Ok(input)
    }

    fn extend(&self, mut input: Table, columns: &'q [NamedExpr]) -> Known<Table> {
        let old = input.clone();
        for column in columns {
            let name = name_of(column)?;
            let position = input.position(&name);
            let ty = type_of(&column.expr, &old.columns);
            for (row, cells) in input.rows.iter_mut().zip(&old.rows) {
                let value = self.value(
                    &column.expr,
                    Row {
                        columns: &old.columns,
                        cells,
                    },
                )?;
                match position {
                    Some(position) => row[position] = value,
                    None => row.push(value),
                }
            }
            match position {
                Some(position) => input.columns[position].1 = ty,
                None => input.columns.push((name, ty)),
            }
        }
        Ok(input)
    }

    /// The columns that are named or computed.
    pub(super) fn project(&self, mut input: Table, columns: &'q [NamedExpr]) -> Known<Table> {
        let mut header = Vec::new();
        for column in columns {
            header.push((name_of(column)?, type_of(&column.expr, &input.columns)));
        }
        for cells in &mut input.rows {
            let row = Row {
                columns: &input.columns,
                cells,
            };
            let projected = columns.iter().map(|column| self.value(&column.expr, row));
            *cells = projected.collect::<Known<Vec<_>>>()?;
        }
        input.columns = header;
        Ok(input)
    }

    fn sort(&self, mut input: Table, keys: &'q [SortKey]) -> Known<Table> {
        let mut rows = Vec::with_capacity(input.rows.len());
        for cells in std::mem::take(&mut input.rows) {
            let row = Row {
                columns: &input.columns,
                cells: &cells,
            };
            let values = keys.iter().map(|key| self.value(&key.expr.expr, row));
            rows.push((values.collect::<Known<Vec<_>>>()?, cells));
        }
        rows.sort_by(|(a, _), (b, _)| {
            let orders = keys.iter().zip(a.iter().zip(b)).map(|(key, (a, b))| {
                let ascending = key.ascending.unwrap_or(false);
                a.sort(b, ascending, key.nulls_first.unwrap_or(ascending))
            });
            orders.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        input.rows = rows.into_iter().map(|(_, cells)| cells).collect();
        input.ordered = true;
        Ok(input)
    }

    fn take(&self, mut input: Table, count: &'q Expr) -> Known<Table> {
        let none = Row {
            columns: &[],
            cells: &[],
        };
        let Some(count) = self.value(count, none)?.whole() else {
            return unknown("a count that is none");
        };
        let count = usize::try_from(count).unwrap_or(0);
        input.open |= !input.ordered && count < input.rows.len();
        input.rows.truncate(count);
        Ok(input)
    }

    /// A row for each element; none for an empty array or bag, one for null.
    ///
    /// <https://learn.microsoft.com/kusto/query/mv-expand-operator>
    fn expand(&self, mut input: Table, expand: &'q MvExpand) -> Known<Table> {
        let ([column], true) = (expand.columns.as_slice(), expand.params.is_empty()) else {
            return unknown("mv-expand of several columns");
        };
        let name = name_of(&column.expr)?;
        if expand.limit.is_some() || input.position(&name).is_some() {
            return unknown("mv-expand in place");
        }
        let mut rows = Vec::new();
        for cells in &input.rows {
            let row = Row {
                columns: &input.columns,
                cells,
            };
            let elements = match self.value(&column.expr.expr, row)? {
                Value::Null => vec![Value::Null],
                Value::Dynamic(Json::Array(values)) => {
                    values.into_iter().map(Value::json).collect()
                }
                Value::Dynamic(Json::Object(bag)) => bag
                    .into_iter()
                    .map(|member| Value::Dynamic(Json::Object(Map::from_iter([member]))))
                    .collect(),
                scalar => vec![scalar],
            };
            for element in elements {
                let element = match column.to {
                    None | Some(Type::Dynamic) => element,
                    Some(Type::Long) if matches!(element, Value::Null) => element,
                    Some(Type::String) => convert::convert("tostring", &element)?,
                    _ => return unknown("mv-expand to a type"),
                };
                rows.push([cells.as_slice(), &[element]].concat());
            }
        }
        input.rows = rows;
        input
            .columns
            .push((name, column.to.unwrap_or(Type::Dynamic)));
        Ok(input)
    }
}

/// What tells rows apart.
pub(super) fn key(cells: &[Value]) -> Vec<String> {
    cells.iter().map(Value::cell).collect()
}

/// The name that a column is given, or that it has.
pub(super) fn name_of(column: &NamedExpr) -> Known<String> {
    match (&column.names, &column.expr.kind) {
        (Names::One(name), _) => Ok(name.text.clone()),
        (Names::None, ExprKind::Name(name)) => Ok(name.clone()),
        _ => Err(Unknown("a name that is not said".to_owned())),
    }
}

fn keep(mut input: Table, keeps: impl Fn(&str) -> bool) -> Known<Table> {
    let kept: Vec<bool> = input.columns.iter().map(|(name, _)| keeps(name)).collect();
    let mut index = 0;
    input.columns.retain(|_| {
        index += 1;
        kept[index - 1]
    });
    for row in &mut input.rows {
        let mut kept = kept.iter();
        row.retain(|_| kept.next() == Some(&true));
    }
    Ok(input)
}

fn rename(mut input: Table, columns: &[NamedExpr]) -> Known<Table> {
    for column in columns {
        let (Names::One(new), ExprKind::Name(old)) = (&column.names, &column.expr.kind) else {
            return unknown("project-rename");
        };
        let Some(position) = input.position(old) else {
            return unknown(format!("the column {old}"));
        };
        input.columns[position].0.clone_from(&new.text);
    }
    Ok(input)
}
