//! Queries over shards that hold their rows on disk: what they leave unread, and which rows they see.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringViewArray};
use arrow::datatypes::Int64Type;
use catalog::{Catalog as _, Change, Embedded};
use datafusion::common::Result as PlanResult;
use datafusion::physical_plan::ExecutionPlan;
use engine::{LocalScan, LocalTables};
use kql::Type;
use parking_lot::Mutex;
use plan::QueryContext;
use schema::{Column, Origin, ResourceId, Table};
use shard::Node;
use storage::{BatchId, Config, Store, TableName, WorkspaceId};
use testkit::Cluster;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

const DAY: i64 = 86_400_000_000_000;
/// 2026-01-15T12:00:00Z.
const NOW: i64 = 20_468 * DAY + DAY / 2;
const CONTEXT: QueryContext = QueryContext {
    now: NOW,
    timespan: None,
};

/// A node whose scans are kept for a look at them, and that can be given something to do between
/// two of them.
struct Watched {
    node: Arc<Node>,
    plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
    after_scan: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl LocalTables for Watched {
    fn scan(&self, scan: LocalScan<'_>) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let plan = self.node.scan(scan)?;
        self.plans.lock().push(Arc::clone(&plan));
        if let Some(work) = self.after_scan.lock().take() {
            work();
        }
        Ok(plan)
    }
}

/// One workspace on disk, and a coordinator.
struct Stored {
    store: Arc<Store>,
    workspace: WorkspaceId,
    watched: Arc<Watched>,
    cluster: Cluster,
    table: Arc<Table>,
}

impl Stored {
    async fn open(dir: &Path) -> Self {
        let store = Arc::new(Store::open(dir, Config::default()).expect("it opens"));
        let catalog = Embedded::open(&dir.join("catalog")).expect("it opens");
        let url: url::Url = "http://node".parse().expect("a URL");
        let change = Change::AddWorkspace {
            resource_id: ResourceId::ml_workspace("s", "g", "w").expect("a resource id"),
            now: 0,
            node: url.clone(),
        };
        let state = catalog.apply(change).await.expect("it fits");
        let ids: BTreeSet<_> = state.workspaces.keys().copied().collect();
        let workspace = *ids.first().expect("one workspace");
        let watched = Arc::new(Watched {
            node: Node::new(Arc::clone(&store), Arc::new(catalog), url),
            plans: Mutex::default(),
            after_scan: Mutex::default(),
        });
        let columns = [
            ("TimeGenerated", Type::Datetime),
            ("Name", Type::String),
            ("N", Type::Long),
        ];
        let columns = columns.map(|(name, ty)| Column {
            name: name.to_owned(),
            ty,
            origin: Origin::Stored,
            hidden: false,
        });
        let table = Arc::new(Table {
            name: "T".to_owned(),
            columns: columns.to_vec(),
        });
        let shard = (
            workspace.to_string(),
            Arc::clone(&watched) as Arc<dyn LocalTables>,
        );
        let cluster = Cluster::over(vec![Arc::clone(&table)], vec![shard], 2);
        Self {
            store,
            workspace: WorkspaceId(workspace),
            watched,
            cluster,
            table,
        }
    }

    /// A hundred rows of one day: `Name` is the day, `N` counts on from 100 × the day.
    fn day(&self, day: i64) -> RecordBatch {
        let first = day * 100;
        let start = NOW - DAY / 2 - (10 - day) * DAY;
        let times = (0..100).map(|minute| start + minute * 60_000_000_000);
        let times: arrow::array::TimestampNanosecondArray = times.map(Some).collect();
        let names: StringViewArray = (0..100).map(|_| Some(format!("day-{day}"))).collect();
        let numbers: Int64Array = (first..first + 100).map(Some).collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(times.with_timezone("UTC")),
            Arc::new(names),
            Arc::new(numbers),
        ];
        let schema = schema::arrow::stored_schema(&self.table);
        RecordBatch::try_new(schema, columns).expect("the columns fit")
    }

    async fn append(&self, day: i64) {
        let id = BatchId::new(&format!("day {day}")).expect("an id");
        let table = TableName::new("T").expect("a name");
        let rows = vec![(table, self.day(day))];
        let appended = self.store.append(self.workspace, id, rows).await;
        appended.expect("it is stored");
    }

    /// Ten segments, each of a day.
    async fn ten_days(dir: &Path) -> Self {
        let stored = Self::open(dir).await;
        for day in 0..10 {
            stored.append(day).await;
            stored.store.flush(None).await.expect("it is flushed");
        }
        stored
    }

    /// The one number that a query answers.
    async fn number(&self, query: &str, context: &QueryContext) -> i64 {
        let rows = self.cluster.ask(query, context).await.expect("it runs");
        rows.batch.column(0).as_primitive::<Int64Type>().value(0)
    }

