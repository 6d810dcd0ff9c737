//! `loggia ingest`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::path::Path;

use futures::{Stream, StreamExt};
use indicatif::{ProgressBar, ProgressStyle};
use proto::v1;
use proto::v1::catalog_client::CatalogClient;
use proto::v1::ingest_client::IngestClient;
use proto::v1::write_request::Payload;
use records::walk::ExportFile;
use records::{Analysis, Intake, blocks, walk};
use schema::ResourceId;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use crate::cli::IngestArgs;
use crate::exit::Exit;
use crate::{client, output, serve};

/// Bytes of one payload, about.
const PAYLOAD_BYTES: usize = 4 << 20;
/// Payloads that wait to be sent.
const QUEUE: usize = 8;
/// Refusals that are shown, one for each reason.
const REFUSALS_SHOWN: usize = 20;

/// What became of what was sent.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) accepted: u64,
    pub(crate) refused: u64,
    /// Rows that had been stored before.
    pub(crate) duplicates: u64,
    pub(crate) tables: BTreeMap<String, u64>,
    /// Refused records by reason, each with an example.
    refusals: BTreeMap<String, (u64, v1::RefusedRecord)>,
    /// Payloads that failed as a whole, counted by reason.
    errors: BTreeMap<String, u64>,
}

/// Loads files, or says what loading them would do.
pub(crate) async fn run(args: IngestArgs) -> Result<(), Exit> {
    let mut files = Vec::new();
    for path in &args.paths {
        files.extend(walk::find(path).map_err(|error| Exit::other(format!("error: {error}")))?);
    }
    if files.is_empty() {
        return Err(Exit::other(
            "error: no files with records (.json, .jsonl, .ndjson, or .gz)",
        ));
    }
    if args.dry_run {
        return dry_run(&args, &files);
    }
    let channel = client::connect(&args.server).await?;
    if args.add_workspaces {
        add_workspaces(&files, channel.clone()).await?;
    }
    let bar = progress(&files);
    let client = IngestClient::new(channel).max_encoding_message_size(proto::MESSAGE_BYTES_MAX);
    let (workspace, reading) = (args.workspace.clone().unwrap_or_default(), files.clone());
    let (requests, reader) = feed(move |send| read(&reading, &workspace, send));
    let tally = send(client, requests, |bytes| bar.inc(bytes)).await;
    bar.finish_and_clear();
    let tally = tally?;
    let read = reader
        .await
        .map_err(|error| Exit::other(format!("error: {error}")))?;
    report(&tally);
    read?;
    if !tally.errors.is_empty() {
        let errors = tally.errors.iter().map(|(reason, count)| match count {
            1 => format!("error: {reason}"),
            _ => format!("error: {reason} ({count} parts of files)"),
        });
        return Err(Exit::other(errors.collect::<Vec<_>>().join("\n")));
    }
    if tally.refused > 0 {
        return Err(Exit::partial(format!(
            "{} records were refused",
            tally.refused
        )));
    }
    Ok(())
}

/// Makes requests on a thread of their own. The maker hands them over until it hears that no more
/// are wanted.
pub(crate) fn feed<T: Send + 'static>(
    make: impl FnOnce(&mut dyn FnMut(v1::WriteRequest) -> bool) -> T + Send + 'static,
) -> (ReceiverStream<v1::WriteRequest>, JoinHandle<T>) {
    let (send, requests) = mpsc::channel(QUEUE);
    let made = tokio::task::spawn_blocking(move || {
        make(&mut |request| send.blocking_send(request).is_ok())
    });
    (ReceiverStream::new(requests), made)
}

