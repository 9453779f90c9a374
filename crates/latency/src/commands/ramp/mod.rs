//! `latency ramp`: virtual users with a think time, who come in steps, as in the published comparison by Locust.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use load::StepLoad;

use crate::{
    BadInput,
    circumstances::Circumstances,
    cli::Ramp,
    interrupt::Interrupts,
    output::{self, Progress},
    ramp::{self, Found, Subject},
    results::{Group, Results, Table},
    whole_file,
};

pub(super) async fn run(arguments: &Ramp, interrupts: &mut Interrupts) -> anyhow::Result<Results> {
    interrupts
        .during(against_url(arguments, &arguments.url))
        .await
}

async fn against_url(arguments: &Ramp, url: &str) -> anyhow::Result<Results> {
    if let Some(file) = &arguments.history {
        there_is_a_place_for(file)?;
    }
    let circumstances = Circumstances::now();
    let subject = Subject {
        name: None,
        url: url.to_owned(),
        request: arguments.request.clone(),
        timeout: arguments.common.timeout,
    };
    let mut found = Vec::new();
    for load in arguments.users.levels() {
        found.push(level(&subject, &load).await?);
    }
    if let Some(file) = &arguments.history {
        whole_file::write(file, |file| ramp::write_history(&found, file))
            .with_context(|| format!("{} can't be written", file.display()))?;
        output::written([file].into_iter());
    }
    Ok(results(arguments, circumstances, url, &found))
}

/// One level, with a bar that shows how much of it is over.
async fn level(subject: &Subject, load: &StepLoad) -> anyhow::Result<Found> {
    let seconds = load.duration.as_secs();
    let time = humantime::format_duration(load.duration);
    let progress = Progress::bar(&format!("{} users for {time}", load.users), seconds);
    let showing = async {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            progress.advance(1);
        }
        Ok(())
    };
    let (found, ()) = tokio::try_join!(ramp::run(subject, load, 1), showing)?;
    progress.finish();
    Ok(found)
}

fn there_is_a_place_for(file: &Path) -> Result<(), BadInput> {
    let exports = crate::export::Exports {
        csv: Some(file.to_owned()),
        ..Default::default()
    };
    exports.check()
}

fn results(arguments: &Ramp, circumstances: Circumstances, url: &str, found: &[Found]) -> Results {
    let speed = arguments.users.speed;
    let at_speed = match speed {
        1.0 => String::new(),
        speed => format!(" at {speed} times the speed"),
    };
    let rows = found.iter().map(|found| ramp::row(found, speed));
    let load = found.first().map(|found| &found.load);
    Results {
        title: format!("latency ramp {}{url}{at_speed}", arguments.request.shown()),
        circumstances,
        table: Table::new(rows.collect()),
        deciding: Group::only(ramp::DECIDING),
        notes: load.map_or_else(Vec::new, |load| ramp::notes(load, speed)),
        warnings: found.iter().flat_map(ramp::warnings).collect(),
        failures: found
            .iter()
            .map(|found| found.level.measurement.failures.count())
            .sum(),
    }
}
