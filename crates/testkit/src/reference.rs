//! What queries mean, one row at a time.
//!
//! A small and slow evaluator of the common operators over the parsed tree, to check answers by. It
//! shares nothing with the engine but the parser: values, operators and functions are written from
//! the reference of the language alone. What it does not know, or what the language leaves open, is
//! [`Unknown`] to it.

mod aggregates;
mod calendar;
mod convert;
mod expr;
mod functions;
mod operators;
mod parse;
mod relate;
mod text;
mod types;
mod value;

use std::collections::HashMap;

use kql::Type;
use kql::ast::{Expr, LetValue, Pipeline, Query, StatementKind};

pub use value::Value;

use crate::random::World;

/// Why a query has no answer here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown(pub String);

type Known<T> = Result<T, Unknown>;

fn unknown<T>(what: impl Into<String>) -> Known<T> {
    Err(Unknown(what.into()))
}

/// Columns and rows.
#[derive(Clone, Debug)]
pub struct Table {
    /// Names and types. Of a type only this matters: whether it is `string`, which has no null.
    pub columns: Vec<(String, Type)>,
    /// The rows.
    pub rows: Vec<Vec<Value>>,
    /// Whether their order is part of the answer.
    pub ordered: bool,
    /// Whether it is open which rows these are, and only their number is known.
    open: bool,
}

impl Table {
    fn new(columns: Vec<(String, Type)>, rows: Vec<Vec<Value>>) -> Self {
        Self {
            columns,
            rows,
            ordered: false,
            open: false,
        }
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|(known, _)| known == name)
    }
}

/// What names stand for.
struct Scope<'q> {
    world: &'q World,
    views: HashMap<&'q str, &'q Expr>,
}

/// The answer to a query over the tables of a world.
///
/// # Errors
/// If the query says something that is not known here.
pub fn answer(query: &Query, world: &World) -> Known<Table> {
    let mut scope = Scope {
        world,
        views: HashMap::new(),
    };
    let mut result = unknown("no query");
    for statement in &query.statements {
        match &statement.kind {
            StatementKind::Let(binding) => {
                let LetValue::Expr(value) = &binding.value else {
                    return unknown("let of a function");
                };
                scope.views.insert(&binding.name.text, value);
            }
            StatementKind::Query(pipeline) => result = scope.pipeline(pipeline),
            _ => return unknown("a statement"),
        }
    }
    let table = result?;
    if table.open {
        return unknown("which rows are taken");
    }
    Ok(table)
}

impl<'q> Scope<'q> {
    fn pipeline(&self, pipeline: &'q Pipeline) -> Known<Table> {
        let mut table = match &pipeline.source {
            Some(source) => Some(self.table(source)?),
            None => None,
        };
        for operator in &pipeline.operators {
            table = Some(self.operator(&operator.kind, table)?);
        }
        table.ok_or_else(|| Unknown("no rows".to_owned()))
    }

    /// A tabular expression.
    fn table(&self, expr: &'q Expr) -> Known<Table> {
        match &expr.kind {
            kql::ast::ExprKind::Pipeline(pipeline) => self.pipeline(pipeline),
            kql::ast::ExprKind::Name(name) => {
                if let Some(view) = self.views.get(name.as_str()) {
                    return self.table(view);
                }
                let Some(source) = self.world.sources.iter().find(|s| s.name == *name) else {
                    return unknown(format!("the table {name}"));
                };
                let columns = source.columns.iter().map(|f| (f.name.clone(), f.ty));
                Ok(Table::new(columns.collect(), source.rows.clone()))
            }
            _ => unknown("a tabular expression"),
        }
    }
}
