//! Random queries, and whether what is answered to them can be right.
//!
//! Three things are held against each other: the answer of one node, the answer of a cluster whose
//! shards hold the same rows, and where it can, that of the slow evaluator in [`crate::reference`].
//! Apart from that, a predicate must split rows in three: those for which it is true, those for
//! which its negation is, and those for which it is null.

use std::sync::Arc;

use kql::Type;
use plan::QueryContext;
use proto::failure::{Code, Failure};

use crate::mutation::{Change, Mutation, Plant, Watch};
use crate::random::{self, Asked, Expect, Field, Random, Same, World};
use crate::reference::{self, Unknown, Value};
use crate::rows::{missing, same_row, same_set};
use crate::{Cluster, Node, Rows};

/// How many queries share their tables.
const QUERIES_OF_WORLD: u64 = 5;

/// What time it is: 2026-01-06T11:46:40Z.
const CONTEXT: QueryContext = QueryContext {
    now: 1_767_700_000_000_000_000,
    timespan: None,
};

/// A cluster, a node with the same rows, and queries for them.
pub struct Oracle {
    /// The tables and how they are dealt.
    pub world: World,
    /// One node.
    pub node: Node,
    /// The same rows over shards.
    pub cluster: Cluster,
}

/// What came of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran.
    Ran {
        /// How many rows it gave.
        rows: usize,
        /// What in it the reference evaluator does not know, if it does not know all of it.
        unknown: Option<String>,
    },
    /// It does not run, for this reason.
    Refused(String),
}

impl Oracle {
    /// The world in which the query of a seed is asked.
    pub fn new(seed: u64) -> Self {
        let world = World::new(seed / QUERIES_OF_WORLD);
        let tables = world.tables();
        Self {
            node: Node::new(&tables),
            cluster: Cluster::new(&tables, world.shards, world.partitions, world.deal),
            world,
        }
    }

    /// Whether the query of a seed is asked in this world as well as that of another.
    pub fn same_world(a: u64, b: u64) -> bool {
        a / QUERIES_OF_WORLD == b / QUERIES_OF_WORLD
    }

    /// The query of a seed.
    pub fn asked(&self, seed: u64) -> Asked {
        random::query(&mut Random::new(seed), &self.world)
    }

    /// Asks the query of a seed.
    ///
    /// # Errors
    /// What is wrong with the answers, and how to see it again.
    pub async fn check(&self, seed: u64) -> Result<Outcome, String> {
        let asked = self.asked(seed);
        let outcome = match self.answers(&asked, &self.cluster).await {
            Ok(Answers::Both(one, many)) => self.judge(&asked, &one, &many).await,
            Ok(Answers::Refused(why)) => return Ok(Outcome::Refused(why)),
            Err(problem) => Err(problem),
        };
        let outcome = match outcome {
            Ok(outcome) if seed.is_multiple_of(3) => self.split(&asked).await.map(|()| outcome),
            outcome => outcome,
        };
        outcome.map_err(|problem| {
            let World {
                shards,
                partitions,
                deal,
                ..
            } = &self.world;
            format!(
                "LOGGIA_SEED={seed} LOGGIA_QUERIES=1, {shards} shards × {partitions}, {deal:?}\n\
                 {}\n{problem}",
                asked.text
            )
        })
    }

    async fn judge(&self, asked: &Asked, one: &Rows, many: &Rows) -> Result<Outcome, String> {
        if let Expect::AnyOf(all, count) = &asked.expect {
            for (name, rows) in [("one node", one), ("many", many)] {
                self.among(rows, all, *count, &asked.columns)
                    .await
                    .map_err(|problem| format!("{name}: {problem}"))?;
            }
        } else if let Some(problem) = differ(one, many, &asked.columns) {
            return Err(problem);
        }
        let rows = one.batch.num_rows();
        let unknown = self.reference(asked, one)?;
        Ok(Outcome::Ran { rows, unknown })
    }

