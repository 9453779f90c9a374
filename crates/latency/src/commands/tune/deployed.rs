//! A deployed function, measured with each memory size.

mod invocations;

use std::time::SystemTime;

pub(crate) use self::invocations::AtMemorySize;
use self::invocations::{Invocations, invoke};
use super::{
    super::deployed::{COST_NOTE, StackFunction, front_door, functions},
    memory_sizes::with_versions,
    subject::Subject,
};
use crate::{
    BadInput,
    aws::Aws,
    cli::Tune,
    columns,
    cost::{self, Cost, FrontDoor, Prices, Processor, Usage},
    interrupt::Interrupts,
    results::{Column, Group, Results, Row, Table},
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
    columns::USD_PER_MILLION_IN_MILLS,
    columns::FAILURES,
];

/// A function, and what was found.
pub(crate) struct Measured {
    /// What its row is called in `compare`.
    pub(crate) name: String,
    /// What it is called through, as far as there is a price for it.
    pub(crate) front_door: Option<FrontDoor>,
    /// What it runs on.
    pub(crate) processor: Processor,
    /// What it does with each memory size, smallest first.
    pub(crate) sizes: Vec<AtMemorySize>,
    /// What may be wrong with that.
    pub(crate) warnings: Vec<String>,
}

pub(super) async fn run(
    arguments: &Tune,
    memory_sizes: &[u32],
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    let measured_at = SystemTime::now();
    let measured = measure(arguments, memory_sizes, interrupts).await?;
    results(arguments, measured_at, measured)
}

/// Measures the function. Afterwards it is as it was, however that went; an error says what is not.
pub(super) async fn measure(
    arguments: &Tune,
    memory_sizes: &[u32],
    interrupts: &mut Interrupts,
) -> anyhow::Result<Measured> {
    let (aws, function, processor) = interrupts.during(found(arguments)).await?;
    let subject = Subject {
        aws: &aws,
        name: &function.name,
        function: &function.function,
    };
    let (times, timeout) = (arguments.invocations.get(), arguments.common.timeout);
    let invocations = with_versions(&subject, memory_sizes, interrupts, async |versions| {
        invoke(&subject, versions, &function.url, times, timeout).await
    })
    .await?;
    let sizes: Vec<_> = invocations
        .iter()
        .map(Invocations::at_memory_size)
        .collect();
    let few = few_samples(&sizes).map(|warning| warning.to_string());
    let warnings = invocations.iter().flat_map(Invocations::warnings);
    Ok(Measured {
        front_door: front_door(&function.url),
        warnings: warnings.chain(few).collect(),
        name: function.name,
        processor,
        sizes,
    })
}

async fn found(arguments: &Tune) -> anyhow::Result<(Aws, StackFunction, Processor)> {
    let aws = Aws::load().await?;
    let functions = functions(&aws, &arguments.stack).await?;
    let function = named(functions, &arguments.function, &arguments.stack)?;
    let processor = aws.processor(&function.function).await?;
    Ok((aws, function, processor))
}

fn named(
    functions: Vec<StackFunction>,
    named: &str,
    stack: &str,
) -> Result<StackFunction, BadInput> {
    let names: Vec<_> = functions.iter().map(|it| it.name.clone()).collect();
    let mut functions = functions.into_iter();
    functions
        .find(|it| [&*it.name, &*it.logical_id, &*it.function].contains(&named))
        .ok_or_else(|| {
            BadInput(format!(
                "stack {stack} has no function '{named}' with an output for its URL, but {}",
                names.join(", ")
            ))
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

impl Measured {
    /// Without what the function's calls to AWS services cost: nobody counts them there.
    fn cost(&self, size: &AtMemorySize, prices: &Prices) -> Result<Option<Cost>, cost::Error> {
        let usage = || {
            Some(Usage {
                front_door: self.front_door?,
                processor: self.processor,
                memory_mb: size.memory_mb,
                billed_duration: size.billed?,
                api_calls: Default::default(),
            })
        };
        let cost = usage().map(|usage| cost::per_million(&usage, prices));
        cost.transpose()
    }
}

impl AtMemorySize {
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
                columns::USD_PER_MILLION_IN_MILLS,
                cost.map(|cost| cost.total()),
            )
            .count(columns::FAILURES, self.failures)
    }
}

fn results(
    arguments: &Tune,
    measured_at: SystemTime,
    measured: Measured,
) -> anyhow::Result<Results> {
    let prices = Prices::eu_west_2()?;
    let mut rows = Vec::new();
    for size in &measured.sizes {
        rows.push(size.row(measured.cost(size, &prices)?));
    }
    Ok(Results {
        title: format!("latency tune {} --stack {}", measured.name, arguments.stack),
        measured_at,
        table: Table::new(rows),
        deciding: Group::only(DECIDING),
        notes: vec![
            format!(
                "mean to billed, init: as Lambda reported them of {} direct invocations with each memory size, by turns. A \
                 cold start is in init and first alone.",
                arguments.invocations
            ),
            COST_NOTE.to_owned(),
        ],
        failures: measured.sizes.iter().map(|size| size.failures).sum(),
        warnings: measured.warnings,
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn too_few_durations_are_told_once() {
        let with = |samples| AtMemorySize {
            warm: (0..samples).map(Duration::from_micros).collect(),
            ..AtMemorySize::default()
        };
        assert_eq!(
            few_samples(&[with(50), with(49)]).unwrap().to_string(),
            "49 samples are too few for p99: chance decides it below 299"
        );
        assert_eq!(few_samples(&[with(299)]), None);
        assert_eq!(few_samples(&[with(0)]), None);
    }

    #[test]
    fn a_function_has_three_names() {
        let find = |name: &str| {
            let url = || "https://api.example/hits".parse().unwrap();
            let of = |id: &str| StackFunction::new(id.to_owned(), format!("s-{id}-1A2B"), url());
            named(vec![of("CounterS3"), of("Empty")], name, "s").map(|it| it.function)
        };
        for name in ["counter-s3", "CounterS3", "s-CounterS3-1A2B"] {
            assert_eq!(find(name).unwrap(), "s-CounterS3-1A2B");
        }
        assert_eq!(
            find("counter-paper").unwrap_err().to_string(),
            "stack s has no function 'counter-paper' with an output for its URL, but counter-s3, empty"
        );
    }
}
