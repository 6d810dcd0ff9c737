//! The commands of the binary against a server process: output, formats, exit codes.

mod ingest;
mod query;
mod workspace;

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::server::{Done, Server, binary, folder, job_event};

/// Would run for hours.
const ENDLESS: &str = "range a from 1 to 3000000 step 1 | extend k = a % 2
    | join kind=inner (range b from 1 to 3000000 step 1 | extend k = b % 2) on k
    | summarize count() by bin(a * b, 10)";

fn serve(folder: &Path) -> Server {
    let server = Server::start(folder, &[]);
    server.add_workspace("one");
    server.add_workspace("two");
    let records = [
        job_event("one", "2026-01-10T08:00:00Z", "JobSubmitted", "a"),
        job_event("one", "2026-01-10T09:00:00Z", "JobFailed", "a"),
        job_event("two", "2026-01-11T10:00:00Z", "JobFailed", "b"),
    ];
    server.ingest("records.json", &records);
    server
}

#[test]
fn other_failures_have_exit_codes_of_their_own() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    // 1: what was asked for is not there.
    let done = server.run(&["query", "-w", "nowhere", "print 1"]).fails(1);
    assert!(done.stderr.contains("`nowhere`"), "{}", done.stderr);
    // 2: wrong usage.
    for arguments in [
        &["query"][..],
        &["query", "--format", "xml", "print 1"],
        &["query", "--all", "-w", "one", "print 1"],
        &["ingest"],
        &["nothing"],
    ] {
        let done = server.run(arguments).fails(2);
        assert!(done.stderr.contains("--help"), "{}", done.stderr);
    }
    // 4: the answer is incomplete; what there is of it is written all the same.
    let long = "range x from 1 to 500010 step 1";
    let done = server.run(&["query", "--format", "csv", long]).fails(4);
    assert_eq!(done.stdout.lines().count(), 500_001);
    assert!(
        done.stderr.contains("cut off at 500000 rows"),
        "{}",
        done.stderr
    );
    // 5: the server does not answer, or not in time.
    let done = server.run(&["query", "--timeout", "1", ENDLESS]).fails(5);
    assert!(done.stderr.contains("longer than 1s"), "{}", done.stderr);
    let url = server.url().to_owned();
    server.stop();
    fs::write(folder.path().join("empty.json"), "").expect("the file is written");
    for arguments in [
        &["query", "print 1"][..],
        &["workspace", "list"],
        &["ingest", "empty.json"],
    ] {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("LOGGIA_SERVER", &url)
            .current_dir(folder.path());
        let done = Done::of(&mut command).fails(5);
        assert!(
            done.stderr
                .contains("no server answers at http://127.0.0.1"),
            "{}",
            done.stderr
        );
        assert!(done.stderr.contains("loggia dev"), "{}", done.stderr);
    }
}

#[test]
fn the_server_is_named_by_option_or_environment() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let query = ["query", "--format", "csv", "print x = 1"];
    assert_eq!(server.run(&query).ok().stdout, "x\n1\n");
    let mut command = Command::new(binary());
    // The option goes before the environment.
    command
        .args(query)
        .args(["--server", server.url()])
        .env("LOGGIA_SERVER", "http://127.0.0.1:9");
    assert_eq!(Done::of(&mut command).ok().stdout, "x\n1\n");
}

#[test]
fn over_https_the_ca_must_be_known() {
    let folder = folder();
    let server = Server::start(folder.path(), &["--tls"]);
    assert!(server.url().starts_with("https://"));
    assert!(server.log().contains("ca.pem"), "{}", server.log());
    let query = ["query", "--format", "csv", "print x = 1"];
    assert_eq!(server.run(&query).ok().stdout, "x\n1\n");
    let done = Done::of(server.command(&query).env_remove("LOGGIA_CA")).fails(5);
    assert!(done.stderr.contains("certificate"), "{}", done.stderr);
    let before = fs::read(server.ca()).expect("the certificate");
    server.stop();
    let server = Server::start(folder.path(), &["--tls"]);
    assert_eq!(fs::read(server.ca()).expect("the certificate"), before);
    assert_eq!(server.run(&query).ok().stdout, "x\n1\n");
}

#[test]
fn help_and_completions() {
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        Done::of(command.args(arguments).env_remove("LOGGIA_SERVER"))
    };
    let help = run(&["--help"]).ok().stdout;
    for word in [
        "dev",
        "query",
        "ingest",
        "workspace",
        "generate",
        "Exit status",
    ] {
        assert!(help.contains(word), "no {word} in\n{help}");
    }
    for command in ["query", "ingest", "workspace"] {
        let help = run(&[command, "--help"]).ok().stdout;
        assert!(help.contains("LOGGIA_SERVER"), "{help}");
        assert!(help.contains("http://127.0.0.1:8750"), "{help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).ok().stdout;
        assert!(
            script.contains("loggia") && script.contains("timespan"),
            "{shell}"
        );
    }
    assert!(run(&["--version"]).ok().stdout.starts_with("loggia "));
}

#[test]
fn a_server_says_why_it_does_not_start() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let (_, port) = server.url().rsplit_once(':').expect("it has a port");
    let start = |data: &str, port: &str| {
        let mut command = Command::new(binary());
        command
            .args(["dev", "--port", port, "--data"])
            .arg(folder.path().join(data));
        Done::of(&mut command).fails(1)
    };
    let taken = start("other", port);
    assert!(
        taken.stderr.contains("can't listen on 127.0.0.1:"),
        "{}",
        taken.stderr
    );
    let shared = start("data", "0");
    assert!(shared.stderr.starts_with("error: "), "{}", shared.stderr);
    assert_eq!(
        (taken.stdout, shared.stdout),
        (String::new(), String::new())
    );
}
