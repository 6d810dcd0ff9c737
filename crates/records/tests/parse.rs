//! Exported records of every form, and what becomes of each.

use std::sync::LazyLock;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, TimestampNanosecondType};
use records::{Analysis, Intake, Limits, Mapping, Parsed, parse, parse_rows};
use schema::ResourceId;

const WORKSPACE: &str = "/SUBSCRIPTIONS/AB12/RESOURCEGROUPS/RG-ML/PROVIDERS/MICROSOFT.MACHINELEARNINGSERVICES/WORKSPACES/WS1";

static BUILTIN: LazyLock<Mapping> = LazyLock::new(Mapping::builtin);

/// 2026-11-23T10:00:00Z.
const MORNING: i64 = 1_795_428_000_000_000_000;

#[test]
fn a_job_event_in_an_envelope_becomes_a_row() {
    let body = format!(r#"{{"_comment":"made up","records":[{}]}}"#, job_event(""));
    let parsed = read(&body);
    let batch = only_batch(&parsed, "AmlComputeJobEvent");
    assert_eq!(text(batch, "OperationName"), ["JobFailed"]);
    assert_eq!(text(batch, "JobId"), ["j-1"]);
    assert_eq!(text(batch, "ClusterId"), ["cpu-cluster"]);
    assert_eq!(text(batch, "ToolType"), [""]);
    assert_eq!(text(batch, "WorkspaceName"), [""]);
    assert_eq!(text(batch, "_ResourceId"), [WORKSPACE.to_lowercase()]);
    assert_eq!(instants(batch, "TimeGenerated"), [MORNING]);
    assert_eq!(instants(batch, "_TimeReceived"), [MORNING + 5]);
    assert_eq!(reals(batch, "_BilledSize"), [job_event("").len() as f64]);
    assert_eq!(additional(batch), [None]);
    let id = parsed.groups[0].resource_id.as_ref().expect("an id");
    assert_eq!(id.name(), "ws1");
}

#[test]
fn batches_have_the_schema_of_storage() {
    let mut lines = String::new();
    for category in schema::category::categories() {
        lines += &record(&category.name, r#""level":"4","properties":{"Zig":1}"#);
        lines.push('\n');
    }
    let parsed = read(&lines);
    assert_eq!((parsed.accepted, parsed.refused.len()), (31, 0));
    assert_eq!(parsed.groups.len(), 20);
    for group in &parsed.groups {
        assert_eq!(
            group.batch.schema(),
            schema::arrow::stored_schema(group.table)
        );
    }
}

#[test]
fn containers_tell_themselves() {
    let record = job_event("");
    let pretty = format!("{{\n \"records\": [\n  {record},\n  {record}\n ]\n}}\n");
    for body in [
        format!("{record}\n{record}"),
        format!("\u{feff}{record}\r\n\r\n{record}\r\n"),
        format!("[{record}, {record}]"),
        format!("[\n{record},\n{record}\n]\n"),
        format!(r#"[{{"records":[{record}]}},{{"records":[{record}],"PartitionId":3}}]"#),
        format!("{{\"records\":[{record}]}}\n{{\"records\":[{record}]}}"),
        pretty,
    ] {
        let parsed = read(&body);
        assert_eq!(
            (parsed.accepted, parsed.refused.len()),
            (2, 0),
            "{body}\n{parsed:?}"
        );
    }
    assert_eq!(
        read("").accepted + read("\n\n").accepted + read("[]").accepted,
        0
    );
}

#[test]
fn members_find_columns_whatever_their_case() {
    let line = record(
        "AmlRunStatusChangedEvent",
        r#""durationMs":"16","callerIpAddress":"10.0.0.1","level":4,"LOCATION":"westeurope",
           "operationVersion":"1.0","properties":{"runid":"r1","STATUS":"Failed"}"#,
    );
    let parsed = read(&line.replace('\n', " "));
    let batch = only_batch(&parsed, "AmlRunStatusChangedEvent");
    for (column, expected) in [
        ("DurationMs", "16"),
        ("CallerIpAddress", "10.0.0.1"),
        ("Level", "4"),
        ("Location", "westeurope"),
        ("OperationVersion", "1.0"),
        ("RunId", "r1"),
        ("Status", "Failed"),
    ] {
        assert_eq!(text(batch, column), [expected], "{column}");
    }
}

#[test]
fn identity_is_an_object_or_text() {
    let object = r#""identity":{"UserName": "ana", "claims":[1, 2]}"#;
    let quoted = r#""identity":"{\"UserName\": \"ana\"}""#;
    let plain = r#""identity":"ana""#;
    let lines = [object, quoted, plain].map(|identity| record("RunEvent", identity));
    let parsed = read(&lines.join("\n"));
    let batch = only_batch(&parsed, "AmlRunEvent");
    assert_eq!(
        text(batch, "Identity"),
        [
            r#"{"UserName":"ana","claims":[1,2]}"#,
            r#"{"UserName":"ana"}"#,
            r#""ana""#
        ]
    );
    let lines = [object, plain].map(|identity| record("AmlRunStatusChangedEvent", identity));
    let parsed = read(&lines.join("\n"));
    let batch = only_batch(&parsed, "AmlRunStatusChangedEvent");
    assert_eq!(
        text(batch, "Identity"),
        [r#"{"UserName":"ana","claims":[1,2]}"#, "ana"]
    );
}

#[test]
fn metrics_need_no_category() {
    let line = format!(
        r#"{{"count":2,"total":0.25,"minimum":0.05,"maximum":0.2,"average":"0.125","resourceId":"{WORKSPACE}","time":"2026-11-23T10:00:00.0000000Z","metricName":"CpuUtilization","timeGrain":"PT1M"}}"#
    );
    let parsed = read(&format!("{{\"records\":[{line}]}}"));
    let batch = only_batch(&parsed, "AzureMetrics");
    for (column, expected) in [
        ("Count", 2.0),
        ("Total", 0.25),
        ("Minimum", 0.05),
        ("Average", 0.125),
    ] {
        assert_eq!(reals(batch, column), [expected], "{column}");
    }
    for (column, expected) in [
        ("MetricName", "CpuUtilization"),
        ("TimeGrain", "PT1M"),
        ("Resource", "WS1"),
        ("ResourceGroup", "RG-ML"),
        ("ResourceProvider", "MICROSOFT.MACHINELEARNINGSERVICES"),
        ("SubscriptionId", "AB12"),
        ("ResourceId", WORKSPACE),
    ] {
        assert_eq!(text(batch, column), [expected], "{column}");
    }
    assert_eq!(additional(batch), [None]);
}

#[test]
fn what_has_no_column_is_kept() {
    let line = record(
        "RunEvent",
        r#""level":"4","systemId":"s","properties":{"RunId":"r","extra":{ "a": [1] },"systemId":"t","empty":null}"#,
    );
    let parsed = read(&line);
    let batch = only_batch(&parsed, "AmlRunEvent");
    assert_eq!(
        additional(batch),
        [Some(
            r#"{"level":"4","systemId":"s","extra":{"a":[1]},"properties.systemId":"t","empty":null}"#.into()
        )]
    );
}

#[test]
fn a_column_takes_the_first_value_and_another_is_kept() {
    let line = record(
        "AmlOnlineEndpointTrafficLog",
        r#""location":"westeurope","properties":{"Location":"westeurope","location":"northeurope","ResponseCode":"","responseCode":200}"#,
    );
    let parsed = read(&line);
    let batch = only_batch(&parsed, "AmlOnlineEndpointTrafficLog");
    assert_eq!(text(batch, "Location"), ["westeurope"]);
    assert_eq!(ints(batch, "ResponseCode"), [Some(200)]);
    assert_eq!(
        additional(batch),
        [Some(r#"{"location":"northeurope"}"#.into())]
    );
}

#[test]
fn properties_may_be_text() {
    let lines = [
        record("RunEvent", r#""properties":"{\"RunId\":\"r\\n1\"}""#),
        record("RunEvent", r#""properties":"plain""#),
        record("RunEvent", r#""properties":null"#),
        record("RunEvent", r#""properties":[1]"#),
    ];
    let parsed = read(&lines.join("\n"));
    let batch = only_batch(&parsed, "AmlRunEvent");
    assert_eq!(text(batch, "RunId"), ["r\n1", "", "", ""]);
    let kept = |value: &str| Some(format!(r#"{{"properties":{value}}}"#));
    assert_eq!(
        additional(batch),
        [None, kept(r#""plain""#), None, kept("[1]")]
    );
}

#[test]
fn numbers_instants_and_nothing() {
    let line = record(
        "AmlComputeClusterEvent",
        r#""properties":{"CoreCount":"4","TargetNodeCount":2.0,"IdleNodeCount":"","AllocationStateTransitionTime":"2026-11-23T10:00:00.5+00:00","QuotaAllocated":24}"#,
    );
    let parsed = read(&line);
    let batch = only_batch(&parsed, "AmlComputeClusterEvent");
    assert_eq!(ints(batch, "CoreCount"), [Some(4)]);
    assert_eq!(ints(batch, "TargetNodeCount"), [Some(2)]);
    assert_eq!(ints(batch, "IdleNodeCount"), [None]);
    assert_eq!(
        instants(batch, "AllocationStateTransitionTime"),
        [MORNING + 500_000_000]
    );
    assert_eq!(text(batch, "QuotaAllocated"), ["24"]);
}

#[test]
fn a_bad_record_is_refused_alone_and_whole() {
    let good = job_event("");
    let lines = [
        good.clone(),
        r#"{"time": "#.into(),
        record("AuditEvent", r#""level":4"#),
        record("AmlComputeJobEvents", ""),
        good.replace("2026-11-23T10:00:00.0000000Z", "yesterday"),
        good.replace("2026-11-23T", "0001-01-01T"),
        good.replace(r#""time":"#, r#""tame":"#),
        good.replace(WORKSPACE, "ws1"),
        record(
            "AmlOnlineEndpointTrafficLog",
            r#""properties":{"ResponseCode":"2xx"}"#,
        ),
        good.replace(r#""category":"AmlComputeJobEvent","#, ""),
        good.replace(r#""AmlComputeJobEvent""#, "7"),
        "17".into(),
        good.clone(),
    ];
    let parsed = read(&lines.join("\n"));
    assert_eq!(parsed.accepted, 2);
    let reasons: Vec<_> = parsed
        .refused
        .iter()
        .map(|refused| refused.reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "not JSON: EOF while parsing a value at line 1 column 8",
            "unknown category `AuditEvent`",
            "unknown category `AmlComputeJobEvents`; did you mean `AmlComputeJobEvent`?",
            "`time`: \"yesterday\" is no instant from 1678 to 2261, which column `TimeGenerated` holds",
            "`time`: \"0001-01-01T10:00:00.0000000Z\" is no instant from 1678 to 2261, which column `TimeGenerated` holds",
            "the record has no `time`",
            "`resourceId`: `ws1` is no resource id; one begins with `/subscriptions/`",
            "`properties.ResponseCode`: \"2xx\" is no int, which column `ResponseCode` holds",
            "the record has no `category`",
            "`category` is text, not 7",
            "invalid type: integer `17`, expected a JSON object",
        ]
    );
    let first = &parsed.refused[0];
    assert_eq!((first.index, first.line), (1, Some(2)));
    assert_eq!(&lines.join("\n")[first.bytes.clone()], lines[1].trim_end());
    assert_eq!(first.record, lines[1].trim_end());
}

#[test]
fn refused_elements_are_found_by_index() {
    let body = format!(
        "[{},\n{{\"category\":\"x\"}},{}]",
        job_event(""),
        job_event("")
    );
    let parsed = read(&body);
    assert_eq!(parsed.accepted, 2);
    let refused = &parsed.refused[0];
    assert_eq!((refused.index, refused.line), (1, None));
    assert_eq!(&body[refused.bytes.clone()], "{\"category\":\"x\"}");
    // An array that breaks off keeps what came before.
    let parsed = read(&format!("[{},{{\"a\":", job_event("")));
    assert_eq!((parsed.accepted, parsed.refused.len()), (1, 1));
}

#[test]
fn records_are_grouped_by_resource_and_table() {
    let other = WORKSPACE.replace("WS1", "WS2");
    let lines = [
        job_event(""),
        record("RunEvent", ""),
        job_event("").replace(WORKSPACE, &other),
        job_event("").replace(WORKSPACE, &WORKSPACE.to_lowercase()),
        record("RunReadEvent", ""),
        job_event("").replace(&format!(r#","resourceId":"{WORKSPACE}""#), ""),
    ];
    let parsed = read(&lines.join("\n"));
    let groups: Vec<_> = parsed
        .groups
        .iter()
        .map(|group| {
            let name = group.resource_id.as_ref().map_or("", ResourceId::name);
            (name, group.table.name.as_str(), group.batch.num_rows())
        })
        .collect();
    assert_eq!(
        groups,
        [
            ("ws1", "AmlComputeJobEvent", 2),
            ("ws1", "AmlRunEvent", 2),
            ("ws2", "AmlComputeJobEvent", 1),
            ("", "AmlComputeJobEvent", 1),
        ]
    );
    assert_eq!(text(&parsed.groups[3].batch, "_ResourceId"), [""]);
}

#[test]
fn the_sender_fills_in_resource_and_category() {
    let intake = Intake {
        resource_id: Some(ResourceId::parse(WORKSPACE).expect("an id")),
        category: Some("RunEvent".into()),
        lines_before: 10,
        ..intake()
    };
    let lines = "{\"time\":\"2026-11-23T10:00:00Z\",\"properties\":{\"RunId\":\"r\"}}\n{";
    let parsed = parse(&BUILTIN, lines.as_bytes(), &intake);
    let batch = only_batch(&parsed, "AmlRunEvent");
    assert_eq!(text(batch, "_ResourceId"), [WORKSPACE.to_lowercase()]);
    assert_eq!(parsed.refused[0].line, Some(12));
}

#[test]
fn a_mapping_can_rename_and_take_away() {
    let mapping = Mapping::with_overrides(
        r#"
        [envelope]
        timestamp = "TimeGenerated"
        level = ""
        [AmlRunEvent.properties]
        "run.id" = "RunId"
        [categories]
        NewRunEvent = "AmlRunEvent"
        "#,
    )
    .expect("a mapping");
    let line = record("newrunevent", r#""level":4,"properties":{"RUN.ID":"r"}"#);
    let line = line.replace("\"time\"", "\"timestamp\"");
    let parsed = parse(&mapping, line.as_bytes(), &intake());
    let batch = only_batch(&parsed, "AmlRunEvent");
    assert_eq!(text(batch, "RunId"), ["r"]);
    assert_eq!(additional(batch), [Some(r#"{"level":4}"#.into())]);
}

#[test]
fn rows_of_a_named_table() {
    let rows = format!(
        r#"[{{"TimeGenerated":"2026-11-23T10:00:00Z","RunId":"a","_ResourceId":"{WORKSPACE}"}},{{"RunId":"b","category":"c"}}]"#
    );
    let parsed = parse_rows(&BUILTIN, "AmlRunEvent", rows.as_bytes(), &intake()).expect("a table");
    assert_eq!((parsed.accepted, parsed.groups.len()), (2, 2));
    let (first, second) = (&parsed.groups[0].batch, &parsed.groups[1].batch);
    assert_eq!(text(first, "_ResourceId"), [WORKSPACE.to_lowercase()]);
    assert_eq!(instants(second, "TimeGenerated"), [MORNING + 5]);
    assert_eq!(additional(second), [Some(r#"{"category":"c"}"#.into())]);
    let error = parse_rows(&BUILTIN, "AmlRunEvents", b"", &intake()).expect_err("none");
    assert_eq!(
        error.to_string(),
        "unknown table `AmlRunEvents`; did you mean `AmlRunEvent`?"
    );
}

#[test]
fn limits_refuse_by_name() {
    let with = |limits: Limits, body: &str| {
        let intake = Intake { limits, ..intake() };
        let parsed = parse(&BUILTIN, body.as_bytes(), &intake);
        let refused: Vec<_> = parsed
            .refused
            .into_iter()
            .map(|refused| refused.reason)
            .collect();
        (parsed.accepted, refused)
    };
    let two = format!(
        "{}\n{}\n{}",
        record("RunEvent", ""),
        record("RunEvent", ""),
        record("RunEvent", "")
    );
    let limits = Limits {
        records_max: 2,
        ..Limits::default()
    };
    let reason = "more than 2 records in one call; this one and all after it were not read";
    assert_eq!(with(limits, &two), (2, vec![reason.into()]));
    assert_eq!(
        with(limits, &format!("[{}]", two.replace('\n', ","))),
        (2, vec![reason.into()])
    );

    let limits = Limits {
        record_bytes_max: 10,
        ..Limits::default()
    };
    let (_, refused) = with(limits, &record("RunEvent", ""));
    assert!(
        refused[0].starts_with("a record has at most 10 bytes, not "),
        "{refused:?}"
    );

    let limits = Limits {
        members_max: 5,
        ..Limits::default()
    };
    let wide = record(
        "RunEvent",
        r#""properties":{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6}"#,
    );
    let reason = "`properties`: an object of a record has at most 5 members";
    assert_eq!(with(limits, &wide), (0, vec![reason.into()]));

    let limits = Limits {
        nesting_max: 3,
        ..Limits::default()
    };
    let deep = record("RunEvent", r#""properties":{"a":[[[]]]}"#);
    let reason = "`properties.a` nests deeper than 3 levels";
    assert_eq!(with(limits, &deep), (0, vec![reason.into()]));
    let deep = record("RunEvent", r#""identity":[[[[]]]]"#);
    assert_eq!(
        with(limits, &deep),
        (0, vec!["`identity` nests deeper than 3 levels".into()])
    );
    let bottomless = record(
        "RunEvent",
        &format!(r#""identity":{}{}"#, "[".repeat(99_999), "]".repeat(99_999)),
    );
    assert_eq!(with(Limits::default(), &bottomless).0, 0);
}

#[test]
fn junk_is_refused_without_a_panic() {
    let record = job_event(r#","identity":{"a":["\ud800é"]}"#);
    let mut state = 7_u64;
    let mut next = move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..3_000 {
        let mut bytes = format!("[{record},\n{record}]\n{{\"records\":[{record}]}}").into_bytes();
        for _ in 0..next() % 8 {
            let at = next() % bytes.len().max(1);
            if bytes.is_empty() {
                break;
            }
            match next() % 3 {
                0 => bytes[at] = next() as u8,
                1 => drop(bytes.drain(at..(at + next() % 40).min(bytes.len()))),
                _ => bytes.truncate(at),
            }
        }
        read_bytes(&bytes);
        let noise: Vec<u8> = (0..next() % 200).map(|_| next() as u8).collect();
        read_bytes(&noise);
    }
    let parsed = read_bytes(b"\xff\xfe{}\n");
    assert_eq!(parsed.refused[0].reason, "not UTF-8 from byte 0 on");
}

#[test]
fn analysis_tells_what_a_mapping_leaves_over() {
    let mut analysis = Analysis::default();
    for run in ["a", "b"] {
        let line = record(
            "RunEvent",
            &format!(r#""zig":"{run}","properties":{{"RunId":"{run}"}}"#),
        );
        analysis.add(&read(&format!("{line}\n{{\n{{")));
    }
    let findings: Vec<_> = analysis.tables().collect();
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].table.name.as_str(), findings[0].records),
        ("AmlRunEvent", 2)
    );
    let zig = &findings[0].unmapped["zig"];
    assert_eq!((zig.records, zig.example.as_str()), (2, "\"a\""));
    let empty: Vec<_> = findings[0].never_filled().collect();
    assert_eq!(empty, ["Identity", "AmlWorkspaceId", "AadTenantId"]);
    assert_eq!((analysis.refused(), analysis.refusals().len()), (4, 1));
}

fn record(category: &str, more: &str) -> String {
    let comma = if more.is_empty() { "" } else { "," };
    format!(
        r#"{{"time":"2026-11-23T10:00:00.0000000Z","resourceId":"{WORKSPACE}","operationName":"op","category":"{category}"{comma}{more}}}"#
    )
}

fn job_event(more: &str) -> String {
    format!(
        r#"{{"time":"2026-11-23T10:00:00.0000000Z","resourceId":"{WORKSPACE}","operationName":"JobFailed","category":"AmlComputeJobEvent","resultSignature":""{more},"properties":{{"JobId":"j-1","ClusterId":"cpu-cluster","EventType":"JobFailed","ExecutionState":"Failed","ToolType":"","NodeId":"tvm-1"}}}}"#
    )
}

fn intake() -> Intake {
    Intake {
        received: MORNING + 5,
        ..Intake::default()
    }
}

fn read(body: &str) -> Parsed {
    read_bytes(body.as_bytes())
}

fn read_bytes(body: &[u8]) -> Parsed {
    let parsed = parse(&BUILTIN, body, &intake());
    for refused in &parsed.refused {
        assert!(refused.bytes.end <= body.len());
    }
    parsed
}

fn only_batch<'p>(parsed: &'p Parsed, table: &str) -> &'p RecordBatch {
    assert_eq!(parsed.groups.len(), 1, "{parsed:?}");
    assert_eq!(parsed.groups[0].table.name, table);
    &parsed.groups[0].batch
}

fn text<'b>(batch: &'b RecordBatch, column: &str) -> Vec<&'b str> {
    let column = batch
        .column_by_name(column)
        .expect("a column")
        .as_string_view();
    column.iter().map(|value| value.expect("a value")).collect()
}

fn additional(batch: &RecordBatch) -> Vec<Option<String>> {
    let column = batch
        .column_by_name("_AdditionalFields")
        .expect("a column")
        .as_string_view();
    column
        .iter()
        .map(|value| value.map(str::to_owned))
        .collect()
}

fn ints(batch: &RecordBatch, column: &str) -> Vec<Option<i32>> {
    let column = batch.column_by_name(column).expect("a column");
    column.as_primitive::<Int32Type>().iter().collect()
}

fn reals(batch: &RecordBatch, column: &str) -> Vec<f64> {
    let column = batch.column_by_name(column).expect("a column");
    assert_eq!(column.null_count(), 0);
    column.as_primitive::<Float64Type>().values().to_vec()
}

fn instants(batch: &RecordBatch, column: &str) -> Vec<i64> {
    let column = batch.column_by_name(column).expect("a column");
    assert_eq!(column.null_count(), 0);
    column
        .as_primitive::<TimestampNanosecondType>()
        .values()
        .to_vec()
}
