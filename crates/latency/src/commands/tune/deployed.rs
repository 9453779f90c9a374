//! A deployed function, measured with each memory size, and beside it what the model says.

mod invocations;

use std::time::Duration;

pub(crate) use self::invocations::AtMemorySize;
use self::invocations::{Invocations, invoke};
use super::{
    super::{
        deployed::{COST_NOTE, StackFunction, front_door, functions},
        from_lambda::Prober,
    },
    best::{Size, named},
    memory_sizes::with_versions,
    modelled::{Deployed, Modelled, modelled},
    subject::Subject,
};
use crate::{
    BadInput,
    aws::Aws,
    circumstances::Circumstances,
    cli::Tune,
    columns,
    cost::{self, Architecture, Cost, FrontDoor, Prices, Usage},
    interrupt::{Interrupts, Signal},
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
    columns::MODELLED_DURATION_MS,
    columns::MODEL_ERROR_PERCENT,
    columns::FAILURES,
    columns::REMARK,
];

/// A function, and what was found.
pub(crate) struct Measured {
    /// What its row is called in `compare`.
    pub(crate) name: String,
    /// What it is called through, as far as there is a price for it.
    pub(crate) front_door: Option<FrontDoor>,
    /// What it runs on.
    pub(crate) architecture: Architecture,
    /// What it does with each memory size, smallest first.
    pub(crate) sizes: Vec<AtMemorySize>,
    /// What may be wrong with that.
    pub(crate) warnings: Vec<String>,
    /// How long one of the Region's cores takes for the kernel, if the stack's latency-probe could say it.
    pub(crate) kernel_ms: Option<f64>,
}

pub(super) async fn run(
    arguments: &Tune,
    stack: &str,
    memory_sizes: &[u32],
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    let circumstances = Circumstances::now();
    let mut measured = measure(arguments, stack, memory_sizes, interrupts).await?;
    let deployed = Deployed {
        architecture: Some(measured.architecture),
        kernel_ms: measured.kernel_ms,
    };
    let modelled = modelled(
        arguments,
        &measured.name,
        memory_sizes,
        deployed,
        interrupts,
    )
    .await;
    let modelled = match modelled {
        Ok(modelled) => Some(modelled),
        Err(error) if error.is::<Signal>() => return Err(error),
        Err(error) => {
            measured
                .warnings
                .push(format!("it is not modelled: {error:#}"));
            None
        }
    };
    results(arguments, stack, circumstances, measured, modelled.as_ref())
}

/// Measures the function. Afterwards it is as it was, however that went; an error says what is not.
async fn measure(
    arguments: &Tune,
    stack: &str,
    memory_sizes: &[u32],
    interrupts: &mut Interrupts,
) -> anyhow::Result<Measured> {
    let (aws, function, architecture) = interrupts.during(found(arguments, stack)).await?;
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
    let kernel = async { Ok(kernel_ms(&aws, stack, timeout).await) };
    let kernel_ms = interrupts.during(kernel).await?;
    let few = few_samples(&sizes).map(|warning| warning.to_string());
    let warnings = invocations.iter().flat_map(Invocations::warnings);
    Ok(Measured {
        front_door: front_door(&function.url),
        warnings: warnings.chain(few).collect(),
        name: function.name,
        architecture,
        sizes,
        kernel_ms,
    })
}

/// What the stack's latency-probe says, if it has one that says it.
async fn kernel_ms(aws: &Aws, stack: &str, timeout: Duration) -> Option<f64> {
    let prober = Prober::find(aws, None, stack, timeout).await.ok()?;
    prober.kernel_ms().await.ok()
}

async fn found(
    arguments: &Tune,
    stack: &str,
) -> anyhow::Result<(Aws, StackFunction, Architecture)> {
    let aws = Aws::load().await?;
    let functions = functions(&aws, stack).await?;
    let function = find(functions, &arguments.function, stack)?;
    let architecture = aws.architecture(&function.function).await?;
    Ok((aws, function, architecture))
}

fn find(
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
                architecture: self.architecture,
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
    /// `modelled_ms` is what the model says of its mean.
    fn row(&self, cost: Option<Cost>, modelled_ms: Option<f64>) -> Row {
        let mean_ms = self.warm.mean().map(milliseconds);
        let error = modelled_ms.zip(mean_ms);
        let error = error.map(|(modelled, measured)| (modelled / measured - 1.0) * 100.0);
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
            .number(columns::MODELLED_DURATION_MS, modelled_ms)
            .number(columns::MODEL_ERROR_PERCENT, error)
            .count(columns::FAILURES, self.failures)
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn results(
    arguments: &Tune,
    stack: &str,
    circumstances: Circumstances,
    measured: Measured,
    modelled: Option<&Modelled>,
) -> anyhow::Result<Results> {
    let prices = Prices::eu_west_2()?;
    let mut rows = Vec::new();
    let mut sizes = Vec::new();
    for (at, size) in measured.sizes.iter().enumerate() {
        let cost = measured.cost(size, &prices)?;
        // Where nothing was measured or has a price, nothing is best.
        sizes.push(Size {
            duration_ms: size.warm.mean().map_or(f64::INFINITY, milliseconds),
            cost: cost.map_or(f64::INFINITY, |cost| cost.duration),
        });
        let modelled = modelled.and_then(|it| it.sizes.get(at));
        rows.push(size.row(cost, modelled.map(|it| it.estimate.duration.mean)));
    }
    let rows = rows.into_iter().zip(named(&sizes));
    let rows = rows.map(|(row, name)| row.text(columns::REMARK, name));
    Ok(Results {
        title: format!("latency tune {} --stack {stack}", measured.name),
        circumstances,
        table: Table::new(rows.collect()),
        deciding: Group::only(DECIDING),
        notes: vec![
            format!(
                "mean to billed, init: as Lambda reported them of {} direct invocations with each memory size, by turns. A \
                 cold start is in init and first alone.",
                arguments.invocations
            ),
            COST_NOTE.to_owned(),
            format!(
                "modelled: from what the function does on this machine. model's error: of its duration to the measured mean. {}",
                match measured.kernel_ms {
                    Some(ms) => format!(
                        "A core of the Region took {ms:.0} ms for the kernel, as the stack's latency-probe says."
                    ),
                    None => "How fast a core of the Region is was taken from the profile: the stack has no latency-probe \
                             that says it."
                        .to_owned(),
                }
            ),
        ],
        failures: measured.sizes.iter().map(|size| size.failures).sum(),
        warnings: measured.warnings,
    })
}

#[cfg(test)]
mod tests {
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
            super::find(vec![of("CounterS3"), of("Empty")], name, "s").map(|it| it.function)
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
