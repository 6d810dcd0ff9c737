//! What runs on shards and what on the coordinator, for each operator.

use std::fmt::Write as _;

use kql::Type;
use plan::QueryContext;
use testkit::random::{self, Random};
use testkit::{Cluster, Deal, Node, TestTable};

const CONTEXT: QueryContext = QueryContext {
    now: 1_768_478_400_000_000_000,
    timespan: None,
};

/// Queries over the tables `A` and `B` of the random tests, by the name of their snapshot.
const QUERIES: [(&str, &str); 29] = [
    ("scan", "A"),
    ("where", "A | where n > 3 and k == 'a'"),
    ("where_time", "A | where t > ago(1d)"),
    ("extend", "A | extend y = n * 2 | where y > 4"),
    ("project", "A | project id, upper = toupper(k)"),
    ("take", "A | take 5"),
    ("where_take", "A | where n > 3 | take 5"),
    ("count", "A | count"),
    (
        "summarize",
        "A | summarize avg(x), min(n), max(t), sum(i), count() by k",
    ),
    ("summarize_all", "A | summarize avg(x), max(n)"),
    (
        "summarize_dcount",
        "A | summarize dcount(k), percentile(x, 95) by bin(t, 1d)",
    ),
    ("summarize_arg_max", "A | summarize arg_max(t, k, n) by i"),
    ("distinct", "A | distinct k, i"),
    ("top", "A | top 3 by t desc"),
    ("sort", "A | sort by n asc"),
    ("sort_take", "A | sort by n asc, k desc | take 4"),
    (
        "mv_expand",
        "A | project id, p = split(s, ' ') | mv-expand p | summarize count() by tostring(p)",
    ),
    ("parse", "A | parse s with a '-' b | where a == 'gpu'"),
    ("union", "union A, B | where n > 3"),
    (
        "union_summarize",
        "union withsource = T A, B | summarize count() by T, k",
    ),
    ("join", "A | join kind=inner (B | where n > 3) on k"),
    ("join_default", "A | join B on k | project id, id1"),
    ("join_leftouter", "A | join kind=leftouter B on k, i"),
    ("join_leftanti", "A | join kind=leftanti B on k"),
    ("lookup", "A | lookup (B | summarize m = max(n) by k) on k"),
    (
        "let_twice",
        "let V = A | where n > 3; V | union (V | where k == 'a') | count",
    ),
    ("toscalar", "A | where n > toscalar(B | summarize avg(n))"),
    (
        "in_subquery",
        "A | where k in ((B | where n > 3 | project k))",
    ),
    ("print", "print x = 1 + 1"),
];

fn tables() -> Vec<TestTable> {
    random::tables(&mut Random::new(3), 60)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plans_of_every_operator() {
    let tables = tables();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, query) in QUERIES {
        let mut text = format!("{query}\n");
        for shards in [1, 2, 5] {
            for partitions in [1, 2] {
                let cluster = Cluster::new(&tables, shards, partitions, Deal::Even);
                let plan = cluster
                    .plan(query, &CONTEXT)
                    .await
                    .expect("the query is fine");
                // Writing to a string can't fail.
                let _ = write!(
                    text,
                    "\n== {shards} shards × {partitions} partitions\n{plan}\n"
                );
                check_stages(name, &plan, shards);
            }
        }
        settings.bind(|| insta::assert_snapshot!(name, text));
    }
}

