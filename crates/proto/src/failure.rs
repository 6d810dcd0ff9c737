//! What can go wrong with a call, and what each protocol calls it.
//!
//! The table in [`Code::names`] is the only place that maps codes. On the wire a [`Failure`] is a
//! gRPC status with `google.rpc` details: `ErrorInfo` for the code and the first diagnostic,
//! `BadRequest` with a violation for each diagnostic, `RetryInfo` where a retry may help, and
//! `loggia.v1.Diagnostics`.
//!
//! Azure's names: <https://learn.microsoft.com/azure/azure-monitor/logs/api/errors>

use std::collections::HashMap;
use std::time::Duration;

use prost_types::Any;
use tonic::Status;
use tonic_types::{ErrorInfo, StatusExt};

use crate::v1;

/// Who reports errors, in `google.rpc.ErrorInfo`.
const DOMAIN: &str = "loggia";
/// Most diagnostics that travel with one status, which gRPC carries in a header.
const DIAGNOSTICS_MAX: usize = 5;
/// Longest message of a status, in bytes, for the same reason.
const MESSAGE_MAX: usize = 2_000;
const DIAGNOSTICS_TYPE: &str = "type.googleapis.com/loggia.v1.Diagnostics";

/// A kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The query is no KQL.
    Syntax,
    /// The query is KQL but means nothing here, or is not supported.
    Semantic,
    /// The query can't be computed on its data: a date out of range, say.
    Evaluation,
    /// Another part of the request is wrong.
    Argument,
    /// There is no such workspace or resource.
    NotFound,
    /// The caller did not say who they are.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// The thing exists already, or is in use.
    Conflict,
    /// The query took longer than it may.
    Timeout,
    /// The query needs more memory or space than it may have.
    Resources,
    /// Too many queries at once; a later try may succeed.
    Throttled,
    /// A shard did not answer; a later try may succeed.
    Unavailable,
    /// The caller went away.
    Cancelled,
    /// A fault of ours.
    Internal,
}

/// What the protocols call a code.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// In `google.rpc.ErrorInfo`, where no diagnostic gives a finer one.
    pub reason: &'static str,
    /// The gRPC status.
    pub grpc: tonic::Code,
    /// The HTTP status.
    pub http: u16,
    /// Azure's outer code.
    pub azure: &'static str,
    /// Azure's inner code.
    pub azure_inner: &'static str,
}

const CODES: [Code; 14] = [
    Code::Syntax,
    Code::Semantic,
    Code::Evaluation,
    Code::Argument,
    Code::NotFound,
    Code::Unauthenticated,
    Code::Forbidden,
    Code::Conflict,
    Code::Timeout,
    Code::Resources,
    Code::Throttled,
    Code::Unavailable,
    Code::Cancelled,
    Code::Internal,
];

impl Code {
    /// The code in each protocol.
    pub fn names(self) -> Names {
        use tonic::Code as Grpc;
        let (reason, grpc, http, azure, azure_inner) = match self {
            Self::Syntax => (
                "SYNTAX",
                Grpc::InvalidArgument,
                400,
                "BadArgumentError",
                "SyntaxError",
            ),
            Self::Semantic => (
                "SEMANTIC",
                Grpc::InvalidArgument,
                400,
                "BadArgumentError",
                "SemanticError",
            ),
            Self::Evaluation => (
                "EVALUATION",
                Grpc::OutOfRange,
                400,
                "BadArgumentError",
                "EvaluationError",
            ),
            Self::Argument => (
                "ARGUMENT",
                Grpc::InvalidArgument,
                400,
                "BadArgumentError",
                "BadArgumentError",
            ),
            Self::NotFound => (
                "NOT_FOUND",
                Grpc::NotFound,
                404,
                "PathNotFoundError",
                "WorkspaceNotFoundError",
            ),
            Self::Unauthenticated => (
                "UNAUTHENTICATED",
                Grpc::Unauthenticated,
                401,
                "AuthorizationRequiredError",
                "AuthenticationFailed",
            ),
            Self::Forbidden => (
                "FORBIDDEN",
                Grpc::PermissionDenied,
                403,
                "InsufficientAccessError",
                "InsufficientAccessError",
            ),
            Self::Conflict => (
                "CONFLICT",
                Grpc::FailedPrecondition,
                409,
                "Conflict",
                "Conflict",
            ),
            Self::Timeout => (
                "TIMEOUT",
                Grpc::DeadlineExceeded,
                504,
                "GatewayTimeout",
                "GatewayTimeout",
            ),
            Self::Resources => (
                "RESOURCES",
                Grpc::ResourceExhausted,
                400,
                "BadArgumentError",
                "QueryLimitsExceededError",
            ),
            Self::Throttled => (
                "THROTTLED",
                Grpc::ResourceExhausted,
                429,
                "ThrottledError",
                "ThrottledError",
            ),
            Self::Unavailable => (
                "UNAVAILABLE",
                Grpc::Unavailable,
                503,
                "ServiceUnavailableError",
                "ShardUnavailableError",
            ),
            Self::Cancelled => ("CANCELLED", Grpc::Cancelled, 499, "Cancelled", "Cancelled"),
            Self::Internal => (
                "INTERNAL",
                Grpc::Internal,
                500,
                "InternalServerError",
                "InternalServerError",
            ),
        };
        Names {
            reason,
            grpc,
            http,
            azure,
            azure_inner,
        }
    }

