//! The `Shard` service: batches in, and the end of queries and workspaces.

use std::sync::Arc;

use arrow::array::RecordBatch;
use proto::failure::{Code, Failure};
use proto::v1;
use storage::{Appended, BatchId, PayloadHash, TableName};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::Node;

/// How long a sender waits before it tries again what storage had no room for.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

#[tonic::async_trait]
impl v1::shard_server::Shard for Node {
    async fn append(
        &self,
        request: Request<v1::AppendRequest>,
    ) -> Result<Response<v1::AppendResponse>, Status> {
        let request = request.into_inner();
        let workspace = self
            .owned(&request.workspace)
            .map_err(|message| Failure::new(Code::Unavailable, message))?;
        let id = BatchId::new(&request.batch_id).map_err(|error| failure(&error))?;
        let hash: [u8; 32] = request
            .payload_hash
            .as_ref()
            .try_into()
            .map_err(|_| Failure::new(Code::Argument, "a payload hash has 32 bytes"))?;
        let mut tables = Vec::with_capacity(request.tables.len());
        for table in request.tables {
            let name = TableName::new(&table.table).map_err(|error| failure(&error))?;
            tables.extend(decode(&table.arrow)?.map(|rows| (name, rows)));
        }
        let store = Arc::clone(&self.store);
        // A task of its own: a sender that goes away must not leave a batch half enqueued.
        let append = tokio::spawn(async move {
            store
                .append_hashed(workspace, id, PayloadHash(hash), tables)
                .await
        });
        let appended = append
            .await
            .map_err(|error| Failure::new(Code::Internal, error.to_string()))?
            .map_err(|error| failure(&error))?;
        Ok(Response::new(v1::AppendResponse {
            duplicate: appended == Appended::Duplicate,
        }))
    }

    async fn release(
        &self,
        request: Request<v1::ReleaseRequest>,
    ) -> Result<Response<v1::ReleaseResponse>, Status> {
        let query = Uuid::from_slice(&request.into_inner().query_id)
            .map_err(|_| Failure::new(Code::Argument, "a query id has 16 bytes"))?;
        self.snapshots.release(query);
        Ok(Response::new(v1::ReleaseResponse {}))
    }

    async fn drop(
        &self,
        request: Request<v1::DropRequest>,
    ) -> Result<Response<v1::DropResponse>, Status> {
        let workspace = self
            .owned(&request.into_inner().workspace)
            .map_err(|message| Failure::new(Code::NotFound, message))?;
        let store = Arc::clone(&self.store);
        store
            .drop_workspace(workspace)
            .await
            .map_err(|error| failure(&error))?;
        Ok(Response::new(v1::DropResponse {}))
    }
}

/// The rows of an IPC stream as one batch, if it has any.
fn decode(bytes: &[u8]) -> Result<Option<RecordBatch>, Failure> {
    let wrong = |error: arrow::error::ArrowError| Failure::new(Code::Argument, error.to_string());
    let batches = proto::ipc::decode(bytes).map_err(wrong)?;
    let Some(first) = batches.first() else {
        return Ok(None);
    };
    let schema = first.schema();
    arrow::compute::concat_batches(&schema, &batches)
        .map(Some)
        .map_err(wrong)
}

