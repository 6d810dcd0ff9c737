//! Sharding never changes an answer.

use std::path::{Path, PathBuf};

use testkit::case;

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
