//! Sharding never changes an answer.

use std::path::{Path, PathBuf};

use plan::QueryContext;
use testkit::random::{self, Random};
use testkit::rows::{missing, same_row};
use testkit::{Cluster, Deal, Node, case};

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

/// Random queries over random tables, one node against clusters. `LOGGIA_SEED` and `LOGGIA_QUERIES`
/// choose others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_queries_answer_the_same_wherever_their_rows_lie() {
    let number = |name: &str, default: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(default)
    };
    let (first, queries) = (number("LOGGIA_SEED", 1), number("LOGGIA_QUERIES", 200));
    let (mut ran, mut gave_rows, mut problems) = (0, 0, Vec::new());
    for seed in first..first + queries {
        match random_query(seed).await {
            Ok(Some(rows)) => {
                ran += 1;
                gave_rows += u64::from(rows > 0);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    let total = problems.len();
    assert!(
        problems.is_empty(),
        "{total} of {queries} queries:\n{}",
        problems.join("\n\n")
    );
    assert!(
        ran * 10 >= queries * 7,
        "only {ran} of {queries} queries ran"
    );
    assert!(
        gave_rows * 2 >= queries,
        "only {gave_rows} of {queries} queries gave rows"
    );
}

/// Checks one query; gives how many rows it has, or `None` if it does not bind.
async fn random_query(seed: u64) -> Result<Option<usize>, String> {
    let mut random = Random::new(seed);
    let tables = random::tables(&mut random, 60);
    let text = random::query(&mut random);
    let context = QueryContext {
        now: 1_767_700_000_000_000_000,
        timespan: None,
    };
    let shards = 1 + random.below(5);
    let partitions = 1 + random.below(2);
    let deal = [Deal::Even, Deal::Skewed, Deal::Random(seed)][random.below(3)];
    let place = format!("seed {seed}: {shards} shards × {partitions}, {deal:?}\n{text}");
    let one = Node::new(&tables).ask(&text, &context).await;
    let many = Cluster::new(&tables, shards, partitions, deal)
        .ask(&text, &context)
        .await;
    let (one, many) = match (one, many) {
        (Ok(one), Ok(many)) => (one, many),
        (Err(one), Err(many)) if one.code == many.code => {
            return match one.code {
                proto::failure::Code::Semantic | proto::failure::Code::Syntax => Err(format!(
                    "{place}\nthe generator made a wrong query: {}",
                    one.message
                )),
                _ => Ok(None),
            };
        }
        (one, many) => {
            let shown = |answer: Result<testkit::Rows, proto::failure::Failure>| {
                answer
                    .map(|rows| rows.batch.num_rows())
                    .map_err(|failure| failure.message)
            };
            return Err(format!(
                "{place}\none node: {:?}\nmany: {:?}",
                shown(one),
                shown(many)
            ));
        }
    };
    let types: Vec<_> = one.columns.iter().map(|(_, ty)| *ty).collect();
    let (a, b) = (one.cells(), many.cells());
    if one.header() != many.header() || a.len() != b.len() {
        return Err(format!(
            "{place}\n{} rows on one node, {} on many",
            a.len(),
            b.len()
        ));
    }
    let differ = if one.ordered {
        let pairs = a.iter().zip(&b);
        pairs
            .filter(|(a, b)| !same_row(a, b, &types))
            .map(|(a, _)| a.clone())
            .collect()
    } else {
        missing(&a, &b, &types)
    };
    if differ.is_empty() {
        return Ok(Some(a.len()));
    }
    Err(format!(
        "{place}\nrows of one node that many lack: {differ:?}\nmany: {b:?}"
    ))
}
