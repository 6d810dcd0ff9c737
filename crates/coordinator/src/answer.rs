//! An answer on its way: rows in the format that was asked for, and a summary.

use std::pin::Pin;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use catalog::State;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt};
use proto::failure::{Code, Failure};
use proto::v1;
use proto::v1::execute_response::Part;
use proto::v1::incomplete::Reason;
use tonic::Status;
use uuid::Uuid;

use crate::admission::Place;
use crate::ask::Prepared;
use crate::encode;
use crate::query::{Context, guarded, name_shard, timed_out};

/// Where an answer is cut off.
pub(crate) struct Bounds {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// An answer on its way.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) context: Context,
    /// Held until the last row is sent.
    pub(crate) _place: Place,
    pub(crate) prepared: Prepared,
    pub(crate) parsing: Duration,
    pub(crate) schema: SchemaRef,
    pub(crate) rows_format: bool,
    pub(crate) bounds: Bounds,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) incomplete: Vec<v1::Incomplete>,
}

pub(crate) type Responses = Pin<Box<dyn Stream<Item = Result<v1::ExecuteResponse, Status>> + Send>>;

impl Answer {
    /// The header, the rows, the summary. Dropping the stream ends the query everywhere.
    pub(crate) fn responses(
        mut self,
        mut batches: SendableRecordBatchStream,
    ) -> Result<Responses, Status> {
        let internal = |error: arrow::error::ArrowError| {
            Status::from(Failure::new(Code::Internal, error.to_string()))
        };
        let mut writer = match self.rows_format {
            true => None,
            false => Some(proto::ipc::Writer::new(&self.schema).map_err(internal)?),
        };
        let header = v1::Header {
            query_id: self.context.id.to_string(),
            columns: columns(&self.prepared),
        };
        let (send, receive) = futures::channel::mpsc::channel(1);
        let produce = async move {
            let mut send = Sender(send);
            send.part(Part::Header(header)).await?;
            while let Some(batch) = self.next(&mut batches).await? {
                match &mut writer {
                    None => {
                        for rows in encode::rows(&batch, &self.prepared.bound.columns) {
                            send.part(Part::Rows(rows)).await?;
                        }
                    }
                    Some(writer) => {
                        for piece in writer.write(&batch).map_err(internal)? {
                            send.part(Part::Arrow(piece.into())).await?;
                        }
                    }
                }
                if !self.incomplete.is_empty() {
                    break;
                }
            }
            drop(batches);
            if let Some(writer) = writer {
                for piece in writer.finish().map_err(internal)? {
                    send.part(Part::Arrow(piece.into())).await?;
                }
            }
            send.part(Part::Summary(self.summary())).await
        };
        // Producer and channel are polled together: whoever drops the stream drops both.
        let failed = futures::stream::once(guarded(produce))
            .filter_map(|result: Result<(), Status>| std::future::ready(result.err()))
            .map(Err);
        Ok(Box::pin(futures::stream::select(receive.map(Ok), failed)))
    }

    /// The next rows, cut where the answer is full.
    async fn next(
        &mut self,
        batches: &mut SendableRecordBatchStream,
    ) -> Result<Option<arrow::array::RecordBatch>, Failure> {
        let next = tokio::time::timeout_at(self.context.deadline, batches.next()).await;
        let Some(batch) = next.map_err(|_| timed_out(self.context.timeout))? else {
            return Ok(None);
        };
        let batch = batch.map_err(|error| name_shard(crate::fail::of(&error), &self.context))?;
        let batch = encode::shaped(&batch, &self.schema)
            .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        let rows = batch.num_rows() as u64;
        let bytes = encode::bytes(&batch);
        let (rows_left, bytes_left) = (
            self.bounds.rows - self.rows,
            self.bounds.bytes.saturating_sub(self.bytes),
        );
        let kept = if bytes > bytes_left {
            self.cut(Reason::BytesMax, format!("{} bytes", self.bounds.bytes));
            // Rows differ in size; their mean is near enough for a bound.
            (rows * bytes_left / bytes.max(1)).min(rows_left)
        } else {
            rows.min(rows_left)
        };
        if rows > rows_left && kept == rows_left {
            self.cut(Reason::RowsMax, format!("{} rows", self.bounds.rows));
        }
        self.rows += kept;
        self.bytes += if kept == rows {
            bytes
        } else {
            bytes * kept / rows.max(1)
        };
        let kept = usize::try_from(kept).unwrap_or(usize::MAX);
        Ok(Some(batch.slice(0, kept.min(batch.num_rows()))))
    }

