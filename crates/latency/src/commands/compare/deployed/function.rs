//! One function of a deployed stack, and what was found.

use std::{collections::BTreeMap, time::Duration};

use load::{Failures, Latencies, Measurement, Url};

use super::super::{
    super::deployed::{StackFunction, front_door, http_api_event, is_success},
    lost_hits::{self, Burst},
};
use crate::{
    aws::{self, Aws, ReportLine},
    columns,
    cost::{self, Architecture, Cost, Prices, Usage},
    results::Row,
    warnings::{self, Warning},
};

/// Direct invocations of each function, for their reports. The first one may be a cold start.
pub(super) const INVOCATIONS: u64 = 10;

/// A function, and what was found.
pub(super) struct DeployedFunction {
    pub(super) name: String,
    /// Its name in Lambda.
    function: String,
    pub(super) url: Url,
    architecture: Option<Architecture>,
    reports: Vec<ReportLine>,
    pub(super) sequential: Measurement,
    /// Only this machine calls on several connections.
    pub(super) closed_loop: Option<Measurement>,
    pub(super) burst: Option<Burst>,
}

impl DeployedFunction {
    /// Nothing is known of it yet.
    pub(super) fn new(function: StackFunction) -> Self {
        Self {
            name: function.name,
            function: function.function,
            url: function.url,
            architecture: None,
            reports: Vec::new(),
            sequential: Measurement::default(),
            closed_loop: None,
            burst: None,
        }
    }

    /// Invokes the function a few times and keeps what Lambda reports, and asks what it runs on.
    ///
    /// An error leaves what was learned before it.
    pub(super) async fn look_at(&mut self, aws: &Aws) -> Result<(), aws::Error> {
        let event = http_api_event(&self.url);
        for _ in 0..INVOCATIONS {
            let invocation = aws.invoke(&self.function, event.clone()).await?;
            if is_success(&invocation.payload) {
                self.reports.extend(invocation.report);
            }
        }
        self.architecture = Some(aws.architecture(&self.function).await?);
        Ok(())
    }

    pub(super) fn failures(&self) -> Failures {
        let mut all = self.sequential.failures.clone();
        if let Some(closed_loop) = &self.closed_loop {
            all.merge(&closed_loop.failures, 0);
        }
        all
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
        let mut all = warnings::of(&self.sequential);
        all.extend(self.closed_loop.iter().flat_map(warnings::of_closed_loop));
        all
    }

    /// The mean of what was billed, without the cold starts.
    fn billed_duration(&self) -> Option<Duration> {
        let warm = self.reports.iter();
        let warm = warm.filter(|report| report.init_duration.is_none());
        let billed: Latencies = warm.map(|report| report.billed_duration).collect();
        billed.mean()
    }

    /// Without what the function's calls to AWS services cost: nobody counts them there.
    pub(super) fn cost(&self, prices: &Prices) -> anyhow::Result<Option<Cost>> {
        let known = || {
            Some(Usage {
                front_door: front_door(&self.url)?,
                architecture: self.architecture?,
                memory_mb: self.reports.first()?.memory_mb,
                billed_duration: self.billed_duration()?,
                api_calls: BTreeMap::new(),
            })
        };
        let cost = known().map(|usage| cost::per_million(&usage, prices));
        Ok(cost.transpose()?)
    }

    pub(super) fn row(&self, cost: Option<Cost>) -> Row {
        let init: Latencies = self
            .reports
            .iter()
            .filter_map(|report| report.init_duration)
            .collect();
        let peak = self
            .reports
            .iter()
            .map(|report| report.max_memory_used_mb)
            .max();
        let row = Row::default()
            .text(columns::ARCHITECTURE, &self.name)
            .latencies(&self.sequential)
            .number(
                columns::REQUESTS_PER_SECOND,
                self.closed_loop
                    .as_ref()
                    .map(Measurement::requests_per_second),
            );
        lost_hits::beside(row, self.burst)
            .failures(&self.failures())
            .milliseconds(columns::INIT_MS, init.percentile(50.0))
            .milliseconds(columns::BILLED_MS, self.billed_duration())
            .number(columns::PEAK_MEMORY_MB, peak.map(f64::from))
            .number(
                columns::USD_PER_MILLION_WITHOUT_API_CALLS,
                cost.map(|cost| cost.total()),
            )
    }
}
