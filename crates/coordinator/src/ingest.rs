//! The `Ingest` service: payloads in; each record goes to the shard that owns it, or is refused.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use catalog::{State, Workspace};
use futures::future::join_all;
use futures::{Stream, StreamExt};
use proto::failure::{Code, Failure};
use proto::v1;
use proto::v1::shard_client::ShardClient;
use proto::v1::write_request::Payload;
use records::{Intake, Mapping, Parsed, Refused};
use schema::ResourceId;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status, Streaming};
use uuid::Uuid;

use crate::catalog_service::ml_workspace;
use crate::query::{Coordinator, system_now};

type Responses = Pin<Box<dyn Stream<Item = Result<v1::WriteResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::ingest_server::Ingest for Coordinator {
    type WriteStream = Responses;

    async fn write(
        &self,
        request: Request<Streaming<v1::WriteRequest>>,
    ) -> Result<Response<Self::WriteStream>, Status> {
        let this = self.clone();
        let under_way = self.config.payloads_under_way;
        let responses = request
            .into_inner()
            .map(move |request| {
                let this = this.clone();
                async move {
                    let response = this.write_one(request?).await;
                    Ok(response.unwrap_or_else(|failure| failed(&failure)))
                }
            })
            .buffered(under_way);
        Ok(Response::new(Box::pin(responses)))
    }
}

/// What goes to one shard.
struct Part {
    workspace: Workspace,
    tables: BTreeMap<String, Vec<RecordBatch>>,
}

/// A payload, dealt to shards.
struct Dealt {
    parts: BTreeMap<Uuid, Part>,
    refused: Vec<Refused>,
    hash: [u8; 32],
}

impl Coordinator {
    async fn write_one(&self, request: v1::WriteRequest) -> Result<v1::WriteResponse, Failure> {
        if request.batch_id.len() > proto::BATCH_ID_BYTES_MAX {
            let message = format!("a batch id has at most {} bytes", proto::BATCH_ID_BYTES_MAX);
            return Err(Failure::new(Code::Argument, message));
        }
        let batch_id = match request.batch_id.as_str() {
            "" => Uuid::new_v4().to_string(),
            id => id.to_owned(),
        };
        let state = self.catalog.state();
        let mapping = Arc::clone(&self.mapping);
        let payload_max = self.config.payload_bytes_max;
        let deal = move || deal(&mapping, &state, &request, payload_max);
        let dealt = tokio::task::spawn_blocking(deal)
            .await
            .map_err(|error| Failure::new(Code::Internal, error.to_string()))??;
        let Dealt {
            parts,
            refused,
            hash,
        } = dealt;
        let mut response = v1::WriteResponse {
            refused_count: refused.len() as u64,
            refused: refused
                .iter()
                .take(proto::REFUSED_LISTED_MAX)
                .map(refusal)
                .collect(),
            duplicate: !parts.is_empty(),
            ..v1::WriteResponse::default()
        };
        let written = parts
            .into_values()
            .map(|part| self.append(part, &batch_id, hash));
        for written in join_all(written).await {
            let (duplicate, tables) = written?;
            response.duplicate &= duplicate;
            for (table, rows) in tables {
                response.accepted += rows;
                *response.tables.entry(table).or_default() += rows;
            }
        }
        Ok(response)
    }

    /// Writes one shard's part; gives whether it had been written before, and its rows by table.
    async fn append(
        &self,
        part: Part,
        batch_id: &str,
        hash: [u8; 32],
    ) -> Result<(bool, Vec<(String, u64)>), Failure> {
        let name = part.workspace.name();
        let unavailable = |message: String| {
            let message = format!("the shard of `{name}` did not take the records: {message}");
            Failure::new(Code::Unavailable, message)
        };
        let mut counts = Vec::new();
        let mut tables = Vec::new();
        for (table, batches) in &part.tables {
            let schema = batches[0].schema();
            let rows = arrow::compute::concat_batches(&schema, batches)
                .and_then(|rows| Ok((rows.num_rows(), proto::ipc::encode(&rows)?)))
                .map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
            counts.push((table.clone(), rows.0 as u64));
            tables.push(v1::TableBatch {
                table: table.clone(),
                arrow: rows.1.into(),
            });
        }
        let channel = self
            .channels
            .channel(&part.workspace.node)
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        let request = v1::AppendRequest {
            workspace: part.workspace.id.to_string(),
            batch_id: batch_id.to_owned(),
            payload_hash: hash.to_vec().into(),
            tables,
        };
        let appended = ShardClient::new(channel)
            .max_encoding_message_size(proto::MESSAGE_BYTES_MAX * 4)
            .append(request)
            .await
            .map_err(|status| {
                let failure = Failure::from_status(&status);
                Failure {
                    message: unavailable(failure.message.clone()).message,
                    ..failure
                }
            })?;
        Ok((appended.into_inner().duplicate, counts))
    }
}

