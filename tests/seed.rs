//! Questions that administrators ask, over an exported tree, against a calculation of their own.
//!
//! `tests/seed/expected.py` reads the same files and knows nothing of Loggia. `now()` is set, so that
//! both look back from the same instant.

use std::process::Command;
use std::time::SystemTime;

use kql::value::datetime;
use proto::v1;
use proto::v1::execute_response::Part;
use proto::v1::query_client::QueryClient;
use proto::v1::value::Kind;
use serde_json::{Value, json};

use crate::server::{Done, Server, binary, file, folder};
use crate::tools;

const TICKS_PER_DAY: i64 = 86_400 * 10_000_000;

/// Stands in a query for the name of a job.
const JOB: &str = "JOB_NAME";

/// The questions, by the name that `expected.py` gives their answers.
const QUERIES: [(&str, &str); 6] = [
    (
        "failed jobs",
        "AmlComputeJobEvent
         | where TimeGenerated > ago(5d) and EventType == \"JobFailed\"
         | project  TimeGenerated , ClusterId , EventType , ExecutionState , ToolType",
    ),
    (
        "records of a job",
        "AmlComputeJobEvent
         | where JobName == \"JOB_NAME\"
         | project  TimeGenerated , ClusterId , EventType , ExecutionState , ToolType",
    ),
    (
        "clusters of a size",
        "AmlComputeClusterEvent
         | where TimeGenerated > ago(4d) and VmSize == \"STANDARD_D1_V2\"
         | project  ClusterName , InitialNodeCount , MaximumNodeCount , QuotaAllocated , QuotaUtilized",
    ),
    (
        "allocated nodes",
        "AmlComputeClusterNodeEvent
         | where TimeGenerated > ago(8d) and NodeAllocationTime  > ago(8d)
         | distinct NodeId",
    ),
    (
        "running nodes",
        "AmlComputeClusterEvent
         | where TimeGenerated > ago(1d)
         | summarize avgRunningNodes=avg(TargetNodeCount), maxRunningNodes=max(TargetNodeCount)
                  by Workspace=tostring(split(_ResourceId, \"/\")[8]), ClusterName, ClusterType, VmSize, VmPriority",
    ),
    (
        "failure rates",
        "AmlComputeJobEvent
         | where EventType in (\"JobSucceeded\", \"JobFailed\")
         | summarize Failed = countif(EventType == \"JobFailed\"), Ended = count()
                  by Workspace = tostring(split(_ResourceId, \"/\")[8]), Day = bin(TimeGenerated, 1d)
         | extend FailureRate = 100.0 * Failed / Ended",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_agree_with_a_calculation_over_the_exported_files() {
    let folder = folder();
    let tree = folder.path().join("tree");
    let tree = tree.to_str().expect("a path of text");
    let arguments = [
        "generate",
        tree,
        "--workspaces",
        "3",
        "--days",
        "9",
        "--activity",
        "0.2",
    ];
    Done::of(Command::new(binary()).args(arguments)).ok();
    let server = Server::start(folder.path(), &[]);
    ingest(&server, tree);

    let failed = "AmlComputeJobEvent | where EventType == 'JobFailed' | sort by TimeGenerated asc";
    let failed = server.ask(failed);
    let middle = &failed[failed.len() / 2];
    let job = text(&middle["JobName"]);
    // The second clock looks back exactly at the instant of a record.
    let clocks = [
        system_ticks(),
        ticks(text(&middle["TimeGenerated"])) + 5 * TICKS_PER_DAY,
    ];
    let expected = expected(tree, job, &clocks);
    let mut problems = Vec::new();
    for now in clocks {
        let clock = &expected[datetime::format(now)];
        for (name, query) in QUERIES {
            let query = query.replace(JOB, job);
            let answer = sorted(ask(&server, &query, now).await);
            let expected = sorted(clock[name].as_array().expect("rows").clone());
            assert!(!expected.is_empty(), "{name} has no rows");
            if !same(&answer, &expected) {
                problems.push(difference(name, &answer, &expected));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Loads the categories that the questions are about.
fn ingest(server: &Server, tree: &str) {
    let categories = ["jobevent", "clusterevent", "clusternodeevent"];
    let folders = categories.map(|category| format!("{tree}/insights-logs-amlcompute{category}"));
    let mut arguments = vec!["ingest", "--add-workspaces"];
    arguments.extend(folders.iter().map(String::as_str));
    let ingested = server.run(&arguments).ok();
    assert!(ingested.stdout.contains(" 0  records refused"));
}

/// The answers of `expected.py` by clock and name.
fn expected(tree: &str, job: &str, clocks: &[i64]) -> Value {
    let mut command = Command::new(tools::system_python());
    command
        .arg(file("tests/seed/expected.py"))
        .args([tree, job])
        .args(clocks.iter().map(|now| datetime::format(*now)));
    let done = Done::of(&mut command).ok();
    serde_json::from_str(&done.stdout).expect("the answers are JSON")
}

/// Rows in an order of their own, as none of the questions asks for one.
fn sorted(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_cached_key(ToString::to_string);
    rows
}

/// Whether rows are the same; reals may differ in the last digits.
fn same(answer: &[Value], expected: &[Value]) -> bool {
    let same_cell = |a: &Value, b: &Value| match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => (a - b).abs() <= 1e-12 * b.abs(),
        _ => a == b,
    };
    let same_row = |a: &Value, b: &Value| match (a.as_array(), b.as_array()) {
        (Some(a), Some(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_cell(a, b)),
        _ => false,
    };
    answer.len() == expected.len() && answer.iter().zip(expected).all(|(a, b)| same_row(a, b))
}

fn difference(name: &str, answer: &[Value], expected: &[Value]) -> String {
    let lacking: Vec<_> = expected
        .iter()
        .filter(|row| !answer.contains(row))
        .collect();
    let extra: Vec<_> = answer
        .iter()
        .filter(|row| !expected.contains(row))
        .collect();
    format!(
        "{name}: {} rows instead of {}; lacking {lacking:?}, too many {extra:?}",
        answer.len(),
        expected.len()
    )
}

/// Asks over gRPC with `now()` set, in typed rows.
async fn ask(server: &Server, kql: &str, now: i64) -> Vec<Value> {
    let mut client = QueryClient::connect(server.url().to_owned())
        .await
        .expect("the server answers");
    let now = now - datetime::UNIX_EPOCH_TICKS;
    let request = v1::ExecuteRequest {
        kql: kql.to_owned(),
        format: v1::Format::Rows.into(),
        now: Some(prost_types::Timestamp {
            seconds: now.div_euclid(10_000_000),
            nanos: i32::try_from(now.rem_euclid(10_000_000) * 100).expect("less than a second"),
        }),
        ..v1::ExecuteRequest::default()
    };
    let responses = client.execute(request).await;
    let mut responses = responses.expect("the query is fine").into_inner();
    let mut rows = Vec::new();
    let mut complete = false;
    while let Some(response) = responses.message().await.expect("the answer goes on") {
        match response.part {
            Some(Part::Rows(some)) => rows.extend(some.rows.into_iter().map(row)),
            Some(Part::Summary(summary)) => complete = summary.incomplete.is_empty(),
            _ => {}
        }
    }
    assert!(complete, "the answer is incomplete");
    rows
}

fn row(row: v1::Row) -> Value {
    let cells = row.values.into_iter().map(|value| match value.kind {
        Some(Kind::Long(number)) => json!(number),
        Some(Kind::Real(number)) => json!(number),
        Some(Kind::String(text)) => json!(text),
        Some(Kind::Datetime(time)) => {
            let ticks = time.seconds * 10_000_000 + i64::from(time.nanos) / 100;
            json!(datetime::format(datetime::UNIX_EPOCH_TICKS + ticks))
        }
        None => Value::Null,
        other => panic!("no question asks for {other:?}"),
    });
    Value::Array(cells.collect())
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn ticks(time: &str) -> i64 {
    datetime::parse(time).expect("a time")
}

fn system_ticks() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let ticks = since.expect("it is after 1970").as_nanos() / 100;
    datetime::UNIX_EPOCH_TICKS + i64::try_from(ticks).expect("it is before the year 10000")
}