    fn of(status: &Status, reason: &str) -> Self {
        let by_reason = CODES.into_iter().find(|code| code.names().reason == reason);
        by_reason.unwrap_or_else(|| match status.code() {
            tonic::Code::InvalidArgument => Self::Argument,
            tonic::Code::OutOfRange => Self::Evaluation,
            tonic::Code::NotFound => Self::NotFound,
            tonic::Code::Unauthenticated => Self::Unauthenticated,
            tonic::Code::PermissionDenied => Self::Forbidden,
            tonic::Code::AlreadyExists | tonic::Code::FailedPrecondition => Self::Conflict,
            tonic::Code::DeadlineExceeded => Self::Timeout,
            tonic::Code::ResourceExhausted => Self::Throttled,
            tonic::Code::Unavailable => Self::Unavailable,
            tonic::Code::Cancelled => Self::Cancelled,
            _ => Self::Internal,
        })
    }
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What kind.
    pub code: Code,
    /// For people: lower case, no final full stop.
    pub message: String,
    /// What is wrong with the query, if it is the query.
    pub diagnostics: Vec<v1::Diagnostic>,
    /// When a retry may succeed.
    pub retry_after: Option<Duration>,
}

impl Failure {
    /// A failure that is not about the query's text.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            diagnostics: Vec::new(),
            retry_after: None,
        }
    }

    /// What is wrong with a query, drawn on its text.
    pub fn query(source: &str, diagnostics: &[kql::Diagnostic]) -> Self {
        let first = diagnostics.first();
        let syntax = first.is_some_and(|diagnostic| diagnostic.code.is_syntax());
        Self {
            code: if syntax { Code::Syntax } else { Code::Semantic },
            message: first.map(kql::Diagnostic::one_line).unwrap_or_default(),
            diagnostics: diagnostics
                .iter()
                .take(DIAGNOSTICS_MAX)
                .map(|diagnostic| crate::convert::diagnostic(source, diagnostic))
                .collect(),
            retry_after: None,
        }
    }

    /// The finest name there is for what is wrong.
    pub fn reason(&self) -> &str {
        match self.diagnostics.first() {
            Some(diagnostic) => &diagnostic.code,
            None => self.code.names().reason,
        }
    }

    /// The failure behind a status, be it ours or the transport's.
    pub fn from_status(status: &Status) -> Self {
        let info = status
            .get_details_error_info()
            .filter(|info| info.domain == DOMAIN);
        let reason = info
            .as_ref()
            .and_then(|info| info.metadata.get("kind").cloned())
            .unwrap_or_default();
        let diagnostics = details(status)
            .iter()
            .find(|any| any.type_url == DIAGNOSTICS_TYPE)
            .and_then(|any| prost::Message::decode(any.value.as_slice()).ok())
            .map(|all: v1::Diagnostics| all.diagnostics)
            .unwrap_or_default();
        Self {
            code: Code::of(status, &reason),
            message: status.message().to_owned(),
            diagnostics,
            retry_after: status
                .get_details_retry_info()
                .and_then(|retry| retry.retry_delay),
        }
    }
}

