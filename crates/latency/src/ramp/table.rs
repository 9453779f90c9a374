//! What was found, as rows of a table: a level each, and where several subjects were called, a subject each in a level.

use std::time::Duration;

use load::StepLoad;

use super::Found;
use crate::{
    columns,
    results::{Column, Row, megabytes},
    time_line::Moment,
    warnings::{self, Warning},
};

/// Later than this, one time in a hundred, the generator has changed what it measures.
const LATE: Duration = Duration::from_millis(5);

/// From this share of the time on, a thread of the generator is taken for the bottleneck.
const BUSY: f64 = 0.8;

/// What decides between levels.
pub const DECIDING: &[Column] = &[
    columns::USERS,
    columns::ARCHITECTURE,
    columns::REQUESTS,
    columns::FAILURES,
    columns::P50_MS,
    columns::MEAN_MS,
    columns::P95_MS,
    columns::P99_MS,
    columns::P99_9_MS,
    columns::RATE,
    columns::P99_FROM_DUE_MS,
    columns::LATE_P99_MS,
    columns::FAILURES_BY_CAUSE,
];

/// The row of a level. `speed`: by how much its times were divided.
#[must_use]
pub fn row(found: &Found, speed: f64) -> Row {
    let Found { level, load, .. } = found;
    let measurement = &level.measurement;
    let requests = measurement.requests();
    let rate = requests as f64 / load.duration.as_secs_f64();
    let mut row = Row::default().count(columns::USERS, load.users.into());
    if let Some(name) = &found.name {
        row = row.text(columns::ARCHITECTURE, name);
    }
    row.count(columns::REQUESTS, requests)
        .count(columns::FAILURES, measurement.failures.count())
        .latencies(measurement)
        .milliseconds(columns::P95_MS, measurement.latencies.percentile(95.0))
        .number(columns::RATE, Some(rate))
        .milliseconds(columns::P50_FROM_DUE_MS, level.from_due.percentile(50.0))
        .milliseconds(columns::P99_FROM_DUE_MS, level.from_due.percentile(99.0))
        .milliseconds(columns::LATE_P99_MS, level.lateness.percentile(99.0))
        .milliseconds(columns::LATE_MAX_MS, level.lateness.max())
        .number(columns::GENERATOR_BUSY_PERCENT, Some(level.busiest * 100.0))
        .count(columns::GENERATOR_PROCESSES, found.processes.into())
        .number(columns::GENERATOR_MEMORY_MB, Some(megabytes(found.memory)))
        .count(columns::USERS_STARTED, level.users)
        .number(columns::SPEED, Some(speed))
        .count(columns::RECONNECTS, measurement.reconnects)
        .failures(&measurement.failures)
        .failures_by_second(&measurement.failures)
        .time_line(found.moments())
}

impl Found {
    /// How many seconds a moment of the time line is about: ten, as in Locust, at the speed of the load.
    pub(super) fn window(&self) -> usize {
        let step = self.load.step_length.as_secs_f64();
        // Ten seconds of the published load are two thirds of its step.
        ((step * 2.0 / 3.0).round() as usize).clamp(1, 10)
    }

    fn moments(&self) -> Vec<Moment> {
        let moments = self.level.moments(self.window());
        moments.map(|moment| Moment::from(&moment)).collect()
    }
}

/// What a reader has to know: what was done, at which speed, and what is what.
#[must_use]
pub fn notes(load: &StepLoad, speed: f64) -> Vec<String> {
    let time = |time: Duration| humantime::format_duration(time).to_string();
    let (least, most) = load.think_time;
    let connections = match load.new_connections {
        true => "each request on a new connection, whose opening is part of its latency",
        false => "each on a connection of its own that is kept",
    };
    let mut notes = vec![format!(
        "Users: {:.0} % of them every {}, {} started a second, {connections}. Think time {} to {}, uniform. Each level: {}.",
        load.step_share * 100.0,
        time(load.step_length),
        load.spawn_rate,
        time(least),
        time(most),
        time(load.duration)
    )];
    if speed != 1.0 {
        notes.push(format!(
            "At {speed} times the speed: these times are those asked for, divided by {speed}, and so many more users are started a \
             second. Requests/s are not those of the load at its own speed."
        ));
    }
    notes.push(
        "From due: latency from the moment when a request was due, the answer before it and the think time over; opening a \
         connection and a late generator are part of it. Generator late: how much later it was than that; its timers take up to 2 \
         ms, which are in this column and in no latency."
            .to_owned(),
    );
    notes
}

/// What may be wrong with it.
#[must_use]
pub fn warnings(found: &Found) -> Vec<String> {
    let mut told: Vec<_> = warnings::of_closed_loop(&found.level.measurement)
        .into_iter()
        .filter(|warning| !matches!(warning, Warning::ClientBusy { .. }))
        .map(|warning| warning.to_string())
        .collect();
    let (level, users) = (&found.level, u64::from(found.load.users));
    if level.busiest >= BUSY {
        let share = level.busiest;
        told.push(Warning::ClientBusy { share }.to_string());
    }
    if let Some(late) = level.lateness.percentile(99.0).filter(|late| *late > LATE) {
        told.push(format!(
            "the generator was late by {:.1} ms or more for one request in a hundred: latencies may be its own",
            late.as_secs_f64() * 1e3
        ));
    }
    if level.users < users {
        told.push(format!(
            "only {} were started before the end: start more a second, or let it last longer",
            level.users
        ));
    }
    let name = found.name.as_ref().map(|name| format!("{name}, "));
    let of = format!("{}{users} users: ", name.unwrap_or_default());
    told.iter()
        .map(|warning| format!("{of}{warning}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ramp::tests::found;

    #[test]
    fn a_calm_level_has_no_warning_and_a_late_generator_one() {
        assert_eq!(warnings(&found(10)), [""; 0]);
        let mut late = found(10);
        for _ in 0..20 {
            late.level.lateness.record(Duration::from_millis(40));
        }
        let told = warnings(&late);
        assert!(
            told[0].starts_with("10 users: the generator was late by 40.0 ms"),
            "{told:?}"
        );
        let mut busy = found(10);
        busy.level.busiest = 0.93;
        busy.name = Some("readings".to_owned());
        let told = warnings(&busy);
        assert!(
            told[0].starts_with("readings, 10 users: the client was busy 93 %"),
            "{told:?}"
        );
        let mut few = found(10);
        few.load.users = 30;
        assert!(warnings(&few)[0].contains("only 10 were started"));
    }

    #[test]
    fn another_speed_is_said_and_a_moment_is_as_much_shorter() {
        let load = StepLoad::published(50);
        assert_eq!(notes(&load, 1.0).len(), 2);
        let notes = notes(&load.at_speed(10.0), 10.0);
        assert!(notes[1].starts_with("At 10 times the speed"), "{notes:?}");
        assert!(
            notes[0].contains("every 1s 500ms, 100 started a second"),
            "{notes:?}"
        );
        let mut found = found(1);
        found.load = StepLoad::published(1);
        assert_eq!(found.window(), 10);
        found.load = found.load.at_speed(10.0);
        assert_eq!(found.window(), 1);
    }
}
