//! A deployed function, invoked with each memory size.

use std::time::{Duration, SystemTime};

use load::Latencies;

use super::{
    super::deployed::{
        COST_NOTE, StackFunction, front_door, functions, http_api_event, is_success,
    },
    memory_sizes::{Subject, Version, with_versions},
    patience::{Patience, is_busy},
};
use crate::{
    BadInput,
    aws::{Aws, Error, ReportLine},
    cli::Tune,
    columns,
    cost::{self, Cost, Prices, Processor, Usage},
    interrupt::Interrupts,
    output::Progress,
    results::{Column, Results, Row, Table},
    warnings::{Warning, samples_needed},
};

/// What decides between memory sizes.
const DECIDING: &[Column] = &[
    columns::MEMORY_MB,
    columns::MEAN_MS,
    columns::P50_MS,
    columns::P99_MS,
    columns::BILLED_MS,
    columns::INIT_MS,
    columns::USD_PER_MILLION_WITHOUT_API_CALLS,
    columns::FAILURES,
];

/// How long a throttled invocation is tried.
const THROTTLED_FOR: Duration = Duration::from_secs(30);

/// What a function does with a memory size.
#[derive(Debug, Default)]
pub(crate) struct AtMemorySize {
    /// The memory size in MB.
    pub(crate) memory_mb: u32,
    /// The durations of the invocations that were no cold start.
    pub(crate) warm: Latencies,
    /// The mean of what was billed for them.
    pub(crate) billed: Option<Duration>,
    /// The init phase of the first invocation, if that was a cold start.
    pub(crate) init: Option<Duration>,
    /// The duration of that invocation, without the init phase.
    pub(crate) first: Option<Duration>,
    /// Invocations that failed, or answered no 2xx.
    pub(crate) failures: u64,
}

/// What came of an invocation.
enum Invoked {
    Reported(ReportLine),
    /// It succeeded, but the tail of its log has no report.
    Unreported,
    Failed,
}

/// The invocations of one version.
struct Invocations {
    version: Version,
    first: Option<ReportLine>,
    warm: Vec<ReportLine>,
    later_cold: usize,
    unreported: usize,
    failures: u64,
}

pub(super) async fn run(
    arguments: &Tune,
    memory_sizes: &[u32],
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    let measured_at = SystemTime::now();
    let (aws, function, processor) = interrupts.during(found(arguments)).await?;
    let subject = Subject {
        aws: &aws,
        name: &function.name,
        function: &function.function,
    };
    let invoked = with_versions(&subject, memory_sizes, interrupts, async |versions| {
        invoke(&subject, &function, versions, arguments).await
    });
    results(
        arguments,
        measured_at,
        &function,
        processor,
        &invoked.await?,
    )
}

async fn found(arguments: &Tune) -> anyhow::Result<(Aws, StackFunction, Processor)> {
    let aws = Aws::load().await?;
    let functions = functions(&aws, &arguments.stack).await?;
    let function = named(functions, arguments)?;
    let processor = aws.processor(&function.function).await?;
    Ok((aws, function, processor))
}

fn named(functions: Vec<StackFunction>, arguments: &Tune) -> Result<StackFunction, BadInput> {
    let (named, stack) = (&arguments.function, &arguments.stack);
    let names: Vec<_> = functions.iter().map(|it| it.name.clone()).collect();
    let mut functions = functions.into_iter();
    functions
        .find(|it| [&it.name, &it.logical_id, &it.function].contains(&named))
        .ok_or_else(|| {
            BadInput(format!(
                "stack {stack} has no function '{named}' with an output for its URL, but {}",
                names.join(", ")
            ))
        })
}

/// Invokes the versions in turns, so that whatever else disturbs them hits all alike.
async fn invoke(
    subject: &Subject<'_>,
    function: &StackFunction,
    versions: &[Version],
    arguments: &Tune,
) -> anyhow::Result<Vec<Invocations>> {
    let event = http_api_event(&function.url);
    let rounds = arguments.invocations.get();
    let progress = Progress::bar(
        &format!("invoking {} with each memory size", function.name),
        rounds * versions.len() as u64,
    );
    let mut all: Vec<_> = versions.iter().map(Invocations::none).collect();
    for _ in 0..rounds {
        for invocations in &mut all {
            let number = invocations.version.number;
            let once = invoked(subject, number, &event, arguments.common.timeout);
            invocations.add(once.await?);
            progress.advance(1);
        }
    }
    progress.finish();
    Ok(all)
}

