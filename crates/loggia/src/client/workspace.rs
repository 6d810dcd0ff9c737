//! `loggia workspace`.

use proto::v1;
use proto::v1::catalog_client::CatalogClient;
use serde_json::json;
use tonic::transport::Channel;

use crate::cli::{ListFormat, WorkspaceArgs, WorkspaceCommand};
use crate::exit::Exit;
use crate::{client, output};

/// Runs a subcommand.
#[expect(clippy::print_stdout, reason = "it answers")]
pub(crate) async fn run(args: WorkspaceArgs) -> Result<(), Exit> {
    let channel = client::connect(&args.server).await?;
    let mut catalog = CatalogClient::new(channel);
    match args.command {
        WorkspaceCommand::Add { resource_ids } => {
            for resource_id in resource_ids {
                let request = v1::AddWorkspaceRequest { resource_id };
                let added = catalog.add_workspace(request).await?.into_inner();
                println!("added {} {}", added.id, added.resource_id);
            }
        }
        WorkspaceCommand::Remove {
            workspaces,
            delete_logs,
        } => {
            for workspace in workspaces {
                let request = v1::RemoveWorkspaceRequest {
                    workspace,
                    delete_logs,
                };
                let removed = catalog.remove_workspace(request).await?.into_inner();
                println!(
                    "removed {}",
                    removed.workspace.unwrap_or_default().resource_id
                );
            }
        }
        WorkspaceCommand::List { format } => list(&mut catalog, format).await?,
        WorkspaceCommand::Group {
            name,
            members,
            resource_id,
        } => {
            let resource_id = resource_id.unwrap_or_default();
            let request = v1::PutLogWorkspaceRequest {
                name,
                resource_id,
                members,
            };
            let log = catalog.put_log_workspace(request).await?.into_inner();
            println!(
                "{} {} holds {} workspaces",
                log.id,
                log.name,
                log.members.len()
            );
        }
        WorkspaceCommand::Groups { format } => groups(&mut catalog, format).await?,
        WorkspaceCommand::Ungroup { name } => {
            catalog
                .remove_log_workspace(v1::RemoveLogWorkspaceRequest { name })
                .await?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it answers")]
async fn list(catalog: &mut CatalogClient<Channel>, format: ListFormat) -> Result<(), Exit> {
    let response = catalog
        .list_workspaces(v1::ListWorkspacesRequest {})
        .await?;
    let workspaces = response.into_inner().workspaces;
    match format {
        ListFormat::Json => {
            let all = workspaces.iter().map(|workspace| {
                json!({
                    "id": workspace.id,
                    "name": workspace.name,
                    "resource_id": workspace.resource_id,
                })
            });
            println!("{:#}", serde_json::Value::Array(all.collect()));
        }
        ListFormat::Table => {
            let rows = workspaces
                .into_iter()
                .map(|w| vec![w.name, w.id, w.resource_id]);
            println!(
                "{}",
                output::table::plain(&["name", "id", "resource_id"], rows)
            );
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "it answers")]
async fn groups(catalog: &mut CatalogClient<Channel>, format: ListFormat) -> Result<(), Exit> {
    let response = catalog
        .list_log_workspaces(v1::ListLogWorkspacesRequest {})
        .await?;
    let logs = response.into_inner().workspaces;
    match format {
        ListFormat::Json => {
            let all = logs.iter().map(|log| {
                json!({
                    "id": log.id,
                    "name": log.name,
                    "resource_id": log.resource_id,
                    "members": log.members,
                })
            });
            println!("{:#}", serde_json::Value::Array(all.collect()));
        }
        ListFormat::Table => {
            let rows = logs
                .into_iter()
                .map(|log| vec![log.name, log.id, log.members.len().to_string()]);
            println!(
                "{}",
                output::table::plain(&["name", "id", "workspaces"], rows)
            );
        }
    }
    Ok(())
}
