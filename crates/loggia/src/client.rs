//! What talks to a server.

pub(crate) mod generate;
pub(crate) mod ingest;
pub(crate) mod query;
pub(crate) mod workspace;

use std::time::{Duration, SystemTime};

use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::cli::ServerArgs;
use crate::exit::Exit;

/// Longest time until a server accepts a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to the server.
pub(crate) async fn connect(args: &ServerArgs) -> Result<Channel, Exit> {
    let wrong = |error: &dyn std::fmt::Display| {
        Exit::other(format!("error: `{}` is no server: {error}", args.server))
    };
    let mut endpoint = Endpoint::from_shared(args.server.clone()).map_err(|error| wrong(&error))?;
    if args.server.starts_with("https://") {
        let mut tls = ClientTlsConfig::new();
        if let Some(ca) = &args.ca {
            let pem = std::fs::read(ca)
                .map_err(|error| Exit::other(format!("error: {}: {error}", ca.display())))?;
            tls = tls.ca_certificate(Certificate::from_pem(pem));
        }
        endpoint = endpoint.tls_config(tls).map_err(|error| wrong(&error))?;
    }
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(16 << 20)
        .connect()
        .await
        .map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            let cause = cause.unwrap_or_else(|| error.to_string());
            Exit::unavailable(format!(
                "error: no server answers at {}: {cause}\n  help: start one with `loggia dev`, or \
                 name another with --server",
                args.server
            ))
        })
}

/// Now, in nanoseconds since 1970.
pub(crate) fn system_now() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}
