//! The generated logs: what they hold, and that chance and the clock are kept apart.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use generate::{Config, ExportedFile, files, generate, resources};
use records::{Analysis, Intake, Mapping, parse};
use serde_json::Value;

/// Monday, 2026-11-23T10:00:00Z.
const NOW: i64 = 1_795_428_000_000_000_000;
const DAY: i64 = 86_400_000_000_000;

static DEMO: LazyLock<Vec<ExportedFile>> = LazyLock::new(|| all(&Config::demo(NOW)));

#[test]
fn the_demo_fills_every_table_and_every_record_is_read() {
    let mapping = Mapping::builtin();
    let mut analysis = Analysis::default();
    for file in DEMO.iter() {
        let parsed = parse(&mapping, &file.bytes, &Intake::default());
        assert_eq!(
            parsed.accepted as u64,
            file.records,
            "{}",
            file.path.display()
        );
        analysis.add(&parsed);
    }
    assert_eq!(analysis.refused(), 0, "{:?}", analysis.refusals());
    let records: usize = analysis.tables().map(|table| table.records).sum();
    assert!((60_000..=120_000).contains(&records), "{records}");
    assert_eq!(analysis.tables().count(), 20);
    for findings in analysis.tables() {
        // Registries' tables have no column for the operation.
        let is_registry = findings.table.name.starts_with("AmlRegistry");
        let expected: &[&str] = if is_registry { &["operationName"] } else { &[] };
        let unmapped: Vec<_> = findings.unmapped.keys().collect();
        assert_eq!(unmapped, expected, "{}", findings.table.name);
        let empty: Vec<_> = findings.never_filled().collect();
        assert!(empty.is_empty(), "{} {empty:?}", findings.table.name);
    }
}

#[test]
fn files_lie_where_azure_puts_them() {
    let ids = resources(&Config::demo(NOW)).expect("a valid configuration");
    assert_eq!(ids.len(), 4);
    assert!(ids[0].as_str().ends_with("/workspaces/amlws"));
    assert!(ids[3].as_str().ends_with("/registries/contoso-registry"));
    let mut paths = BTreeSet::new();
    for file in DEMO.iter() {
        let found = records::walk::ExportFile::at(file.path.clone(), 0);
        assert_eq!(found.category.as_deref(), Some(file.category));
        let id = found.resource_id.expect("a resource");
        assert!(ids.iter().any(|known| id.is_within(known)), "{id}");
        let path = file.path.to_str().expect("text");
        let (resource, hour) = path.split_once("/y=").expect("a date");
        let (container, resource) = resource.split_once("/resourceId=").expect("a resource");
        assert_eq!(
            container,
            format!("insights-logs-{}", file.category.to_lowercase())
        );
        assert_eq!(resource, resource.to_uppercase());
        assert!(
            hour.ends_with("/m=00/PT1H.json") && hour.starts_with("2026/m=11/d="),
            "{hour}"
        );
        assert!(paths.insert(path), "{path} twice");
    }
}

#[test]
fn the_same_configuration_gives_the_same_bytes() {
    let config = small(NOW);
    assert_eq!(all(&config), all(&config));
    let other = Config {
        seed: 2,
        ..small(NOW)
    };
    assert_ne!(all(&config), all(&other));
}

#[test]
fn another_clock_moves_events_and_changes_nothing_else() {
    let told = |now| {
        let mut told: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for file in all(&small(now)) {
            let lines = String::from_utf8(file.bytes).expect("text");
            let told = told.entry(file.category).or_default();
            told.extend(lines.lines().map(without_times));
        }
        told.values_mut().for_each(|lines| lines.sort());
        told
    };
    let (one, other) = (told(NOW), told(NOW + 3 * DAY + DAY / 3));
    for (category, lines) in &one {
        // How many nodes a cluster has at the full hour depends on when its jobs run.
        if *category == "AmlComputeClusterEvent" {
            assert_eq!(lines.len(), other[category].len());
        } else {
            assert!(lines == &other[category], "{category}");
        }
    }
    assert_eq!(one.len(), other.len());
}

