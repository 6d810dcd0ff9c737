//! `loggia dev` as a process: kills and restarts, workspaces and groups, health, reflection, demo.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use proto::v1;
use proto::v1::ingest_client::IngestClient;
use proto::v1::write_request::Payload;
use serde_json::{Value, json};
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::server::{Server, folder, job_event, lines, workspace_resource};

async fn channel(server: &Server) -> Channel {
    let endpoint = Channel::from_shared(server.url().to_owned()).expect("a URL");
    endpoint.connect().await.expect("the server answers")
}

/// Rows of one batch.
const BATCH_ROWS: usize = 5;

/// A batch whose rows bear the batch's name and a number.
fn batch(name: &str) -> v1::WriteRequest {
    let rows: Vec<Value> = (0..BATCH_ROWS)
        .map(|row| {
            let job = format!("{name}/{row}");
            job_event("durable", "2026-01-10T08:00:00Z", "JobSubmitted", &job)
        })
        .collect();
    v1::WriteRequest {
        batch_id: name.to_owned(),
        payload: Some(Payload::Records(lines(&rows).into_bytes().into())),
        ..v1::WriteRequest::default()
    }
}

/// Sends batches, and kills the server once `before_kill` of them are acknowledged. Gives how many
/// were acknowledged in the end.
async fn write_and_kill(server: Server, names: &[String], before_kill: usize) -> usize {
    let requests: Vec<_> = names.iter().map(|name| batch(name)).collect();
    let mut client = IngestClient::new(channel(&server).await);
    let responses = client.write(futures::stream::iter(requests)).await;
    let mut responses = responses.expect("the server takes batches").into_inner();
    let mut server = Some(server);
    let mut acknowledged = 0;
    // After the kill, what was under way may still arrive; it counts as well.
    while let Ok(Some(response)) = responses.message().await {
        assert_eq!(response.error, None);
        assert_eq!(response.accepted, BATCH_ROWS as u64);
        acknowledged += 1;
        if acknowledged == before_kill {
            server.take().expect("it still runs").kill();
        }
    }
    assert!(server.is_none(), "only {acknowledged} were acknowledged");
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_kill_is_there_exactly_once() {
    let folder = folder();
    let mut acknowledged: Vec<String> = Vec::new();
    let mut unsure: Vec<String> = Vec::new();
    for round in 0..4 {
        let server = Server::start(folder.path(), &[]);
        if round == 0 {
            server.add_workspace("durable");
        }
        // What no answer came for is sent again under its name, as clients do.
        let mut names = std::mem::take(&mut unsure);
        names.extend((0..60).map(|number| format!("round-{round}-{number}")));
        let count = write_and_kill(server, &names, 10 + 7 * round).await;
        unsure = names.split_off(count);
        acknowledged.extend(names);

        let server = Server::start(folder.path(), &[]);
        check_rows(&server, &acknowledged, &unsure);
        if round % 2 == 0 {
            // An orderly end writes segments: the next round has rows there, too.
            server.stop();
        }
    }
    let server = Server::start(folder.path(), &[]);
    check_rows(&server, &acknowledged, &unsure);
}

/// Rows of acknowledged batches are there once, those of others once or not at all.
fn check_rows(server: &Server, acknowledged: &[String], unsure: &[String]) {
    let rows = server.ask("AmlComputeJobEvent | summarize n = count() by JobName");
    let mut counts: BTreeMap<String, i64> = rows
        .iter()
        .map(|row| {
            let name = row["JobName"].as_str().expect("a name");
            (name.to_owned(), row["n"].as_i64().expect("a number"))
        })
        .collect();
    for name in acknowledged {
        for row in 0..BATCH_ROWS {
            let count = counts.remove(&format!("{name}/{row}"));
            assert_eq!(count, Some(1), "row {row} of {name}");
        }
    }
    for name in unsure {
        let of_batch: Vec<_> = (0..BATCH_ROWS)
            .filter_map(|row| counts.remove(&format!("{name}/{row}")))
            .collect();
        assert!(
            of_batch.is_empty() || of_batch == [1; BATCH_ROWS],
            "{name} is there in part: {of_batch:?}"
        );
    }
    assert!(counts.is_empty(), "rows that nobody sent: {counts:?}");
}

/// Three ML workspaces, of which two log workspaces hold two each.
fn grouped(server: &Server) -> [String; 2] {
    let records = ["alpha", "beta", "gamma"].map(|workspace| {
        server.add_workspace(workspace);
        job_event(workspace, "2026-01-10T08:00:00Z", "JobSubmitted", workspace)
    });
    server.ingest("records.json", &records);
    let group = |name: &str, members: [&str; 2]| {
        let arguments = [&["workspace", "group", name], &members[..]].concat();
        let done = server.run(&arguments).ok();
        let id = done.stdout.split_whitespace().next();
        id.expect("the command prints the GUID").to_owned()
    };
    [
        group("north", ["alpha", "beta"]),
        group("south", ["beta", "gamma"]),
    ]
}

/// The jobs that a query finds, each with its tenant.
fn tenants(server: &Server, options: &[&str], query: &str) -> BTreeMap<String, String> {
    let query = format!("{query} | project JobName, TenantId");
    let rows = server.ask_of(options, &query);
    rows.iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().expect("a text").to_owned();
            (text("JobName"), text("TenantId"))
        })
        .collect()
}

