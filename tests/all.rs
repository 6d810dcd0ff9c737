//! All tests that need more than one crate, in one binary: each that links DataFusion costs seconds.

mod cli;
mod client;
mod law;
mod matrix;
mod oracle;
mod plans;
mod process;
mod sdk;
mod seed;
mod server;
mod stored;
mod tools;
