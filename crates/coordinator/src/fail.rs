//! What DataFusion reports, as what callers understand.

use datafusion::arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use proto::failure::{Code, Failure};

/// A failure of running a query.
///
/// Functions report what they can't compute as `Execution`; storage and the network come as
/// `External`, the former as text once it has crossed the wire.
pub(crate) fn of(error: &DataFusionError) -> Failure {
    let root = root(error);
    let code = match root {
        DataFusionError::Execution(text) if is_overload(text) => Code::Unavailable,
        DataFusionError::Execution(_) => Code::Evaluation,
        DataFusionError::ArrowError(arrow, _) => of_arrow(arrow),
        DataFusionError::ResourcesExhausted(_) => Code::Resources,
        DataFusionError::External(_)
        | DataFusionError::IoError(_)
        | DataFusionError::ObjectStore(_)
        | DataFusionError::ParquetError(_) => Code::Unavailable,
        _ => Code::Internal,
    };
    Failure::new(code, message(root))
}

/// Whether a shard had too much to do to begin in time, which datafusion-distributed reports as any
/// other error of running a plan.
fn is_overload(text: &str) -> bool {
    text.contains("timed-out while waiting for the plan to be set")
}

/// The innermost error.
fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        DataFusionError::Collection(errors) => errors.first().map_or(error, root),
        DataFusionError::External(inner) => {
            inner.downcast_ref::<DataFusionError>().map_or(error, root)
        }
        DataFusionError::ArrowError(inner, _) => match inner.as_ref() {
            ArrowError::ExternalError(inner) => {
                inner.downcast_ref::<DataFusionError>().map_or(error, root)
            }
            _ => error,
        },
        _ => error,
    }
}

fn of_arrow(error: &ArrowError) -> Code {
    match error {
        ArrowError::ComputeError(_)
        | ArrowError::DivideByZero
        | ArrowError::ArithmeticOverflow(_)
        | ArrowError::CastError(_)
        | ArrowError::InvalidArgumentError(_) => Code::Evaluation,
        _ => Code::Internal,
    }
}

fn message(error: &DataFusionError) -> String {
    match error {
        DataFusionError::Execution(message) => message.clone(),
        DataFusionError::ResourcesExhausted(_) => {
            format!(
                "the query needs more memory than it may have: {}",
                error.message()
            )
        }
        DataFusionError::External(inner) => match inner.downcast_ref::<tonic::Status>() {
            Some(status) => format!("no answer: {}", status.message()),
            None => inner.to_string(),
        },
        error => error.strip_backtrace(),
    }
}
