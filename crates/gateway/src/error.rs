//! Azure's error JSON.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/logs/api/errors>

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use proto::failure::{Code, Failure};
use serde_json::{Value, json};

/// A failure as HTTP.
pub(crate) struct Error(pub(crate) Failure);

impl Error {
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self(Failure::new(Code::Argument, message))
    }

    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.names().http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body. SDKs show the message of the deepest `innererror`.
    pub(crate) fn body(&self) -> Value {
        let failure = &self.0;
        let names = failure.code.names();
        let message = match failure.code {
            Code::Syntax | Code::Semantic => {
                "The request had some invalid properties: the query can't be run"
            }
            _ => failure.message.as_str(),
        };
        let mut error = json!({ "message": message, "code": names.azure });
        if names.azure != names.azure_inner || !failure.diagnostics.is_empty() {
            let mut inner = json!({ "code": names.azure_inner, "message": failure.message });
            if !failure.diagnostics.is_empty() {
                inner["innererror"] = diagnostics(failure);
            }
            error["innererror"] = inner;
        }
        json!({ "error": error })
    }
}

/// The first diagnostic, with its place, and the others beside it.
fn diagnostics(failure: &Failure) -> Value {
    let all = failure.diagnostics.iter().map(|diagnostic| {
        json!({
            "code": diagnostic.code,
            "message": one_line(diagnostic),
            "line": diagnostic.line,
            "pos": diagnostic.column.saturating_sub(1),
            "offset": diagnostic.offset,
            "length": diagnostic.length,
        })
    });
    let mut all: Vec<Value> = all.collect();
    let mut first = all.remove(0);
    if !all.is_empty() {
        first["details"] = Value::Array(all);
    }
    first
}

fn one_line(diagnostic: &proto::v1::Diagnostic) -> String {
    let place = format!("{}:{}", diagnostic.line, diagnostic.column);
    match diagnostic.hint.as_str() {
        "" => format!("{} (at {place})", diagnostic.message),
        hint => format!("{}; {hint} (at {place})", diagnostic.message),
    }
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Self(Failure::from_status(&status))
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = (self.status(), Json(self.body())).into_response();
        if let Some(after) = self.0.retry_after {
            let seconds = after.as_secs().max(1);
            response
                .headers_mut()
                .insert("retry-after", HeaderValue::from(seconds));
        }
        response
    }
}
