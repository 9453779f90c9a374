//! What callers saw of one architecture.

use std::sync::Arc;

use load::{Failures, Measurement, Target};

use super::super::lost_hits::Burst;
use crate::{
    columns,
    results::Row,
    warnings::{self, Warning},
};

/// What is called, and what callers saw.
pub(super) struct Called {
    pub(super) target: Arc<Target>,
    pub(super) sequential: Measurement,
    pub(super) closed_loop: Measurement,
    pub(super) burst: Option<Burst>,
}

impl Called {
    /// Nobody called yet.
    pub(super) fn not_yet(target: Arc<Target>) -> Self {
        Self {
            target,
            sequential: Measurement::default(),
            closed_loop: Measurement::default(),
            burst: None,
        }
    }

    /// Those of the requests that are timed. A burst is meant to be too much for some.
    pub(super) fn failures(&self) -> Failures {
        let mut all = self.sequential.failures.clone();
        all.merge(&self.closed_loop.failures, 0);
        all
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let mut all = warnings::of(&self.sequential);
        all.extend(warnings::of_closed_loop(&self.closed_loop));
        all
    }

    /// What the numbers of its row can't say.
    pub(super) fn remark(&self) -> &'static str {
        match self.sequential.latencies.count() {
            0 => "no request succeeded: nothing to compare",
            _ => "",
        }
    }

    /// Adds what was timed to a row.
    pub(super) fn beside(&self, row: Row) -> Row {
        row.latencies(&self.sequential).number(
            columns::REQUESTS_PER_SECOND,
            Some(self.closed_loop.requests_per_second()),
        )
    }
}
