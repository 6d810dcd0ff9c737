//! Sharding never changes an answer.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use arrow::datatypes::Schema;
use kql::Type;
use plan::QueryContext;
use testkit::{Cluster, Deal, Node, TestTable, case};

fn case_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cases");
    let entries = std::fs::read_dir(folder).expect("the folder of cases");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "kql"))
        .collect();
    files.sort();
    files
}

/// Runs every case on one node and dealt over shards. `LOGGIA_BLESS=1` writes what one node answers
/// into the files; read it before it is committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_case_answers_the_same_wherever_its_rows_lie() {
    let only = std::env::var("LOGGIA_CASE").unwrap_or_default();
    let (mut problems, mut count) = (Vec::new(), 0);
    for path in case_files() {
        if !path.to_string_lossy().contains(&only) {
            continue;
        }
        if std::env::var_os("LOGGIA_BLESS").is_some() {
            case::bless(&path).await.expect("the file is written");
        }
        let text = std::fs::read_to_string(&path).expect("a file of cases");
        for case in case::read(&text) {
            count += 1;
            if let Err(problem) = case.check().await {
                problems.push(format!("{}: {problem}", path.display()));
            }
        }
    }
    assert!(count > 0, "no cases");
    let total = problems.len();
    assert!(
        problems.is_empty(),
        "{total} of {count} cases:\n{}",
        problems.join("\n\n")
    );
}

/// A table of ids from `first` on.
fn ids(name: &str, first: i64) -> TestTable {
    let ids = Int64Array::from_iter_values(first..first + 10);
    let schema = Schema::new(vec![schema::arrow::field("id", Type::Long)]);
    let rows =
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids)]).expect("one column of ids");
    TestTable::new(name, &[("id".to_owned(), Type::Long)], &rows)
}

/// Asks one node and clusters, which must all answer with these rows.
async fn check(tables: &[TestTable], query: &str, expected: &[&[&str]]) {
    let context = QueryContext {
        now: 0,
        timespan: None,
    };
    let one = Node::new(tables)
        .ask(query, &context)
        .await
        .expect("one node answers");
    assert_eq!(one.cells(), expected);
    for shards in 1..4 {
        let cluster = Cluster::new(tables, shards, 1, Deal::Even);
        let many = cluster.ask(query, &context).await.expect("many answer");
        assert_eq!(many.cells(), expected, "{shards} shards");
    }
}

/// Each leg has one origin, by which rows of different legs must still be compared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_top_rows_of_a_union_are_those_by_all_keys() {
    let tables = [ids("A", 0), ids("B", 100)];
    let query = "union withsource=Origin B, A | sort by Origin asc, id desc | take 2";
    check(&tables, query, &[&["\"A\"", "9"], &["\"A\"", "8"]]).await;
}

/// The sides of a join are not cut to as many rows as are taken of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_above_a_join_does_not_cut_its_sides() {
    let tables = [ids("A", 0), ids("B", 0)];
    let query = "A | where id > 6 | join kind=leftouter B on id | take 3 | summarize sum(id1 - id)";
    check(&tables, query, &[&["0"]]).await;
    let query =
        "A | where id > 6 | join kind=leftouter B on id | take 3 | summarize countif(isnull(id1))";
    check(&tables, query, &[&["0"]]).await;
}

/// A total is one row, even of nothing; a filter that drops it leaves none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_filter_without_columns_drops_a_total() {
    let tables = [ids("A", 0)];
    let query = "A | summarize n = count() | extend ok = false | where ok";
    check(&tables, query, &[]).await;
    let query = "A | summarize n = count() | extend word = 'x' | where word == 'x' | where n > 3";
    check(&tables, query, &[&["10", "\"x\""]]).await;
    let query = "union (A | summarize n = count()), (A | count) | where 1 == 2 | count";
    check(&tables, query, &[&["0"]]).await;
}
