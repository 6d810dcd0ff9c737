//! The query API, by workspace and by resource.
//!
//! Paths come with and without `/v1`, as Microsoft's SDKs differ in that, and end in `/query`:
//! `workspaces/{id}/query` or `{resource id}/query`. A GET carries `query` and `timespan` as
//! parameters, a POST as JSON.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use percent_encoding::percent_decode_str;
use proto::failure::{Code, Failure};
use proto::v1;
use proto::v1::query_client::QueryClient;
use serde::Deserialize;
use tonic::transport::Channel;

use crate::error::Error;
use crate::prefer::{self, Prefer};
use crate::{answer, batch};

/// What handlers share.
#[derive(Clone)]
pub(crate) struct Gateway {
    query: QueryClient<Channel>,
}

impl Gateway {
    pub(crate) fn new(channel: Channel) -> Self {
        Self {
            query: QueryClient::new(channel).max_decoding_message_size(proto::MESSAGE_BYTES_MAX),
        }
    }
}

/// The body of a query.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Body {
    pub(crate) query: Option<String>,
    pub(crate) timespan: Option<String>,
    pub(crate) workspaces: Option<Vec<String>>,
}

/// Takes every request that has no route of its own.
pub(crate) async fn dispatch(
    State(gateway): State<Arc<Gateway>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut response = match route(&gateway, &method, &uri, &headers, &body).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    };
    let request_id = HeaderValue::from_str(&uuid::Uuid::new_v4().to_string());
    if let Ok(id) = request_id {
        response.headers_mut().insert("x-ms-request-id", id);
    }
    if let Some(id) = headers.get("x-ms-client-request-id") {
        response
            .headers_mut()
            .insert("x-ms-client-request-id", id.clone());
    }
    response
}

async fn route(
    gateway: &Gateway,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, Error> {
    let path = uri
        .path()
        .strip_prefix("/v1")
        .filter(|rest| rest.starts_with('/'));
    let path = percent_decode_str(path.unwrap_or(uri.path())).decode_utf8_lossy();
    if path == "/$batch" {
        return match *method {
            Method::POST => batch::run(gateway, json(body)?).await,
            _ => Err(wrong_method(method)),
        };
    }
    let Some(target) = path.strip_suffix("/query") else {
        return Err(Error(Failure::new(
            Code::NotFound,
            format!("there is nothing at `{}`", uri.path()),
        )));
    };
    let query = match *method {
        Method::POST => json(body)?,
        Method::GET => parameters(uri.query().unwrap_or_default()),
        _ => return Err(wrong_method(method)),
    };
    let prefer = headers.get("prefer").map_or(Ok(""), HeaderValue::to_str);
    let prefer = prefer.map_err(|_| Error::argument("the `Prefer` header is not text"))?;
    let prefer = prefer::parse(prefer).map_err(Error::argument)?;
    let body = gateway.run(target, query, &prefer).await?;
    let json = [(header::CONTENT_TYPE, "application/json; charset=utf-8")];
    Ok((StatusCode::OK, json, body).into_response())
}

impl Gateway {
    /// Runs a query against what a path names: `/workspaces/{id}` or a resource id.
    pub(crate) async fn run(
        &self,
        target: &str,
        body: Body,
        prefer: &Prefer,
    ) -> Result<Vec<u8>, Error> {
        let Some(kql) = body.query.filter(|query| !query.trim().is_empty()) else {
            return Err(Error::argument("the request has no `query`"));
        };
        let mut scope = v1::Scope::default();
        match target
            .strip_prefix("/workspaces/")
            .filter(|id| !id.contains('/'))
        {
            Some(id) => scope.workspaces.push(id.to_owned()),
            None => scope.resources.push(target.to_owned()),
        }
        scope.workspaces.extend(body.workspaces.unwrap_or_default());
        let timespan = body.timespan.filter(|timespan| !timespan.trim().is_empty());
        let timespan = timespan.map(|text| v1::Timespan {
            form: Some(v1::timespan::Form::Iso8601(text)),
        });
        let request = v1::ExecuteRequest {
            kql,
            scope: Some(scope),
            timespan,
            format: v1::Format::Arrow.into(),
            timeout: prefer.wait.map(proto::convert::duration),
            ..v1::ExecuteRequest::default()
        };
        let responses = self.query.clone().execute(request).await?.into_inner();
        answer::body(responses, prefer).await
    }
}

/// A body as JSON. An empty one is an empty object, whose missing parts are then named.
fn json<T: Default + for<'de> Deserialize<'de>>(body: &[u8]) -> Result<T, Error> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body)
        .map_err(|error| Error::argument(format!("the body is not the JSON of a request: {error}")))
}

fn wrong_method(method: &Method) -> Error {
    Error::argument(format!("the method {method} is not allowed here"))
}

fn parameters(query: &str) -> Body {
    let mut body = Body::default();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "query" => body.query = Some(value.into_owned()),
            "timespan" => body.timespan = Some(value.into_owned()),
            "workspaces" => {
                let names = value.split(',').map(|name| name.trim().to_owned());
                body.workspaces = Some(names.filter(|name| !name.is_empty()).collect());
            }
            _ => {}
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_a_get() {
        let body = parameters("query=T%20%7C+take%205&timespan=P1D&workspaces=a,%20b");
        assert_eq!(body.query.as_deref(), Some("T | take 5"));
        assert_eq!(body.timespan.as_deref(), Some("P1D"));
        assert_eq!(body.workspaces, Some(vec!["a".to_owned(), "b".to_owned()]));
    }
}
