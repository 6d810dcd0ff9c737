//! gRPC inside one process: the same code path as between machines, without a socket.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server};
use tower::service_fn;

/// Bytes on the way in one direction.
const PIPE_BYTES: usize = 256 << 10;
/// HTTP/2 windows, which bound what a fast sender has under way.
const STREAM_WINDOW_BYTES: u32 = 2 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// Streams that their caller gave up before they were accepted. Beyond them the connection ends, so
/// that queries that are dropped together must not take others with them.
const RESET_STREAMS_MAX: usize = 10_000;
/// Most connections that wait to be accepted.
const BACKLOG: usize = 16;

/// Serves `routes` inside this process, and gives the channel that leads there. The server ends
/// when the last clone of the channel is gone.
pub fn in_process(routes: Routes) -> Channel {
    let (connections, accepted) = mpsc::channel::<DuplexStream>(BACKLOG);
    let incoming = ReceiverStream::new(accepted).map(Ok::<_, std::io::Error>);
    let server = Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_MAX))
        .add_routes(routes);
    tokio::spawn(async move {
        // The only errors are those of accepting, and this incoming has none.
        let _ = server.serve_with_incoming(incoming).await;
    });
    Endpoint::from_static("http://in-process.invalid")
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .connect_timeout(Duration::from_secs(10))
        .connect_with_connector_lazy(service_fn(move |_| {
            let connections = connections.clone();
            async move {
                let (near, far) = tokio::io::duplex(PIPE_BYTES);
                let closed = |_| std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
                connections.send(far).await.map_err(closed)?;
                Ok::<_, std::io::Error>(TokioIo::new(near))
            }
        }))
}