fn failure(error: &storage::Error) -> Failure {
    use storage::Error;
    let code = match error {
        Error::BatchConflict { .. } => Code::Conflict,
        Error::BatchTooLarge { .. }
        | Error::ColumnType { .. }
        | Error::InvalidRows { .. }
        | Error::InvalidName { .. }
        | Error::TooMany { .. } => Code::Argument,
        error if error.is_retryable() => Code::Throttled,
        _ => Code::Unavailable,
    };
    let retry_after = error.is_retryable().then_some(RETRY_AFTER);
    Failure {
        retry_after,
        ..Failure::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use arrow::array::{Int64Array, StringViewArray, TimestampNanosecondArray};
    use arrow::datatypes::Schema;
    use catalog::{Catalog as _, Change, Embedded};
    use engine::{LocalScan, LocalTables as _};
    use proto::v1::shard_server::Shard as _;
    use schema::{ResourceId, Type};
    use storage::{Config, Store};

    use super::*;

    struct Fixture {
        node: Arc<Node>,
        workspace: String,
        _dir: tempfile::TempDir,
    }

    async fn fixture() -> Fixture {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Arc::new(Store::open(dir.path(), Config::default()).expect("it opens"));
        let catalog = Embedded::open(&dir.path().join("catalog")).expect("it opens");
        let url: url::Url = "http://node-1".parse().expect("a URL");
        let resource_id = ResourceId::ml_workspace("s", "g", "w").expect("a resource id");
        let change = Change::AddWorkspace {
            resource_id,
            now: 0,
            node: url.clone(),
        };
        let state = catalog.apply(change).await.expect("it fits");
        let ids: BTreeSet<_> = state.workspaces.keys().collect();
        let workspace = ids.first().expect("one workspace").to_string();
        Fixture {
            node: Node::new(store, Arc::new(catalog), url),
            workspace,
            _dir: dir,
        }
    }

    fn rows(count: i64) -> v1::TableBatch {
        let schema = Schema::new(vec![
            schema::arrow::wire_field("TimeGenerated", Type::Datetime),
            schema::arrow::wire_field("Name", Type::String),
            schema::arrow::wire_field("Size", Type::Long),
        ]);
        let times = TimestampNanosecondArray::from_iter_values(0..count).with_timezone("UTC");
        let names = StringViewArray::from_iter_values((0..count).map(|i| i.to_string()));
        let sizes = Int64Array::from_iter_values(0..count);
        let columns: Vec<arrow::array::ArrayRef> =
            vec![Arc::new(times), Arc::new(names), Arc::new(sizes)];
        let batch = RecordBatch::try_new(Arc::new(schema), columns).expect("they fit");
        let arrow = proto::ipc::encode(&batch).expect("it encodes").into();
        v1::TableBatch {
            table: "T".into(),
            arrow,
        }
    }

    fn append(fixture: &Fixture, id: &str, count: i64) -> Request<v1::AppendRequest> {
        Request::new(v1::AppendRequest {
            workspace: fixture.workspace.clone(),
            batch_id: id.into(),
            payload_hash: vec![count as u8; 32].into(),
            tables: vec![rows(count)],
        })
    }

    async fn count(fixture: &Fixture, query: Uuid) -> usize {
        let schema = Arc::new(Schema::new(vec![schema::arrow::wire_field(
            "Size",
            Type::Long,
        )]));
        let scan = LocalScan {
            query,
            workspace: &fixture.workspace,
            table: "T",
            schema,
            projection: &[0],
            predicate: None,
            fetch: None,
            partitions: 2,
        };
        let plan = fixture.node.scan(scan).expect("it plans");
        let batches = datafusion::physical_plan::collect(plan, Arc::default()).await;
        batches
            .expect("it reads")
            .iter()
            .map(RecordBatch::num_rows)
            .sum()
    }

    #[tokio::test]
    async fn a_query_reads_one_snapshot_until_it_is_released() {
        let fixture = fixture().await;
        let query = Uuid::from_u128(1);
        fixture
            .node
            .append(append(&fixture, "a", 5))
            .await
            .expect("stored");
        assert_eq!(count(&fixture, query).await, 5);
        fixture
            .node
            .append(append(&fixture, "b", 7))
            .await
            .expect("stored");
        assert_eq!(count(&fixture, query).await, 5);
        assert_eq!(count(&fixture, Uuid::from_u128(2)).await, 12);
        let release = v1::ReleaseRequest {
            query_id: query.as_bytes().to_vec().into(),
        };
        fixture
            .node
            .release(Request::new(release))
            .await
            .expect("released");
        assert_eq!(fixture.node.snapshots.len(), 1);
        assert_eq!(count(&fixture, query).await, 12);
    }

    #[tokio::test]
    async fn a_retried_batch_is_stored_once() {
        let fixture = fixture().await;
        let first = fixture
            .node
            .append(append(&fixture, "a", 5))
            .await
            .expect("stored");
        assert!(!first.into_inner().duplicate);
        let again = fixture
            .node
            .append(append(&fixture, "a", 5))
            .await
            .expect("stored");
        assert!(again.into_inner().duplicate);
        let other = fixture
            .node
            .append(append(&fixture, "a", 6))
            .await
            .unwrap_err();
        assert_eq!(Failure::from_status(&other).code, Code::Conflict);
        assert_eq!(count(&fixture, Uuid::from_u128(1)).await, 5);
    }

    #[tokio::test]
    async fn a_workspace_of_another_node_is_refused() {
        let fixture = fixture().await;
        let mut request = append(&fixture, "a", 5);
        request.get_mut().workspace = Uuid::nil().to_string();
        let error = fixture.node.append(request).await.unwrap_err();
        assert!(error.message().contains("does not own"), "{error}");
    }
}
