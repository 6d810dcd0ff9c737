//! `loggia ingest` and `loggia generate`.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::serve;
use crate::server::{Done, Server, binary, folder, job_event, lines, workspace_resource};

/// Records of which one can be stored, with `--workspace one`.
fn mixed_records() -> String {
    let mut unknown = job_event("three", "2026-01-10T08:00:00Z", "JobFailed", "x");
    unknown["category"] = json!("NoSuchCategory");
    let mut orphan = job_event("one", "2026-01-12T08:00:00Z", "JobFailed", "orphan");
    orphan
        .as_object_mut()
        .expect("an object")
        .remove("resourceId");
    let late = job_event("one", "yesterday", "JobFailed", "x");
    let elsewhere = job_event("three", "2026-01-10T08:00:00Z", "JobFailed", "x");
    format!(
        "{}no JSON\n{}",
        lines(&[unknown, orphan]),
        lines(&[late, elsewhere])
    )
}

#[test]
fn ingest_says_what_it_took_and_why_it_refused_the_rest() {
    let folder = folder();
    let server = serve(folder.path());
    let path = folder.path().join("mixed.json");
    fs::write(&path, mixed_records()).expect("the file is written");
    let path = path.to_str().expect("a path of text");
    let done = server.run(&["ingest", path]).fails(4);
    assert!(
        done.stdout.contains(" 0  records accepted"),
        "{}",
        done.stdout
    );
    let done = server.run(&["ingest", "--workspace", "one", path]).fails(4);
    for part in [
        " 1  AmlComputeJobEvent",
        " 1  records accepted",
        " 4  records refused",
        "unknown category `NoSuchCategory`",
        "such as line 1: ",
        "not JSON",
        "such as line 3: no JSON",
        "\"yesterday\" is no instant",
        "add it first",
        "such as line 5\n",
    ] {
        assert!(
            done.stdout.contains(part),
            "no {part:?} in\n{}",
            done.stdout
        );
    }
    assert_eq!(done.stderr, "4 records were refused\n");
    let rows = server.ask("AmlComputeJobEvent | where JobName == 'orphan' | project _ResourceId");
    assert_eq!(rows, [json!({ "_ResourceId": workspace_resource("one") })]);
    let missing = server.run(&["ingest", "/nowhere"]).fails(1);
    assert!(missing.stderr.contains("/nowhere"), "{}", missing.stderr);
}

#[test]
fn a_file_that_was_loaded_before_is_recognised() {
    let folder = folder();
    let server = serve(folder.path());
    let path = folder.path().join("records.json");
    let path = path.to_str().expect("a path of text");
    let done = server.run(&["ingest", path]).ok();
    assert!(
        done.stdout.contains(" 0  records accepted"),
        "{}",
        done.stdout
    );
    assert!(
        done.stdout.contains(" 3  records were there already"),
        "{}",
        done.stdout
    );
    assert_eq!(
        server.ask("AmlComputeJobEvent | count"),
        [json!({ "Count": 3 })]
    );
}

#[test]
fn a_large_file_goes_in_parts_and_its_lines_are_counted_through() {
    const RECORDS: usize = 30_000;
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    server.add_workspace("large");
    let mut text = String::new();
    for number in 0..RECORDS {
        let job = format!("job-{number}");
        let record = job_event("large", "2026-01-10T08:00:00Z", "JobSubmitted", &job);
        text.push_str(&lines(&[record]));
    }
    text.push_str("no JSON\n");
    // More than one request may hold.
    assert!(text.len() > 8 << 20);
    let path = folder.path().join("large.json");
    fs::write(&path, text).expect("the file is written");
    let path = path.to_str().expect("a path of text");
    let check = |done: Done, outcome: &str| {
        let line = format!("such as line {}: no JSON", RECORDS + 1);
        for part in [
            format!(" {RECORDS}  {outcome}"),
            " 1  records refused".to_owned(),
            line,
        ] {
            assert!(
                done.stdout.contains(&part),
                "no {part:?} in\n{}",
                done.stdout
            );
        }
    };
    check(server.run(&["ingest", path]).fails(4), "records accepted");
    check(
        server.run(&["ingest", path]).fails(4),
        "records were there already",
    );
    let query = "AmlComputeJobEvent | summarize rows = count(), jobs = count_distinct(JobName)";
    assert_eq!(
        server.ask(query),
        [json!({ "rows": RECORDS, "jobs": RECORDS })]
    );
}

