//! A function recorded here, and modelled at each memory size.

use std::time::Duration;

use local_lambda::HostSettings;
use region::{Architecture, Estimate};

use super::super::{
    metered::{Metered, kernel_ms, metered},
    stack::{called, profile, with_stack},
};
use crate::{
    cli::Tune,
    cost::{self, Cost, Prices},
    interrupt::Interrupts,
    model::Model,
};

/// What a function would take at each memory size.
pub(super) struct Modelled {
    pub(super) model: Model,
    pub(super) sizes: Vec<AtMemorySize>,
    architecture: Architecture,
    metered: Metered,
}

/// What it would take at one.
pub(super) struct AtMemorySize {
    pub(super) memory_mb: u32,
    pub(super) estimate: Estimate,
}

/// What is known of the Region besides its profile.
#[derive(Clone, Copy, Default)]
pub(super) struct Deployed {
    /// What the function runs on there; none for what the template says.
    pub(super) architecture: Option<Architecture>,
    /// What one of its cores took for the kernel, in milliseconds.
    pub(super) kernel_ms: Option<f64>,
}

/// Serves the template for as long as it takes to record the function.
pub(super) async fn modelled(
    arguments: &Tune,
    name: &str,
    memory_sizes: &[u32],
    deployed: Deployed,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Modelled> {
    let distances = &arguments.template.distances;
    let profile = profile(&distances.region)?;
    let host = HostSettings::default();
    with_stack(&arguments.template, 0, host, interrupts, async |stack| {
        let (function, path) = called(stack, &arguments.template, name)?;
        let found = metered(stack, &[(function, path)], arguments.common.timeout).await?;
        let found = found.into_iter().next().unwrap_or_default();
        let kernel_ms = kernel_ms([&found]);
        let architecture = deployed.architecture.unwrap_or(function.architecture);
        let profile = match deployed.kernel_ms {
            Some(ms) => profile.clone().with(architecture.kernel(), ms),
            None => profile.clone(),
        };
        let model = Model::new(profile, distances.client_rtt, kernel_ms);
        let sizes = memory_sizes.iter().map(|&memory_mb| {
            let estimate = model.estimate(&found.recorded, memory_mb, architecture)?;
            anyhow::Ok(AtMemorySize {
                memory_mb,
                estimate,
            })
        });
        Ok(Modelled {
            sizes: sizes.collect::<Result<_, _>>()?,
            architecture,
            metered: found,
            model,
        })
    })
    .await
}

impl Modelled {
    /// Requests that failed while the function was recorded.
    pub(super) fn failures(&self) -> u64 {
        self.metered.measurement.failures.count()
    }

    /// What a million calls would cost.
    pub(super) fn cost(&self, size: &AtMemorySize, prices: &Prices) -> Result<Cost, cost::Error> {
        let billed = Duration::from_secs_f64(size.estimate.billed_mean / 1e3);
        let usage = self
            .metered
            .usage(self.architecture, size.memory_mb, billed);
        cost::per_million(&usage, prices)
    }
}
