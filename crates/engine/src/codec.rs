//! The leaf on the wire: what to read, and of which workspace.
//!
//! Decoding happens on the shard, which turns the leaf into a scan of its own table at once, so that
//! the rest of the plan never meets a leaf that can't run.

use std::sync::Arc;

use datafusion::common::{Result, internal_err, plan_err};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{
    PhysicalExtensionCodec, PhysicalPlanDecodeContext, PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::PhysicalExprNode;
use prost::Message;
use schema::{Table, Type};
use url::Url;
use uuid::Uuid;

use crate::shard_scan::{Scan, ShardLeafExec, ShardRef, as_node};
use crate::worker;

/// Encodes leaves on the coordinator and turns them into scans on a shard.
#[derive(Debug)]
pub(crate) struct LeafCodec;

#[derive(Clone, PartialEq, Message)]
struct LeafMessage {
    #[prost(bytes = "vec", tag = "1")]
    query: Vec<u8>,
    #[prost(string, tag = "2")]
    table: String,
    #[prost(message, repeated, tag = "3")]
    columns: Vec<ColumnMessage>,
    #[prost(uint32, repeated, tag = "4")]
    projection: Vec<u32>,
    #[prost(message, optional, tag = "5")]
    predicate: Option<PhysicalExprNode>,
    #[prost(uint64, optional, tag = "6")]
    fetch: Option<u64>,
    #[prost(uint32, tag = "7")]
    local_partitions: u32,
    #[prost(message, optional, tag = "8")]
    shard: Option<ShardMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct ColumnMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    ty: String,
}

#[derive(Clone, PartialEq, Message)]
struct ShardMessage {
    #[prost(string, tag = "1")]
    workspace: String,
    #[prost(string, tag = "2")]
    url: String,
    #[prost(string, tag = "3")]
    tenant_id: String,
    #[prost(string, tag = "4")]
    subscription_id: String,
}

impl PhysicalExtensionCodec for LeafCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        _: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok(message) = LeafMessage::decode(buf) else {
            return plan_err!("a leaf that is none");
        };
        let Some(tables) = worker::local_tables(ctx) else {
            return internal_err!(
                "the leaf of {} came to a node without tables",
                message.table
            );
        };
        let mut columns = Vec::with_capacity(message.columns.len());
        for column in message.columns {
            let Some(ty) = Type::from_name(&column.ty) else {
                return plan_err!("unknown type {}", column.ty);
            };
            columns.push((column.name, ty));
        }
        let table = Arc::new(Table::new(message.table, columns));
        let Ok(query) = Uuid::from_slice(&message.query) else {
            return plan_err!("no query id");
        };
        let stored = schema::arrow::stored_schema(&table);
        let decode = PhysicalPlanDecodeContext::new(ctx, self);
        let predicate = match &message.predicate {
            Some(node) => Some(converter.proto_to_physical_expr(node, &stored, &decode)?),
            None => None,
        };
        let width = table.columns.len();
        let projection: Vec<usize> = message
            .projection
            .iter()
            .map(|index| *index as usize)
            .collect();
        if projection.iter().any(|index| *index >= width) {
            return plan_err!("the table {} has {width} columns", table.name);
        }
        let scan = Scan {
            table,
            query,
            projection,
            predicate,
            fetch: message
                .fetch
                .map(|fetch| usize::try_from(fetch).unwrap_or(usize::MAX)),
            local_partitions: (message.local_partitions as usize).max(1),
        };
        let shard = match message.shard {
            None => None,
            Some(shard) => {
                let Ok(url) = Url::parse(&shard.url) else {
                    return plan_err!("no URL: {}", shard.url);
                };
                Some(ShardRef {
                    workspace: shard.workspace,
                    url,
                    tenant_id: shard.tenant_id,
                    subscription_id: shard.subscription_id,
                })
            }
        };
        worker::local_plan(tables.as_ref(), &scan, shard.as_ref())
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(leaf) = as_node::<ShardLeafExec>(&node) else {
            return internal_err!("no codec for {}", node.name());
        };
        let scan = &leaf.scan;
        let predicate = match &scan.predicate {
            Some(predicate) => Some(converter.physical_expr_to_proto(predicate, self)?),
            None => None,
        };
        let visible = scan.table.columns.iter();
        let message = LeafMessage {
            query: scan.query.as_bytes().to_vec(),
            table: scan.table.name.clone(),
            columns: visible
                .map(|column| ColumnMessage {
                    name: column.name.clone(),
                    ty: column.ty.name().into(),
                })
                .collect(),
            projection: scan.projection.iter().map(|index| *index as u32).collect(),
            predicate,
            fetch: scan.fetch.map(|fetch| fetch as u64),
            local_partitions: scan.local_partitions as u32,
            shard: leaf.shard.as_ref().map(|shard| ShardMessage {
                workspace: shard.workspace.clone(),
                url: shard.url.to_string(),
                tenant_id: shard.tenant_id.clone(),
                subscription_id: shard.subscription_id.clone(),
            }),
        };
        buf.extend_from_slice(&message.encode_to_vec());
        Ok(())
    }
}