#[test]
fn log_workspaces_are_groups_that_tenant_ids_name() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let [north, south] = grouped(&server);
    let found = |pairs: &[(&str, &String)]| -> BTreeMap<String, String> {
        let pairs = pairs
            .iter()
            .map(|(job, id)| ((*job).to_owned(), (*id).clone()));
        pairs.collect()
    };
    let jobs = "AmlComputeJobEvent";
    let of = |options: &[&str], query: &str| tenants(&server, options, query);
    assert_eq!(
        of(&["--workspace", "north"], jobs),
        found(&[("alpha", &north), ("beta", &north)])
    );
    assert_eq!(
        of(&["--workspace", &south], jobs),
        found(&[("beta", &south), ("gamma", &south)])
    );
    // Several are read together; what lies in both is read once, through the first.
    assert_eq!(
        of(&["--workspace", "south", "--workspace", "north"], jobs),
        found(&[("alpha", &north), ("beta", &south), ("gamma", &south)])
    );
    assert_eq!(of(&["--all"], jobs).len(), 3);
    // An ML workspace goes by its name, too, alone and within the text.
    assert_eq!(
        of(&["--workspace", "gamma"], jobs),
        found(&[("gamma", &south)])
    );
    assert_eq!(
        of(
            &["--workspace", "gamma"],
            "workspace('north').AmlComputeJobEvent"
        ),
        found(&[("alpha", &north), ("beta", &north)])
    );
    assert_eq!(
        of(
            &["--workspace", "alpha"],
            &format!("union AmlComputeJobEvent, workspace('{south}').AmlComputeJobEvent")
        )
        .len(),
        3
    );
    let filtered = format!("AmlComputeJobEvent | where TenantId == '{south}'");
    assert_eq!(of(&["--workspace", "north"], &filtered).len(), 0);
}

#[test]
fn resources_hold_the_workspaces_within_them() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    grouped(&server);
    let count = |resource: &str| {
        let rows = server.ask_of(&["--resource", resource], "AmlComputeJobEvent | count");
        rows[0]["Count"].clone()
    };
    let alpha = workspace_resource("alpha");
    let (group, _) = alpha.split_once("/providers").expect("it has a provider");
    let (subscription, _) = group.split_once("/resourcegroups").expect("it has a group");
    assert_eq!(count(&alpha), 1);
    assert_eq!(count(&alpha.to_uppercase()), 1);
    assert_eq!(count(group), 3);
    assert_eq!(count(subscription), 3);
}

#[test]
fn an_unknown_workspace_is_named_and_a_similar_one_suggested() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    grouped(&server);
    let query = "AmlComputeJobEvent | count";
    let done = server
        .run(&["query", "--workspace", "alpah", query])
        .fails(1);
    assert!(done.stderr.contains("`alpah`"), "{}", done.stderr);
    assert!(
        done.stderr.contains("did you mean `alpha`?"),
        "{}",
        done.stderr
    );
    let query = "workspace('sout').AmlComputeJobEvent | count";
    let done = server.run(&["query", query]).fails(3);
    assert!(done.stderr.contains("`sout`"), "{}", done.stderr);
    assert!(done.stderr.contains("`south`"), "{}", done.stderr);
}

