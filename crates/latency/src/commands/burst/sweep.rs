//! Several functions at several numbers of connections, in one run: what becomes of them up to the limits of their database
//! and past them.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use backends::mariadb::Administration;
use load::{Measurement, Target, best};
use local_lambda::HostSettings;
use local_stack::{Database, Stack};

use super::{
    super::{
        stack::{called, with_stack},
        target,
    },
    level::Level,
};
use crate::{
    circumstances::Circumstances,
    cli::Burst,
    columns,
    interrupt::Interrupts,
    results::{Column, Group, Results, Row, Table},
    warnings,
};

/// How long a function is called before the first run, unless it is said: time enough for every environment to start.
const WARM_UP: Duration = Duration::from_secs(5);

/// What decides between functions at a number of connections.
const DECIDING: &[Column] = &[
    columns::CONNECTIONS,
    columns::FUNCTION,
    columns::SUCCESS_PERCENT,
    columns::P50_MS,
    columns::P99_MS,
    columns::REQUESTS_PER_SECOND,
    columns::PEAK_DATABASE_CONNECTIONS,
    columns::FAILURES,
];

/// A function that is called, and where.
struct Called {
    name: String,
    target: Arc<Target>,
}

/// What was found of a function at one number of connections.
struct Found {
    level: Level,
    function: String,
    warm_up: Option<Measurement>,
    runs: Vec<Measurement>,
    /// The most connections that the database had, if it is one of ours.
    peak: Option<u64>,
}

pub(super) async fn run(arguments: &Burst, interrupts: &mut Interrupts) -> anyhow::Result<Results> {
    let template = &arguments.template;
    let host = HostSettings::default();
    with_stack(template, 0, host, interrupts, async |stack| {
        let circumstances = Circumstances::now();
        let found = measure(arguments, stack).await?;
        Ok(results(arguments, circumstances, stack, &found))
    })
    .await
}

async fn measure(arguments: &Burst, stack: &Stack) -> anyhow::Result<Vec<Found>> {
    let mut subjects = Vec::new();
    for name in &arguments.functions {
        let (_, path) = called(stack, &arguments.template, name)?;
        subjects.push(Called {
            name: name.clone(),
            target: target(&format!("{}{path}", stack.url()), arguments.common.timeout).await?,
        });
    }
    let mut administration = match stack.database().and_then(Database::server) {
        Some(server) => Some(server.administration().await?),
        None => None,
    };
    let mut found = Vec::new();
    for &connections in &arguments.connections {
        // The functions take turns within each number of connections: whatever else disturbs, disturbs them alike.
        for subject in &subjects {
            let level = Level {
                connections: usize::try_from(connections.get())?,
                amount: arguments.amount.get(),
                warm_up: arguments.warm_up.unwrap_or(WARM_UP),
                runs: arguments.runs.get(),
            };
            begin_afresh(stack, &subjects, administration.as_mut()).await?;
            let (warm_up, runs) = level.measure(&subject.target, &subject.name).await?;
            let peak = match &mut administration {
                Some(administration) => Some(administration.most_connections().await?),
                None => None,
            };
            found.push(Found {
                level,
                function: subject.name.clone(),
                warm_up,
                runs,
                peak,
            });
        }
    }
    Ok(found)
}

/// No environment, and no connection to the database: what the last one left behind is not the next one's.
async fn begin_afresh(
    stack: &Stack,
    called: &[Called],
    administration: Option<&mut Administration>,
) -> anyhow::Result<()> {
    for function in called {
        stack.host().retire_idle(&function.name).await;
    }
    let Some(administration) = administration else {
        return Ok(());
    };
    // Those of a proxy, which would stay open.
    administration
        .begin_afresh()
        .await
        .context("the database's connections can't be counted")
}

fn results(
    arguments: &Burst,
    circumstances: Circumstances,
    stack: &Stack,
    found: &[Found],
) -> Results {
    Results {
        title: format!("latency burst {}", arguments.functions.join(", ")),
        circumstances,
        table: Table::new(found.iter().map(Found::row).collect()),
        notes: notes(arguments, stack),
        deciding: Group::only(DECIDING),
        warnings: found.iter().flat_map(Found::warnings).collect(),
        failures: found
            .iter()
            .flat_map(|found| &found.runs)
            .map(|run| run.failures.count())
            .sum(),
    }
}

impl Found {
    fn best(&self) -> &Measurement {
        &self.runs[best(&self.runs)]
    }

    fn row(&self) -> Row {
        let run = self.best();
        Row::default()
            .count(columns::CONNECTIONS, self.level.connections as u64)
            .text(columns::FUNCTION, &self.function)
            .number(columns::SUCCESS_PERCENT, Some(run.success_percent()))
            .latencies(run)
            .number(
                columns::REQUESTS_PER_SECOND,
                Some(run.requests_per_second()),
            )
            .number(columns::TOTAL_SECONDS, Some(run.elapsed.as_secs_f64()))
            .number(
                columns::PEAK_DATABASE_CONNECTIONS,
                self.peak.map(|peak| peak as f64),
            )
            .failures(&run.failures)
            .number(
                columns::FAILURES_IN_WARM_UP,
                self.warm_up
                    .as_ref()
                    .map(|warm_up| warm_up.failures.count() as f64),
            )
    }

    fn warnings(&self) -> Vec<String> {
        let (connections, function) = (self.level.connections, &self.function);
        warnings::of(self.best())
            .iter()
            .map(|warning| format!("{function} with {connections} connections: {warning}"))
            .collect()
    }
}

fn notes(arguments: &Burst, stack: &Stack) -> Vec<String> {
    let warm_up = humantime::format_duration(arguments.warm_up.unwrap_or(WARM_UP));
    let mut notes = vec![format!(
        "Each row: fresh environments, {warm_up} of warm-up, then the best of {} runs of {} requests, each connection \
             with one request at a time. mean to max: of what succeeded. What failed in the warm-up is not among the failures.",
        arguments.runs, arguments.amount
    )];
    if let Some(database) = stack.database() {
        notes.push(match database.server() {
            Some(server) => format!(
                "The database: MariaDB on this machine, max_connections {}. Peak database connections: warm-up included.",
                server.max_connections()
            ),
            None => "The database was started elsewhere: how many connections it had is not known."
                .to_owned(),
        });
    }
    notes
}