#[test]
fn jobs_live_whole_lives_in_order() {
    let mut lives: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for event in records_of("AmlComputeJobEvent") {
        let life = lives.entry(text(&event, "JobId").to_owned()).or_default();
        life.push((
            event["time"].as_str().expect("a time").into(),
            text(&event, "EventType").into(),
        ));
        assert_eq!(text(&event, "EventType"), event["operationName"]);
        if text(&event, "EventType") == "JobFailed" {
            assert!(!text(&event, "JobErrorMessage").is_empty());
            let details: Value = serde_json::from_str(text(&event, "ErrorDetails")).expect("JSON");
            assert!(details["error"]["code"].is_string());
        }
    }
    assert!(lives.len() > 1_000);
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for (job, mut life) in lives {
        life.sort();
        let events: Vec<&str> = life.iter().map(|(_, event)| event.as_str()).collect();
        assert_eq!(
            events[..3],
            ["JobSubmitted", "JobPreparing", "JobRunning"],
            "{job}"
        );
        assert_eq!(events.len(), 4, "{job}");
        *ends.entry(events[3].to_owned()).or_default() += 1;
    }
    let kinds: Vec<_> = ends.keys().collect();
    assert_eq!(kinds, ["JobCanceled", "JobFailed", "JobSucceeded"]);
    assert!(ends["JobSucceeded"] > ends["JobFailed"] * 3, "{ends:?}");
}

#[test]
fn ids_link_jobs_runs_nodes_and_samples() {
    let of = |category, property| -> BTreeSet<String> {
        let records = records_of(category);
        records
            .iter()
            .map(|record| text(record, property).to_owned())
            .collect()
    };
    let jobs = of("AmlComputeJobEvent", "JobName");
    let runs = of("AmlRunStatusChangedEvent", "RunId");
    assert!(jobs.is_subset(&runs));
    assert!(of("RunReadEvent", "RunId").is_subset(&jobs));
    let nodes = of("AmlComputeClusterNodeEvent", "NodeId");
    let mut busy = of("AmlComputeJobEvent", "NodeId");
    busy.remove("");
    assert!(busy.is_subset(&nodes));
    let mut sampled = of("AmlComputeCpuGpuUtilization", "RunId");
    sampled.remove("");
    assert!(sampled.is_subset(&jobs));
}

#[test]
fn nothing_happens_before_the_window_or_after_now() {
    let from = time_text(NOW - 14 * DAY);
    let to = time_text(NOW);
    for file in DEMO.iter() {
        let lines = std::str::from_utf8(&file.bytes).expect("text");
        let times: Vec<&str> = lines.lines().map(|line| &line[9..37]).collect();
        assert!(times.is_sorted(), "{}", file.path.display());
        let (first, last) = (times[0], times[times.len() - 1]);
        assert!(
            from.as_str() <= first && last <= to.as_str(),
            "{}",
            file.path.display()
        );
    }
}

