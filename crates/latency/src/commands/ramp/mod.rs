//! `latency ramp`: virtual users with a think time, who come in steps, as in the published comparison by Locust.

mod sweep;

use std::time::Duration;

use anyhow::Context as _;
use load::StepLoad;
use tokio::task::JoinSet;

use crate::{
    circumstances::Circumstances,
    cli::Ramp,
    export::there_is_a_place_for,
    interrupt::Interrupts,
    output::{self, Progress},
    ramp::{self, Found, Subject},
    results::{Group, Results, Row, Table},
    whole_file,
};

pub(super) async fn run(arguments: &Ramp, interrupts: &mut Interrupts) -> anyhow::Result<Results> {
    if let Some(file) = &arguments.history {
        there_is_a_place_for(file)?;
    }
    match &arguments.url {
        Some(url) => interrupts.during(against_url(arguments, url)).await,
        None => sweep::run(arguments, interrupts).await,
    }
}

async fn against_url(arguments: &Ramp, url: &str) -> anyhow::Result<Results> {
    let circumstances = Circumstances::now();
    let subject = Subject {
        name: None,
        url: url.to_owned(),
        request: arguments.request.clone(),
        timeout: arguments.common.timeout,
    };
    let found = levels(arguments, &[subject]).await?;
    Ok(results(arguments, circumstances, url, &found, |row, _| row))
}

/// All levels, each against all subjects at the same time.
async fn levels(arguments: &Ramp, subjects: &[Subject]) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for load in arguments.users.levels() {
        found.extend(level(subjects, &load).await?);
    }
    if let Some(file) = &arguments.history {
        whole_file::write(file, |file| ramp::write_history(&found, file))
            .with_context(|| format!("{} can't be written", file.display()))?;
        output::written([file].into_iter());
    }
    Ok(found)
}

/// One level, with a bar that shows how much of it is over.
async fn level(subjects: &[Subject], load: &StepLoad) -> anyhow::Result<Vec<Found>> {
    let seconds = load.duration.as_secs();
    let time = humantime::format_duration(load.duration);
    let progress = Progress::bar(&format!("{} users for {time}", load.users), seconds);
    let at_once = u32::try_from(subjects.len())?;
    let mut running = JoinSet::new();
    for (at, subject) in subjects.iter().enumerate() {
        let (subject, load) = (subject.clone(), load.clone());
        running.spawn(async move { (at, ramp::run(&subject, &load, at_once).await) });
    }
    let showing = async {
        for _ in 0..seconds {
            tokio::time::sleep(Duration::from_secs(1)).await;
            progress.advance(1);
        }
        Ok(())
    };
    let ending = async {
        let mut found = Vec::new();
        while let Some(ended) = running.join_next().await {
            let (at, result) = ended?;
            found.push((at, result?));
        }
        anyhow::Ok(found)
    };
    let (mut found, ()) = tokio::try_join!(ending, showing)?;
    progress.finish();
    found.sort_by_key(|(at, _)| *at);
    Ok(found.into_iter().map(|(_, found)| found).collect())
}

fn results(
    arguments: &Ramp,
    circumstances: Circumstances,
    what: &str,
    found: &[Found],
    beside: impl Fn(Row, &Found) -> Row,
) -> Results {
    let speed = arguments.users.speed;
    let at_speed = match speed {
        1.0 => String::new(),
        speed => format!(" at {speed} times the speed"),
    };
    let rows = found
        .iter()
        .map(|found| beside(ramp::row(found, speed), found));
    let load = found.first().map(|found| &found.load);
    Results {
        title: format!("latency ramp {}{what}{at_speed}", arguments.request.shown()),
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