#[test]
fn files_may_be_compressed_and_records_wrapped() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    server.add_workspace("one");
    let record = |job: &str| job_event("one", "2026-01-10T08:00:00Z", "JobSubmitted", job);
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).expect("the folder is made");
    let write = |name: &str, text: &str| {
        fs::write(tree.join(name), text).expect("the file is written");
    };
    write("array.json", &json!([record("a"), record("b")]).to_string());
    write(
        "wrapped.json",
        &json!({ "records": [record("c"), record("d")] }).to_string(),
    );
    write("lines.jsonl", &lines(&[record("e"), record("f")]));
    write("notes.txt", "no records at all");
    let gzip = Command::new("gzip").arg(tree.join("lines.jsonl")).status();
    assert!(gzip.expect("`gzip` runs").success());
    let tree = tree.to_str().expect("a path of text");
    server.run(&["ingest", tree]).ok();
    let rows = server.ask("AmlComputeJobEvent | sort by JobName asc | project JobName");
    let names: Vec<&Value> = rows.iter().map(|row| &row["JobName"]).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
}

#[test]
fn a_dry_run_needs_no_server_and_lists_what_the_mapping_leaves_over() {
    let folder = folder();
    let mut record = job_event("one", "2026-01-10T08:00:00Z", "JobFailed", "x");
    record["properties"]["Flavour"] = json!("vanilla");
    let text = format!("{}no JSON\n", lines(&[record]));
    fs::write(folder.path().join("records.json"), text).expect("the file is written");
    let mapping = "[AmlComputeJobEvent.properties]\nFlavour = \"ToolType\"\n";
    fs::write(folder.path().join("mapping.toml"), mapping).expect("the file is written");
    let run = |more: &[&str]| {
        let mut command = Command::new(binary());
        command
            .args(["ingest", "--dry-run", "records.json"])
            .args(more)
            .env("LOGGIA_SERVER", "http://127.0.0.1:9")
            .current_dir(folder.path());
        Done::of(&mut command).ok().stdout
    };
    let plain = run(&[]);
    for part in [
        "AmlComputeJobEvent (1 records)",
        "no column for `Flavour` (1 records, such as \"vanilla\")",
        "`ToolType`",
        "refused: 1 records",
        "such as line 2: no JSON",
    ] {
        assert!(plain.contains(part), "no {part:?} in\n{plain}");
    }
    let mapped = run(&["--mapping", "mapping.toml"]);
    assert!(!mapped.contains("Flavour"), "{mapped}");
    assert!(!mapped.contains("`ToolType`"), "{mapped}");
}

#[test]
fn a_server_takes_another_mapping() {
    let folder = folder();
    let mapping = folder.path().join("mapping.toml");
    let text = "[AmlComputeJobEvent.properties]\nFlavour = \"ToolType\"\n";
    fs::write(&mapping, text).expect("the file is written");
    let mapping = mapping.to_str().expect("a path of text");
    let server = Server::start(folder.path(), &["--mapping", mapping]);
    server.add_workspace("one");
    let mut record = job_event("one", "2026-01-10T08:00:00Z", "JobFailed", "x");
    record["properties"]["Flavour"] = json!("vanilla");
    server.ingest("records.json", &[record]);
    let rows = server.ask("AmlComputeJobEvent | project ToolType");
    assert_eq!(rows, [json!({ "ToolType": "vanilla" })]);
}

#[test]
fn a_generated_tree_is_loaded_whole() {
    let folder = folder();
    let tree = folder.path().join("tree");
    let tree = tree.to_str().expect("a path of text");
    let generate = |seed: &str| {
        let mut command = Command::new(binary());
        command.args([
            "generate",
            tree,
            "--workspaces",
            "2",
            "--days",
            "1",
            "--seed",
            seed,
        ]);
        Done::of(&mut command)
    };
    let made = generate("3").ok();
    assert!(
        made.stdout.contains("load them with: loggia ingest"),
        "{}",
        made.stdout
    );
    let again = generate("3").fails(1);
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);

    let server = Server::start(folder.path(), &[]);
    // The records of endpoints lie in folders of their own, and belong to workspaces all the same.
    let loaded = server.run(&["ingest", "--add-workspaces", tree]).ok();
    let counts = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.contains("  Aml"));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(counts(&loaded.stdout), counts(&made.stdout));
    assert!(counts(&made.stdout).len() > 15, "{}", made.stdout);
    let list = server.run(&["workspace", "list", "--format", "json"]).ok();
    let list: Value = serde_json::from_str(&list.stdout).expect("a list in JSON");
    assert_eq!(list.as_array().map(Vec::len), Some(3));
}
