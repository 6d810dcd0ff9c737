//! `loggia query`: where a query comes from, what it reads, and the formats of its rows.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_ipc::reader::StreamReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::serve;
use crate::server::{Done, Server, folder, workspace_resource};

/// A query whose rows have cells of every kind that formats differ in.
const ROWS: &str =
    "datatable(t: datetime, n: long, x: real, s: string, d: dynamic, span: timespan) [
    datetime(2026-01-02T03:04:05.6789012Z), 1, 1.5, 'a,b \"c\"', dynamic({'k': [1, 'two']}), 1h,
    datetime(null), long(null), real(null), '', dynamic(null), timespan(null)
]";

#[test]
fn text_formats() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let table = server.run(&["query", ROWS]).ok();
    assert_eq!(
        table.stdout,
        "\
t                             n    x  s        d                span
--------------------------------------------------------------------------
2026-01-02T03:04:05.6789012Z  1  1.5  a,b \"c\"  {\"k\":[1,\"two\"]}  01:00:00

(2 rows)
"
    );
    let json = server.run(&["query", "--format", "json", ROWS]).ok();
    let json: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    assert_eq!(
        json,
        json!([
            {
                "t": "2026-01-02T03:04:05.6789012Z",
                "n": 1,
                "x": 1.5,
                "s": "a,b \"c\"",
                "d": { "k": [1, "two"] },
                "span": "01:00:00",
            },
            { "t": null, "n": null, "x": null, "s": "", "d": null, "span": null },
        ])
    );
    let csv = server.run(&["query", "--format", "csv", ROWS]).ok();
    let mut csv = csv::Reader::from_reader(csv.stdout.as_bytes());
    let header: Vec<String> = csv
        .headers()
        .expect("a header")
        .iter()
        .map(Into::into)
        .collect();
    assert_eq!(header, ["t", "n", "x", "s", "d", "span"]);
    let rows: Vec<Vec<String>> = csv.deserialize().map(|row| row.expect("a row")).collect();
    assert_eq!(
        rows,
        [
            vec![
                "2026-01-02T03:04:05.6789012Z",
                "1",
                "1.5",
                "a,b \"c\"",
                "{\"k\":[1,\"two\"]}",
                "01:00:00"
            ],
            vec![""; 6],
        ]
    );
}

#[test]
fn binary_formats_can_be_read_back() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let arrow = server.run(&["query", "--format", "arrow", ROWS]).ok();
    let arrow = StreamReader::try_new(arrow.bytes.as_slice(), None).expect("an Arrow stream");
    let batches: Vec<RecordBatch> = arrow.map(|batch| batch.expect("a batch")).collect();
    check_batches(&batches);

    let parquet = server.run(&["query", "--format", "parquet", ROWS]).ok();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet.bytes))
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .expect("a Parquet file");
    let batches: Vec<RecordBatch> = reader.map(|batch| batch.expect("a batch")).collect();
    check_batches(&batches);
}

fn check_batches(batches: &[RecordBatch]) {
    let all = arrow::compute::concat_batches(&batches[0].schema(), batches).expect("one batch");
    assert_eq!(all.num_rows(), 2);
    let column = |name: &str| all.column_by_name(name).expect("the column is there");
    let time = column("t").as_primitive::<TimestampNanosecondType>();
    assert_eq!(time.value(0), 1_767_323_045_678_901_200);
    assert!((column("x").as_primitive::<Float64Type>().value(0) - 1.5).abs() < f64::EPSILON);
    let number = column("n").as_primitive::<Int64Type>();
    assert_eq!(number.iter().collect::<Vec<_>>(), [Some(1), None]);
    assert_eq!(column("s").as_string::<i32>().value(0), "a,b \"c\"");
    assert_eq!(column("s").null_count(), 0);
    assert_eq!(
        column("d").as_string::<i32>().value(0),
        "{\"k\":[1,\"two\"]}"
    );
}

#[test]
fn an_empty_answer_keeps_its_columns_in_every_format() {
    let folder = folder();
    let server = serve(folder.path());
    let query = "AmlDataSetEvent | project TimeGenerated, n = 1";
    let ask = |format: &str| server.run(&["query", "--format", format, query]).ok();
    assert_eq!(ask("json").stdout, "[]\n");
    assert_eq!(ask("csv").stdout, "TimeGenerated,n\n");
    assert!(ask("table").stdout.starts_with("TimeGenerated  n\n"));
    let arrow = ask("arrow").bytes;
    let arrow = StreamReader::try_new(arrow.as_slice(), None).expect("an Arrow stream");
    let names: Vec<String> = arrow
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["TimeGenerated", "n"]);
    let parquet = bytes::Bytes::from(ask("parquet").bytes);
    let parquet = ParquetRecordBatchReaderBuilder::try_new(parquet).expect("a Parquet file");
    assert_eq!(parquet.schema().fields().len(), 2);
}

