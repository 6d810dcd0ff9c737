//! What runs as a server.

pub(crate) mod demo;
pub(crate) mod dev;
mod http;
mod tls;
