//! What may be wrong with a measurement, said to whoever reads it.
//!
//! How many samples a percentile needs: the chance that all `n` samples lie below the true percentile `p` is `pⁿ`. While
//! that is above 5 %, not even the slowest sample bounds the percentile with 95 % confidence, so `n` has to be at least
//! ln 0.05 / ln p: 299 for p99 and 2,995 for p99.9 (S. S. Wilks, "Determination of sample sizes for setting tolerance
//! limits", Annals of Mathematical Statistics 12, 1941).

use std::fmt;

use load::{Measurement, OpenLoad, PERCENTILES};

/// The chance of being wrong that a percentile may have.
const MISS: f64 = 0.05;

/// From this share of the time on, the client's own thread is taken for the bottleneck.
const BUSY: f64 = 0.8;

/// From this share of the requests on, opening connections is part of what was measured.
const RECONNECTING: f64 = 0.01;

/// From this share of the requests on, the generator's own lateness is part of what was measured.
const GENERATOR_LATE: f64 = 0.01;

/// Something to know before believing a number.
#[derive(Clone, Debug, PartialEq)]
pub enum Warning {
    /// Too few samples for a percentile that is shown.
    FewSamples {
        /// The percentile, from 0 to 100.
        percentile: f64,
        /// How many there are.
        samples: u64,
        /// How many it needs.
        needed: u64,
    },
    /// The load's own thread had hardly any time left.
    ClientBusy {
        /// The share of the time in which it was busy, from 0 to 1.
        share: f64,
    },
    /// The server kept closing connections.
    Reconnects {
        /// How often a connection was opened again.
        reconnects: u64,
        /// Out of so many requests.
        requests: u64,
    },
    /// Requests of an open load left late, though there was a connection for them.
    GeneratorLate {
        /// How many left more than 1 ms late.
        late: u64,
        /// Out of so many that had a connection.
        requests: u64,
        /// How late one in a hundred left at least, in milliseconds.
        p99_ms: f64,
    },
    /// What the answers to requests that failed said.
    Failed {
        /// The answer's own words.
        detail: String,
        /// How many said so.
        count: u64,
    },
    /// Cold starts among invocations that were meant to be warm.
    ColdStarts {
        /// How many.
        cold: usize,
        /// Out of so many invocations.
        invocations: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewSamples {
                percentile,
                samples,
                needed,
            } => write!(
                out,
                "{samples} samples are too few for p{percentile}: chance decides it below {needed}"
            ),
            Self::ClientBusy { share } => write!(
                out,
                "the client was busy {:.0} % of the time: it may have been the bottleneck, not the server",
                share * 100.0
            ),
            Self::Reconnects {
                reconnects,
                requests,
            } => write!(
                out,
                "connections were opened again {reconnects} times in {requests} requests: the time to open them is in \
                 requests/s but in no latency"
            ),
            Self::GeneratorLate {
                late,
                requests,
                p99_ms,
            } => write!(
                out,
                "the generator was late, not the server: {late} of {requests} requests that had a connection left more \
                 than 1 ms after their time (p99 {p99_ms:.1} ms)"
            ),
            Self::Failed { detail, count } => {
                write!(out, "{count} failures, of which the answer said: {detail}")
            }
            Self::ColdStarts { cold, invocations } => write!(
                out,
                "{cold} of {invocations} invocations meant to be warm were cold starts"
            ),
        }
    }
}

/// What may be wrong with this measurement.
#[must_use]
pub fn of(measurement: &Measurement) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let samples = measurement.latencies.count();
    if samples > 0 {
        // Where p99 has too few, p99.9 has too few all the more: one warning says it.
        let first_too_few = PERCENTILES
            .into_iter()
            .find(|&percentile| samples < samples_needed(percentile));
        if let Some(percentile) = first_too_few {
            warnings.push(Warning::FewSamples {
                percentile,
                samples,
                needed: samples_needed(percentile),
            });
        }
    }
    let details = measurement.details.iter();
    warnings.extend(details.map(|(detail, &count)| Warning::Failed {
        detail: detail.clone(),
        count,
    }));
    let share = measurement.client_busy();
    if share >= BUSY {
        warnings.push(Warning::ClientBusy { share });
    }
    let (reconnects, requests) = (measurement.reconnects, measurement.requests());
    if reconnects > 0 && reconnects as f64 >= RECONNECTING * requests as f64 {
        warnings.push(Warning::Reconnects {
            reconnects,
            requests,
        });
    }
    warnings
}

