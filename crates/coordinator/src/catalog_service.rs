//! The `Catalog` service.

use std::collections::BTreeSet;

use catalog::resolve::Meaning;
use catalog::{Change, LogWorkspace, State, Workspace};
use proto::failure::{Code, Failure};
use proto::v1;
use proto::v1::shard_client::ShardClient;
use schema::ResourceId;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::query::{Coordinator, catalog_failure, system_now};

#[tonic::async_trait]
impl v1::catalog_server::Catalog for Coordinator {
    async fn add_workspace(
        &self,
        request: Request<v1::AddWorkspaceRequest>,
    ) -> Result<Response<v1::Workspace>, Status> {
        let resource_id = resource_id(&request.into_inner().resource_id)?;
        let id = State::workspace_id(&resource_id);
        let node = self.config.node.clone();
        let state = self
            .change(Change::AddWorkspace {
                resource_id,
                now: system_now(),
                node,
            })
            .await?;
        let added = state.workspaces.get(&id).map(message);
        Ok(Response::new(added.unwrap_or_default()))
    }

    async fn remove_workspace(
        &self,
        request: Request<v1::RemoveWorkspaceRequest>,
    ) -> Result<Response<v1::RemoveWorkspaceResponse>, Status> {
        let request = request.into_inner();
        let workspace = ml_workspace(&self.catalog.state(), &request.workspace)?;
        if request.delete_logs {
            let channel = self
                .channels
                .channel(&workspace.node)
                .await
                .map_err(|error| crate::fail::of(&error))?;
            let drop = v1::DropRequest {
                workspace: workspace.id.to_string(),
            };
            ShardClient::new(channel).drop(drop).await?;
        }
        self.change(Change::RemoveWorkspace(workspace.id)).await?;
        let workspace = Some(message(&workspace));
        Ok(Response::new(v1::RemoveWorkspaceResponse { workspace }))
    }

    async fn list_workspaces(
        &self,
        _: Request<v1::ListWorkspacesRequest>,
    ) -> Result<Response<v1::ListWorkspacesResponse>, Status> {
        let state = self.catalog.state();
        let mut workspaces: Vec<&Workspace> = state.workspaces.values().collect();
        workspaces.sort_by_key(|workspace| (workspace.name(), &workspace.resource_id));
        let workspaces = workspaces.into_iter().map(message).collect();
        Ok(Response::new(v1::ListWorkspacesResponse { workspaces }))
    }

    async fn put_log_workspace(
        &self,
        request: Request<v1::PutLogWorkspaceRequest>,
    ) -> Result<Response<v1::LogWorkspace>, Status> {
        let request = request.into_inner();
        let state = self.catalog.state();
        let members: BTreeSet<Uuid> = request
            .members
            .iter()
            .map(|member| ml_workspace(&state, member).map(|workspace| workspace.id))
            .collect::<Result<_, _>>()?;
        let name = request.name;
        let resource_id = match request.resource_id.as_str() {
            "" => None,
            id => Some(resource_id(id)?),
        };
        let change = Change::PutLogWorkspace {
            name: name.clone(),
            resource_id,
            members,
        };
        let state = self.change(change).await?;
        let log = state
            .log_workspaces()
            .into_iter()
            .find(|log| log.name == name);
        Ok(Response::new(log.map(log_message).unwrap_or_default()))
    }

    async fn remove_log_workspace(
        &self,
        request: Request<v1::RemoveLogWorkspaceRequest>,
    ) -> Result<Response<v1::RemoveLogWorkspaceResponse>, Status> {
        self.change(Change::RemoveLogWorkspace(request.into_inner().name))
            .await?;
        Ok(Response::new(v1::RemoveLogWorkspaceResponse {}))
    }

    async fn list_log_workspaces(
        &self,
        _: Request<v1::ListLogWorkspacesRequest>,
    ) -> Result<Response<v1::ListLogWorkspacesResponse>, Status> {
        let workspaces = self.catalog.state().log_workspaces();
        let workspaces = workspaces.into_iter().map(log_message).collect();
        Ok(Response::new(v1::ListLogWorkspacesResponse { workspaces }))
    }
}

impl Coordinator {
    async fn change(&self, change: Change) -> Result<std::sync::Arc<State>, Failure> {
        self.catalog
            .apply(change)
            .await
            .map_err(|error| catalog_failure(&error))
    }
}

fn resource_id(text: &str) -> Result<ResourceId, Failure> {
    ResourceId::parse(text).map_err(|message| Failure::new(Code::Argument, message))
}

/// The ML workspace of a name.
pub(crate) fn ml_workspace(state: &State, name: &str) -> Result<Workspace, Failure> {
    match state
        .meaning(name)
        .map_err(|error| catalog_failure(&error))?
    {
        Meaning::Ml(workspace) => Ok(workspace.clone()),
        Meaning::Log(log) => {
            let message = format!("`{}` is a log workspace; name an ML workspace", log.name);
            Err(Failure::new(Code::Argument, message))
        }
    }
}

fn message(workspace: &Workspace) -> v1::Workspace {
    v1::Workspace {
        id: workspace.id.to_string(),
        name: workspace.name().to_owned(),
        resource_id: workspace.resource_id.to_string(),
        created: Some(proto::convert::timestamp(workspace.created)),
    }
}

fn log_message(log: LogWorkspace) -> v1::LogWorkspace {
    v1::LogWorkspace {
        id: log.id.to_string(),
        name: log.name,
        resource_id: log.resource_id.to_string(),
        members: log.members.iter().map(Uuid::to_string).collect(),
    }
}
