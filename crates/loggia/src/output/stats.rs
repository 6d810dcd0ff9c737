//! What a query cost.

use std::fmt::Write as _;

use proto::v1;

use super::table;

/// Times, and what each shard sent.
pub(crate) fn text(summary: &v1::Summary) -> String {
    let statistics = summary.statistics.unwrap_or_default();
    let mut out = String::new();
    // Writing to a string can't fail.
    let _ = writeln!(
        out,
        "{} rows in {}: parse {}, plan {}, subqueries {}, execute {}",
        summary.rows,
        time(statistics.total.as_ref()),
        time(statistics.parse.as_ref()),
        time(statistics.plan.as_ref()),
        time(statistics.subqueries.as_ref()),
        time(statistics.execute.as_ref()),
    );
    let _ = writeln!(
        out,
        "{} rows and {} bytes came from {} shards",
        statistics.shard_rows,
        statistics.shard_bytes,
        summary.shards.len()
    );
    let rows = summary.shards.iter().map(|shard| {
        let state = if shard.error.is_empty() {
            "complete"
        } else {
            &shard.error
        };
        vec![
            shard.workspace.clone(),
            shard.rows.to_string(),
            shard.bytes.to_string(),
            time(shard.elapsed.as_ref()),
            state.to_owned(),
        ]
    });
    if !summary.shards.is_empty() {
        let names = ["shard", "rows", "bytes", "elapsed", "state"];
        let _ = writeln!(out, "{}", table::plain(&names, rows));
    }
    out
}

fn time(duration: Option<&prost_types::Duration>) -> String {
    let millis = duration.map_or(0.0, |d| d.seconds as f64 * 1e3 + f64::from(d.nanos) / 1e6);
    if millis < 1_000.0 {
        format!("{millis:.1} ms")
    } else {
        format!("{:.2} s", millis / 1e3)
    }
}
