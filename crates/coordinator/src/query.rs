//! The `Query` service: one question in, a stream of rows and a summary out.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use catalog::{Catalog, Resolved, Scope, State};
use datafusion::execution::runtime_env::RuntimeEnv;
use engine::{Channels, QueryStats, Session};
use futures::FutureExt;
use plan::QueryContext;
use proto::failure::{Code, Failure};
use proto::v1;
use proto::v1::shard_client::ShardClient;
use records::Mapping;
use tonic::{Request, Response, Status};
use url::Url;
use uuid::Uuid;

use crate::admission::Admission;
use crate::answer::{Answer, Bounds, Responses, columns, warnings};
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
    admission: Arc<Admission>,
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
            admission: Arc::new(Admission::new(
                config.queries_running_max,
                config.queries_waiting_max,
            )),
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
pub(crate) struct Context {
    pub(crate) id: Uuid,
    pub(crate) began: Instant,
    pub(crate) deadline: tokio::time::Instant,
    pub(crate) timeout: Duration,
    pub(crate) state: Arc<State>,
    scope: Resolved,
    binding: QueryContext,
    pub(crate) stats: Arc<QueryStats>,
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
        let prepared = tokio::time::timeout_at(context.deadline, guarded(prepared)).await;
        prepared
            .unwrap_or_else(|_| Err(timed_out(context.timeout)))
            .map_err(|failure| name_shard(failure, context))
    }
}

#[tonic::async_trait]
impl v1::query_server::Query for Coordinator {
    type ExecuteStream = Responses;

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
        let began = Instant::now();
        let query = ask::parse(&request.kql)?;
        let parsing = began.elapsed();
        let place = self.admission.admit(context.deadline).await?;
        let session = self.session.clone().with_stats(Arc::clone(&context.stats));
        let prepared = self
            .prepare(&context, &session, &request.kql, &query)
            .await?;
        let run = async {
            let stream = session.run(Arc::clone(&prepared.physical));
            stream.map_err(|error| name_shard(crate::fail::of(&error), &context))
        };
        let stream = guarded(run).await?;
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
            _place: place,
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
        let _place = self.admission.admit(context.deadline).await?;
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

/// A panic while a query is planned or run is that query's failure, and nobody else's.
pub(crate) async fn guarded<T, E: From<Failure>>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|panic| {
        let cause = panic.downcast_ref::<String>().map(String::as_str);
        let cause = cause
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("unknown");
        tracing::error!(cause, "a query met a fault");
        Err(Failure::new(Code::Internal, format!("the query met a fault: {cause}")).into())
    })
}

/// Where a shard did not answer, says which.
pub(crate) fn name_shard(failure: Failure, context: &Context) -> Failure {
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

pub(crate) fn timed_out(timeout: Duration) -> Failure {
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
