//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Azure Monitor Logs for Azure Machine Learning, on your own machines.
///
/// Start a server with `loggia dev --demo`, then ask it:
///
///   loggia query 'AmlComputeJobEvent | summarize count() by EventType'
///
/// Exit status: 0 success, 1 failure, 2 wrong usage, 3 wrong query, 4 incomplete answer or refused
/// records, 5 server not reachable or not able to answer now.
#[derive(Parser)]
#[command(
    name = "loggia",
    version,
    verbatim_doc_comment,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    Dev(DevArgs),
    Query(QueryArgs),
    Ingest(IngestArgs),
    Workspace(WorkspaceArgs),
    Generate(GenerateArgs),
    /// Print a script that completes commands in a shell
    ///
    /// For bash: `loggia completions bash > ~/.local/share/bash-completion/completions/loggia`
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Serve everything on one machine: coordinator and shards in one process, no other server
///
/// Prints `ready URL` on standard output when it serves. One port serves gRPC and Azure Monitor's
/// REST API. Stop it with Ctrl-C or SIGTERM.
#[derive(Args)]
pub(crate) struct DevArgs {
    /// Folder that holds the logs and the catalog; made if it is not there
    #[arg(
        long,
        value_name = "DIR",
        default_value = "loggia-data",
        env = "LOGGIA_DATA"
    )]
    pub(crate) data: PathBuf,
    /// Port; 0 takes any free one
    #[arg(long, default_value_t = 8750)]
    pub(crate) port: u16,
    /// Address to listen on; nothing checks who asks, so keep it local
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub(crate) listen: IpAddr,
    /// Serve https, with a certificate of a private CA that is made in DATA/tls
    #[arg(long)]
    pub(crate) tls: bool,
    /// If there is no workspace yet, make some and fill them with generated logs
    #[arg(long)]
    pub(crate) demo: bool,
    /// How many workspaces the demo has
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) workspaces: usize,
    /// How many days back the demo's logs go
    #[arg(long, value_name = "N", default_value_t = 14)]
    pub(crate) days: u32,
    /// What the demo's logs are drawn from
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// TOML file that changes which property of a record fills which column
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
}

/// The server to talk to.
#[derive(Args, Clone)]
pub(crate) struct ServerArgs {
    /// The server's URL
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8750",
        env = "LOGGIA_SERVER",
        global = true
    )]
    pub(crate) server: String,
    /// Certificate of the CA that the server's own is signed with, for https
    #[arg(long, value_name = "FILE", env = "LOGGIA_CA", global = true)]
    pub(crate) ca: Option<PathBuf>,
}

/// Ask a question in KQL
///
/// The query is the argument, or the content of --file, or standard input if it is `-`.
#[derive(Args)]
pub(crate) struct QueryArgs {
    /// The query; `-` reads it from standard input
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    pub(crate) kql: Option<String>,
    /// File that holds the query
    #[arg(long, short, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Workspace to read: a log workspace or an ML workspace, by name, GUID or resource id; repeat
    /// it for several. Without it, all are read
    #[arg(long, short, value_name = "W")]
    pub(crate) workspace: Vec<String>,
    /// Resource to read by id: an ML workspace, a resource group or a subscription
    #[arg(long, value_name = "ID")]
    pub(crate) resource: Vec<String>,
    /// Read all workspaces
    #[arg(long, conflicts_with_all = ["workspace", "resource"])]
    pub(crate) all: bool,
    /// Read only records of this time: `P1D`, `PT6H`, `start/end`, `start/P1D`
    #[arg(long, value_name = "ISO8601")]
    pub(crate) timespan: Option<String>,
    /// How the rows are written
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
    /// Say on standard error what the query cost, shard by shard
    #[arg(long)]
    pub(crate) stats: bool,
    /// Show the plan and what runs on the shards, instead of running the query
    #[arg(long)]
    pub(crate) explain: bool,
    /// Seconds that the query may take, at most 600
    #[arg(long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people
    Table,
    /// An array of objects, one a row
    Json,
    /// Comma-separated values with a header
    Csv,
    /// An Arrow IPC stream
    Arrow,
    /// A Parquet file
    Parquet,
}

/// Load files that Azure exported
///
/// Takes files and whole trees (`insights-logs-…/resourceId=/…/PT1H.json`), plain or gzipped. A file
/// that was loaded before is recognised, and nothing of it is stored twice.
#[derive(Args)]
pub(crate) struct IngestArgs {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Workspace of records that do not name their resource; records of others are refused
    #[arg(long, short, value_name = "W")]
    pub(crate) workspace: Option<String>,
    /// Add the workspaces that the paths name, if they are not there yet
    #[arg(long)]
    pub(crate) add_workspaces: bool,
    /// Store nothing; list by table the properties that have no column, and columns never filled
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// TOML file that changes the mapping; for --dry-run, as the server has its own
    #[arg(long, value_name = "FILE", requires = "dry_run")]
    pub(crate) mapping: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Add, list, group and remove workspaces
#[derive(Args)]
pub(crate) struct WorkspaceArgs {
    #[command(subcommand)]
    pub(crate) command: WorkspaceCommand,
    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

#[derive(Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Add Azure ML workspaces or registries; each is a shard from then on
    Add {
        /// Azure resource ids
        #[arg(required = true, value_name = "RESOURCE_ID")]
        resource_ids: Vec<String>,
    },
    /// List the Azure ML workspaces
    List {
        /// How they are written; JSON is an array of objects with `id`, `name`, `resource_id`
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Remove Azure ML workspaces
    Remove {
        /// Names, GUIDs or resource ids
        #[arg(required = true, value_name = "W")]
        workspaces: Vec<String>,
        /// Delete their logs as well; without it, they are there again when it is added again
        #[arg(long)]
        delete_logs: bool,
    },
    /// Make a log workspace, or change which ML workspaces belong to it
    Group {
        /// The log workspace's name
        name: String,
        /// All ML workspaces that belong to it from now on
        #[arg(value_name = "W")]
        members: Vec<String>,
        /// Its Azure resource id; one is made from the name if there is none
        #[arg(long, value_name = "ID")]
        resource_id: Option<String>,
    },
    /// List the log workspaces
    Groups {
        /// How they are written
        #[arg(long, value_enum, default_value_t = ListFormat::Table)]
        format: ListFormat,
    },
    /// Dissolve a log workspace; its members stay
    Ungroup {
        /// The log workspace's name
        name: String,
    },
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table for people
    Table,
    /// JSON
    Json,
}

/// Write made-up logs in the layout in which Azure exports them
///
/// The same seed gives the same logs, apart from the clock: they end now.
#[derive(Args)]
pub(crate) struct GenerateArgs {
    /// Folder to write to; it must be empty or absent
    pub(crate) dir: PathBuf,
    /// How many workspaces
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) workspaces: usize,
    /// How many days back the logs go
    #[arg(long, value_name = "N", default_value_t = 14)]
    pub(crate) days: u32,
    /// What they are drawn from
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How busy the workspaces are; 1 is about 2,500 records a day and workspace
    #[arg(long, value_name = "X", default_value_t = 1.0)]
    pub(crate) activity: f64,
}

/// Prints the completions of a shell.
pub(crate) fn completions(shell: Shell) {
    clap_complete::generate(shell, &mut Cli::command(), "loggia", &mut std::io::stdout());
}
