//! Cases: text files with queries and the rows that they give.
//!
//! A file holds cases with a line `====` between them. A case is a query, a line `----`, and the
//! answer: a header `name:type | …` and a line for each row, or `error CODE: message`. Lines that
//! begin with `//!` before the query say how the case is meant:
//!
//! - `//! now 2026-01-01T12:00:00Z` is what `now()` gives.
//! - `//! order by a, b` says that only these columns decide the order, the rest of it is open.
//! - `//! any 3 of QUERY` expects three of the rows of another query, whichever.
//! - `//! lists a` says that the order within the arrays of a column is open.
//! - `//! one node` says that the tables are not dealt, as for a case about an error.
//!
//! The first case of a file may begin with `let` statements that end with a line `//! end`: they
//! stand before every case of the file. Every `let T = datatable…` becomes a table that is dealt
//! over shards.

use std::fmt::Write as _;
use std::path::Path;

use kql::Type;
use kql::ast::{LetValue, StatementKind};
use plan::QueryContext;
use proto::failure::Failure;

use crate::rows::{missing, same_row, same_set};
use crate::{Cluster, Deal, Node, Rows, TestTable};

/// The noon at which cases run that do not say otherwise: 2026-01-15T12:00:00Z.
const NOW: i64 = 1_768_478_400_000_000_000;

/// How the tables of a case are dealt: shards, partitions of each, and the dealing.
const DEALINGS: [(usize, usize, Deal); 4] = [
    (1, 2, Deal::Even),
    (2, 1, Deal::Even),
    (5, 1, Deal::Skewed),
    (5, 2, Deal::Random(7)),
];

/// A case.
#[derive(Clone, Debug)]
pub struct Case {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Everything before the line `----`, as it stands.
    text: String,
    /// What stands before it in the query.
    prelude: String,
    now: i64,
    order_by: Option<Vec<String>>,
    any_of: Option<(usize, String)>,
    lists: Vec<String>,
    one_node: bool,
    expected: String,
}

/// Reads the cases of a file.
pub fn read(text: &str) -> Vec<Case> {
    let (prelude, rest) = match text.split_once("//! end\n") {
        Some((prelude, rest)) => (prelude.to_owned(), rest),
        None => (String::new(), text),
    };
    let mut line = 1 + text[..text.len() - rest.len()].lines().count();
    let mut cases = Vec::new();
    for part in rest.split("\n====\n") {
        let (query, expected) = part.split_once("\n----\n").unwrap_or((part, ""));
        cases.push(case(query, expected, &prelude, line));
        line += part.lines().count() + 1;
    }
    cases
}

fn case(text: &str, expected: &str, prelude: &str, line: usize) -> Case {
    let mut case = Case {
        line,
        text: text.to_owned(),
        prelude: prelude.to_owned(),
        now: NOW,
        order_by: None,
        any_of: None,
        lists: Vec::new(),
        one_node: false,
        expected: expected.trim_end().to_owned(),
    };
    let names = |list: &str| list.split(',').map(|name| name.trim().to_owned()).collect();
    for directive in text.lines().filter_map(|line| line.strip_prefix("//! ")) {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        match (word, rest) {
            ("now", time) => {
                let ticks = kql::value::datetime::parse(time).expect("`//! now` takes a time");
                case.now = (ticks - kql::value::datetime::UNIX_EPOCH_TICKS) * 100;
            }
            ("order", by) => {
                case.order_by = Some(names(by.strip_prefix("by ").expect("`//! order by a, b`")));
            }
            ("any", of) => {
                let (count, query) = of.split_once(" of ").expect("`//! any N of QUERY`");
                case.any_of = Some((count.parse().expect("a number"), query.to_owned()));
            }
            ("lists", columns) => case.lists = names(columns),
            ("one", "node") => case.one_node = true,
            _ => panic!("line {line}: unknown directive `{directive}`"),
        }
    }
    case
}

impl Case {
    fn query(&self) -> String {
        format!("{}{}", self.prelude, self.text)
    }

    fn context(&self) -> QueryContext {
        QueryContext {
            now: self.now,
            timespan: None,
        }
    }

    /// Runs the case on one node; gives what it answers, as the file would say it.
    pub async fn answer(&self) -> String {
        let answer = Node::new(&[]).ask(&self.query(), &self.context()).await;
        shown(&answer)
    }

    /// Runs the case on one node and dealt over shards; says what is wrong, if anything is.
    pub async fn check(&self) -> Result<(), String> {
        let answer = Node::new(&[]).ask(&self.query(), &self.context()).await;
        self.check_answer(&answer, "on one node").await?;
        if self.one_node {
            return Ok(());
        }
        let Some((tables, rest)) = self.dealt().await else {
            return Ok(());
        };
        for (shards, partitions, deal) in DEALINGS {
            let cluster = Cluster::new(&tables, shards, partitions, deal);
            let answer = cluster.ask(&rest, &self.context()).await;
            let place = format!("on {shards} shards × {partitions} partitions, dealt {deal:?}");
            self.check_answer(&answer, &place).await?;
        }
        Ok(())
    }