    fn cut(&mut self, reason: Reason, bound: String) {
        if self.incomplete.is_empty() {
            let message = format!("the answer was cut off at {bound}");
            let reason = reason.into();
            self.incomplete.push(v1::Incomplete {
                reason,
                message,
                workspace: String::new(),
            });
        }
    }

    fn summary(self) -> v1::Summary {
        let shards = self.context.stats.shards();
        let total = self.context.began.elapsed();
        let before = self.parsing + self.prepared.planning + self.prepared.subqueries;
        let duration = |duration| Some(proto::convert::duration(duration));
        let statistics = v1::Statistics {
            parse: duration(self.parsing),
            plan: duration(self.prepared.planning),
            subqueries: duration(self.prepared.subqueries),
            execute: duration(total.saturating_sub(before)),
            total: duration(total),
            shard_bytes: shards.iter().map(|shard| shard.bytes).sum(),
            shard_rows: shards.iter().map(|shard| shard.rows).sum(),
            bytes: self.bytes,
        };
        let visualization = self.prepared.bound.visualization.as_ref();
        v1::Summary {
            rows: self.rows,
            incomplete: self.incomplete,
            shards: shards
                .into_iter()
                .map(|shard| shard_status(shard, &self.context.state))
                .collect(),
            warnings: warnings(&self.text, &self.prepared),
            statistics: Some(statistics),
            visualization: visualization.map(|visualization| v1::Visualization {
                chart: visualization.chart.clone(),
                properties: visualization.properties.iter().cloned().collect(),
            }),
            ordered: self.prepared.bound.ordered,
        }
    }
}

struct Sender(futures::channel::mpsc::Sender<v1::ExecuteResponse>);

impl Sender {
    async fn part(&mut self, part: Part) -> Result<(), Status> {
        let response = v1::ExecuteResponse { part: Some(part) };
        let sent = futures::SinkExt::send(&mut self.0, response).await;
        sent.map_err(|_| Failure::new(Code::Cancelled, "the caller went away").into())
    }
}

pub(crate) fn columns(prepared: &Prepared) -> Vec<v1::Column> {
    let columns = prepared.bound.columns.iter();
    columns
        .map(|(name, ty)| v1::Column {
            name: name.clone(),
            r#type: ty.name().to_owned(),
        })
        .collect()
}

pub(crate) fn warnings(text: &str, prepared: &Prepared) -> Vec<v1::Diagnostic> {
    let warnings = prepared.bound.warnings.iter();
    warnings
        .map(|warning| proto::convert::diagnostic(text, warning))
        .collect()
}

fn shard_status(shard: engine::ShardStats, state: &State) -> v1::ShardStatus {
    let id = Uuid::try_parse(&shard.workspace).unwrap_or_default();
    let workspace = state.workspaces.get(&id);
    v1::ShardStatus {
        workspace: workspace.map(|w| w.name().to_owned()).unwrap_or_default(),
        resource_id: workspace
            .map(|w| w.resource_id.to_string())
            .unwrap_or_default(),
        workspace_id: shard.workspace,
        error: shard.error.unwrap_or_default(),
        rows: shard.rows,
        bytes: shard.bytes,
        elapsed: Some(proto::convert::duration(shard.elapsed)),
        rows_kept: false,
    }
}
