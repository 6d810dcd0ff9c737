//! `$batch`: several queries in one request.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/logs/api/batch-queries>

use std::collections::{BTreeMap, HashSet};

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::BATCH_REQUESTS_MAX;
use crate::error::Error;
use crate::prefer;
use crate::query::{Body, Gateway};

/// Queries of one batch that run at a time.
const AT_A_TIME: usize = 4;

#[derive(Default, Deserialize)]
pub(crate) struct Batch {
    #[serde(default)]
    requests: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    id: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    path: Option<String>,
    workspace: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Body,
}

/// Runs a batch. Wrong or repeated ids fail it as a whole; a query that fails does not.
pub(crate) async fn run(gateway: &Gateway, batch: Batch) -> Result<Response, Error> {
    if batch.requests.is_empty() || batch.requests.len() > BATCH_REQUESTS_MAX {
        return Err(Error::argument(format!(
            "a batch has 1 to {BATCH_REQUESTS_MAX} requests, not {}",
            batch.requests.len()
        )));
    }
    let mut ids = HashSet::new();
    for request in &batch.requests {
        if request.id.is_empty() || !ids.insert(&request.id) {
            let message = format!(
                "the id `{}` of a request is empty or given twice",
                request.id
            );
            return Err(Error::argument(message));
        }
    }
    let responses: Vec<Value> = futures::stream::iter(batch.requests)
        .map(|request| one(gateway, request))
        // In the order of the requests: some clients do not look at the ids.
        .buffered(AT_A_TIME)
        .collect()
        .await;
    Ok(Json(json!({ "responses": responses })).into_response())
}

async fn one(gateway: &Gateway, request: Part) -> Value {
    let headers = json!({ "Content-Type": "application/json; charset=utf-8" });
    let (status, body) = match answer(gateway, &request).await {
        Ok(body) => (200, body),
        Err(error) => (error.status().as_u16(), error.body()),
    };
    json!({ "id": request.id, "status": status, "headers": headers, "body": body })
}

async fn answer(gateway: &Gateway, request: &Part) -> Result<Value, Error> {
    let method = request.method.as_deref().unwrap_or("POST");
    let path = request.path.as_deref().unwrap_or("/query");
    if !method.eq_ignore_ascii_case("POST") || path != "/query" {
        return Err(Error::argument(format!(
            "a batch holds `POST /query`, not `{method} {path}`"
        )));
    }
    let named = |name: &str| {
        request
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
    };
    let text = named("prefer").map_or("", |(_, value)| value.as_str());
    let prefer = prefer::parse(text).map_err(Error::argument)?;
    let target = format!("/workspaces/{}", request.workspace);
    let body = gateway.run(&target, request.body.clone(), &prefer).await?;
    serde_json::from_slice(&body).map_err(|error| Error::argument(error.to_string()))
}
