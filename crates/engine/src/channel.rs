//! The way to a shard's worker: which channel leads there, and what passes through it.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest,
    GetWorkerInfoResponse, MaybeEncoded, SetPlanRequest, WorkerChannel, WorkerToCoordinatorMsg,
    grpc,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use http::HeaderMap;
use url::Url;

use crate::stats::QueryStats;

/// Knows the channel to each node.
#[async_trait]
pub trait Channels: Send + Sync + 'static {
    /// The channel to the node at `url`, made anew or kept from before.
    ///
    /// # Errors
    /// If there is no such node, or it can't be reached.
    async fn channel(&self, url: &Url) -> Result<tonic::transport::Channel>;
}

/// Gives `datafusion-distributed` its channels, each with a meter in it.
#[derive(Clone)]
pub(crate) struct MeteredChannels(pub(crate) Arc<dyn Channels>);

#[async_trait]
impl ChannelResolver for MeteredChannels {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let channel = self.0.channel(url).await?;
        let inner = grpc::create_worker_client(grpc::BoxCloneSyncChannel::new(channel));
        Ok(Box::new(MeteredChannel { inner }))
    }
}

/// Counts what a task sends, for the query's statistics.
struct MeteredChannel {
    inner: Box<dyn WorkerChannel>,
}

#[async_trait]
impl WorkerChannel for MeteredChannel {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        c2w_stream: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        task_ctx: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let stats = QueryStats::of(task_ctx);
        let key = request.task_key;
        if let (Some(stats), MaybeEncoded::Decoded(plan)) = (&stats, &request.plan) {
            stats.begin(key.stage_id, key.task_number, plan);
        }
        let result = self
            .inner
            .coordinator_channel(headers, request, c2w_stream, metrics, task_ctx)
            .await;
        if let (Some(stats), Err(error)) = (&stats, &result) {
            stats.fail(key.stage_id, key.task_number, error);
        }
        result
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        task_ctx: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let stats = QueryStats::of(task_ctx);
        let key = request.task_key;
        let streams = self
            .inner
            .execute_task(headers, request, metrics, task_ctx)
            .await;
        let Some(stats) = stats else { return streams };
        let streams =
            streams.inspect_err(|error| stats.fail(key.stage_id, key.task_number, error))?;
        let metered = streams.into_iter().map(|stream| {
            let stats = Arc::clone(&stats);
            stream
                .inspect(move |batch| match batch {
                    Ok(batch) => stats.receive(key.stage_id, key.task_number, batch),
                    Err(error) => stats.fail(key.stage_id, key.task_number, error),
                })
                .boxed()
        });
        Ok(metered.collect())
    }

    async fn get_worker_info(
        &mut self,
        request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        self.inner.get_worker_info(request).await
    }
}