/// Cuts files into requests and hands them over until `send` wants no more.
fn read(
    files: &[ExportFile],
    workspace: &str,
    send: &mut dyn FnMut(v1::WriteRequest) -> bool,
) -> Result<(), Exit> {
    for file in files {
        let failed = |error: records::Error| Exit::other(format!("error: {error}"));
        for block in blocks::open(file, PAYLOAD_BYTES).map_err(failed)? {
            let block = block.map_err(failed)?;
            let lines_before = block.lines_before as u64;
            let request = v1::WriteRequest {
                batch_id: batch_id(&file.path, lines_before),
                workspace: workspace_of(file, workspace),
                only_workspace: !workspace.is_empty(),
                category: file.category.clone().unwrap_or_default(),
                lines_before,
                payload: Some(Payload::Records(block.bytes.into())),
            };
            if !send(request) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The workspace of records that name none: the caller's, else that of the resource in the path.
fn workspace_of(file: &ExportFile, workspace: &str) -> String {
    if !workspace.is_empty() {
        return workspace.to_owned();
    }
    let holder = file.resource_id.as_ref().and_then(workspace_id);
    holder.map(|id| id.to_string()).unwrap_or_default()
}

/// Names a part of a file by where it lies in an export, so that the same export is recognised
/// wherever it was copied to. A file outside an export goes by its whole path.
fn batch_id(path: &Path, lines_before: u64) -> String {
    let text = path.to_string_lossy();
    let lower = text.to_ascii_lowercase();
    let name = match lower.rfind("insights-") {
        Some(at) => lower[at..].to_owned(),
        None => path
            .canonicalize()
            .map_or(lower, |path| path.to_string_lossy().into_owned()),
    };
    let digest = Sha256::digest(format!("{name}\n{lines_before}"));
    let hex: String = digest
        .iter()
        .take(20)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("file-{hex}")
}

/// Sends requests and adds up the answers. `sent` hears of the bytes of each answered request.
pub(crate) async fn send(
    mut client: IngestClient<Channel>,
    requests: impl Stream<Item = v1::WriteRequest> + Send + 'static,
    sent: impl Fn(u64),
) -> Result<Tally, Exit> {
    let (note_size, mut sizes) = mpsc::unbounded_channel();
    let requests = requests.inspect(move |request| {
        let size = match &request.payload {
            Some(Payload::Records(bytes)) => bytes.len(),
            _ => 0,
        };
        let _ = note_size.send(size as u64);
    });
    let mut responses = client.write(requests).await?.into_inner();
    let mut tally = Tally::default();
    while let Some(response) = responses.next().await {
        tally.add(response?);
        sent(sizes.recv().await.unwrap_or(0));
    }
    Ok(tally)
}

impl Tally {
    fn add(&mut self, response: v1::WriteResponse) {
        if response.duplicate {
            self.duplicates += response.accepted;
        } else {
            self.accepted += response.accepted;
            for (table, rows) in response.tables {
                *self.tables.entry(table).or_default() += rows;
            }
        }
        self.refused += response.refused_count;
        let listed = response.refused.len() as u64;
        for refused in response.refused {
            let entry = self.refusals.entry(refused.reason.clone());
            entry.or_insert_with(|| (0, refused)).0 += 1;
        }
        if response.refused_count > listed {
            let more = response.refused_count - listed;
            let entry = self.refusals.entry("(not listed by the server)".to_owned());
            entry.or_default().0 += more;
        }
        if let Some(error) = response.error {
            *self.errors.entry(error.message).or_default() += 1;
        }
    }
}

async fn add_workspaces(files: &[ExportFile], channel: Channel) -> Result<(), Exit> {
    let mut catalog = CatalogClient::new(channel);
    let named: BTreeSet<ResourceId> = files
        .iter()
        .filter_map(|file| file.resource_id.as_ref())
        .filter_map(workspace_id)
        .collect();
    let there = catalog
        .list_workspaces(v1::ListWorkspacesRequest {})
        .await?
        .into_inner();
    let there: BTreeSet<String> = there
        .workspaces
        .into_iter()
        .map(|w| w.resource_id)
        .collect();
    for id in named {
        if !there.contains(id.as_str()) {
            let request = v1::AddWorkspaceRequest {
                resource_id: id.to_string(),
            };
            catalog.add_workspace(request).await?;
        }
    }
    Ok(())
}

/// The workspace or registry that a resource is or lies in.
fn workspace_id(id: &ResourceId) -> Option<ResourceId> {
    let mut at = id.clone();
    loop {
        match at.resource_type().as_str() {
            "microsoft.machinelearningservices/workspaces"
            | "microsoft.machinelearningservices/registries" => return Some(at),
            _ => at = at.parent()?,
        }
    }
}

fn progress(files: &[ExportFile]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(files.iter().map(|file| file.bytes).sum());
    let style =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

#[expect(clippy::print_stdout, reason = "it says what became of the records")]
fn report(tally: &Tally) {
    for (table, rows) in &tally.tables {
        println!("{rows:>10}  {table}");
    }
    println!("{:>10}  records accepted", tally.accepted);
    if tally.duplicates > 0 {
        println!("{:>10}  records were there already", tally.duplicates);
    }
    println!("{:>10}  records refused", tally.refused);
    for (reason, (count, example)) in tally.refusals.iter().take(REFUSALS_SHOWN) {
        println!("{count:>12}  {reason}");
        match (example.line, example.record.as_str()) {
            (0, _) => {}
            (line, "") => println!("              such as line {line}"),
            (line, record) => println!("              such as line {line}: {record}"),
        }
    }
}

/// Reads everything, stores nothing, and says what the mapping leaves over.
fn dry_run(args: &IngestArgs, files: &[ExportFile]) -> Result<(), Exit> {
    let mapping = serve::dev::mapping(args.mapping.as_deref())?;
    let mut analysis = Analysis::default();
    for file in files {
        let failed = |error: records::Error| Exit::other(format!("error: {error}"));
        for block in blocks::open(file, PAYLOAD_BYTES).map_err(failed)? {
            let block = block.map_err(failed)?;
            let intake = Intake {
                received: client::system_now(),
                resource_id: file.resource_id.clone(),
                category: file.category.clone(),
                lines_before: block.lines_before,
                ..Intake::default()
            };
            analysis.add(&records::parse(&mapping, &block.bytes, &intake));
        }
    }
    output::dry_run::write(&analysis);
    Ok(())
}