fn details(status: &Status) -> Vec<Any> {
    let decoded: Result<tonic_types::pb::Status, _> = prost::Message::decode(status.details());
    decoded.map(|status| status.details).unwrap_or_default()
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let names = failure.code.names();
        let mut metadata = HashMap::from([("kind".to_owned(), names.reason.to_owned())]);
        if let Some(first) = failure.diagnostics.first() {
            metadata.insert("line".into(), first.line.to_string());
            metadata.insert("column".into(), first.column.to_string());
            metadata.insert("offset".into(), first.offset.to_string());
            metadata.insert("length".into(), first.length.to_string());
            metadata.insert("hint".into(), first.hint.clone());
        }
        let message = shorten(&failure.message);
        let mut details = vec![any(
            "type.googleapis.com/google.rpc.ErrorInfo",
            &tonic_types::pb::ErrorInfo::from(ErrorInfo::new(failure.reason(), DOMAIN, metadata)),
        )];
        if !failure.diagnostics.is_empty() {
            let violations = failure.diagnostics.iter().map(|diagnostic| {
                let (start, end) = (diagnostic.offset, diagnostic.offset + diagnostic.length);
                tonic_types::FieldViolation::new(
                    format!("kql[{start}..{end}]"),
                    format!("{}: {}", diagnostic.code, diagnostic.message),
                )
            });
            let request = tonic_types::BadRequest::new(violations.collect::<Vec<_>>());
            details.push(any(
                "type.googleapis.com/google.rpc.BadRequest",
                &tonic_types::pb::BadRequest::from(request),
            ));
            let diagnostics = v1::Diagnostics {
                diagnostics: failure.diagnostics,
            };
            details.push(any(DIAGNOSTICS_TYPE, &diagnostics));
        }
        if let Some(delay) = failure.retry_after {
            details.push(any(
                "type.googleapis.com/google.rpc.RetryInfo",
                &tonic_types::pb::RetryInfo::from(tonic_types::RetryInfo::new(Some(delay))),
            ));
        }
        let code = names.grpc as i32;
        let status = tonic_types::pb::Status {
            code,
            message: message.clone(),
            details,
        };
        Self::with_details(
            names.grpc,
            message,
            prost::Message::encode_to_vec(&status).into(),
        )
    }
}

fn any<M: prost::Message>(url: &str, message: &M) -> Any {
    Any {
        type_url: url.to_owned(),
        value: message.encode_to_vec(),
    }
}

fn shorten(message: &str) -> String {
    if message.len() <= MESSAGE_MAX {
        return message.to_owned();
    }
    let end = (0..=MESSAGE_MAX)
        .rev()
        .find(|at| message.is_char_boundary(*at))
        .unwrap_or(0);
    format!("{}…", &message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_wire() {
        for code in CODES {
            let failure = Failure {
                retry_after: Some(Duration::from_secs(7)),
                ..Failure::new(code, "shard `ws-1` does not answer")
            };
            assert_eq!(
                Failure::from_status(&Status::from(failure.clone())),
                failure
            );
        }
    }

    #[test]
    fn a_diagnostic_survives_the_wire_with_its_place() {
        let source = "AmlRunEvent\n| where Levl == 'x'";
        let span = kql::Span::new(20, 24);
        let diagnostic =
            kql::Diagnostic::error(kql::Code::UnknownColumn, span, "unknown column `Levl`")
                .with_hint("did you mean `Level`?");
        let failure = Failure::query(source, &[diagnostic]);
        let status = Status::from(failure.clone());
        let info = status.get_details_error_info().expect("an ErrorInfo");
        assert_eq!(info.reason, "SEM0100");
        assert_eq!(info.metadata["line"], "2");
        assert_eq!(info.metadata["column"], "9");
        let request = status.get_details_bad_request().expect("a BadRequest");
        assert_eq!(request.field_violations[0].field, "kql[20..24]");
        assert_eq!(Failure::from_status(&status), failure);
    }

    #[test]
    fn a_status_fits_in_a_header() {
        let source = "x".repeat(100_000);
        let message = "y".repeat(100_000);
        let span = kql::Span::new(10, 90_000);
        let diagnostic = kql::Diagnostic::error(kql::Code::Syntax, span, message);
        let status = Status::from(Failure::query(&source, &vec![diagnostic; 50]));
        assert!(
            status.details().len() < 24_000,
            "{}",
            status.details().len()
        );
    }
}
