//! Four shards beside one DataFusion over the union of their rows: `make bench`.
//!
//! Both sides run by turns in one process on the same rows in memory; on the side of the shards
//! plans and batches cross gRPC. A ratio compares two runs that follow each other, so that whatever
//! else the machine does meets both. Set `LOGGIA_BENCH_ROWS` and `LOGGIA_BENCH_RUNS` for other sizes.

#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::time::{Duration, Instant};

use plan::QueryContext;
use testkit::{Cluster, Deal, Node, TestTable};

const NOW: i64 = 1_768_478_400_000_000_000;
const CONTEXT: QueryContext = QueryContext {
    now: NOW,
    timespan: None,
};

/// What is asked, and how much slower four shards may be.
const QUERIES: [(&str, f64, &str); 4] = [
    (
        "running nodes by cluster",
        1.15,
        "AmlComputeClusterEvent | where TimeGenerated > ago(1d) \
         | summarize avgRunningNodes=avg(TargetNodeCount), maxRunningNodes=max(TargetNodeCount) \
           by Workspace=tostring(split(_ResourceId, '/')[8]), ClusterName, ClusterType, VmSize, VmPriority",
    ),
    (
        "the same over all time",
        1.15,
        "AmlComputeClusterEvent \
         | summarize avgRunningNodes=avg(TargetNodeCount), maxRunningNodes=max(TargetNodeCount) \
           by Workspace=tostring(split(_ResourceId, '/')[8]), ClusterName, ClusterType, VmSize, VmPriority",
    ),
    (
        "filtered count",
        1.15,
        "AmlComputeClusterEvent | where VmPriority == 'LowPriority' and TargetNodeCount > 3 | count",
    ),
    (
        "top 100",
        2.0,
        "AmlComputeClusterEvent | top 100 by TimeGenerated desc",
    ),
];

/// Events of forty clusters in four workspaces over four days.
const MADE: &str = "\
    | extend w = id % 4, c = id % 40 \
    | project TimeGenerated = datetime(2026-01-15T12:00:00Z) - id * (4d / ROWS), \
        _ResourceId = strcat('/subscriptions/304126c8-6573-4e00-9b6a-e1cf985afcd1/resourcegroups/rg-ml/', \
            'providers/microsoft.machinelearningservices/workspaces/ml-', tostring(w)), \
        ClusterName = strcat('cluster-', tostring(c)), ClusterType = 'AmlCompute', \
        VmSize = iff(c % 3 == 0, 'STANDARD_NC6S_V3', 'STANDARD_D1_V2'), \
        VmPriority = iff(c % 5 == 0, 'LowPriority', 'Dedicated'), \
        TargetNodeCount = toint(id % 7), EventType = 'ClusterResized'";

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
}

fn median<T: Copy + PartialOrd>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("no time is NaN"));
    values[values.len() / 2]
}

#[tokio::main]
async fn main() {
    let rows = setting("LOGGIA_BENCH_ROWS", 2_000_000);
    let runs = setting("LOGGIA_BENCH_RUNS", 31);
    let made = MADE.replace("ROWS", &rows.to_string());
    let text = format!("range id from 0 to {} step 1 {made}", rows - 1);
    let made = Node::new(&[]).ask(&text, &CONTEXT).await.expect("rows");
    let table = TestTable::new("AmlComputeClusterEvent", &made.columns, &made.batch);
    let one = Node::partitioned(std::slice::from_ref(&table), 4);
    let four = Cluster::new(&[table], 4, 1, Deal::Even);

    println!("{rows} rows, {runs} runs of each, medians; `plan` is parsing and planning\n");
    println!("query                     one DataFusion  four shards  ratio  aim      plan");
    for (name, aim, text) in QUERIES {
        let (mut alone, mut sharded, mut ratios, mut plans) = (vec![], vec![], vec![], vec![]);
        for _ in 0..runs {
            let a = timed(one.ask(text, &CONTEXT)).await;
            let b = timed(four.ask(text, &CONTEXT)).await;
            plans.push(timed(four.plan(text, &CONTEXT)).await);
            ratios.push(b.as_secs_f64() / a.as_secs_f64());
            alone.push(a);
            sharded.push(b);
        }
        println!(
            "{name:24}  {:>11.2} ms  {:>8.2} ms  {:>5.2}  {aim:>4}  {:>5.2} ms",
            milliseconds(median(&mut alone)),
            milliseconds(median(&mut sharded)),
            median(&mut ratios),
            milliseconds(median(&mut plans)),
        );
    }
}

async fn timed<T, E: std::fmt::Debug>(work: impl Future<Output = Result<T, E>>) -> Duration {
    let start = Instant::now();
    work.await.expect("it runs");
    start.elapsed()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
