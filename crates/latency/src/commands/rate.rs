//! `latency rate`: requests at a rate, as visitors come, and whether the server keeps up with them.

use load::{
    Failures, FallsBehind, Latencies, Measurement, OpenLoad, PERCENTILES, Rule, Schedule, Second,
    Spacing, on_its_own_thread, open_loop,
};

use super::called;
use crate::{
    BadInput,
    circumstances::Circumstances,
    cli::{Arrivals, Rate},
    columns,
    output::Progress,
    results::{Column, Group, Results, Row, Table},
    warnings,
};

/// What decides.
const DECIDING: &[Column] = &[
    columns::SECOND,
    columns::WANTED_PER_SECOND,
    columns::ANSWERED_PER_SECOND,
    columns::P50_MS,
    columns::P99_MS,
    columns::P99_9_MS,
    columns::MAX_MS,
    columns::SENT_P99_MS,
    columns::BEHIND,
    columns::FAILURES_BY_CAUSE,
];

pub(super) async fn run(arguments: &Rate) -> anyhow::Result<Results> {
    let schedule = schedule(arguments)?;
    let target = called(&arguments.url, &arguments.request, arguments.common.timeout).await?;
    let circumstances = Circumstances::now();
    let time = humantime::format_duration(arguments.time);
    let rates = match arguments.ramp_to {
        None => format!("{}/s", arguments.rate),
        Some(to) => format!("{}/s to {to}/s", arguments.rate),
    };
    let called = format!("{}{}", arguments.request.shown(), arguments.url);
    let progress = Progress::bar(
        &format!("calling {called} at {rates} for {time}"),
        schedule.expected(),
    );
    let connections = usize::try_from(arguments.connections_max.get())?;
    let bar = progress.clone();
    let load =
        on_its_own_thread(move || open_loop(target, schedule, connections, move || bar.advance(1)))
            .await?;
    progress.finish();

    Ok(Results {
        title: format!("latency rate {called} at {rates} for {time}"),
        circumstances,
        table: Table::new(rows(&load, arguments.time.as_secs_f64())),
        deciding: Group::only(DECIDING),
        notes: notes(&load, connections),
        warnings: warnings::of_open_load(&load)
            .iter()
            .map(ToString::to_string)
            .collect(),
        failures: load.measurement.failures.count(),
    })
}

fn schedule(arguments: &Rate) -> Result<Schedule, BadInput> {
    let spacing = match arguments.arrivals {
        Arrivals::Constant => Spacing::Constant,
        Arrivals::Poisson => Spacing::Poisson,
    };
    let to = arguments.ramp_to.unwrap_or(arguments.rate);
    Schedule::new(arguments.rate, to, arguments.time, spacing)
        .filter(|schedule| schedule.expected() > 0)
        .ok_or_else(|| BadInput("--rate for --for is not a single request".to_owned()))
}

/// A row for each step, and one for all of them.
fn rows(load: &OpenLoad, time: f64) -> Vec<Row> {
    let ends = load.steps.iter().skip(1).map(|step| step.second as f64);
    let steps = load.steps.iter().zip(ends.chain([time]));
    let mut rows: Vec<_> = steps
        .map(|(step, end)| {
            let from = step.second;
            let last = (end.ceil() as u64).saturating_sub(1);
            let name = match last {
                last if last > from => format!("{from} to {last}"),
                _ => from.to_string(),
            };
            let seconds = &load.seconds[from as usize..=last as usize];
            let time = end - from as f64;
            row(
                name,
                seconds,
                time,
                &step.latencies,
                &step.from_start,
                &step.failures,
            )
        })
        .collect();
    rows.push(row(
        "all".to_owned(),
        &load.seconds,
        time,
        &load.measurement.latencies,
        &load.from_start,
        &load.measurement.failures,
    ));
    rows
}

