//! The rules of the house that no compiler checks: who may depend on whom, how long files may be,
//! and what must not stand in the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crates of this repository that each crate may depend on. A line here is a decision: see
/// ARCHITECTURE.md.
const EDGES: [(&str, &[&str]); 15] = [
    ("kql", &[]),
    ("schema", &["kql"]),
    ("functions", &["kql", "schema"]),
    ("plan", &["functions", "kql", "schema"]),
    ("engine", &["functions", "schema"]),
    ("storage", &["schema"]),
    ("records", &["kql", "schema"]),
    ("generate", &["kql", "schema"]),
    ("proto", &["kql"]),
    ("catalog", &["kql", "schema"]),
    ("shard", &["catalog", "engine", "proto", "storage"]),
    (
        "coordinator",
        &[
            "catalog",
            "engine",
            "functions",
            "kql",
            "plan",
            "proto",
            "records",
            "schema",
        ],
    ),
    ("gateway", &["kql", "proto"]),
    (
        "loggia",
        &[
            "catalog",
            "coordinator",
            "engine",
            "gateway",
            "generate",
            "kql",
            "proto",
            "records",
            "schema",
            "shard",
            "storage",
        ],
    ),
    (
        "testkit",
        &["coordinator", "engine", "kql", "plan", "proto", "schema"],
    ),
];

/// Crates whose edit-test loop is seconds, since DataFusion is not below them.
const LIGHT: [&str; 7] = [
    "kql", "schema", "proto", "catalog", "records", "generate", "gateway",
];

/// External crates that stand in one place only.
const PLACES: [(&str, &[&str]); 3] = [
    ("datafusion_distributed", &["crates/engine/"]),
    ("etcd_client", &["crates/catalog/src/etcd"]),
    (
        "parquet::",
        // The client writes a file, and a test reads it.
        &[
            "crates/storage/",
            "crates/loggia/src/output.rs",
            "tests/cli/query.rs",
        ],
    ),
];

/// Lines that a file may have.
const LINES_MAX: usize = 500;

/// Files over [`LINES_MAX`], with their length. A file may shrink and must not grow; a line here
/// goes when its file fits.
const LONG: [(&str, usize); 7] = [
    ("crates/kql/src/ast/operator.rs", 594),
    ("crates/kql/src/lexer.rs", 541),
    ("crates/kql/src/parser/expr.rs", 534),
    ("crates/kql/src/print/operator.rs", 611),
    ("crates/plan/src/tabular.rs", 522),
    ("crates/records/tests/parse.rs", 576),
    ("crates/storage/src/tests/scan.rs", 533),
];

/// What no line of code may hold. Written in halves, since this file is read as well.
const BANNED: [(&str, &str); 5] = [
    (concat!("todo", "!("), "finish it, or refuse it by name"),
    (concat!("dbg", "!("), "use tracing"),
    (concat!("#[ign", "ore"), "a test runs or goes"),
    (concat!("#[allow(dead", "_code"), "remove what nothing uses"),
    (
        concat!("thread::", "sleep"),
        "wait for the event, not for time",
    ),
];

fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("../..").canonicalize().expect("the root exists")
}

