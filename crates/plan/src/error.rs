//! Why binding stopped.

use datafusion_common::DataFusionError;
use kql::{Code, Diagnostic, Span};

use crate::binder::Needs;

/// Binding stops at the first mistake, or at the first subplan whose rows it needs.
pub(crate) enum Stop {
    Diagnostic(Box<Diagnostic>),
    Needs(Box<Needs>),
}

pub(crate) type Result<T> = std::result::Result<T, Stop>;

impl From<Diagnostic> for Stop {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Diagnostic(Box::new(diagnostic))
    }
}

/// An error at a place.
pub(crate) fn error(code: Code, span: Span, message: impl Into<String>) -> Stop {
    Diagnostic::error(code, span, message).into()
}

/// An error at a place, with advice.
pub(crate) fn error_with_hint(
    code: Code,
    span: Span,
    message: impl Into<String>,
    hint: impl Into<String>,
) -> Stop {
    Diagnostic::error(code, span, message)
        .with_hint(hint)
        .into()
}

/// KQL that Loggia does not run.
pub(crate) fn unsupported(span: Span, what: impl std::fmt::Display) -> Stop {
    error(Code::Unsupported, span, format!("{what} is not supported"))
}

/// What DataFusion says of a plan, put at the place it is about.
pub(crate) trait At<T> {
    fn at(self, span: Span) -> Result<T>;
}

impl<T> At<T> for std::result::Result<T, DataFusionError> {
    fn at(self, span: Span) -> Result<T> {
        self.map_err(|e| {
            let message = match e.find_root() {
                DataFusionError::Execution(message) | DataFusionError::Plan(message) => {
                    message.clone()
                }
                other => other.strip_backtrace(),
            };
            error(Code::Semantic, span, message)
        })
    }
}