fn row(
    name: String,
    seconds: &[Second],
    time: f64,
    latencies: &Latencies,
    from_start: &Latencies,
    failures: &Failures,
) -> Row {
    let per_second =
        |count: fn(&Second) -> u64| Some(seconds.iter().map(count).sum::<u64>() as f64 / time);
    let measured = Measurement {
        latencies: latencies.clone(),
        ..Measurement::default()
    };
    let [p50, p99, p999] = PERCENTILES.map(|percent| from_start.percentile(percent));
    Row::default()
        .text(columns::SECOND, name)
        .number(columns::WANTED_PER_SECOND, per_second(|it| it.wanted))
        .number(columns::ANSWERED_PER_SECOND, per_second(|it| it.answered))
        .latencies(&measured)
        .milliseconds(columns::SENT_P50_MS, p50)
        .milliseconds(columns::SENT_P99_MS, p99)
        .milliseconds(columns::SENT_P99_9_MS, p999)
        .milliseconds(columns::SENT_MAX_MS, from_start.max())
        .count(columns::BEHIND, seconds.last().map_or(0, |it| it.behind))
        .failures(failures)
}

fn notes(load: &OpenLoad, most: usize) -> Vec<String> {
    let verdict = match load.falls_behind {
        None => "The server keeps up with every rate.".to_owned(),
        Some(FallsBehind { second, rate, rule }) => {
            let because = match rule {
                Rule::FewAnswers => {
                    "in two successive seconds it answered fewer requests than 95 % of those of the second before"
                }
                Rule::MoreWait => {
                    "in three successive seconds more than 5 % of the requests were added to those that wait for a connection"
                }
            };
            format!("The server falls behind from {rate}/s on, in second {second}: {because}.")
        }
    };
    let opened = load.connections;
    vec![
        verdict,
        "Latencies are from the moment at which a request should have been sent; beside them, from when it was.".to_owned(),
        match opened == most {
            true => format!("{opened} connections were open, as many as may be: the next request waits (behind)."),
            false => format!("{opened} connections were open at most."),
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_a_step_and_one_for_all() {
        let second = |wanted, answered, behind| Second {
            wanted,
            sent: answered,
            answered,
            behind,
        };
        let step = |second| load::Step {
            second,
            latencies: Latencies::new(),
            from_start: Latencies::new(),
            failures: Failures::default(),
        };
        let load = OpenLoad {
            steps: vec![step(0), step(2)],
            seconds: vec![second(10, 9, 1), second(20, 19, 2), second(10, 12, 0)],
            ..OpenLoad::default()
        };
        let table = Table::new(rows(&load, 2.5));
        let shown = |column: &Column| -> Vec<String> {
            let rows = table.rows().iter();
            rows.map(|row| table.value(row, column).unwrap().shown(1))
                .collect()
        };
        assert_eq!(shown(&columns::SECOND), ["0 to 1", "2", "all"]);
        assert_eq!(shown(&columns::WANTED_PER_SECOND), ["15.0", "20.0", "16.0"]);
        assert_eq!(
            shown(&columns::ANSWERED_PER_SECOND),
            ["14.0", "24.0", "16.0"]
        );
        assert_eq!(shown(&columns::BEHIND), ["2", "0", "0"]);
    }

    #[test]
    fn what_the_server_did_is_told_with_its_rule() {
        let load = |falls_behind| OpenLoad {
            falls_behind,
            connections: 5,
            ..OpenLoad::default()
        };
        let notes = |load: &OpenLoad| super::notes(load, 5).join(" ");
        assert!(notes(&load(None)).contains("keeps up with every rate"));
        let behind = notes(&load(Some(FallsBehind {
            second: 7,
            rate: 1200,
            rule: Rule::FewAnswers,
        })));
        assert!(behind.contains("from 1200/s on, in second 7"), "{behind}");
        assert!(
            behind.contains("5 connections were open, as many as may be"),
            "{behind}"
        );
    }
}
