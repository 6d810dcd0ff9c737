//! The `loggia` binary: a server and the commands that talk to one.
//!
//! `cli` says what can be asked for; `serve` holds what runs as a server, `client` what talks to
//! one, `output` how rows are shown. Flags, the environment and signals are read here and nowhere
//! else.

mod cli;
mod client;
mod exit;
mod output;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

/// Stack of a thread: planning recurses with the depth of a query.
const STACK_BYTES: usize = 16 << 20;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(STACK_BYTES)
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(Exit::other(format!("can't start: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(exit) => exit.report(),
    }
}

async fn run(cli: Cli) -> Result<(), Exit> {
    match cli.command {
        Command::Dev(args) => serve::dev::run(args).await,
        Command::Query(args) => client::query::run(args).await,
        Command::Ingest(args) => client::ingest::run(args).await,
        Command::Workspace(args) => client::workspace::run(args).await,
        Command::Generate(args) => client::generate::run(&args),
        Command::Completions { shell } => {
            cli::completions(shell);
            Ok(())
        }
    }
}
