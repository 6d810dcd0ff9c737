//! `loggia dev`: coordinator and shards in one process.
//!
//! Plans and batches cross gRPC here too, over a transport inside the process: one code path.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use catalog::{Catalog, Embedded};
use coordinator::{Config, Coordinator};
use datafusion::common::Result as PlanResult;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use engine::Channels;
use records::Mapping;
use shard::Node;
use storage::Store;
use tokio::net::TcpListener;
use tonic::transport::Channel;
use url::Url;

use crate::cli::DevArgs;
use crate::exit::Exit;
use crate::serve::http::Services;
use crate::serve::{demo, http, tls};

/// What gates plans of other versions.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How the catalog knows the one node.
const NODE: &str = "http://local";
/// Bytes that queries may use for sorting, grouping and joining, before they spill to disk.
const QUERY_MEMORY_BYTES: usize = 2 << 30;

/// A server that is ready to serve.
struct Server {
    store: Arc<Store>,
    services: Services,
    /// Leads to its own public services.
    channel: Channel,
    catalog: Arc<dyn Catalog>,
}

/// Serves until Ctrl-C or SIGTERM.
pub(crate) async fn run(args: DevArgs) -> Result<(), Exit> {
    log_to_stderr();
    let server = open(&args)?;
    let tls = match args.tls {
        true => Some(tls::open(&args.data.join("tls")).map_err(Exit::other)?),
        false => None,
    };
    let address = SocketAddr::new(args.listen, args.port);
    let bound = TcpListener::bind(address).await;
    let listener =
        bound.map_err(|error| Exit::other(format!("error: can't listen on {address}: {error}")))?;
    if args.demo && server.catalog.state().workspaces.is_empty() {
        demo::load(&args, server.channel.clone()).await?;
    }
    announce(&listener, tls.as_ref())?;
    let acceptor = tls.map(|tls| tls.acceptor);
    http::serve(listener, server.services, acceptor, end()).await;
    let closed = server.store.close().await;
    closed.map_err(|error| Exit::other(format!("error: {error}")))
}

fn open(args: &DevArgs) -> Result<Server, Exit> {
    let failed = |error: &dyn std::fmt::Display| Exit::other(format!("error: {error}"));
    let store_dir = args.data.join("store");
    fs::create_dir_all(&store_dir)
        .map_err(|error| failed(&format!("can't make {}: {error}", store_dir.display())))?;
    let store = Store::open(&store_dir, storage::Config::default()).map_err(|e| failed(&e))?;
    let store = Arc::new(store);
    let catalog = Embedded::open(&args.data.join("catalog.json")).map_err(|e| failed(&e))?;
    let catalog: Arc<dyn Catalog> = Arc::new(catalog);
    let mapping = mapping(args.mapping.as_deref())?;

    let node_url = Url::parse(NODE).map_err(|error| failed(&error))?;
    let runtime = runtime(&args.data.join("spill"))?;
    let node = Node::new(Arc::clone(&store), Arc::clone(&catalog), node_url.clone());
    let node = proto::transport::in_process(node.routes(Arc::clone(&runtime), VERSION));
    let channels = Arc::new(OneNode {
        url: node_url.clone(),
        channel: node,
    });
    let config = Config::new(node_url, VERSION);
    let coordinator = Coordinator::new(config, Arc::clone(&catalog), channels, runtime, mapping)?;
    let channel = proto::transport::in_process(coordinator.routes());
    let services = Services {
        grpc: public(coordinator.routes())?,
        rest: gateway::router(channel.clone()),
    };
    Ok(Server {
        store,
        services,
        channel,
        catalog,
    })
}

/// The services of a coordinator with health and reflection.
fn public(routes: tonic::service::Routes) -> Result<axum::Router, Exit> {
    let (health, checks) = tonic_health::server::health_reporter();
    tokio::spawn(async move {
        for service in [
            "",
            "loggia.v1.Query",
            "loggia.v1.Ingest",
            "loggia.v1.Catalog",
        ] {
            health
                .set_service_status(service, tonic_health::ServingStatus::Serving)
                .await;
        }
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()
        .map_err(|error| Exit::other(format!("error: {error}")))?;
    Ok(routes
        .add_service(checks)
        .add_service(reflection)
        .into_axum_router())
}

fn runtime(spill: &Path) -> Result<Arc<RuntimeEnv>, Exit> {
    // What a process left there when it was killed is of no use to anyone.
    let _ = fs::remove_dir_all(spill);
    let pool = Arc::new(FairSpillPool::new(QUERY_MEMORY_BYTES));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .with_temp_file_path(spill)
        .build_arc();
    runtime.map_err(|error| Exit::other(format!("error: {error}")))
}

/// The built-in mapping, with what a file changes of it.
pub(crate) fn mapping(path: Option<&Path>) -> Result<Mapping, Exit> {
    let Some(path) = path else {
        return Ok(Mapping::builtin());
    };
    let failed = |error: String| Exit::other(format!("error: {}: {error}", path.display()));
    let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Mapping::with_overrides(&text).map_err(|error| failed(error.to_string()))
}

/// The only node there is.
struct OneNode {
    url: Url,
    channel: Channel,
}

#[async_trait]
impl Channels for OneNode {
    async fn channel(&self, url: &Url) -> PlanResult<Channel> {
        if *url == self.url {
            return Ok(self.channel.clone());
        }
        datafusion::common::exec_err!("there is no node at {url}")
    }
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "scripts wait for the line"
)]
fn announce(listener: &TcpListener, tls: Option<&tls::Tls>) -> Result<(), Exit> {
    use std::io::Write as _;
    let address = listener
        .local_addr()
        .map_err(|error| Exit::other(error.to_string()))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    if let Some(tls) = tls {
        eprintln!(
            "clients need the certificate of the private CA: {}",
            tls.ca.display()
        );
    }
    println!("ready {scheme}://{address}");
    let _ = std::io::stdout().flush();
    Ok(())
}

fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LOGGIA_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Resolves when the process is asked to end.
async fn end() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        // Without it, only Ctrl-C ends the process in good order.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}
