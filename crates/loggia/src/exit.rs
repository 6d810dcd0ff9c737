//! How a command ends.

use std::process::ExitCode;

use proto::failure::{Code, Failure};

/// Why a command did not succeed. `clap` itself exits with 2 where the command line is wrong.
#[derive(Debug)]
pub(crate) struct Exit {
    status: u8,
    /// What stands on stderr.
    message: String,
}

impl Exit {
    /// Anything that has no status of its own.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self {
            status: 1,
            message: message.into(),
        }
    }

    /// The query is wrong.
    pub(crate) fn query(message: impl Into<String>) -> Self {
        Self {
            status: 3,
            message: message.into(),
        }
    }

    /// The answer, or what was taken, is incomplete.
    pub(crate) fn partial(message: impl Into<String>) -> Self {
        Self {
            status: 4,
            message: message.into(),
        }
    }

    /// The server can't be reached, or can't answer now.
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self {
            status: 5,
            message: message.into(),
        }
    }

    #[expect(clippy::print_stderr, reason = "this is where errors are shown")]
    pub(crate) fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("{}", self.message.trim_end());
        }
        ExitCode::from(self.status)
    }
}

impl From<Failure> for Exit {
    fn from(failure: Failure) -> Self {
        if !failure.diagnostics.is_empty() {
            let pictures = failure
                .diagnostics
                .iter()
                .map(|d| d.picture.trim_end().to_owned());
            return Self::query(pictures.collect::<Vec<_>>().join("\n\n"));
        }
        let message = format!("error: {}", failure.message);
        match failure.code {
            Code::Evaluation => Self::query(message),
            Code::Unavailable | Code::Timeout | Code::Throttled => Self::unavailable(message),
            _ => Self::other(message),
        }
    }
}

impl From<tonic::Status> for Exit {
    fn from(status: tonic::Status) -> Self {
        Failure::from_status(&status).into()
    }
}