/// The same for a closed loop that was given a time: how many samples it has is its result, not a flaw.
#[must_use]
pub fn of_closed_loop(measurement: &Measurement) -> Vec<Warning> {
    let mut warnings = of(measurement);
    warnings.retain(|warning| !matches!(warning, Warning::FewSamples { .. }));
    warnings
}

/// What may be wrong with an open load.
#[must_use]
pub fn of_open_load(load: &OpenLoad) -> Vec<Warning> {
    let mut warnings = of(&load.measurement);
    let (late, requests) = (load.late, load.lateness.count());
    if late > 0 && late as f64 >= GENERATOR_LATE * requests as f64 {
        let p99 = load.lateness.percentile(99.0).unwrap_or_default();
        warnings.push(Warning::GeneratorLate {
            late,
            requests,
            p99_ms: p99.as_secs_f64() * 1e3,
        });
    }
    warnings
}

/// The samples below which chance decides the percentile, from 0 to 100.
#[must_use]
pub fn samples_needed(percentile: f64) -> u64 {
    (MISS.ln() / (percentile / 100.0).ln()).ceil() as u64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn measurement(samples: u64) -> Measurement {
        Measurement {
            latencies: (0..samples).map(Duration::from_micros).collect(),
            elapsed: Duration::from_secs(1),
            ..Measurement::default()
        }
    }

    fn texts(measurement: &Measurement) -> Vec<String> {
        of(measurement).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_samples_needed_are_those_of_wilks() {
        assert_eq!(samples_needed(50.0), 5);
        assert_eq!(samples_needed(99.0), 299);
        assert_eq!(samples_needed(99.9), 2_995);
    }

    #[test]
    fn a_large_and_calm_measurement_has_no_warning() {
        assert_eq!(of(&measurement(2_995)), []);
    }

    #[test]
    fn a_sample_too_small_for_a_percentile_is_told() {
        assert_eq!(
            texts(&measurement(1_000)),
            ["1000 samples are too few for p99.9: chance decides it below 2995"]
        );
        assert_eq!(
            texts(&measurement(100)),
            ["100 samples are too few for p99: chance decides it below 299"]
        );
    }

    #[test]
    fn a_busy_client_is_told() {
        let mut measurement = measurement(3_000);
        measurement.client_cpu = Duration::from_millis(930);
        assert_eq!(
            texts(&measurement),
            [
                "the client was busy 93 % of the time: it may have been the bottleneck, not the server"
            ]
        );
    }

    #[test]
    fn a_server_that_closes_its_connections_is_told() {
        let mut measurement = measurement(3_000);
        measurement.reconnects = 30;
        assert!(texts(&measurement)[0].contains("opened again 30 times in 3000 requests"));
        measurement.reconnects = 29;
        assert_eq!(of(&measurement), []);
    }

    #[test]
    fn a_generator_that_is_late_is_told_apart_from_a_server_that_is() {
        let mut load = OpenLoad {
            measurement: measurement(3_000),
            lateness: (0..1_000).map(Duration::from_micros).collect(),
            late: 9,
            ..OpenLoad::default()
        };
        assert_eq!(of_open_load(&load), []);
        load.late = 10;
        let texts: Vec<_> = of_open_load(&load)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            texts,
            [
                "the generator was late, not the server: 10 of 1000 requests that had a connection left more than 1 ms \
                 after their time (p99 1.0 ms)"
            ]
        );
    }

    #[test]
    fn no_samples_are_no_warning_but_failures() {
        assert_eq!(of(&measurement(0)), []);
    }
}
