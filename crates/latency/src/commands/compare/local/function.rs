//! One function of the template, and what was found.

use std::time::Duration;

use load::Failures;
use local_lambda::Report;
use local_stack::ServedFunction;
use region::Estimate;

use super::{
    super::{
        super::{metered::Metered, stack::ColdStarts},
        lost_hits,
    },
    called::Called,
};
use crate::{
    columns,
    cost::{self, Cost, Monthly, Prices, Usage},
    model::Model,
    results::{Row, megabytes},
    warnings::Warning,
};

/// A function, and what was measured of it.
pub(super) struct Measured<'a> {
    pub(super) function: &'a ServedFunction,
    pub(super) path: &'a str,
    pub(super) called: Called,
    pub(super) cold: ColdStarts,
    pub(super) reports: Vec<Report>,
    pub(super) metered: Metered,
}

impl<'a> Measured<'a> {
    /// Nothing is measured yet.
    pub(super) fn nothing(function: &'a ServedFunction, path: &'a str, called: Called) -> Self {
        Self {
            function,
            path,
            called,
            cold: ColdStarts::default(),
            reports: Vec::new(),
            metered: Metered::default(),
        }
    }

    pub(super) fn failures(&self) -> Failures {
        let mut all = self.called.failures();
        for measurement in [&self.cold.first, &self.cold.warm, &self.metered.measurement] {
            all.merge(&measurement.failures, 0);
        }
        all
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let mut all = self.called.warnings();
        let cold = self.reports.len() - self.warm_reports().count();
        if cold > 0 {
            all.push(Warning::ColdStarts {
                cold,
                invocations: self.reports.len(),
            });
        }
        all
    }

    fn warm_reports(&self) -> impl Iterator<Item = &Report> {
        self.reports
            .iter()
            .filter(|report| report.init_duration.is_none())
    }

    /// The mean of what was billed, without the cold starts.
    fn billed_duration(&self) -> Option<Duration> {
        let invocations = self.warm_reports().count();
        let billed: Duration = self
            .warm_reports()
            .map(|report| report.billed_duration)
            .sum();
        (invocations > 0).then(|| billed.div_f64(invocations as f64))
    }

    fn peak_memory_bytes(&self) -> u64 {
        let warm = self
            .reports
            .iter()
            .map(|report| report.max_memory_used_bytes);
        warm.max()
            .unwrap_or_default()
            .max(self.cold.peak_memory_bytes)
    }

    /// What callers would see in the model's Region.
    pub(super) fn estimate(&self, model: &Model) -> Result<Estimate, region::Error> {
        let ServedFunction {
            memory_mb,
            architecture,
            ..
        } = *self.function;
        model.estimate(&self.metered.recorded, memory_mb, architecture)
    }

    /// What a million calls would cost if they took as long as here.
    pub(super) fn cost(&self, prices: &Prices) -> anyhow::Result<Cost> {
        let billed_duration = self
            .billed_duration()
            .ok_or_else(|| anyhow::anyhow!("no warm invocation was reported: no cost"))?;
        Ok(cost::per_million(&self.usage(billed_duration), prices)?)
    }

    fn usage(&self, billed_duration: Duration) -> Usage {
        let ServedFunction {
            memory_mb,
            architecture,
            ..
        } = *self.function;
        self.metered.usage(architecture, memory_mb, billed_duration)
    }

    /// What was measured here.
    pub(super) fn row(&self, cost: Option<Cost>) -> Row {
        let row = Row::default().text(columns::ARCHITECTURE, &self.function.name);
        lost_hits::beside(self.called.beside(row), self.called.burst)
            .failures(&self.failures())
            .milliseconds(columns::INIT_MS, self.cold.init.percentile(50.0))
            .milliseconds(columns::BILLED_MS, self.billed_duration())
            .number(
                columns::PEAK_MEMORY_MB,
                Some(megabytes(self.peak_memory_bytes())),
            )
            .number(columns::USD_PER_MILLION, cost.map(|cost| cost.total()))
    }

    /// What it would cost in a month, if every call it makes has a price.
    pub(super) fn monthly(
        &self,
        estimate: Option<&Estimate>,
        prices: &Prices,
    ) -> anyhow::Result<Option<Monthly>> {
        let billed = estimate.map(|it| Duration::from_secs_f64(it.billed_mean / 1e3));
        let cost = billed.and_then(|billed| cost::per_million(&self.usage(billed), prices).ok());
        let services = self.metered.calls.keys().map(|(service, _)| &**service);
        let by_the_hour = cost::backends_per_month(services, prices)?;
        Ok(cost.map(|cost| Monthly {
            by_the_hour,
            per_million: cost.total(),
        }))
    }
}
