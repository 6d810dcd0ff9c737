//! Measures appends: acknowledged rows a second and latency, with few and with many workspaces.
//!
//! `cargo run --release -p storage --example append [seconds]`
//!
//! At a fixed rate, latency counts from when a batch was due, so that waiting is not left out; at
//! full speed each workspace sends its next batch when the last one was acknowledged.
#![expect(clippy::print_stdout, reason = "the table is what the program is for")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{
    ArrayRef, Float64Array, Int64Array, RecordBatch, StringViewArray, TimestampNanosecondArray,
    new_null_array,
};
use schema::{Column, Type};
use storage::{BatchId, Config, Store, TableName, WorkspaceId};

const ROWS: usize = 200;
const BATCHES_PER_SECOND: u64 = 250;
const TABLE: &str = "AmlOnlineEndpointTrafficLog";
/// Small enough that flushes happen while it is measured.
const MEMTABLE_BYTES: u64 = 64 * 1024 * 1024;

/// How long a sender waits that was refused for the time being.
const PAUSE: Duration = Duration::from_millis(5);

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let seconds = std::env::args()
        .nth(1)
        .map_or(Ok(10), |text| text.parse())?;
    let length = Duration::from_secs(seconds);
    println!("{ROWS} rows a batch into {TABLE}, {seconds} s each\n");
    println!(
        "workspaces  rate        rows/s   MB/s  p50 ms  p99 ms  max ms  batches/commit  flushes"
    );
    for paced in [true, false] {
        for workspaces in [4, 80] {
            measure(workspaces, paced, length).await?;
        }
    }
    Ok(())
}

async fn measure(workspaces: u64, paced: bool, length: Duration) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let config = Config {
        memtable_bytes_max: MEMTABLE_BYTES,
        ..Config::default()
    };
    let store = Arc::new(Store::open(dir.path(), config)?);
    let start = Instant::now();
    let senders = (0..workspaces).map(|number| {
        let store = Arc::clone(&store);
        let every = Duration::from_secs(workspaces) / BATCHES_PER_SECOND as u32;
        let first = every * number as u32 / workspaces as u32;
        tokio::spawn(async move {
            let mut latencies = Vec::new();
            let mut refused = 0;
            let mut due = start + first;
            while due < start + length {
                if paced {
                    tokio::time::sleep_until(due.into()).await;
                } else {
                    due = Instant::now();
                }
                refused += send(&store, number, latencies.len() as u64).await?;
                latencies.push(due.elapsed());
                due += every;
            }
            Outcome::Ok((latencies, refused))
        })
    });
    let senders: Vec<_> = senders.collect();
    let (mut latencies, mut refused) = (Vec::new(), 0);
    for sender in senders {
        let (of_sender, refused_sender) = sender.await??;
        latencies.extend(of_sender);
        refused += refused_sender;
    }
    let seconds = start.elapsed().as_secs_f64();
    let counters = store.status().counters;
    latencies.sort_unstable();
    let at = |share: f64| {
        let index = (latencies.len() - 1) as f64 * share;
        latencies[index as usize].as_secs_f64() * 1000.0
    };
    println!(
        "{workspaces:>10}  {:<9}{:>9.0} {:>6.1} {:>7.2} {:>7.2} {:>7.2} {:>15.1} {:>8} {refused:>8}",
        if paced { "fixed" } else { "full" },
        counters.rows as f64 / seconds,
        counters.bytes as f64 / seconds / 1e6,
        at(0.5),
        at(0.99),
        at(1.0),
        counters.batches as f64 / (counters.commits - counters.flushes) as f64,
        counters.flushes,
    );
    store.close().await?;
    Ok(())
}

/// Sends a batch until it is stored; gives how often it was refused for the time being.
async fn send(store: &Store, workspace: u64, number: u64) -> Outcome<u64> {
    let id = BatchId::new(&number.to_string())?;
    let workspace = WorkspaceId(uuid::Uuid::from_u128(workspace.into()));
    let rows = vec![(TableName::new(TABLE)?, rows(number as i64)?)];
    for refused in 0.. {
        match store.append(workspace, id.clone(), rows.clone()).await {
            Err(error) if error.is_retryable() => tokio::time::sleep(PAUSE).await,
            outcome => return Ok(outcome.map(|_| refused)?),
        }
    }
    unreachable!("the loop ends with an answer")
}

/// Rows as a busy endpoint writes them: most text is short or repeats.
fn rows(seed: i64) -> Outcome<RecordBatch> {
    let table = schema::builtin::table(TABLE).ok_or("no such table")?;
    let columns = table.stored().map(|column| values(column, seed));
    let schema = schema::arrow::stored_schema(table);
    Ok(RecordBatch::try_new(schema, columns.collect())?)
}

fn values(column: &Column, seed: i64) -> ArrayRef {
    let numbers = (0..ROWS as i64).map(|row| seed * ROWS as i64 + row);
    match column.ty {
        Type::Datetime => {
            let times = numbers.map(|number| number * 1_000_000);
            Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC"))
        }
        Type::Long => Arc::new(Int64Array::from_iter_values(numbers)),
        Type::Real => {
            let values = numbers.map(|number| number as f64 / 7.0);
            Arc::new(Float64Array::from_iter_values(values))
        }
        Type::String => {
            let name = &column.name;
            let texts = numbers.map(|number| format!("{name} {}", number % 100));
            Arc::new(StringViewArray::from_iter_values(texts))
        }
        other => new_null_array(&schema::arrow::data_type(other), ROWS),
    }
}