    /// Which of some faults show in the answer to the query of a seed. `None` means that the fault
    /// does not touch the query, or that it failed.
    pub async fn notices(&self, seed: u64, faults: &[Mutation]) -> Vec<Option<bool>> {
        let nothing = vec![None; faults.len()];
        let asked = self.asked(seed);
        let watch = Arc::new(Watch::default());
        let watched = self.cluster.with_rule(Arc::clone(&watch) as Arc<_>);
        let planned = watched.plan(&asked.text, &CONTEXT).await;
        let touched = |fault: &Mutation| match fault.change {
            Change::Snapshot => true,
            _ => watch.fits(*fault),
        };
        if planned.is_err() || !faults.iter().any(touched) {
            return nothing;
        }
        let Ok(Answers::Both(one, many)) = self.answers(&asked, &self.cluster).await else {
            return nothing;
        };
        if self.judge(&asked, &one, &many).await.is_err() {
            return nothing;
        }
        let mut found = Vec::with_capacity(faults.len());
        for fault in faults {
            let faulty = match fault.change {
                Change::Snapshot => self.stale(),
                _ if touched(fault) => self.cluster.with_rule(Arc::new(Plant { mutation: *fault })),
                _ => {
                    found.push(None);
                    continue;
                }
            };
            let answer = faulty.ask(&asked.text, &CONTEXT).await;
            found.push(match answer {
                Ok(wrong) => Some(self.judge(&asked, &one, &wrong).await.is_err()),
                Err(_) => None,
            });
        }
        found
    }

    fn stale(&self) -> Cluster {
        let World {
            shards,
            partitions,
            deal,
            ..
        } = self.world;
        Cluster::stale(&self.world.tables(), shards, partitions, deal)
    }

    /// Holds an answer to that of the reference evaluator; tells what that
    /// does not know.
    fn reference(&self, asked: &Asked, found: &Rows) -> Result<Option<String>, String> {
        let query = coordinator::ask::parse(&asked.text).map_err(|failure| said(&failure))?;
        let table = match reference::answer(&query, &self.world) {
            Ok(table) => table,
            Err(Unknown(what)) => return Ok(Some(what)),
        };
        let names: Vec<&String> = table.columns.iter().map(|(name, _)| name).collect();
        let shown: Vec<&String> = found.columns.iter().map(|(name, _)| name).collect();
        if names != shown {
            return Err(format!(
                "columns: {shown:?}, and by the reference {names:?}"
            ));
        }
        let types: Vec<Type> = found.columns.iter().map(|(_, ty)| *ty).collect();
        let rows = table
            .rows
            .iter()
            .map(|row| row.iter().map(Value::cell).collect());
        let expected = sorted_lists(rows.collect(), found, &asked.columns);
        let cells = cells(found, &asked.columns);
        let same = if found.ordered {
            expected.len() == cells.len()
                && expected
                    .iter()
                    .zip(&cells)
                    .all(|(a, b)| same_row(a, b, &types))
        } else {
            same_set(&expected, &cells, &types)
        };
        if same {
            return Ok(None);
        }
        Err(format!(
            "only by the reference: {:?}\nonly found: {:?}\nordered: {}",
            missing(&expected, &cells, &types),
            missing(&cells, &expected, &types),
            found.ordered
        ))
    }

    async fn answers(&self, asked: &Asked, cluster: &Cluster) -> Result<Answers, String> {
        let one = self.node.ask(&asked.text, &CONTEXT).await;
        let many = cluster.ask(&asked.text, &CONTEXT).await;
        match (one, many) {
            (Ok(one), Ok(many)) => Ok(Answers::Both(one, many)),
            (Err(one), Err(many)) if one.code == many.code => match one.code {
                Code::Semantic | Code::Syntax if !is_refusal(&one) => {
                    Err(format!("the generator made a wrong query: {}", said(&one)))
                }
                _ => Ok(Answers::Refused(said(&one))),
            },
            (one, many) => {
                let shown = |answer: Result<Rows, Failure>| {
                    answer
                        .map(|rows| rows.batch.num_rows())
                        .map_err(|failure| said(&failure))
                };
                Err(format!(
                    "one node: {:?}\nmany: {:?}",
                    shown(one),
                    shown(many)
                ))
            }
        }
    }

    /// Whether an answer is so many of the rows of another query.
    async fn among(
        &self,
        found: &Rows,
        all: &str,
        count: usize,
        columns: &[Field],
    ) -> Result<(), String> {
        let all = self
            .node
            .ask(all, &CONTEXT)
            .await
            .map_err(|failure| said(&failure))?;
        let expected = count.min(all.batch.num_rows());
        if found.batch.num_rows() != expected {
            return Err(format!(
                "{} rows instead of {expected}",
                found.batch.num_rows()
            ));
        }
        let kinds = kinds(found, columns);
        match missing(&cells(found, columns), &cells(&all, columns), &kinds).as_slice() {
            [] => Ok(()),
            others => Err(format!("rows that are not there: {others:?}")),
        }
    }

