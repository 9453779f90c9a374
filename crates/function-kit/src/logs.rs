//! Logs: one JSON object a line on the standard output, as CloudWatch Logs Insights reads them.

use std::{env, error::Error, fmt};

use tracing::level_filters::LevelFilter;

/// Sends the function's logs to the standard output.
///
/// Every line of an invocation carries the request id, in the span that the runtime opens for it:
/// `{"timestamp":…,"level":"ERROR","message":…,"spans":[{"requestId":…}]}`. The level is `AWS_LAMBDA_LOG_LEVEL`, which
/// Lambda sets from the function's logging configuration, or INFO.
pub fn init() {
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_max_level(level(env::var("AWS_LAMBDA_LOG_LEVEL").ok().as_deref()))
        .init();
}

/// Shows an error and all its causes on one line: `S3 is unavailable: dispatch failure: connection refused`.
#[derive(Clone, Copy, Debug)]
pub struct Causes<'a>(pub &'a dyn Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.0)?;
        let mut error = self.0;
        while let Some(cause) = error.source() {
            write!(out, ": {cause}")?;
            error = cause;
        }
        Ok(())
    }
}

fn level(name: Option<&str>) -> LevelFilter {
    match name {
        Some(fatal) if fatal.eq_ignore_ascii_case("fatal") => LevelFilter::ERROR,
        Some(name) => name.parse().unwrap_or(LevelFilter::INFO),
        None => LevelFilter::INFO,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_is_shown_with_its_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("no answer")]
        struct NoAnswer(#[source] io::Error);
        let error = NoAnswer(io::Error::other("reset"));
        assert_eq!(Causes(&error).to_string(), "no answer: reset");
    }

    #[test]
    fn the_levels_are_lambdas_own() {
        assert_eq!(level(Some("WARN")), LevelFilter::WARN);
        assert_eq!(level(Some("debug")), LevelFilter::DEBUG);
        assert_eq!(level(Some("FATAL")), LevelFilter::ERROR);
    }

    #[test]
    fn without_a_level_it_is_info() {
        assert_eq!(level(None), LevelFilter::INFO);
        assert_eq!(level(Some("loud")), LevelFilter::INFO);
    }
}