#[test]
fn a_query_comes_as_argument_from_a_file_or_from_standard_input() {
    let folder = folder();
    let server = serve(folder.path());
    let query = "AmlComputeJobEvent // all of them\n| count";
    let path = folder.path().join("query.kql");
    fs::write(&path, query).expect("the file is written");
    let path = path.to_str().expect("a path of text");
    let answers = [
        server.run(&["query", "--format", "csv", query]),
        server.run(&["query", "--format", "csv", "--file", path]),
        server.run_with_input(&["query", "--format", "csv", "-"], query),
        server.run_with_input(&["query", "--format", "csv", "--file", "-"], query),
    ];
    for answer in answers {
        assert_eq!(answer.ok().stdout, "Count\n3\n");
    }
    let missing = server.run(&["query", "--file", "/nowhere.kql"]).fails(1);
    assert!(
        missing.stderr.contains("/nowhere.kql"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_reader_may_leave_before_the_end() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let query = "range x from 1 to 400000 step 1";
    for format in ["table", "json", "csv", "arrow", "parquet"] {
        let mut command = server.command(&["query", "--format", format, query]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("it starts");
        let mut stdout = process.stdout.take().expect("its output is piped");
        stdout.read_exact(&mut [0]).expect("it begins to write");
        drop(stdout);
        Done::from(process.wait_with_output().expect("it ends")).ok();
    }
}

#[test]
fn scope_and_timespan_narrow_what_is_read() {
    let folder = folder();
    let server = serve(folder.path());
    let count =
        |options: &[&str]| server.ask_of(options, "AmlComputeJobEvent | count")[0]["Count"].clone();
    assert_eq!(count(&[]), 3);
    assert_eq!(count(&["--all"]), 3);
    assert_eq!(count(&["-w", "one"]), 2);
    assert_eq!(count(&["-w", "one", "-w", "two"]), 3);
    assert_eq!(count(&["--resource", &workspace_resource("two")]), 1);
    assert_eq!(count(&["--timespan", "2026-01-10/P1D"]), 2);
    assert_eq!(
        count(&["--timespan", "2026-01-10T08:00:00Z/2026-01-10T09:00:00Z"]),
        1
    );
    assert_eq!(count(&["--timespan", "P1D"]), 0);
    let wrong = server
        .run(&["query", "--timespan", "soon", "print 1"])
        .fails(1);
    assert!(
        wrong.stderr.contains("`soon` is no timespan"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn statistics_and_plans_are_shown_on_request() {
    let folder = folder();
    let server = serve(folder.path());
    let query = "AmlComputeJobEvent | count";
    let done = server
        .run(&["query", "--stats", "--format", "csv", query])
        .ok();
    assert_eq!(done.stdout, "Count\n3\n");
    assert!(done.stderr.starts_with("1 rows in "), "{}", done.stderr);
    assert!(
        done.stderr.contains("came from 2 shards"),
        "{}",
        done.stderr
    );
    for workspace in ["one  ", "two  "] {
        assert!(done.stderr.contains(workspace), "{}", done.stderr);
    }
    let explained = server.run(&["query", "--explain", query]).ok();
    assert!(
        explained
            .stdout
            .starts_with("AmlComputeJobEvent\n| count\n")
    );
    assert!(explained.stdout.contains("Stage 1"), "{}", explained.stdout);
    assert!(
        explained.stdout.contains("mode=Partial"),
        "{}",
        explained.stdout
    );
    assert!(
        !explained.stdout.contains("TableScan"),
        "{}",
        explained.stdout
    );
    let logical = server.run(&["query", "--explain", "--stats", query]).ok();
    assert!(logical.stdout.contains("TableScan"), "{}", logical.stdout);
}

#[test]
fn a_wrong_query_ends_with_3_and_a_picture() {
    let folder = folder();
    let server = Server::start(folder.path(), &[]);
    let done = server
        .run(&["query", "AmlComputeJobEvent\n| where EventTipe == 'x'"])
        .fails(3);
    assert_eq!(done.stdout, "");
    assert_eq!(
        done.stderr,
        "\
error[SEM0100]: unknown column `EventTipe`
 --> 2:9
  |
2 | | where EventTipe == 'x'
  |         ^^^^^^^^^
  = help: did you mean `EventType`?
"
    );
    let two = server
        .run(&["query", "AmlRunEvent | wehre x | cuont"])
        .fails(3);
    for part in [
        "1:15",
        "1:25",
        "did you mean `where`?",
        "did you mean `count`?",
    ] {
        assert!(two.stderr.contains(part), "no {part:?} in\n{}", two.stderr);
    }
    let explained = server.run(&["query", "--explain", "AmlRunEvnt"]).fails(3);
    assert!(
        explained.stderr.contains("`AmlRunEvent`"),
        "{}",
        explained.stderr
    );
}
