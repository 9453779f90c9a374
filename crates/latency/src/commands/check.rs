//! `latency check`: the model beside what others measured on AWS.

use std::fs;

use anyhow::Context as _;
use load::Failures;
use local_lambda::HostSettings;
use region::check::{Check, Ours, checks};

use super::{
    metered::{Metered, kernel_ms, metered},
    stack::{called, profile, with_stack},
};
use crate::{
    circumstances::Circumstances,
    cli, columns,
    interrupt::Interrupts,
    results::{Results, Row, Table},
};

/// The functions that published ones are compared with.
const FUNCTIONS: [&str; 3] = ["empty", "counter-dynamodb", "counter-s3"];

pub(super) async fn run(
    arguments: &cli::Check,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    let template = &arguments.template;
    let profile = profile(&template.distances.region)?;
    let host = HostSettings::default();
    let circumstances = Circumstances::now();
    let metered = with_stack(template, 0, host, interrupts, async |stack| {
        let functions = FUNCTIONS.iter().map(|name| called(stack, template, name));
        let functions = functions.collect::<Result<Vec<_>, _>>()?;
        metered(stack, &functions, arguments.common.timeout).await
    });
    let metered: [Metered; 3] = metered
        .await?
        .try_into()
        .map_err(|_| anyhow::anyhow!("not every function was recorded"))?;
    let [empty, counter_dynamodb, counter_s3] = &metered;
    let ours = Ours {
        empty: &empty.recorded,
        counter_dynamodb: &counter_dynamodb.recorded,
        counter_s3: &counter_s3.recorded,
        kernel_ms: kernel_ms(&metered),
    };
    if let Some(file) = &arguments.recordings {
        fs::write(file, serde_json::to_string(&ours)?)
            .with_context(|| format!("{} can't be written", file.display()))?;
    }
    let rows = checks(&profile, &ours)?;
    let mut failures = Failures::default();
    for found in &metered {
        failures.merge(&found.measurement.failures, 0);
    }
    Ok(Results {
        title: format!(
            "latency check: the model of {} and what others measured",
            profile.region()
        ),
        circumstances,
        notes: notes(&rows),
        table: Table::new(rows.iter().map(row).collect()),
        deciding: Vec::new(),
        warnings: Vec::new(),
        failures: failures.count(),
    })
}

fn row(check: &Check) -> Row {
    let shown = |value: f64| match check.unit {
        "core" => format!("{value:.3} of a core"),
        unit if value < 10.0 => format!("{value:.1} {unit}"),
        unit => format!("{value:.0} {unit}"),
    };
    Row::default()
        .text(columns::WHAT, &check.what)
        .text(columns::PUBLISHED, shown(check.published))
        .text(columns::MODELLED, shown(check.modelled))
        .number(columns::MODELLED_TO_PUBLISHED, Some(check.ratio()))
        .text(columns::SOURCE, check.source)
        .text(columns::REMARK, check.remark)
}

fn notes(checks: &[Check]) -> Vec<String> {
    let counted = checks.iter().filter(|check| check.is_independent());
    let (near, far): (Vec<_>, Vec<_>) = counted.partition(|check| check.is_near());
    vec![
        format!(
            "{} of {} independent figures are within {:.0} %.",
            near.len(),
            near.len() + far.len(),
            region::check::TOLERANCE * 100.0
        ),
        format!(
            "The caller's way there and back is {} ms for teticio's rows: what its caller waited for a plain server.",
            region::check::PUBLISHED_ROUND_TRIP_MS
        ),
    ]
}
