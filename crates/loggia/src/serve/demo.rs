//! The logs of `loggia dev --demo`.

use proto::v1;
use proto::v1::catalog_client::CatalogClient;
use proto::v1::ingest_client::IngestClient;
use tonic::transport::Channel;

use crate::cli::DevArgs;
use crate::client::ingest::{self, Tally};
use crate::exit::Exit;

/// Makes workspaces and fills them.
#[expect(clippy::print_stderr, reason = "it says what it does")]
pub(crate) async fn load(args: &DevArgs, channel: Channel) -> Result<(), Exit> {
    let config = generate::Config {
        workspaces: args.workspaces,
        days: args.days,
        seed: args.seed,
        ..generate::Config::demo(crate::client::system_now())
    };
    let failed = |error: generate::Error| Exit::other(format!("error: {error}"));
    let mut catalog = CatalogClient::new(channel.clone());
    for resource in generate::resources(&config).map_err(failed)? {
        let request = v1::AddWorkspaceRequest {
            resource_id: resource.to_string(),
        };
        catalog.add_workspace(request).await?;
    }
    eprintln!(
        "generating logs of {} workspaces over {} days …",
        config.workspaces, config.days
    );
    let files = generate::files(&config).map_err(failed)?;
    let (requests, _) = ingest::feed(move |send| {
        for file in files {
            let request = v1::WriteRequest {
                category: file.category.to_owned(),
                payload: Some(v1::write_request::Payload::Records(file.bytes.into())),
                ..v1::WriteRequest::default()
            };
            if !send(request) {
                return;
            }
        }
    });
    let client = IngestClient::new(channel).max_encoding_message_size(proto::MESSAGE_BYTES_MAX);
    let tally = ingest::send(client, requests, |_| {}).await?;
    let Tally {
        accepted, refused, ..
    } = tally;
    eprintln!("loaded {accepted} records, refused {refused}");
    Ok(())
}
