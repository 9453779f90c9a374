//! One request after the other on one connection, as in the published latency test.

use std::sync::Arc;

use crate::{Connection, Measurement, Target, measurement::Stopwatch};

/// A sequence of requests. It can be run in rounds, with other work in between.
pub struct Sequential {
    connection: Connection,
}

impl Sequential {
    /// A sequence of requests to the target.
    #[must_use]
    pub fn new(target: Arc<Target>) -> Self {
        Self {
            connection: Connection::new(target),
        }
    }

    /// Sends `requests` requests, and calls `on_answer` after each.
    pub async fn run(&mut self, requests: u64, on_answer: &impl Fn()) -> Measurement {
        let mut measurement = Measurement::default();
        let reconnects = self.connection.reconnects();
        // Whatever keeps it from opening fails the first request as well, and is counted there.
        let _ = self.connection.open().await;

        let stopwatch = Stopwatch::start();
        for _ in 0..requests {
            let outcome = self.connection.request().await;
            measurement.record(stopwatch.elapsed(), outcome);
            on_answer();
        }
        stopwatch.stop(&mut measurement);
        measurement.reconnects = self.connection.reconnects() - reconnects;
        measurement
    }
}
