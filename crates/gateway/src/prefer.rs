//! The `Prefer` header.
//!
//! <https://learn.microsoft.com/azure/azure-monitor/logs/api/timeouts>

use std::time::Duration;

/// Longest time that a caller may ask for, in seconds.
const WAIT_MAX: u64 = 600;

/// What a caller prefers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Prefer {
    pub(crate) wait: Option<Duration>,
    pub(crate) statistics: bool,
    pub(crate) render: bool,
    pub(crate) data_sources: bool,
}

/// Reads the header, which may be empty. Unknown preferences are left aside, as RFC 7240 says.
pub(crate) fn parse(text: &str) -> Result<Prefer, String> {
    let mut prefer = Prefer::default();
    for preference in text.split([',', ';']) {
        let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
        let (name, value) = (
            name.trim().to_ascii_lowercase(),
            value.trim().trim_matches('"'),
        );
        let on = || value.is_empty() || value.eq_ignore_ascii_case("true");
        match name.as_str() {
            "wait" => {
                let seconds = value
                    .parse()
                    .ok()
                    .filter(|wait| (1..=WAIT_MAX).contains(wait));
                let seconds = seconds.ok_or_else(|| {
                    format!("`Prefer: wait` takes 1 to {WAIT_MAX} seconds, not `{value}`")
                })?;
                prefer.wait = Some(Duration::from_secs(seconds));
            }
            "include-statistics" => prefer.statistics = on(),
            "include-render" => prefer.render = on(),
            "include-datasources" => prefer.data_sources = on(),
            _ => {}
        }
    }
    Ok(prefer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sdks_send() {
        assert_eq!(parse(""), Ok(Prefer::default()));
        let all = parse("wait=30,include-statistics=true,include-render=true").expect("it is fine");
        assert_eq!(all.wait, Some(Duration::from_secs(30)));
        assert!(all.statistics && all.render);
        assert!(
            !parse("include-statistics=false")
                .expect("it is fine")
                .statistics
        );
        assert!(parse("wait=601").is_err());
        assert!(parse("wait=soon").is_err());
        assert_eq!(parse("respond-async, foo=bar"), Ok(Prefer::default()));
    }
}