async fn invoked(
    subject: &Subject<'_>,
    version: u64,
    event: &[u8],
    timeout: Duration,
) -> Result<Invoked, Error> {
    let mut patience = Patience::new(THROTTLED_FOR);
    loop {
        let invocation = subject
            .aws
            .invoke_version(subject.function, version, event.to_vec());
        match tokio::time::timeout(timeout, invocation).await {
            Err(_) | Ok(Err(Error::FunctionError { .. })) => return Ok(Invoked::Failed),
            Ok(Err(error)) if is_busy(&error) && patience.wait().await => {}
            Ok(Err(error)) => return Err(error),
            Ok(Ok(invocation)) if !is_success(&invocation.payload) => return Ok(Invoked::Failed),
            Ok(Ok(invocation)) => {
                let report = invocation.report;
                return Ok(report.map_or(Invoked::Unreported, Invoked::Reported));
            }
        }
    }
}

impl Invocations {
    fn none(version: &Version) -> Self {
        Self {
            version: *version,
            first: None,
            warm: Vec::new(),
            later_cold: 0,
            unreported: 0,
            failures: 0,
        }
    }

    fn count(&self) -> usize {
        self.warm.len() + self.later_cold + usize::from(self.first.is_some())
    }

    fn add(&mut self, invoked: Invoked) {
        match invoked {
            Invoked::Failed => self.failures += 1,
            Invoked::Unreported => self.unreported += 1,
            Invoked::Reported(report) if report.init_duration.is_none() => self.warm.push(report),
            Invoked::Reported(report) if self.count() == 0 => self.first = Some(report),
            Invoked::Reported(_) => self.later_cold += 1,
        }
    }

    fn at_memory_size(&self) -> AtMemorySize {
        let billed: Latencies = self.warm.iter().map(|it| it.billed_duration).collect();
        AtMemorySize {
            memory_mb: self.version.memory_mb,
            warm: self.warm.iter().map(|report| report.duration).collect(),
            billed: billed.mean(),
            init: self.first.and_then(|report| report.init_duration),
            first: self.first.map(|report| report.duration),
            failures: self.failures,
        }
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.later_cold > 0 {
            let cold = Warning::ColdStarts {
                cold: self.later_cold,
                invocations: self.warm.len() + self.later_cold,
            };
            warnings.push(cold.to_string());
        }
        if self.unreported > 0 {
            warnings.push(format!(
                "Lambda sent no report of {} invocations",
                self.unreported
            ));
        }
        let of_size = |warning| format!("{} MB: {warning}", self.version.memory_mb);
        warnings.into_iter().map(of_size).collect()
    }
}

impl AtMemorySize {
    /// Without what the function's calls to AWS services cost: nobody counts them there.
    fn cost(
        &self,
        function: &StackFunction,
        processor: Processor,
        prices: &Prices,
    ) -> Result<Option<Cost>, cost::Error> {
        let usage = || {
            Some(Usage {
                front_door: front_door(&function.url)?,
                processor,
                memory_mb: self.memory_mb,
                billed_duration: self.billed?,
                api_calls: Default::default(),
            })
        };
        usage()
            .map(|usage| cost::per_million(&usage, prices))
            .transpose()
    }

    fn row(&self, cost: Option<Cost>) -> Row {
        Row::default()
            .count(columns::MEMORY_MB, self.memory_mb.into())
            .milliseconds(columns::MEAN_MS, self.warm.mean())
            .milliseconds(columns::P50_MS, self.warm.percentile(50.0))
            .milliseconds(columns::P99_MS, self.warm.percentile(99.0))
            .milliseconds(columns::BILLED_MS, self.billed)
            .milliseconds(columns::INIT_MS, self.init)
            .milliseconds(columns::FIRST_MS, self.first)
            .number(
                columns::USD_PER_MILLION_WITHOUT_API_CALLS,
                cost.map(|cost| cost.total()),
            )
            .count(columns::FAILURES, self.failures)
    }
}

