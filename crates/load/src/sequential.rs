//! One request after the other on one connection, as in the published latency test.

use std::{
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use crate::{Connection, Measurement, Target, measurement::Stopwatch};

/// The body of an async function is compiled where it is first polled. As a trait object it is so here, as fast as this
/// crate is.
type Measuring<'a> = Pin<Box<dyn Future<Output = Measurement> + 'a>>;

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
    pub fn run<'a>(&'a mut self, requests: u64, on_answer: &'a dyn Fn()) -> Measuring<'a> {
        Box::pin(self.run_until(pending(), requests, on_answer))
    }

    /// Sends `requests` requests, or as many as can be answered within `time`. One that is cut off counts neither as a
    /// latency nor as a failure.
    pub fn run_within(&mut self, time: Duration, requests: u64) -> Measuring<'_> {
        Box::pin(async move {
            self.run_until(tokio::time::sleep(time), requests, &|| {})
                .await
        })
    }

    async fn run_until(
        &mut self,
        over: impl Future<Output = ()>,
        requests: u64,
        on_answer: &dyn Fn(),
    ) -> Measurement {
        let mut over = pin!(over);
        let mut measurement = Measurement::default();
        let reconnects = self.connection.reconnects();
        // Whatever keeps it from opening fails the first request as well, and is counted there.
        tokio::select! {
            biased;
            _ = self.connection.open() => {}
            () = &mut over => return measurement,
        }

        let stopwatch = Stopwatch::start();
        for _ in 0..requests {
            let outcome = tokio::select! {
                biased;
                outcome = self.connection.request() => outcome,
                () = &mut over => break,
            };
            measurement.record(stopwatch.elapsed(), outcome);
            on_answer();
        }
        stopwatch.stop(&mut measurement);
        measurement.reconnects = self.connection.reconnects() - reconnects;
        measurement
    }
}
