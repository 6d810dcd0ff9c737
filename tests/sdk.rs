//! Microsoft's own query libraries, unmodified, over https, and the REST contract beyond them.
//!
//! What they must find stands in the scripts of `tests/sdk`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::server::{Done, Server, file, folder, job_event, workspace_resource};
use crate::tools;

/// A server with two ML workspaces, one of them in a log workspace.
fn server(folder: &Path, options: &[&str]) -> (Server, String) {
    let server = Server::start(folder, options);
    server.add_workspace("sdk-one");
    server.add_workspace("sdk-two");
    let group = server
        .run(&["workspace", "group", "weather", "sdk-one"])
        .ok();
    let id = group.stdout.split_whitespace().next();
    let recent = SystemTime::now() - Duration::from_secs(3_600);
    let records = [
        ("sdk-one", "2026-01-10T08:00:00Z", "JobSubmitted", "first"),
        (
            "sdk-one",
            "2026-01-10T09:00:00.1234567Z",
            "JobFailed",
            "first",
        ),
        ("sdk-one", "2026-01-12T00:00:00Z", "JobSucceeded", "third"),
        ("sdk-two", "2026-01-10T10:00:00Z", "JobFailed", "second"),
        ("sdk-two", &instant(recent), "JobSubmitted", "recent"),
    ];
    let records =
        records.map(|(workspace, time, event, job)| job_event(workspace, time, event, job));
    server.ingest("records.json", &records);
    let id = id.expect("the command prints the GUID").to_owned();
    (server, id)
}

/// A time as Azure writes it.
fn instant(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let ticks = since.expect("it is after 1970").as_nanos() / 100;
    let ticks = i64::try_from(ticks).expect("it is before the year 10000");
    kql::value::datetime::format(kql::value::datetime::UNIX_EPOCH_TICKS + ticks)
}

fn run(command: &mut Command, server: &Server, log_workspace: &str) {
    let done = Done::of(
        command
            .env("NO_PROXY", "127.0.0.1")
            .env("LOGGIA_URL", server.url())
            .env("LOGGIA_WORKSPACE", log_workspace)
            .env("LOGGIA_RESOURCE", workspace_resource("sdk-one")),
    );
    assert_eq!(done.code, 0, "{}\n{}", done.stdout, done.stderr);
}

#[test]
fn azure_monitor_query_for_python() {
    let python = tools::python();
    let folder = folder();
    let (server, log_workspace) = server(folder.path(), &["--tls"]);
    let mut command = Command::new(python);
    command
        .arg(file("tests/sdk/python.py"))
        .env("REQUESTS_CA_BUNDLE", server.ca())
        .env("SSL_CERT_FILE", server.ca());
    run(&mut command, &server, &log_workspace);
}

#[test]
fn azure_monitor_query_logs_for_javascript() {
    let (node, modules) = tools::node();
    let folder = folder();
    let (server, log_workspace) = server(folder.path(), &["--tls"]);
    let mut command = Command::new(node);
    command
        .args(["--test", "--test-reporter=spec"])
        .arg(file("tests/sdk/javascript.cjs"))
        .env("NODE_PATH", modules)
        .env("NODE_EXTRA_CA_CERTS", server.ca());
    run(&mut command, &server, &log_workspace);
}

#[test]
fn the_rest_contract() {
    let python = tools::python();
    let folder = folder();
    let (server, log_workspace) = server(folder.path(), &[]);
    let mut command = Command::new(python);
    command.arg(file("tests/sdk/rest.py"));
    run(&mut command, &server, &log_workspace);
}
