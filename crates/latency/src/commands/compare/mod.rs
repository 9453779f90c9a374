//! `latency compare`: functions measured in one run, the template's on this machine or those of a stack on AWS.
//!
//! Whatever else disturbs the measurement hits all functions alike: they take turns in everything that is timed.

mod deployed;
mod local;
mod lost_hits;
mod told_apart;
mod turns;

use crate::{
    BadInput,
    cli::Compare,
    columns,
    interrupt::Interrupts,
    published::Published,
    results::{Column, Results, Row},
};

/// What decides between architectures that were measured on AWS.
const DEPLOYED: &[Column] = &[
    columns::ARCHITECTURE,
    columns::P50_MS,
    columns::P99_MS,
    columns::INIT_MS,
    columns::PEAK_MEMORY_MB,
    columns::LOST_HITS,
    columns::FAILURES,
    columns::SAME_P50_AS,
    columns::PUBLISHED_MEAN_MS,
    columns::REMARK,
];

/// What is measured on this machine.
const MEASURED: &[Column] = &[
    columns::ARCHITECTURE,
    columns::P50_MS,
    columns::P99_MS,
    columns::INIT_MS,
    columns::PEAK_MEMORY_MB,
    columns::LOST_HITS,
    columns::FAILURES,
    columns::SAME_P50_AS,
    columns::REMARK,
];

/// What is modelled, beside what others published. What calls cost in a month is added.
const MODELLED: &[Column] = &[
    columns::ARCHITECTURE,
    columns::MODELLED_MEAN_MS,
    columns::MODELLED_RANGE_MS,
    columns::MODELLED_P50_MS,
    columns::MODELLED_P99_MS,
    columns::MODELLED_FIRST_MS,
    columns::MODELLED_BILLED_MS,
    columns::MODELLED_USD_PER_MILLION,
    columns::PUBLISHED_MEAN_MS,
    columns::PUBLISHED_USD_PER_MILLION,
    columns::PUBLISHED_USD_PER_MONTH,
];

/// The last of them are the published ones.
const PUBLISHED: usize = 3;

pub(super) async fn run(
    arguments: &Compare,
    interrupts: &mut Interrupts,
) -> anyhow::Result<Results> {
    match &arguments.stack {
        None if arguments.from_lambda.function.is_some() => Err(BadInput(
            "--from-lambda measures what was deployed: it needs --stack".to_owned(),
        )
        .into()),
        None => local::run(arguments, interrupts).await,
        Some(stack) => interrupts.during(deployed::run(arguments, stack)).await,
    }
}

/// The columns of the published result that stands beside a function, if there is one.
fn beside(row: Row, published: Option<&Published>) -> Row {
    row.number(
        columns::PUBLISHED_USD_PER_MILLION,
        published.and_then(|result| result.usd_per_million),
    )
    .number(
        columns::PUBLISHED_USD_PER_MONTH,
        published.and_then(|result| result.usd_per_month),
    )
    .number(
        columns::PUBLISHED_MEAN_MS,
        published.and_then(|result| result.mean_ms),
    )
    .number(
        columns::PUBLISHED_INIT_MS,
        published.and_then(|result| result.init_ms),
    )
    .text(
        columns::PUBLISHED_AS,
        published.map_or("", |result| &result.architecture),
    )
}

/// What a reader of the published columns has to know, and every published result.
fn published_notes(published: &[Published]) -> impl Iterator<Item = String> {
    let general = "published: other machines and other years, at the prices of their time; DynamoDB's on-demand prices \
                   halved in November 2024.";
    let each = published.iter().map(|result| {
        let figures = [
            result.mean_ms.map(|ms| format!("mean {ms} ms")),
            result.init_ms.map(|ms| format!("init {ms} ms")),
            result.usd_per_month.map(|usd| format!("${usd} a month")),
            result
                .usd_per_million
                .map(|usd| format!("${usd} per million calls")),
        ];
        let figures: Vec<_> = figures.into_iter().flatten().collect();
        format!(
            "published by {}: {}: {}.",
            result.publisher,
            result.architecture,
            figures.join(", ")
        )
    });
    std::iter::once(general.to_owned()).chain(each)
}