/// The queries of Azure's own pages and of public repositories over these tables return rows.
#[test]
fn well_known_queries_find_rows() {
    let jobs = records_of("AmlComputeJobEvent");
    let failed = |job: &Value| text(job, "EventType") == "JobFailed";
    assert!(jobs.iter().any(|job| failed(job) && within(job, 5)));
    let famous = "automl_a9940991-dedb-4262-9763-2fd08b79d8fb_setup";
    let of_famous = jobs
        .iter()
        .filter(|job| text(job, "JobName") == famous && within(job, 5));
    assert_eq!(of_famous.count(), 4);
    assert!(
        jobs.iter()
            .any(|job| text(job, "ClusterId").contains("cpu-cluster-stg"))
    );

    let clusters = records_of("AmlComputeClusterEvent");
    let small_vm = |event: &Value| text(event, "VmSize") == "STANDARD_D1_V2";
    assert!(
        clusters
            .iter()
            .any(|event| small_vm(event) && within(event, 4))
    );
    let timeouts = clusters.iter().filter(|event| {
        text(event, "ClusterName") == "cpu-cluster-stg"
            && text(event, "EventType") == "ResizingTimeout"
    });
    assert!(timeouts.count() > 2);
    let idle = clusters
        .iter()
        .filter(|event| text(event, "ClusterName") == "etl-cluster");
    assert!(
        idle.into_iter()
            .all(|event| event["properties"]["IdleNodeCount"] == 2)
    );
    let nodes = records_of("AmlComputeClusterNodeEvent");
    let allocated = |node: &&Value| within_text(text(node, "NodeAllocationTime"), 8);
    assert!(nodes.iter().filter(allocated).count() > 50);
    let samples = records_of("AmlComputeCpuGpuUtilization");
    let plotted = |sample: &Value| {
        text(sample, "ClusterName") == "Cpu-cluster" && text(sample, "DeviceType") == "CPU"
    };
    assert!(samples.iter().any(plotted));

    let reads = records_of("EnvironmentReadEvent");
    assert!(reads.iter().any(|read| {
        let id = read["resourceId"].as_str().expect("an id");
        text(read, "AmlEnvironmentName") == "experiment_env"
            && id.ends_with("/AMLWS")
            && read["identity"]["UserName"].is_string()
    }));
    let reads = records_of("DataSetReadEvent");
    assert!(reads.iter().all(|read| {
        let operation = read["operationName"].as_str().expect("text");
        operation.ends_with("/READ") && !text(read, "AmlDatasetId").is_empty()
    }));
    let events = records_of("AmlOnlineEndpointEventLog");
    assert!(
        events
            .iter()
            .any(|event| text(event, "Message").contains("failed"))
    );
}

#[test]
fn well_known_alerts_fire_on_endpoints() {
    let traffic = records_of("AmlOnlineEndpointTrafficLog");
    let of = |endpoint: &str| -> Vec<(i64, i64, &Value)> {
        let own = traffic
            .iter()
            .filter(|request| text(request, "EndpointName") == endpoint);
        let number =
            |request: &Value, name: &str| request["properties"][name].as_i64().unwrap_or(0);
        own.map(|request| {
            (
                number(request, "ResponseCode"),
                number(request, "ModelStatusCode"),
                request,
            )
        })
        .collect()
    };
    let mine = of("my-endpoint");
    assert!(mine.iter().any(|(code, ..)| matches!(code, 502 | 503)));
    assert!(
        mine.iter()
            .any(|(code, model, _)| (*code, *model) == (424, 500))
    );
    assert!(mine.iter().any(|(code, ..)| matches!(code, 408 | 429)));
    assert!(
        mine.iter()
            .any(|(code, model, _)| (*code, *model) == (424, 504))
    );
    let succeeded = mine.iter().filter(|(code, ..)| *code == 200).count();
    assert!(succeeded * 100 > mine.len() * 93);

    let mut bins: BTreeMap<String, (i64, i64, i64)> = BTreeMap::new();
    for (code, _, request) in of("iris-endpoint-stg-weu-01") {
        let time = request["time"].as_str().expect("a time");
        let minute: u32 = time[14..16].parse().expect("minutes");
        let bin = bins
            .entry(format!("{}{}", &time[..14], minute / 5))
            .or_default();
        let taken = request["properties"]["RequestDurationMs"]
            .as_i64()
            .expect("a number");
        *bin = (bin.0 + 1, bin.1 + i64::from(code >= 500), bin.2 + taken);
    }
    assert!(
        bins.values()
            .any(|(requests, errors, _)| errors * 20 > *requests)
    );
    assert!(
        bins.values()
            .any(|(requests, _, taken)| taken / requests > 2_000)
    );

    let console = records_of("AmlOnlineEndpointConsoleLog");
    for model in [
        "online/credit-card-default/1",
        "online/employee-attrition/1",
    ] {
        let printed: Vec<&Value> = console
            .iter()
            .filter(|line| text(line, "Message").contains(model) && within(line, 1))
            .collect();
        assert!(!printed.is_empty(), "{model}");
        for line in printed {
            let payload = text(line, "Message").rsplit('|').next().expect("a part");
            let payload: Value = serde_json::from_str(payload.trim()).expect("JSON");
            assert!(payload["data"][0].is_object());
        }
    }
}

