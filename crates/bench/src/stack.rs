//! The stack that all is measured on, and calling it.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use latency::{
    cli::{DatabaseOptions, DistanceOptions, Template},
    database,
    package::zipped_bytes,
    reports::Reports,
};
use load::{
    Connection, Failure, Latencies, Measurement, Target, Work, closed_loop, on_its_own_thread,
};
use local_lambda::{HostSettings, Report};
use local_stack::{Distances, Settings, Stack};
use tokio::time::{Instant, sleep_until};

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
};

pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Requests before each turn that are not counted.
pub(crate) const WARM_UP: u64 = 10;

/// The template's stack with the reports of its invocations.
pub(crate) struct Served {
    pub(crate) stack: Stack,
    reports: Reports,
    peak_memory_bytes: BTreeMap<String, u64>,
}

impl Served {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::start_with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> anyhow::Result<Self> {
        let (reports, on_report) = Reports::new();
        let template = Template {
            template: "template.yaml".into(),
            parameters: [("Database", "aurora"), ("Baselines", "all")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            database: DatabaseOptions {
                rows: None,
                database_url: None,
            },
            distances: DistanceOptions::default(),
        };
        let mut settings = Settings {
            database: database::settings(&template).await?,
            template: template.template,
            parameters: template.parameters.into_iter().collect(),
            port: 0,
            host: HostSettings {
                on_report: Some(on_report),
                ..HostSettings::default()
            },
            ministack: backends::ministack::find_program(Path::new("."))?,
            tools: local_stack::find_tools(Path::new("."))?,
            durable: false,
            distances: Distances::default(),
        };
        change(&mut settings);
        let stack = Stack::start(settings).await?;
        Ok(Self {
            stack,
            reports,
            peak_memory_bytes: BTreeMap::new(),
        })
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.stack.stop().await?)
    }

    /// The variables of a function.
    pub(crate) fn environment(&self, function: &str) -> anyhow::Result<&BTreeMap<String, String>> {
        let environment = self.stack.environment(function);
        environment.with_context(|| format!("there is no function {function}"))
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stack.url())
    }

    fn remember_memory(&mut self, report: &Report) {
        let function = report.function.clone();
        let peak = self.peak_memory_bytes.entry(function).or_default();
        *peak = report.max_memory_used_bytes.max(*peak);
    }

    /// The reports since the last time.
    pub(crate) async fn take_reports(&mut self) -> Vec<Report> {
        let reports = self.reports.take(self.stack.host()).await;
        for report in &reports {
            self.remember_memory(report);
        }
        reports
    }

    /// Peak memory over everything measured so far, and the size of the packages.
    pub(crate) async fn footprints(&mut self) -> anyhow::Result<Vec<Measured>> {
        self.take_reports().await;
        let counters = || {
            self.stack
                .functions()
                .iter()
                .filter(|function| function.name.starts_with("counter-"))
        };
        let memory = counters().map(|function| {
            let peak = self
                .peak_memory_bytes
                .get(&function.name)
                .copied()
                .unwrap_or(u64::MAX);
            Ok(Measured::megabytes(
                format!("{}: peak memory, MB", function.name),
                peak,
                Bar::AtMost(8.0),
            ))
        });
        let packages = counters().map(|function| {
            let bytes = zipped_bytes(&function.directory)
                .with_context(|| format!("{} can't be read", function.directory.display()))?;
            Ok(Measured::megabytes(
                format!("{}: zip, MB", function.name),
                bytes,
                Bar::AtMost(3.5),
            ))
        });
        memory.chain(packages).collect()
    }
}

/// One request after the other on one connection, on a thread of its own.
pub(crate) async fn sequential(url: &str, requests: u64) -> anyhow::Result<Latencies> {
    let target = Arc::new(Target::resolve(&url.parse()?, TIMEOUT).await?);
    on_its_own_thread(move || async move {
        turn(&mut Connection::new(target), requests, Duration::ZERO).await
    })
    .await?
    .map_err(|failure| anyhow::anyhow!("{url}: {failure}"))
}

/// Two URLs in turns of so many requests, each on a connection that stays open: the ratios of their medians.
pub(crate) async fn in_turns(
    urls: [&str; 2],
    turns: usize,
    requests: u64,
) -> anyhow::Result<Ratios> {
    let a = Arc::new(Target::resolve(&urls[0].parse()?, TIMEOUT).await?);
    let b = Arc::new(Target::resolve(&urls[1].parse()?, TIMEOUT).await?);
    on_its_own_thread(move || async move {
        let (mut a, mut b) = (Connection::new(a), Connection::new(b));
        let mut ratios = Ratios::default();
        for _ in 0..turns {
            let (a, b) = (
                turn(&mut a, requests, Duration::ZERO).await?,
                turn(&mut b, requests, Duration::ZERO).await?,
            );
            ratios.add(p50(&a) / p50(&b));
        }
        Ok(ratios)
    })
    .await?
    .map_err(|failure: Failure| anyhow::anyhow!("{urls:?}: {failure}"))
}

/// Requests of one turn, after some that are not counted.
pub(crate) async fn turn(
    connection: &mut Connection,
    requests: u64,
    spacing: Duration,
) -> Result<Latencies, Failure> {
    let mut latencies = Latencies::new();
    let mut next = Instant::now();
    for at in 0..WARM_UP + requests {
        if !spacing.is_zero() {
            sleep_until(next).await;
            next = Instant::now() + spacing;
        }
        let latency = connection.request().await;
        let latency = latency.map_err(|failed| failed.failure)?;
        if at >= WARM_UP {
            latencies.record(latency);
        }
    }
    Ok(latencies)
}

/// A closed loop on a thread of its own. Failures are an error.
pub(crate) async fn loaded(
    url: &str,
    connections: usize,
    time: Duration,
) -> anyhow::Result<Measurement> {
    let target = Arc::new(Target::resolve(&url.parse()?, TIMEOUT).await?);
    let measurement =
        on_its_own_thread(move || closed_loop(target, connections, Work::For(time), || {})).await?;
    anyhow::ensure!(
        measurement.failures.count() == 0,
        "{url}: {} requests failed",
        measurement.failures.count()
    );
    Ok(measurement)
}

/// The median in nanoseconds.
pub(crate) fn p50(latencies: &Latencies) -> f64 {
    latencies
        .percentile(50.0)
        .map_or(f64::NAN, |p50| p50.as_nanos() as f64)
}
