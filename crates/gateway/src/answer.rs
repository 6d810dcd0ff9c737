//! From a stream of responses to the body of an answer.

use arrow::buffer::Buffer;
use arrow_ipc::reader::StreamDecoder;
use kql::Type;
use proto::failure::{Code, Failure};
use proto::v1;
use proto::v1::execute_response::Part;
use serde_json::{Map, Value, json};
use tonic::Streaming;

use crate::cells;
use crate::error::Error;
use crate::prefer::Prefer;

/// Reads a whole answer and writes it as Azure does.
pub(crate) async fn body(
    mut responses: Streaming<v1::ExecuteResponse>,
    prefer: &Prefer,
) -> Result<Vec<u8>, Error> {
    let internal = |message: String| Error(Failure::new(Code::Internal, message));
    let mut types = Vec::new();
    let mut out = Vec::new();
    let mut decoder = StreamDecoder::new();
    let mut first = true;
    let mut summary = None;
    while let Some(response) = responses.message().await? {
        match response.part {
            Some(Part::Header(header)) => {
                types = header
                    .columns
                    .iter()
                    .filter_map(|c| Type::from_name(&c.r#type))
                    .collect();
                let columns: Vec<Value> = header.columns.iter().map(column).collect();
                out.extend_from_slice(br#"{"tables":[{"name":"PrimaryResult","columns":"#);
                out.extend_from_slice(Value::Array(columns).to_string().as_bytes());
                out.extend_from_slice(br#","rows":["#);
            }
            Some(Part::Arrow(piece)) => {
                let mut buffer = Buffer::from(piece);
                while !buffer.is_empty() {
                    let decoded = decoder.decode(&mut buffer);
                    if let Some(batch) = decoded.map_err(|error| internal(error.to_string()))? {
                        cells::write_rows(&mut out, &batch, &types, &mut first);
                    }
                }
            }
            Some(Part::Summary(last)) => summary = Some(last),
            Some(Part::Rows(_)) | None => {}
        }
    }
    let summary = summary.ok_or_else(|| internal("the answer has no end".to_owned()))?;
    out.extend_from_slice(b"]}]");
    for (name, value) in extras(&summary, prefer) {
        out.extend_from_slice(format!(",\"{name}\":{value}").as_bytes());
    }
    out.push(b'}');
    Ok(out)
}

fn column(column: &v1::Column) -> Value {
    json!({ "name": column.name, "type": column.r#type })
}

/// What stands beside the tables.
fn extras(summary: &v1::Summary, prefer: &Prefer) -> Map<String, Value> {
    let mut extras = Map::new();
    if prefer.statistics {
        extras.insert("statistics".into(), statistics(summary));
    }
    if prefer.render {
        extras.insert("render".into(), render(summary.visualization.as_ref()));
    }
    if prefer.data_sources {
        let sources = summary
            .shards
            .iter()
            .map(|shard| json!({ "resourceId": shard.resource_id, "tables": [] }));
        extras.insert("dataSources".into(), Value::Array(sources.collect()));
    }
    if !summary.incomplete.is_empty() {
        extras.insert("error".into(), partial_error(summary));
    }
    extras
}

/// <https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format>
fn partial_error(summary: &v1::Summary) -> Value {
    let details: Vec<Value> = summary
        .incomplete
        .iter()
        .map(|incomplete| {
            let code = match incomplete.reason() {
                v1::incomplete::Reason::Shard => "ShardUnavailableError",
                v1::incomplete::Reason::RowsMax | v1::incomplete::Reason::BytesMax => "EngineError",
                v1::incomplete::Reason::Unspecified => "UnspecifiedError",
            };
            let mut detail = json!({ "code": code, "message": incomplete.message });
            if !incomplete.workspace.is_empty() {
                detail["target"] = json!(incomplete.workspace);
            }
            detail
        })
        .collect();
    let message = "There were some errors when processing your query.";
    json!({ "code": "PartialError", "message": message, "details": details })
}

fn statistics(summary: &v1::Summary) -> Value {
    let statistics = summary.statistics.unwrap_or_default();
    let shards: Vec<Value> = summary
        .shards
        .iter()
        .map(|shard| {
            json!({
                "workspaceId": shard.workspace_id,
                "workspace": shard.workspace,
                "resourceId": shard.resource_id,
                "rows": shard.rows,
                "bytes": shard.bytes,
                "elapsed": seconds(shard.elapsed.as_ref()),
                "error": (!shard.error.is_empty()).then_some(&shard.error),
            })
        })
        .collect();
    json!({
        "query": {
            "executionTime": seconds(statistics.total.as_ref()),
            "datasetStatistics": [
                { "tableRowCount": summary.rows, "tableSize": statistics.bytes }
            ],
            "inputDatasetStatistics": {
                "shards": {
                    "total": shards.len(),
                    "rows": statistics.shard_rows,
                    "bytes": statistics.shard_bytes,
                }
            },
            "phases": {
                "parse": seconds(statistics.parse.as_ref()),
                "plan": seconds(statistics.plan.as_ref()),
                "subqueries": seconds(statistics.subqueries.as_ref()),
                "execute": seconds(statistics.execute.as_ref()),
            },
            "shards": shards,
        }
    })
}

fn seconds(duration: Option<&prost_types::Duration>) -> f64 {
    duration.map_or(0.0, |d| d.seconds as f64 + f64::from(d.nanos) / 1e9)
}

/// The properties that `render` has in Azure's answers; `null` where the query says nothing.
///
/// <https://learn.microsoft.com/kusto/query/render-operator>
fn render(visualization: Option<&v1::Visualization>) -> Value {
    const PROPERTIES: [(&str, &str); 14] = [
        ("title", "title"),
        ("accumulate", "accumulate"),
        ("kind", "kind"),
        ("legend", "legend"),
        ("series", "series"),
        ("xAxis", "xaxis"),
        ("xColumn", "xcolumn"),
        ("xTitle", "xtitle"),
        ("yAxis", "yaxis"),
        ("yColumns", "ycolumns"),
        ("ySplit", "ysplit"),
        ("yTitle", "ytitle"),
        ("ymin", "ymin"),
        ("ymax", "ymax"),
    ];
    let Some(visualization) = visualization else {
        return json!({});
    };
    let mut render = Map::new();
    render.insert("visualization".into(), json!(visualization.chart));
    for (name, property) in PROPERTIES {
        render.insert(name.into(), json!(visualization.properties.get(property)));
    }
    Value::Object(render)
}
