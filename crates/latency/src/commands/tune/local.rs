//! A function of the template, modelled at each memory size from one recording.

use super::{
    best::{Size, named},
    modelled::{AtMemorySize, Deployed, modelled},
};
use crate::{
    circumstances::Circumstances,
    cli::Tune,
    columns,
    cost::Prices,
    interrupt::Interrupts,
    results::{Column, Group, Results, Row, Table},
};

/// What decides between memory sizes.
const DECIDING: &[Column] = &[
    columns::MEMORY_MB,
    columns::VCPU,
    columns::MODELLED_DURATION_MS,
    columns::MODELLED_DURATION_P99_MS,
    columns::MODELLED_MEAN_MS,
    columns::MODELLED_BILLED_MS,
    columns::MODELLED_FIRST_MS,
    columns::MODELLED_USD_PER_MILLION_IN_MILLS,
    columns::REMARK,
];

pub(super) async fn run(
    arguments: &Tune,
    memory_sizes: &[u32],
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    let circumstances = Circumstances::now();
    let name = &arguments.function;
    let modelled = modelled(
        arguments,
        name,
        memory_sizes,
        Deployed::default(),
        interrupts,
    )
    .await?;
    let prices = Prices::eu_west_2()?;
    let mut rows = Vec::new();
    let mut sizes = Vec::new();
    for size in &modelled.sizes {
        let cost = modelled.cost(size, &prices)?;
        sizes.push(Size {
            duration_ms: size.estimate.duration.mean,
            cost: cost.duration,
        });
        let vcpu = modelled.model.vcpu(size.memory_mb);
        rows.push(size.row(vcpu, cost.total()));
    }
    let rows = rows.into_iter().zip(named(&sizes));
    let rows = rows.map(|(row, name)| row.text(columns::REMARK, name));
    Ok(Results {
        title: format!(
            "latency tune {name}: modelled for {}",
            modelled.model.region()
        ),
        circumstances,
        table: Table::new(rows.collect()),
        deciding: Group::only(DECIDING),
        notes: vec![
            modelled.model.note(),
            "duration: as Lambda would report it; mean: what a caller waits for. best balance: the least of cost ÷ highest \
             cost + duration ÷ longest duration. Durations within 1 % of the shortest count as fastest. cost: as in compare."
                .to_owned(),
        ],
        warnings: Vec::new(),
        failures: modelled.failures(),
    })
}

impl AtMemorySize {
    fn row(&self, vcpu: Option<f64>, cost: f64) -> Row {
        let estimate = &self.estimate;
        let duration = estimate.duration;
        Row::default()
            .count(columns::MEMORY_MB, self.memory_mb.into())
            .number(columns::VCPU, vcpu)
            .number(columns::MODELLED_DURATION_MS, Some(duration.mean))
            .number(columns::MODELLED_DURATION_P50_MS, Some(duration.p50))
            .number(columns::MODELLED_DURATION_P99_MS, Some(duration.p99))
            .estimate(Some(estimate))
            .number(columns::MODELLED_USD_PER_MILLION_IN_MILLS, Some(cost))
    }
}
