//! The `Query` service: one question in, a stream of rows and a summary out.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow::datatypes::SchemaRef;
use catalog::{Catalog, Resolved, Scope, State};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::runtime_env::RuntimeEnv;
use engine::{Channels, QueryStats, Session};
use futures::{Stream, StreamExt};
use plan::QueryContext;
use proto::failure::{Code, Failure};
use proto::v1;
use proto::v1::execute_response::Part;
use proto::v1::incomplete::Reason;
use proto::v1::shard_client::ShardClient;
use records::Mapping;
use tonic::{Request, Response, Status};
use url::Url;
use uuid::Uuid;

use crate::ask::{self, Prepared};
use crate::{CatalogHost, Config, encode};

/// Serves `Query`, `Ingest` and `Catalog`. Cheap to clone.
#[derive(Clone)]
pub struct Coordinator {
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) channels: Arc<dyn Channels>,
    pub(crate) session: Session,
    pub(crate) mapping: Arc<Mapping>,
    pub(crate) config: Arc<Config>,
}

impl Coordinator {
    /// A coordinator of the nodes that `catalog` names, reached through `channels`.
    ///
    /// # Errors
    /// If DataFusion refuses the configuration.
    pub fn new(
        config: Config,
        catalog: Arc<dyn Catalog>,
        channels: Arc<dyn Channels>,
        runtime: Arc<RuntimeEnv>,
        mapping: Mapping,
    ) -> Result<Self, Failure> {
        let session = Session::new(&config.session, Arc::clone(&channels), runtime)
            .map_err(|error| crate::fail::of(&error))?;
        Ok(Self {
            catalog,
            channels,
            session,
            mapping: Arc::new(mapping),
            config: Arc::new(config),
        })
    }

    /// Its services.
    pub fn routes(&self) -> tonic::service::Routes {
        let query = v1::query_server::QueryServer::new(self.clone())
            .max_decoding_message_size(proto::MESSAGE_BYTES_MAX)
            .max_encoding_message_size(proto::MESSAGE_BYTES_MAX)
            .accept_compressed(tonic::codec::CompressionEncoding::Gzip)
            .send_compressed(tonic::codec::CompressionEncoding::Gzip);
        let ingest = v1::ingest_server::IngestServer::new(self.clone())
            .max_decoding_message_size(proto::MESSAGE_BYTES_MAX)
            .max_encoding_message_size(proto::MESSAGE_BYTES_MAX)
            .accept_compressed(tonic::codec::CompressionEncoding::Gzip);
        let catalog = v1::catalog_server::CatalogServer::new(self.clone())
            .max_encoding_message_size(proto::MESSAGE_BYTES_MAX);
        tonic::service::Routes::new(query)
            .add_service(ingest)
            .add_service(catalog)
    }
}

/// What a query runs with, fixed once.
struct Context {
    id: Uuid,
    began: Instant,
    deadline: tokio::time::Instant,
    timeout: Duration,
    state: Arc<State>,
    scope: Resolved,
    binding: QueryContext,
    stats: Arc<QueryStats>,
    /// Lets go of the query's snapshots when it ends.
    _release: Release,
}

impl Coordinator {
    fn context(
        &self,
        scope: Option<v1::Scope>,
        timespan: Option<v1::Timespan>,
        now: Option<prost_types::Timestamp>,
        timeout: Option<prost_types::Duration>,
    ) -> Result<Context, Failure> {
        let argument = |message: String| Failure::new(Code::Argument, message);
        let now = match now {
            Some(now) => proto::convert::nanos(&now)
                .ok_or_else(|| argument("`now` is out of range".to_owned()))?,
            None => system_now(),
        };
        let timespan = match timespan.and_then(|timespan| timespan.form) {
            None => None,
            Some(v1::timespan::Form::Iso8601(text)) => {
                Some(crate::timespan::parse(&text, now).map_err(argument)?)
            }
            Some(v1::timespan::Form::Range(range)) => {
                let bound = |time: Option<prost_types::Timestamp>| {
                    let nanos = time.as_ref().and_then(proto::convert::nanos);
                    nanos.ok_or_else(|| argument("a bound of the timespan is missing".to_owned()))
                };
                Some((bound(range.start)?, bound(range.end)?))
            }
        };
        let timeout = match timeout {
            None => self.config.timeout,
            Some(timeout) => Duration::try_from(timeout)
                .map_err(|_| argument("a timeout is not negative".to_owned()))?
                .min(self.config.timeout_max),
        };
        let state = self.catalog.state();
        let scope = scope.unwrap_or_default();
        let scope = Scope {
            workspaces: scope.workspaces,
            resources: scope.resources,
        };
        let scope = state
            .resolve(&scope)
            .map_err(|error| catalog_failure(&error))?;
        let id = Uuid::new_v4();
        let nodes = state
            .workspaces
            .values()
            .map(|workspace| workspace.node.clone())
            .collect();
        Ok(Context {
            id,
            began: Instant::now(),
            deadline: tokio::time::Instant::now() + timeout,
            timeout,
            scope,
            binding: QueryContext { now, timespan },
            stats: Arc::default(),
            _release: Release {
                id,
                nodes,
                channels: Arc::clone(&self.channels),
            },
            state,
        })
    }

    async fn prepare(
        &self,
        context: &Context,
        session: &Session,
        text: &str,
        query: &kql::ast::Query,
    ) -> Result<Prepared, Failure> {
        let host = CatalogHost::new(
            Arc::clone(&context.state),
            &context.scope,
            context.id,
            self.config.shard_partitions,
        );
        let rows_max = self.config.subquery_rows_max;
        let prepared = ask::prepare(session, text, query, &host, &context.binding, rows_max);
        let prepared = tokio::time::timeout_at(context.deadline, prepared).await;
        prepared
            .unwrap_or_else(|_| Err(timed_out(context.timeout)))
            .map_err(|failure| name_shard(failure, context))
    }
}