/// Shapes a payload's records and deals them to the shards that own them.
fn deal(
    mapping: &Mapping,
    state: &State,
    request: &v1::WriteRequest,
    payload_max: usize,
) -> Result<Dealt, Failure> {
    let argument = |message: String| Failure::new(Code::Argument, message);
    let (bytes, table) = match &request.payload {
        Some(Payload::Records(bytes)) => (bytes, None),
        Some(Payload::Rows(rows)) => (&rows.json, Some(rows.table.as_str())),
        None => return Err(argument("the request has no payload".to_owned())),
    };
    if bytes.len() > payload_max {
        let message = format!(
            "a payload has at most {payload_max} bytes, not {}",
            bytes.len()
        );
        return Err(argument(message));
    }
    let sender = match request.workspace.as_str() {
        "" => None,
        name => Some(ml_workspace(state, name)?),
    };
    let intake = Intake {
        received: system_now(),
        resource_id: sender
            .as_ref()
            .map(|workspace| workspace.resource_id.clone()),
        category: Some(request.category.clone()).filter(|category| !category.is_empty()),
        lines_before: usize::try_from(request.lines_before).unwrap_or(usize::MAX),
        ..Intake::default()
    };
    let parsed = match table {
        None => records::parse(mapping, bytes, &intake),
        Some(table) => records::parse_rows(mapping, table, bytes, &intake)
            .map_err(|error| argument(error.to_string()))?,
    };
    let only = sender
        .filter(|_| request.only_workspace)
        .map(|workspace| workspace.id);
    let (parts, refused) = to_owners(parsed, state, only);
    Ok(Dealt {
        parts,
        refused,
        hash: hash(request, bytes),
    })
}

fn to_owners(
    parsed: Parsed,
    state: &State,
    only: Option<Uuid>,
) -> (BTreeMap<Uuid, Part>, Vec<Refused>) {
    let mut parts: BTreeMap<Uuid, Part> = BTreeMap::new();
    let mut refused = parsed.refused;
    for group in parsed.groups {
        let owner = owner(state, group.resource_id.as_ref(), only);
        match owner {
            Ok(workspace) => {
                let part = parts.entry(workspace.id).or_insert_with(|| Part {
                    workspace: workspace.clone(),
                    tables: BTreeMap::new(),
                });
                part.tables
                    .entry(group.table.name.clone())
                    .or_default()
                    .push(group.batch);
            }
            Err(reason) => refused.extend(group.places.iter().map(|place| Refused {
                index: place.index,
                line: place.line,
                reason: reason.clone(),
                record: String::new(),
                bytes: 0..0,
            })),
        }
    }
    refused.sort_by_key(|refused| refused.index);
    (parts, refused)
}

/// The workspace that a record of `resource_id` belongs to, or why there is none.
fn owner<'s>(
    state: &'s State,
    resource_id: Option<&ResourceId>,
    only: Option<Uuid>,
) -> Result<&'s Workspace, String> {
    let Some(resource_id) = resource_id else {
        return Err("the record has no `resourceId`, and the sender names no workspace".to_owned());
    };
    let Some(workspace) = state.owner(resource_id) else {
        return Err(format!(
            "no workspace here holds `{resource_id}`; add it first"
        ));
    };
    if only.is_some_and(|only| only != workspace.id) {
        return Err(format!(
            "the record belongs to the workspace `{}`",
            workspace.name()
        ));
    }
    Ok(workspace)
}

/// What tells a retry from another batch under the same id: the payload, and how it is to be read.
fn hash(request: &v1::WriteRequest, bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let table = match &request.payload {
        Some(Payload::Rows(rows)) => rows.table.as_str(),
        _ => "",
    };
    for text in [table, &request.workspace, &request.category] {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    }
    hash.update(bytes);
    hash.finalize().into()
}

fn refusal(refused: &Refused) -> v1::RefusedRecord {
    v1::RefusedRecord {
        index: refused.index as u64,
        reason: refused.reason.clone(),
        line: refused.line.unwrap_or(0) as u64,
        record: refused.record.clone(),
    }
}

fn failed(failure: &Failure) -> v1::WriteResponse {
    let retry = matches!(
        failure.code,
        Code::Throttled | Code::Unavailable | Code::Timeout
    );
    let error = v1::WriteError {
        message: failure.message.clone(),
        retry,
    };
    v1::WriteResponse {
        error: Some(error),
        ..v1::WriteResponse::default()
    }
}