    /// How many segments the scans since the last look opened.
    fn opened(&self) -> usize {
        let plans = std::mem::take(&mut *self.watched.plans.lock());
        let metrics = plans.iter().filter_map(|plan| plan.metrics());
        let opened = metrics.filter_map(|metrics| metrics.sum_by_name("segments_opened"));
        opened.map(|value| value.as_usize()).sum()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_on_time_leave_other_days_unread() {
    let dir = tempfile::tempdir().expect("a folder");
    let stored = Stored::ten_days(dir.path()).await;
    for (filter, rows, opened) in [
        ("true", 1000, 10),
        ("TimeGenerated > ago(61h)", 200, 2),
        ("TimeGenerated >= datetime(2026-01-14)", 100, 1),
        (
            "TimeGenerated between (datetime(2026-01-07) .. 23h)",
            100,
            1,
        ),
        (
            "TimeGenerated between (datetime(2026-01-07) .. datetime(2026-01-08))",
            101,
            2,
        ),
        (
            "TimeGenerated < datetime(2026-01-06) and Name has 'day'",
            100,
            1,
        ),
        ("TimeGenerated > now()", 0, 0),
        ("TimeGenerated == datetime(2026-01-09 00:07)", 1, 1),
        ("not(TimeGenerated < datetime(2026-01-13))", 200, 2),
        ("bin(TimeGenerated, 1d) == datetime(2026-01-09)", 100, 1),
        (
            "bin(TimeGenerated, 1h) == datetime(2026-01-09 01:00)",
            40,
            1,
        ),
        ("datetime(2026-01-13) < bin(TimeGenerated, 1h)", 140, 2),
        ("startofday(TimeGenerated) == datetime(2026-01-09)", 100, 1),
        ("startofday(TimeGenerated) < datetime(2026-01-07)", 200, 3),
        ("startofmonth(TimeGenerated) > now()", 0, 0),
        ("TimeGenerated + 1d > now()", 0, 0),
        ("TimeGenerated - 1h < datetime(2026-01-05)", 60, 1),
    ] {
        let query = format!("T | where {filter} | count");
        assert_eq!(stored.number(&query, &CONTEXT).await, rows, "{filter}");
        assert_eq!(stored.opened(), opened, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filters_on_other_columns_leave_segments_unread() {
    let dir = tempfile::tempdir().expect("a folder");
    let stored = Stored::ten_days(dir.path()).await;
    for (filter, rows, read) in [
        ("Name startswith_cs 'day-3'", 100, 100),
        ("Name == 'day-4'", 100, 100),
        ("Name in ('day-4', 'day-5')", 200, 200),
        ("bin(N, 100) == 200", 100, 100),
        ("N between (190 .. 210)", 21, 200),
        ("N >= 900 and N < 950", 50, 100),
        ("Name endswith '3'", 100, 1000),
    ] {
        let query = format!("T | where {filter} | count");
        assert_eq!(stored.number(&query, &CONTEXT).await, rows, "{filter}");
        let plans = std::mem::take(&mut *stored.watched.plans.lock());
        let metrics = plans.iter().filter_map(|plan| plan.metrics());
        let found: usize = metrics.filter_map(|metrics| metrics.output_rows()).sum();
        assert_eq!(found, read, "{filter}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timespan_cuts_what_the_text_leaves() {
    let dir = tempfile::tempdir().expect("a folder");
    let stored = Stored::ten_days(dir.path()).await;
    let context = QueryContext {
        timespan: Some((NOW - 3 * DAY, NOW)),
        ..CONTEXT
    };
    assert_eq!(stored.number("T | count", &context).await, 200);
    assert_eq!(stored.opened(), 2);
    let narrower = "T | where TimeGenerated < datetime(2026-01-14) | count";
    assert_eq!(stored.number(narrower, &context).await, 100);
    assert_eq!(stored.opened(), 1);
    let wider = "T | where TimeGenerated > ago(300d) | count";
    assert_eq!(stored.number(wider, &context).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_sees_one_snapshot_however_often_it_names_a_table() {
    let dir = tempfile::tempdir().expect("a folder");
    let stored = Arc::new(Stored::open(dir.path()).await);
    stored.append(0).await;
    let queries = [
        ("union T, T | count", 2),
        ("T | join kind=inner T on N | count", 1),
        (
            "let A = T | count; print toscalar(A) + toscalar(T | summarize count())",
            2,
        ),
        ("T | where N in ((T | project N)) | count", 1),
        ("T | union (T | where N >= 0) | summarize count()", 2),
    ];
    for (day, (query, times)) in (1..).zip(queries) {
        let (handle, append) = (Handle::current(), Arc::clone(&stored));
        let work = move || block_in_place(|| handle.block_on(append.append(day)));
        *stored.watched.after_scan.lock() = Some(Box::new(work));
        // The rows of this day came after the query's first look.
        assert_eq!(
            stored.number(query, &CONTEXT).await,
            day * 100 * times,
            "{query}"
        );
        assert!(
            stored.watched.after_scan.lock().is_none(),
            "{query} scanned nothing"
        );
        let after = stored.number("T | count", &CONTEXT).await;
        assert_eq!(after, (day + 1) * 100, "after {query}");
    }
}