    /// Holds a predicate `p` to its three parts. `not(p)` is null where `p` is, and `where` drops
    /// the rows for which a predicate is null, so that each row is in one part: `where p`,
    /// `where not(p)` or `where isnull(p)`.
    ///
    /// <https://learn.microsoft.com/kusto/query/scalar-data-types/null-values>
    async fn split(&self, asked: &Asked) -> Result<(), String> {
        let (rows, p) = &asked.split;
        let (source, tail) = match rows.rsplit_once(";\n") {
            Some((prelude, rest)) => (format!("{prelude};\n"), rest),
            None => (String::new(), rows.as_str()),
        };
        let ask = async |text: String| match self.node.ask(&text, &CONTEXT).await {
            Ok(rows) => Ok(rows.batch.num_rows()),
            Err(failure) => Err(said(&failure)),
        };
        let all = ask(rows.clone()).await;
        let mut parts = 0;
        for part in [p.clone(), format!("not({p})"), format!("isnull({p})")] {
            match (ask(format!("{source}{tail} | where {part}")).await, &all) {
                (Ok(rows), Ok(_)) => parts += rows,
                // What fails for all rows may fail for a part; nothing can be said then.
                _ => return Ok(()),
            }
        }
        match all {
            Ok(all) if all != parts => Err(format!("{tail}\n`{p}` splits {all} rows into {parts}")),
            _ => Ok(()),
        }
    }
}

enum Answers {
    Both(Rows, Rows),
    Refused(String),
}

/// Whether a query is refused because something is not built, or too large for what is kept.
fn is_refusal(failure: &Failure) -> bool {
    failure
        .diagnostics
        .iter()
        .any(|d| d.message.contains("not supported"))
}

fn said(failure: &Failure) -> String {
    let first = failure.diagnostics.first();
    first
        .map_or(&failure.message, |diagnostic| &diagnostic.message)
        .clone()
}

/// As what the cells of each column are compared: reals as such may differ a little, text may not.
fn kinds(rows: &Rows, columns: &[Field]) -> Vec<Type> {
    let kind = |(name, ty): &(String, Type)| {
        let field = columns.iter().find(|field| field.name == *name);
        match (field.map(|field| field.same), ty) {
            (Some(Same::Near), _) | (_, Type::Dynamic) => *ty,
            _ => Type::String,
        }
    };
    rows.columns.iter().map(kind).collect()
}

/// The cells, with the lists whose order is open sorted.
fn cells(rows: &Rows, columns: &[Field]) -> Vec<Vec<String>> {
    sorted_lists(rows.cells(), rows, columns)
}

fn sorted_lists(mut cells: Vec<Vec<String>>, rows: &Rows, columns: &[Field]) -> Vec<Vec<String>> {
    let open: Vec<bool> = rows
        .columns
        .iter()
        .map(|(name, _)| {
            columns
                .iter()
                .any(|field| field.name == *name && field.same == Same::List)
        })
        .collect();
    for row in &mut cells {
        for (cell, open) in row.iter_mut().zip(&open) {
            if *open && let Ok(mut list) = serde_json::from_str::<Vec<serde_json::Value>>(cell) {
                list.sort_by_key(ToString::to_string);
                *cell = serde_json::Value::Array(list).to_string();
            }
        }
    }
    cells
}

/// How two answers differ, if they do.
pub fn differ(one: &Rows, many: &Rows, columns: &[Field]) -> Option<String> {
    let expected = columns
        .iter()
        .map(|field| format!("{}:{}", field.name, field.ty));
    let expected = expected.collect::<Vec<_>>().join(" | ");
    if one.header() != expected || many.header() != expected {
        return Some(format!(
            "columns\none node: {}\nmany: {}\nexpected: {expected}",
            one.header(),
            many.header()
        ));
    }
    if one.ordered != many.ordered {
        return Some("only one of the answers is ordered".to_owned());
    }
    let kinds = kinds(one, columns);
    let (a, b) = (cells(one, columns), cells(many, columns));
    if one.ordered {
        let same = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same_row(a, b, &kinds));
        return (!same).then(|| format!("one node: {a:?}\nmany: {b:?}"));
    }
    let (lost, added) = (missing(&a, &b, &kinds), missing(&b, &a, &kinds));
    (!lost.is_empty() || !added.is_empty())
        .then(|| format!("only on one node: {lost:?}\nonly on many: {added:?}"))
}
