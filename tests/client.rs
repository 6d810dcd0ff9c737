//! The Python example of a gRPC client, as its documentation says to run it.

use std::process::Command;

use crate::server::{Done, Server, file, folder, job_event};
use crate::tools;

fn run(server: &Server, arguments: &[&str]) -> Done {
    let mut command = Command::new(tools::python());
    command
        .env("NO_PROXY", "127.0.0.1")
        .arg(file("examples/python/client.py"))
        .args(["--server", server.url()]);
    if server.url().starts_with("https") {
        command.arg("--ca").arg(server.ca());
    }
    Done::of(command.args(arguments))
}

fn fill(server: &Server) {
    server.add_workspace("grpc-one");
    server.add_workspace("grpc-two");
    let records = [
        job_event("grpc-one", "2026-01-10T08:00:00Z", "JobSubmitted", "a"),
        job_event("grpc-one", "2026-01-10T09:00:00.1234567Z", "JobFailed", "a"),
        job_event("grpc-two", "2026-01-11T10:00:00Z", "JobFailed", "b"),
    ];
    server.ingest("records.json", &records);
}

/// The lines of a table without the space between cells.
fn cells(text: &str) -> Vec<Vec<&str>> {
    let lines = text.lines().take_while(|line| !line.is_empty());
    lines
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|c| !c.is_empty())
                .collect()
        })
        .collect()
}

#[test]
fn the_python_client_prints_rows_and_what_each_shard_sent() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    fill(&server);
    let query = "AmlComputeJobEvent | summarize n = count(), last = max(TimeGenerated) by EventType \
                 | sort by n desc";
    let done = run(&server, &[query]).ok();
    assert_eq!(
        cells(&done.stdout),
        [
            vec!["EventType", "n", "last"],
            vec!["------------", "-", "------------------------------"],
            vec!["JobFailed", "2", "2026-01-11 10:00:00.000000000Z"],
            vec!["JobSubmitted", "1", "2026-01-10 08:00:00.000000000Z"],
            vec!["(2 rows)"],
        ]
    );
    let (_, shards) = done.stdout.split_once("\n\n").expect("shards follow");
    let shards: Vec<&str> = shards.lines().collect();
    assert_eq!(shards.len(), 2, "{shards:?}");
    assert!(
        shards[0].starts_with("shard grpc-one: 2 rows, "),
        "{shards:?}"
    );
    assert!(
        shards[1].starts_with("shard grpc-two: 1 rows, "),
        "{shards:?}"
    );
    assert!(
        shards.iter().all(|shard| shard.ends_with(", complete")),
        "{shards:?}"
    );

    let one = run(
        &server,
        &["--workspace", "grpc-two", "AmlComputeJobEvent | count"],
    )
    .ok();
    assert_eq!(cells(&one.stdout)[2], ["1"]);
    let day = run(
        &server,
        &["--timespan", "2026-01-10/P1D", "AmlComputeJobEvent | count"],
    )
    .ok();
    assert_eq!(cells(&day.stdout)[2], ["2"]);
}

#[test]
fn the_python_client_shows_where_a_query_is_wrong() {
    let folder = folder();
    let server = Server::start(folder.path(), &["--tls"]);
    let done = run(&server, &["AmlComputeJobEvent\n| where EventTipe == 'x'"]).fails(1);
    let mark = "2 | | where EventTipe == 'x'\n  |         ^^^^^^^^^\n";
    for part in [
        "INVALID_ARGUMENT: unknown column `EventTipe`",
        "reason: SEM0100",
        "place: line 2, column 9",
        mark,
        "did you mean `EventType`?",
    ] {
        assert!(
            done.stderr.contains(part),
            "no {part:?} in\n{}",
            done.stderr
        );
    }
}