#[test]
fn a_tree_is_written_once_and_read_back() {
    let root = tempfile::tempdir().expect("a folder");
    let config = small(NOW);
    let summary = generate(&config, root.path()).expect("a tree");
    let found = records::walk::find(root.path()).expect("files");
    assert_eq!(found.len(), summary.files);
    assert_eq!(
        found.iter().map(|file| file.bytes).sum::<u64>(),
        summary.bytes
    );
    let mapping = Mapping::builtin();
    let mut accepted = 0;
    for file in &found {
        for block in records::blocks::open(file, 64 << 10).expect("a file") {
            accepted +=
                parse(&mapping, &block.expect("a block").bytes, &Intake::default()).accepted;
        }
    }
    assert_eq!(accepted as u64, summary.records.values().sum::<u64>());
    assert_eq!(summary.records.len(), 20);
    let error = generate(&config, root.path()).expect_err("not empty");
    assert!(error.to_string().ends_with("is not empty"), "{error}");
}

#[test]
fn activity_and_workspaces_scale() {
    let count = |config: &Config| all(config).iter().map(|file| file.records).sum::<u64>();
    let once = count(&small(NOW));
    let busy = count(&Config {
        activity: 5.0,
        ..small(NOW)
    });
    let wide = count(&Config {
        workspaces: 8,
        ..small(NOW)
    });
    assert!((4..=7).contains(&(busy / once)), "{once} {busy}");
    assert!((2..=5).contains(&(wide / once)), "{once} {wide}");
    let shortest = Config {
        workspaces: 1,
        days: 1,
        activity: 0.01,
        ..small(NOW)
    };
    assert!(count(&shortest) > 0);
}

#[test]
fn configurations_have_bounds() {
    let error = |config: Config| resources(&config).expect_err("out of bounds").to_string();
    let none = Config {
        workspaces: 0,
        ..small(NOW)
    };
    assert_eq!(
        error(none),
        "logs are generated for from 1 to 1000 workspaces, not 0"
    );
    assert!(
        error(Config {
            days: 0,
            ..small(NOW)
        })
        .contains("days")
    );
    assert!(
        error(Config {
            activity: f64::NAN,
            ..small(NOW)
        })
        .contains("activity")
    );
}

fn small(now: i64) -> Config {
    Config {
        days: 2,
        ..Config::demo(now)
    }
}

fn all(config: &Config) -> Vec<ExportedFile> {
    files(config).expect("a valid configuration").collect()
}

fn records_of(category: &str) -> Vec<Value> {
    let of_category = DEMO.iter().filter(|file| file.category == category);
    of_category
        .flat_map(|file| std::str::from_utf8(&file.bytes).expect("text").lines())
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn text<'v>(record: &'v Value, property: &str) -> &'v str {
    record["properties"][property].as_str().expect(property)
}

fn within(record: &Value, days: i64) -> bool {
    within_text(record["time"].as_str().expect("a time"), days)
}

fn within_text(time: &str, days: i64) -> bool {
    time > time_text(NOW - days * DAY).as_str()
}

fn time_text(nanos: i64) -> String {
    use kql::value::datetime::{UNIX_EPOCH_TICKS, format};
    format(nanos / 100 + UNIX_EPOCH_TICKS)
}

/// A line with every instant in it made the same.
fn without_times(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let bytes = line.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        // Dates, and ids that look like one, which are the same in both.
        if bytes[at..].starts_with(b"202") && bytes.get(at + 4) == Some(&b'-') {
            let length = bytes[at..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit() || b"-:.,TZ ".contains(byte))
                .count();
            out.push('@');
            at += length;
        } else {
            out.push(bytes[at] as char);
            at += 1;
        }
    }
    out
}