/// What `cargo metadata` says, offline.
fn metadata(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .args(args)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo metadata: {output:?}");
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

/// Every file of the repository's own Rust code, with its path from the root.
fn sources() -> Vec<(String, String)> {
    let root = root();
    let mut files = Vec::new();
    for folder in ["crates", "tests"] {
        collect(&root.join(folder), &mut files);
    }
    assert!(
        files.len() > 100,
        "the sources are not where they should be"
    );
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("it is below the root");
            let text = std::fs::read_to_string(&path).expect("a source file is readable");
            (name.display().to_string(), text)
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is readable") {
        let path = entry.expect("its entries are readable").path();
        if path.is_dir() {
            // Generated code and what tests install follow nobody's style.
            if !path.ends_with("generated") && !path.ends_with("node_modules") {
                collect(&path, files);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn crates_depend_only_on_those_they_may() {
    let metadata = metadata(&["--no-deps"]);
    let packages = metadata["packages"].as_array().expect("there are packages");
    let ours: BTreeSet<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let allowed: BTreeMap<&str, &[&str]> = EDGES.into_iter().collect();
    assert_eq!(ours, allowed.keys().copied().collect(), "the crates");
    for package in packages {
        let name = package["name"].as_str().expect("a package has a name");
        let edges: BTreeSet<&str> = package["dependencies"]
            .as_array()
            .expect("a package has dependencies")
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .filter_map(|dependency| dependency["name"].as_str())
            .filter(|dependency| ours.contains(dependency))
            .collect();
        let may: BTreeSet<&str> = allowed[name].iter().copied().collect();
        assert_eq!(edges, may, "the edges of {name}");
    }
}

#[test]
fn light_crates_stay_free_of_datafusion() {
    let metadata = metadata(&[]);
    let nodes = metadata["resolve"]["nodes"].as_array().expect("a graph");
    let below: BTreeMap<&str, Vec<&str>> = nodes
        .iter()
        .map(|node| {
            let dependencies = node["deps"].as_array().expect("a node has dependencies");
            let normal = dependencies.iter().filter(|dependency| {
                let kinds = dependency["dep_kinds"].as_array();
                kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
            });
            let ids = normal.filter_map(|dependency| dependency["pkg"].as_str());
            (
                node["id"].as_str().expect("a node has an id"),
                ids.collect(),
            )
        })
        .collect();
    for name in LIGHT {
        let end = format!("crates/{name}#");
        let start = below.keys().find(|id| id.contains(&end));
        let start = start.unwrap_or_else(|| panic!("{name} is not in the graph"));
        let mut seen = BTreeSet::from([*start]);
        let mut open = vec![*start];
        while let Some(id) = open.pop() {
            assert!(!id.contains("#datafusion"), "{name} depends on {id}");
            open.extend(below[id].iter().filter(|next| seen.insert(next)));
        }
        assert!(seen.len() > 1, "{name} has no dependencies at all");
    }
}

#[test]
fn files_stay_short() {
    let long: BTreeMap<&str, usize> = LONG.into_iter().collect();
    let mut wrong = Vec::new();
    let mut met = BTreeSet::from([""]);
    let sources = sources();
    for (name, text) in &sources {
        let lines = text.lines().count();
        let most = long.get(name.as_str()).copied().unwrap_or(LINES_MAX);
        if lines > most {
            wrong.push(format!("{name} has {lines} lines, at most {most}"));
        }
        if most > LINES_MAX && lines > LINES_MAX {
            met.insert(name);
        }
    }
    for name in long.keys().filter(|name| !met.contains(*name)) {
        wrong.push(format!("{name} fits now: take it out of LONG"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_banned_stands_in_the_code() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            for (word, instead) in BANNED {
                if line.contains(word) {
                    wrong.push(format!("{name}:{}: `{word}`: {instead}", number + 1));
                }
            }
            for (word, places) in PLACES {
                let stands = line.contains(word) && !line.trim_start().starts_with("//");
                if stands && name != "tests/tidy.rs" && !places.iter().any(|p| name.starts_with(p))
                {
                    wrong.push(format!(
                        "{name}:{}: `{word}` belongs to {places:?}",
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A case, a snapshot or a page that speaks of a machine's own paths helps nobody else.
#[test]
fn no_path_of_one_machine_is_committed() {
    let output = Command::new("git")
        .args([
            "grep",
            "-nE",
            concat!("/(work|home|root)", "/|art", "ifactory"),
        ])
        .current_dir(root())
        .output();
    let Ok(output) = output else { return };
    let found = String::from_utf8_lossy(&output.stdout);
    let found: Vec<&str> = found.lines().filter(|line| !line.is_empty()).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}
