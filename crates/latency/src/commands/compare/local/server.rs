//! One server of the template, and what was found.

use std::time::Duration;

use local_stack::Server;

use super::{super::lost_hits, called::Called};
use crate::{
    columns,
    cost::{Monthly, Prices, per_month},
    model::{Model, Waiting},
    results::{Row, megabytes},
};

/// A server, and what was measured of it.
pub(super) struct MeasuredServer<'a> {
    pub(super) server: &'a Server,
    pub(super) called: Called,
}

impl MeasuredServer<'_> {
    /// What it costs in a month: nothing more for a call.
    pub(super) fn monthly(&self, prices: &Prices) -> anyhow::Result<Monthly> {
        let items = self.server.paid_by_the_hour().iter();
        let items = items.map(|(item, units)| (item.as_str(), *units));
        Ok(Monthly {
            by_the_hour: per_month(items, prices)?,
            per_million: 0.0,
        })
    }

    /// What was measured here, in a row with the columns of a function's.
    pub(super) fn row(&self, like: Row) -> Row {
        let row = like.without_values();
        let row = row.text(columns::ARCHITECTURE, self.server.name());
        let ids = self.server.process_ids().into_iter();
        let peak: Option<u64> = ids.map(local_lambda::peak_memory).sum();
        lost_hits::beside(self.called.beside(row), self.called.burst)
            .failures(&self.called.failures())
            .milliseconds(columns::INIT_MS, Some(self.server.started_in()))
            .number(columns::PEAK_MEMORY_MB, peak.map(megabytes))
    }

    /// Adds what its callers would see in the Region: their way there and back, what it takes here, and what it waits for there.
    pub(super) fn modelled(&self, row: Row, model: &Model, waiting: Waiting) -> Row {
        let latencies = &self.called.sequential.latencies;
        let there = |here: Option<Duration>, waiting: f64| {
            here.map(|here| here.as_secs_f64() * 1e3 + model.round_trip_ms() + waiting)
        };
        let percentile = |percent| latencies.percentile(percent);
        row.number(
            columns::MODELLED_MEAN_MS,
            there(latencies.mean(), waiting.mean),
        )
        .number(
            columns::MODELLED_P50_MS,
            there(percentile(50.0), waiting.p50),
        )
        .number(
            columns::MODELLED_P99_MS,
            there(percentile(99.0), waiting.p99),
        )
    }
}
