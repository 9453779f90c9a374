//! The init phase of the counters against that of a function that does nothing.

use std::time::Duration;

use anyhow::Context as _;

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::Served,
};

const TURNS: usize = 51;
const COUNTERS: [&str; 2] = ["counter-dynamodb", "counter-s3"];

pub(crate) async fn against_empty(served: &mut Served) -> anyhow::Result<Vec<Measured>> {
    eprintln!("starting fresh environments");
    let mut ratios = COUNTERS.map(|_| Ratios::default());
    for _ in 0..TURNS {
        let empty = init(served, "empty").await?;
        for (function, ratios) in COUNTERS.iter().zip(&mut ratios) {
            ratios.add(init(served, function).await?.div_duration_f64(empty));
        }
    }
    let rows = COUNTERS.iter().zip(&ratios);
    Ok(rows
        .map(|(function, ratios)| {
            Measured::ratio(
                format!("{function} ÷ empty: init duration"),
                ratios,
                Bar::AtMost(1.6),
            )
        })
        .collect())
}

/// The init duration of a fresh environment.
async fn init(served: &mut Served, function: &str) -> anyhow::Result<Duration> {
    served.stack.host().retire_idle(function).await;
    let event = std::fs::read(format!("events/{function}/http-api.json"))
        .with_context(|| format!("the recorded event of {function} can't be read"))?;
    served.stack.host().invoke(function, event.into()).await?;
    let reports = served.reports(function).await;
    reports
        .last()
        .and_then(|report| report.init_duration)
        .with_context(|| format!("{function} was not started afresh"))
}
