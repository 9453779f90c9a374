//! Why a request failed: by status where there was an answer, by cause where there was none.

use std::{
    collections::BTreeMap,
    fmt,
    io::{self, ErrorKind},
};

use serde::{Deserialize, Serialize};

/// Of the process, and of the system.
const TOO_MANY_FILES: [i32; 2] = [
    rustix::io::Errno::MFILE.raw_os_error(),
    rustix::io::Errno::NFILE.raw_os_error(),
];

/// Why one request failed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// An answer with a status other than 2xx. Redirects are not followed.
    Status(u16),
    /// Nobody listens at the address.
    Refused,
    /// The connection was reset.
    Reset,
    /// The server closed the connection before its answer was complete.
    Closed,
    /// No complete answer within the timeout.
    TimedOut,
    /// An answer that is not HTTP.
    BadResponse,
    /// No secure connection: the TLS handshake failed, often because of the certificate.
    Tls,
    /// No way to the address.
    Unreachable,
    /// No connection was free in time: it was not sent.
    NotSent,
    /// No port of this machine is left for a further connection to the address.
    NoPort,
    /// This process may not open a further file or socket.
    TooManyFiles,
    /// Any other error of the operating system.
    Other,
}

impl Failure {
    /// Why a TLS handshake failed.
    pub(crate) fn of_tls(error: &io::Error) -> Self {
        match Self::of_io(error) {
            Self::Other => Self::Tls,
            failure => failure,
        }
    }

    /// What happened to a connection.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        let code = error.raw_os_error();
        if code.is_some_and(|code| TOO_MANY_FILES.contains(&code)) {
            return Self::TooManyFiles;
        }
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Self::Reset
            }
            ErrorKind::UnexpectedEof => Self::Closed,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::NetworkDown => {
                Self::Unreachable
            }
            ErrorKind::AddrNotAvailable | ErrorKind::AddrInUse => Self::NoPort,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Status(status) => return write!(out, "status {status}"),
            Self::Refused => "connection refused",
            Self::Reset => "connection reset",
            Self::Closed => "connection closed",
            Self::TimedOut => "timed out",
            Self::BadResponse => "bad response",
            Self::Tls => "TLS handshake failed",
            Self::Unreachable => "unreachable",
            Self::NotSent => "not sent in time",
            Self::NoPort => "no local port left",
            Self::TooManyFiles => "too many open files",
            Self::Other => "other error",
        })
    }
}

/// A request that failed, and what the answer said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRequest {
    /// Why it failed.
    pub failure: Failure,
    /// The `detail` of an answer that is a problem (RFC 9457).
    pub detail: Option<String>,
}

impl From<Failure> for FailedRequest {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            detail: None,
        }
    }
}

/// The failures of a measurement, each in the second after the start in which it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures(BTreeMap<(u64, Failure), u64>);

impl Failures {
    /// Adds a failure in the given second.
    pub fn record(&mut self, second: u64, failure: Failure) {
        self.add(second, failure, 1);
    }

    pub(crate) fn add(&mut self, second: u64, failure: Failure, count: u64) {
        *self.0.entry((second, failure)).or_default() += count;
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// How many of each status and cause.
    #[must_use]
    pub fn by_cause(&self) -> BTreeMap<Failure, u64> {
        let mut causes = BTreeMap::new();
        for (&(_, failure), count) in &self.0 {
            *causes.entry(failure).or_default() += count;
        }
        causes
    }

    /// How many of each status and cause in each second that had any.
    pub fn by_second(&self) -> impl Iterator<Item = (u64, Failure, u64)> + '_ {
        self.0
            .iter()
            .map(|(&(second, failure), &count)| (second, failure, count))
    }

    /// Adds the failures of `other`, which was measured `seconds` later.
    pub fn merge(&mut self, other: &Self, seconds: u64) {
        for (second, failure, count) in other.by_second() {
            self.add(second + seconds, failure, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_cause_and_by_second() {
        let mut failures = Failures::default();
        failures.record(0, Failure::Status(503));
        failures.record(0, Failure::Status(503));
        failures.record(2, Failure::Status(503));
        failures.record(2, Failure::Reset);
        assert_eq!(failures.count(), 4);
        assert_eq!(
            failures.by_cause(),
            BTreeMap::from([(Failure::Status(503), 3), (Failure::Reset, 1)])
        );
        assert_eq!(
            failures.by_second().collect::<Vec<_>>(),
            [
                (0, Failure::Status(503), 2),
                (2, Failure::Status(503), 1),
                (2, Failure::Reset, 1),
            ]
        );
    }

    #[test]
    fn failures_of_a_later_round_keep_their_place_in_time() {
        let mut failures = Failures::default();
        failures.record(0, Failure::Refused);
        failures.merge(&failures.clone(), 5);
        assert_eq!(
            failures.by_second().collect::<Vec<_>>(),
            [(0, Failure::Refused, 1), (5, Failure::Refused, 1)]
        );
    }
}
