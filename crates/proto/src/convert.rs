//! Between inner types and messages.

use std::time::Duration;

use crate::v1;

/// Longest text of a diagnostic, in characters.
const TEXT_MAX: usize = 600;

/// A diagnostic with its place in the query's text.
pub fn diagnostic(source: &str, diagnostic: &kql::Diagnostic) -> v1::Diagnostic {
    let place = kql::diagnostic::position(source, diagnostic.span.start);
    let text = |text: &str| text.chars().take(TEXT_MAX).collect::<String>();
    let shown = kql::Diagnostic {
        message: text(&diagnostic.message),
        ..diagnostic.clone()
    };
    let picture = kql::diagnostic::render(source, std::slice::from_ref(&shown));
    v1::Diagnostic {
        code: diagnostic.code.as_str().to_owned(),
        message: shown.message,
        hint: text(diagnostic.hint.as_deref().unwrap_or_default()),
        offset: diagnostic.span.start,
        length: diagnostic.span.end - diagnostic.span.start,
        line: place.line,
        column: place.column,
        picture,
    }
}

/// A time, in nanoseconds since 1970.
pub fn timestamp(nanos: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: nanos.div_euclid(1_000_000_000),
        nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).expect("less than a second"),
    }
}

/// A time in nanoseconds since 1970, if it can be counted so.
pub fn nanos(timestamp: &prost_types::Timestamp) -> Option<i64> {
    timestamp
        .seconds
        .checked_mul(1_000_000_000)?
        .checked_add(i64::from(timestamp.nanos))
}

/// A span of time.
pub fn duration(duration: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(duration).unwrap_or_default()
}

/// A length of time, which may be negative, in nanoseconds.
pub fn span(nanos: i64) -> prost_types::Duration {
    prost_types::Duration {
        seconds: nanos / 1_000_000_000,
        nanos: i32::try_from(nanos % 1_000_000_000).expect("less than a second"),
    }
}