fn results(
    arguments: &Tune,
    measured_at: SystemTime,
    function: &StackFunction,
    processor: Processor,
    invoked: &[Invocations],
) -> anyhow::Result<Results> {
    let prices = Prices::eu_west_2()?;
    let sizes: Vec<_> = invoked.iter().map(Invocations::at_memory_size).collect();
    let mut rows = Vec::new();
    for size in &sizes {
        rows.push(size.row(size.cost(function, processor, &prices)?));
    }
    let mut warnings: Vec<_> = invoked.iter().flat_map(Invocations::warnings).collect();
    warnings.extend(few_samples(&sizes).map(|warning| warning.to_string()));
    Ok(Results {
        title: format!("latency tune {} --stack {}", function.name, arguments.stack),
        measured_at,
        table: Table::new(rows),
        deciding: DECIDING,
        notes: vec![
            format!(
                "mean to billed, init: as Lambda reported them of {} direct invocations of each memory size, by turns. A cold \
                 start is in init and first alone.",
                arguments.invocations
            ),
            COST_NOTE.to_owned(),
        ],
        warnings,
        failures: sizes.iter().map(|size| size.failures).sum(),
    })
}

/// Where p99 is of too few durations, those of the memory size that has fewest.
fn few_samples(sizes: &[AtMemorySize]) -> Option<Warning> {
    let samples = sizes.iter().map(|size| size.warm.count()).min()?;
    let needed = samples_needed(99.0);
    (0 < samples && samples < needed).then_some(Warning::FewSamples {
        percentile: 99.0,
        samples,
        needed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(duration_ms: u64, init_ms: Option<u64>) -> Invoked {
        Invoked::Reported(ReportLine {
            duration: Duration::from_millis(duration_ms),
            billed_duration: Duration::from_millis(duration_ms + init_ms.unwrap_or(0)),
            memory_mb: 256,
            max_memory_used_mb: 20,
            init_duration: init_ms.map(Duration::from_millis),
        })
    }

    fn invocations(invoked: impl IntoIterator<Item = Invoked>) -> Invocations {
        let mut invocations = Invocations::none(&Version {
            number: 7,
            memory_mb: 256,
        });
        invoked.into_iter().for_each(|it| invocations.add(it));
        invocations
    }

    #[test]
    fn the_first_invocation_is_kept_apart_if_it_was_a_cold_start() {
        let cold = invocations([report(90, Some(15)), report(10, None), report(20, None)]);
        let size = cold.at_memory_size();
        assert_eq!(size.init, Some(Duration::from_millis(15)));
        assert_eq!(size.first, Some(Duration::from_millis(90)));
        assert_eq!(size.warm.mean(), Some(Duration::from_millis(15)));
        assert_eq!(size.billed, Some(Duration::from_millis(15)));

        let warm = invocations([report(10, None), report(20, None)]).at_memory_size();
        assert_eq!((warm.init, warm.first, warm.warm.count()), (None, None, 2));
    }

    #[test]
    fn what_is_no_warm_invocation_is_told_and_counts_for_no_duration() {
        let invocations = invocations([
            report(90, Some(15)),
            report(10, None),
            report(80, Some(14)),
            Invoked::Unreported,
            Invoked::Failed,
        ]);
        let size = invocations.at_memory_size();
        assert_eq!((size.warm.count(), size.failures), (1, 1));
        assert_eq!(
            invocations.warnings(),
            [
                "256 MB: 1 of 2 invocations meant to be warm were cold starts",
                "256 MB: Lambda sent no report of 1 invocations"
            ]
        );
    }

    #[test]
    fn too_few_durations_are_told_once() {
        let few = || invocations((0..50).map(|_| report(10, None))).at_memory_size();
        assert_eq!(
            few_samples(&[few(), few()]).unwrap().to_string(),
            "50 samples are too few for p99: chance decides it below 299"
        );
        assert_eq!(few_samples(&[AtMemorySize::default()]), None);
    }

    #[test]
    fn a_function_has_three_names() {
        let tune = |function: &str| Tune {
            function: function.to_owned(),
            ..tuned()
        };
        let find = |function: &str| {
            let url = || "https://api.example/hits".parse().unwrap();
            let of = |id: &str| StackFunction::new(id.to_owned(), format!("s-{id}-1A2B"), url());
            named(vec![of("CounterS3"), of("Empty")], &tune(function)).map(|it| it.function)
        };
        for name in ["counter-s3", "CounterS3", "s-CounterS3-1A2B"] {
            assert_eq!(find(name).unwrap(), "s-CounterS3-1A2B");
        }
        assert_eq!(
            find("counter-paper").unwrap_err().to_string(),
            "stack s has no function 'counter-paper' with an output for its URL, but counter-s3, empty"
        );
    }

    fn tuned() -> Tune {
        let line = "latency tune f --stack s".split(' ');
        match crate::cli::parse(line).unwrap().command {
            crate::cli::Command::Tune(tune) => tune,
            other => panic!("{other:?}"),
        }
    }
}