    /// The datatables of the query as tables, and the query without them.
    async fn dealt(&self) -> Option<(Vec<TestTable>, String)> {
        let text = self.query();
        let query = coordinator::ask::parse(&text).ok()?;
        let mut rest = text.clone();
        let mut tables = Vec::new();
        for statement in query.statements.iter().rev() {
            let StatementKind::Let(binding) = &statement.kind else {
                continue;
            };
            let LetValue::Expr(expr) = &binding.value else {
                continue;
            };
            if !matches!(&expr.kind, kql::ast::ExprKind::DataTable(_)) {
                continue;
            }
            let source = &text[expr.span.start as usize..expr.span.end as usize];
            let rows = Node::new(&[]).ask(source, &self.context()).await.ok()?;
            tables.push(TestTable::new(
                &binding.name.text,
                &rows.columns,
                &rows.batch,
            ));
            let (start, end) = (statement.span.start as usize, statement.span.end as usize);
            let end = rest[end..]
                .find(';')
                .map_or(end, |semicolon| end + semicolon + 1);
            rest.replace_range(start..end, "");
        }
        // A case that names no table is the same wherever they lie.
        tables.retain(|table: &TestTable| names(&rest, &table.table.name));
        (!tables.is_empty()).then_some((tables, rest))
    }

    async fn check_answer(
        &self,
        answer: &Result<Rows, Failure>,
        place: &str,
    ) -> Result<(), String> {
        let problem = match answer {
            Ok(rows) => self.compare(rows).await,
            Err(_) if shown(answer) == self.expected => None,
            Err(_) => Some("another error".to_owned()),
        };
        match problem {
            None => Ok(()),
            Some(problem) => Err(format!(
                "line {}, {place}: {problem}\n--- query\n{}\n--- expected\n{}\n--- found\n{}",
                self.line,
                self.text,
                self.expected,
                shown(answer)
            )),
        }
    }

    async fn compare(&self, found: &Rows) -> Option<String> {
        let mut lines = self.expected.lines();
        let types: Vec<Type> = found.columns.iter().map(|(_, ty)| *ty).collect();
        if lines.next() != Some(&found.header()) {
            return Some("other columns".to_owned());
        }
        if let Some((count, query)) = &self.any_of {
            let all = format!("{}{query}", self.prelude);
            let all = match Node::new(&[]).ask(&all, &self.context()).await {
                Ok(all) => all.cells(),
                Err(failure) => return Some(format!("`{query}` failed: {}", failure.message)),
            };
            let cells = found.cells();
            return match missing(&cells, &all, &types).as_slice() {
                [] if cells.len() == *count => None,
                [] => Some(format!("{} rows instead of {count}", cells.len())),
                rows => Some(format!(
                    "rows that are not among those of `{query}`: {rows:?}"
                )),
            };
        }
        let expected: Vec<Vec<String>> = lines
            .map(|line| self.normal(found, line.split(" | ").map(str::to_owned)))
            .collect();
        let cells: Vec<Vec<String>> = found
            .cells()
            .into_iter()
            .map(|row| self.normal(found, row.into_iter()))
            .collect();
        if !found.ordered {
            return (!same_set(&expected, &cells, &types)).then(|| "other rows".to_owned());
        }
        let Some(keys) = &self.order_by else {
            let same = expected.len() == cells.len()
                && expected
                    .iter()
                    .zip(&cells)
                    .all(|(a, b)| same_row(a, b, &types));
            return (!same).then(|| "other rows, or in another order".to_owned());
        };
        let keys: Vec<usize> = keys
            .iter()
            .filter_map(|key| found.columns.iter().position(|c| c.0 == *key))
            .collect();
        let key = |row: &Vec<String>| keys.iter().map(|k| row[*k].clone()).collect::<Vec<_>>();
        let in_order = expected.iter().map(key).eq(cells.iter().map(key));
        let same = in_order && same_set(&expected, &cells, &types);
        (!same).then(|| "other rows, or in another order".to_owned())
    }

    /// A row with the arrays of open order sorted.
    fn normal(&self, found: &Rows, row: impl Iterator<Item = String>) -> Vec<String> {
        row.enumerate()
            .map(|(index, cell)| {
                let open = found
                    .columns
                    .get(index)
                    .is_some_and(|c| self.lists.contains(&c.0));
                match serde_json::from_str::<Vec<serde_json::Value>>(&cell) {
                    Ok(mut list) if open => {
                        list.sort_by_key(ToString::to_string);
                        serde_json::Value::Array(list).to_string()
                    }
                    _ => cell,
                }
            })
            .collect()
    }
}

/// An answer as files say it.
fn shown(answer: &Result<Rows, Failure>) -> String {
    match answer {
        Ok(rows) => {
            let mut text = rows.header();
            for row in rows.cells() {
                // Writing to a string can't fail.
                let _ = write!(text, "\n{}", row.join(" | "));
            }
            text
        }
        Err(failure) => {
            let first = failure.diagnostics.first();
            let hint = first
                .map(|d| d.hint.clone())
                .filter(|hint| !hint.is_empty());
            let message = first.map_or(&failure.message, |d| &d.message);
            match hint {
                Some(hint) => format!("error {}: {message}; {hint}", failure.reason()),
                None => format!("error {}: {message}", failure.reason()),
            }
        }
    }
}

/// Writes the answers that a file's cases give on one node into the file.
///
/// # Errors
/// If the file can't be read or written.
pub async fn bless(path: &Path) -> std::io::Result<()> {
    let text = std::fs::read_to_string(path)?;
    let prelude = text
        .find("//! end\n")
        .map_or("", |at| &text[..at + "//! end\n".len()]);
    let mut parts = Vec::new();
    for case in read(&text) {
        let expected = match case.any_of {
            // Which rows come is open; the header is not.
            Some(_) => case
                .answer()
                .await
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned(),
            None => case.answer().await,
        };
        parts.push(format!("{}\n----\n{expected}", case.text.trim_end()));
    }
    std::fs::write(path, format!("{prelude}{}\n", parts.join("\n====\n")))
}

/// Whether a word stands in a text.
fn names(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}