#[tonic::async_trait]
impl v1::query_server::Query for Coordinator {
    type ExecuteStream = Pin<Box<dyn Stream<Item = Result<v1::ExecuteResponse, Status>> + Send>>;

    async fn execute(
        &self,
        request: Request<v1::ExecuteRequest>,
    ) -> Result<Response<Self::ExecuteStream>, Status> {
        let request = request.into_inner();
        let context = self.context(
            request.scope,
            request.timespan,
            request.now,
            request.timeout,
        )?;
        let query = ask::parse(&request.kql)?;
        let parsing = context.began.elapsed();
        let session = self.session.clone().with_stats(Arc::clone(&context.stats));
        let prepared = self
            .prepare(&context, &session, &request.kql, &query)
            .await?;
        let stream = session
            .run(Arc::clone(&prepared.physical))
            .map_err(|error| name_shard(crate::fail::of(&error), &context))?;
        let bounds = Bounds {
            rows: if request.rows_max == 0 {
                self.config.rows_max
            } else {
                request.rows_max
            },
            bytes: if request.bytes_max == 0 {
                self.config.bytes_max
            } else {
                request.bytes_max
            },
        };
        let answer = Answer {
            schema: encode::schema(&prepared.bound.columns),
            rows_format: request.format == v1::Format::Rows as i32,
            text: request.kql,
            context,
            prepared,
            parsing,
            bounds,
            rows: 0,
            bytes: 0,
            incomplete: Vec::new(),
        };
        Ok(Response::new(answer.responses(stream)?))
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let request = request.into_inner();
        let context = self.context(request.scope, request.timespan, request.now, None)?;
        let query = ask::parse(&request.kql)?;
        let session = self.session.clone().with_stats(Arc::clone(&context.stats));
        let prepared = self
            .prepare(&context, &session, &request.kql, &query)
            .await?;
        Ok(Response::new(v1::ExplainResponse {
            columns: columns(&prepared),
            kql: kql::print(&query),
            logical_plan: prepared.logical.display_indent().to_string(),
            physical_plan: engine::session::display(&prepared.physical),
            warnings: warnings(&request.kql, &prepared),
        }))
    }
}

struct Bounds {
    rows: u64,
    bytes: u64,
}

/// An answer on its way.
struct Answer {
    text: String,
    context: Context,
    prepared: Prepared,
    parsing: Duration,
    schema: SchemaRef,
    rows_format: bool,
    bounds: Bounds,
    rows: u64,
    bytes: u64,
    incomplete: Vec<v1::Incomplete>,
}

type Responses = Pin<Box<dyn Stream<Item = Result<v1::ExecuteResponse, Status>> + Send>>;

impl Answer {
    /// The header, the rows, the summary. Dropping the stream ends the query everywhere.
    fn responses(mut self, mut batches: SendableRecordBatchStream) -> Result<Responses, Status> {
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
        let failed = futures::stream::once(produce)
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

fn columns(prepared: &Prepared) -> Vec<v1::Column> {
    let columns = prepared.bound.columns.iter();
    columns
        .map(|(name, ty)| v1::Column {
            name: name.clone(),
            r#type: ty.name().to_owned(),
        })
        .collect()
}

fn warnings(text: &str, prepared: &Prepared) -> Vec<v1::Diagnostic> {
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

/// Where a shard did not answer, says which.
fn name_shard(failure: Failure, context: &Context) -> Failure {
    if !matches!(failure.code, Code::Unavailable | Code::Internal) {
        return failure;
    }
    let shards = context.stats.shards();
    let failed: Vec<String> = shards
        .iter()
        .filter(|shard| shard.error.is_some())
        .map(|shard| {
            let id = Uuid::try_parse(&shard.workspace).unwrap_or_default();
            let workspace = context.state.workspaces.get(&id);
            workspace.map_or_else(|| shard.workspace.clone(), |w| w.name().to_owned())
        })
        .collect();
    if failed.is_empty() {
        return failure;
    }
    let message = format!(
        "the shard of `{}` failed: {}",
        failed.join("`, `"),
        failure.message
    );
    Failure { message, ..failure }
}

fn timed_out(timeout: Duration) -> Failure {
    Failure::new(
        Code::Timeout,
        format!("the query took longer than {timeout:?}"),
    )
}

pub(crate) fn catalog_failure(error: &catalog::Error) -> Failure {
    let code = match error {
        catalog::Error::Conflict(_) => Code::Conflict,
        catalog::Error::NotFound(_) => Code::NotFound,
        catalog::Error::Invalid(_) => Code::Argument,
        catalog::Error::Storage { .. } => Code::Unavailable,
    };
    Failure::new(code, error.to_string())
}

/// Now, in nanoseconds since 1970.
pub(crate) fn system_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// Tells the nodes that a query has ended, however it ends.
struct Release {
    id: Uuid,
    nodes: BTreeSet<Url>,
    channels: Arc<dyn Channels>,
}

impl Drop for Release {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let (id, channels) = (self.id, Arc::clone(&self.channels));
        for node in std::mem::take(&mut self.nodes) {
            let channels = Arc::clone(&channels);
            // A node that does not hear it lets go by itself later.
            runtime.spawn(async move {
                let channel = channels.channel(&node).await.ok()?;
                let query_id = id.as_bytes().to_vec().into();
                let request = v1::ReleaseRequest { query_id };
                ShardClient::new(channel).release(request).await.ok()
            });
        }
    }
}