/// Nothing that needs all rows stands in a stage, and every stage has a task for each shard.
fn check_stages(name: &str, plan: &str, shards: usize) {
    let stages: Vec<&str> = plan.split("───── Stage ").skip(1).collect();
    let reads_tables = name != "print";
    assert_eq!(!stages.is_empty(), reads_tables, "{name}: {plan}");
    for stage in stages {
        let tasks = format!("tasks={}", shards.max(2));
        assert!(
            stage.contains(&tasks),
            "{name} has other tasks than {tasks}:\n{plan}"
        );
        for node in [
            "mode=Final",
            "mode=Single",
            "HashJoin",
            "GlobalLimit",
            "SortPreservingMerge",
        ] {
            assert!(
                !stage.contains(node),
                "{name} has {node} on shards:\n{plan}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shards_compute_what_shrinks_rows() {
    let cluster = Cluster::new(&tables(), 2, 2, Deal::Even);
    let below = [
        ("A | count", "AggregateExec: mode=Partial"),
        (
            "A | summarize avg(x), min(n), max(n), sum(i) by k",
            "AggregateExec: mode=Partial",
        ),
        ("A | distinct k", "AggregateExec: mode=Partial"),
        ("A | top 3 by n", "SortExec: TopK(fetch=3)"),
        ("A | where n > 3", "FilterExec"),
        ("A | project y = n + 1", "ProjectionExec"),
        ("A | take 3", "fetch=3"),
        (
            "union A, B | summarize count() by k",
            "AggregateExec: mode=Partial",
        ),
    ];
    for (query, node) in below {
        let plan = cluster
            .plan(query, &CONTEXT)
            .await
            .expect("the query is fine");
        let (_, stage) = plan.split_once("───── Stage ").expect("there is a stage");
        assert!(stage.contains(node), "{query}: no {node} on shards\n{plan}");
        assert_eq!(plan.matches("───── Stage ").count(), 1, "{query}\n{plan}");
    }
}

/// 4 shards × 100k rows in 50 groups: what comes from shards is under 1 % of what they scanned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregate_moves_less_than_a_hundredth_of_what_it_reads() {
    let made = "range id from 1 to 400000 step 1 | project id, g = strcat('cluster-', id % 50), \
                x = id / 7.0, n = id % 1000, t = datetime(2026-01-01) + id * 1s";
    let rows = Node::new(&[])
        .ask(made, &CONTEXT)
        .await
        .expect("the rows are made");
    let table = TestTable::new("T", &rows.columns, &rows.batch);
    let scanned = ["g", "x", "n", "t"].map(|name| {
        let column = table
            .rows
            .column_by_name(name)
            .expect("the column is there");
        column.get_array_memory_size() as u64
    });
    let scanned: u64 = scanned.iter().sum();
    let cluster = Cluster::new(&[table], 4, 1, Deal::Even);
    let query = "T | where t > datetime(2026-01-01) \
                 | summarize avg(x), max(n), min(n), sum(n), count() by g";
    let (rows, bytes) = cluster.ask_metered(query, &CONTEXT).await.expect("it runs");
    assert_eq!(rows.batch.num_rows(), 50);
    assert!(bytes * 100 < scanned, "{bytes} of {scanned} bytes");
    let types: Vec<Type> = rows.columns.iter().map(|(_, ty)| *ty).collect();
    assert_eq!(types.len(), 6);
}

/// Rows that share buffers with others on their shard leave them behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_top_rows_travel_alone() {
    let made = "range id from 1 to 100000 step 1 \
                | project id, name = strcat('a name that does not fit into a view: ', id)";
    let rows = Node::new(&[])
        .ask(made, &CONTEXT)
        .await
        .expect("the rows are made");
    let table = TestTable::new("T", &rows.columns, &rows.batch);
    let cluster = Cluster::new(&[table], 4, 1, Deal::Even);
    for query in [
        "T | top 10 by id desc",
        "T | where id % 1000 == 1",
        "T | take 10",
    ] {
        let (rows, bytes) = cluster.ask_metered(query, &CONTEXT).await.expect("it runs");
        let count = rows.batch.num_rows() as u64;
        assert!((10..=100).contains(&count), "{query}: {count} rows");
        // The four shards send ten rows each at most where ten are wanted.
        assert!(bytes < 40_000, "{query}: {bytes} bytes for {count} rows");
    }
}

/// Azure stops at 100 workspaces.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_reads_more_than_a_hundred_shards() {
    let tables = random::tables(&mut Random::new(5), 300);
    let cluster = Cluster::new(&tables, 120, 1, Deal::Even);
    let node = Node::new(&tables);
    for query in [
        "A | count",
        "A | summarize count(), sum(n) by k | order by k asc",
        "A | top 5 by id asc | project id",
    ] {
        let many = cluster.ask(query, &CONTEXT).await.expect("it runs");
        let one = node.ask(query, &CONTEXT).await.expect("it runs");
        assert_eq!(many.batch, one.batch, "{query}");
    }
    let plan = cluster.plan("A | count", &CONTEXT).await.expect("it plans");
    assert!(plan.contains("tasks=120"), "{plan}");
}