#[test]
fn workspaces_are_added_and_grouped_while_queries_run() {
    const WORKSPACES: usize = 6;
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    server.run(&["workspace", "group", "growing"]).ok();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let counts = scope.spawn(|| {
            let mut counts = Vec::new();
            while !done.load(Ordering::Relaxed) {
                let query = "AmlComputeJobEvent | count";
                let all = server.ask(query)[0]["Count"].as_i64();
                let group = server.ask_of(&["--workspace", "growing"], query)[0]["Count"].as_i64();
                counts.push([all.expect("a number"), group.expect("a number")]);
            }
            counts
        });
        let mut members = Vec::new();
        for number in 1..=WORKSPACES {
            let name = format!("added-{number}");
            server.add_workspace(&name);
            let record = job_event(&name, "2026-01-10T08:00:00Z", "JobSubmitted", &name);
            server.ingest(&format!("{name}.json"), &[record]);
            members.push(name);
            let names: Vec<&str> = members.iter().map(String::as_str).collect();
            let arguments = [&["workspace", "group", "growing"], &names[..]].concat();
            server.run(&arguments).ok();
        }
        done.store(true, Ordering::Relaxed);
        let counts = counts.join().expect("every query is answered");
        assert!(!counts.is_empty());
        // Workspaces only come, so that no count is ever smaller than the one before.
        for place in [0, 1] {
            let of_place: Vec<i64> = counts.iter().map(|count| count[place]).collect();
            assert!(of_place.is_sorted(), "{of_place:?}");
        }
    });
    let rows = server.ask_of(&["--workspace", "growing"], "AmlComputeJobEvent | count");
    assert_eq!(rows, [json!({ "Count": WORKSPACES })]);
}

#[tokio::test]
async fn health_says_that_each_service_serves() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let mut client = HealthClient::new(channel(&server).await);
    for service in [
        "",
        "loggia.v1.Query",
        "loggia.v1.Ingest",
        "loggia.v1.Catalog",
    ] {
        let request = HealthCheckRequest {
            service: service.to_owned(),
        };
        let answer = client
            .check(request)
            .await
            .expect("it answers")
            .into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service}");
    }
    let unknown = HealthCheckRequest {
        service: "loggia.v1.Nothing".to_owned(),
    };
    let status = client
        .check(unknown)
        .await
        .expect_err("there is no such service");
    assert_eq!(status.code(), tonic::Code::NotFound);
}

#[tokio::test]
async fn reflection_lists_and_describes_the_services() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let mut client = ServerReflectionClient::new(channel(&server).await);
    let mut ask = async |request| -> ServerReflectionResponse {
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(request),
        };
        let responses = client
            .server_reflection_info(futures::stream::iter([request]))
            .await;
        let answer = responses.expect("it answers").into_inner().message().await;
        answer.expect("it answers").expect("there is an answer")
    };
    let listed = ask(MessageRequest::ListServices(String::new())).await;
    let Some(MessageResponse::ListServicesResponse(listed)) = listed.message_response else {
        panic!("not a list: {listed:?}");
    };
    let names: Vec<String> = listed
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for name in [
        "loggia.v1.Query",
        "loggia.v1.Ingest",
        "loggia.v1.Catalog",
        "grpc.health.v1.Health",
    ] {
        assert!(
            names.iter().any(|listed| listed == name),
            "{name} of {names:?}"
        );
    }
    let request = MessageRequest::FileContainingSymbol("loggia.v1.Query.Execute".to_owned());
    let described = ask(request).await;
    let Some(MessageResponse::FileDescriptorResponse(files)) = described.message_response else {
        panic!("not a description: {described:?}");
    };
    assert!(!files.file_descriptor_proto.is_empty());
}

#[test]
fn a_demo_is_made_once() {
    let folder = folder();
    let options = ["--demo", "--workspaces", "2", "--days", "1", "--seed", "5"];
    let count = |server: &Server| {
        let query = "union withsource = Table AmlComputeJobEvent, AmlRunEvent, AmlOnlineEndpointTrafficLog \
                     | summarize n = count() by Table | sort by Table asc";
        server.ask(query)
    };
    let server = Server::start(folder.path(), &options);
    assert!(server.log().contains("refused 0"), "{}", server.log());
    let list = server.run(&["workspace", "list", "--format", "json"]).ok();
    let list: Value = serde_json::from_str(&list.stdout).expect("a list in JSON");
    // Two workspaces and the registry that they share.
    assert_eq!(list.as_array().map(Vec::len), Some(3));
    let before = count(&server);
    assert_eq!(before.len(), 3, "{before:?}");
    server.stop();
    let server = Server::start(folder.path(), &options);
    assert_eq!(count(&server), before);
}
