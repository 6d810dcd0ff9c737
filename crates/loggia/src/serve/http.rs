//! One port for gRPC and REST, plain or https.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt, service_fn};

/// Most connections at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 1_024;
/// Most streams of one HTTP/2 connection.
const STREAMS_MAX: u32 = 256;
/// Longest time for the headers of a request, and for a TLS handshake.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How often a quiet HTTP/2 connection is asked whether it still lives.
const KEEPALIVE: Duration = Duration::from_secs(30);
/// How long requests may go on after the end was asked for.
const DRAIN_MAX: Duration = Duration::from_secs(20);

/// What a port serves.
#[derive(Clone)]
pub(crate) struct Services {
    /// Requests of content type `application/grpc…`.
    pub(crate) grpc: Router,
    /// All others.
    pub(crate) rest: Router,
}

/// Serves until `end`, then lets requests finish.
pub(crate) async fn serve(
    listener: TcpListener,
    services: Services,
    tls: Option<TlsAcceptor>,
    end: impl Future<Output = ()>,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .keep_alive_interval(KEEPALIVE)
        .adaptive_window(true);
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    let mut end = std::pin::pin!(end);
    loop {
        let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
            break;
        };
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        let Ok((stream, _)) = stream else {
            // Out of file handles, say: others may be closed meanwhile.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // Small answers must not wait for the next.
        let _ = stream.set_nodelay(true);
        let (builder, services, tls) = (builder.clone(), services.clone(), tls.clone());
        let watcher = graceful.watcher();
        tokio::spawn(async move {
            let _permit = permit;
            match tls {
                None => connection(builder, stream, services, watcher).await,
                Some(tls) => {
                    let handshake = tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream));
                    if let Ok(Ok(stream)) = handshake.await {
                        connection(builder, stream, services, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    let _ = tokio::time::timeout(DRAIN_MAX, graceful.shutdown()).await;
}

async fn connection(
    builder: auto::Builder<TokioExecutor>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    services: Services,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = service_fn(move |request: Request<hyper::body::Incoming>| {
        let services = services.clone();
        async move { Ok::<_, Infallible>(route(services, request.map(Body::new)).await) }
    });
    let connection = builder
        .serve_connection_with_upgrades(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(%error, "a connection ended");
    }
}

async fn route(services: Services, request: Request<Body>) -> Response {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let is_grpc = content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/grpc"));
    let mut router = if is_grpc {
        services.grpc
    } else {
        services.rest
    };
    let ready = <Router as ServiceExt<Request<Body>>>::ready(&mut router).await;
    match ready {
        Ok(router) => router
            .call(request)
            .await
            .unwrap_or_else(|never| match never {}),
        Err(never) => match never {},
    }
}
