//! A step load against a URL, in as many processes as it takes on this machine.

mod children;
mod history;
mod limits;
mod table;
mod worker;

use std::{sync::Arc, time::Duration};

use load::{Level, Part, StepLoad, Target, on_its_own_thread, step_load};
use serde::{Deserialize, Serialize};

pub use history::{HISTORY_COLUMNS, write as write_history};
pub use table::{DECIDING, notes, row, warnings};
pub(crate) use worker::run as be_worker;

use crate::{request::RequestOptions, target::called};
use limits::{Limits, Spread};

/// What is called.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Subject {
    /// Its name in tables, if there are several.
    pub name: Option<String>,
    /// The http:// or https:// URL.
    pub url: String,
    /// What is sent.
    pub request: RequestOptions,
    /// How long a request may take.
    pub timeout: Duration,
}

/// What was found at one number of users.
#[derive(Clone, Debug)]
pub struct Found {
    /// The name of what was called, if there are several.
    pub name: Option<String>,
    /// What was asked for, at the speed at which it was done.
    pub load: StepLoad,
    /// What was measured.
    pub level: Level,
    /// How many processes the users were spread over.
    pub processes: u32,
    /// The most memory that these had, all together, in bytes; this process is one of them.
    pub memory: u64,
}

/// Runs the load against its subject, from the first user to the last answer. `at_once` such loads run at the same time: they
/// share the files and the memory that this machine has.
///
/// Dropping the future ends the load, other processes included.
///
/// # Errors
/// [`BadInput`](crate::BadInput) if the URL can't be called; where this machine has no room for so many users, which limit it is, in one line.
pub async fn run(subject: &Subject, load: &StepLoad, at_once: u32) -> anyhow::Result<Found> {
    let target = subject.target().await?;
    let addresses = target.addresses();
    let to_itself = addresses.iter().all(|address| address.ip().is_loopback())
        && addresses.iter().any(|address| address.is_ipv4());
    let spread = Limits::of_this_machine().spread(load, to_itself, at_once)?;
    let (level, memory) = match spread.processes {
        1 => (here(target, load, Part::WHOLE, spread).await?, 0),
        _ => children::run(subject, load, spread).await?,
    };
    Ok(Found {
        name: subject.name.clone(),
        load: load.clone(),
        level,
        processes: spread.processes,
        memory: memory + most_memory(),
    })
}

/// Runs a part of the load in this process.
async fn here(
    target: Arc<Target>,
    load: &StepLoad,
    part: Part,
    spread: Spread,
) -> std::io::Result<Level> {
    let (load, sources) = (load.clone(), spread.sources());
    on_its_own_thread(move || step_load(&target, &sources, load, part)).await
}

impl Subject {
    async fn target(&self) -> anyhow::Result<Arc<Target>> {
        called(&self.url, &self.request, self.timeout).await
    }
}

/// The most memory that this process has had so far, in bytes; 0 where the system does not tell.
fn most_memory() -> u64 {
    local_lambda::peak_memory(std::process::id()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use load::{Failure, Happened, Latencies, Measurement};

    use super::*;

    /// So many users, each of whom gets an answer in each of two seconds, and one failure in the second one.
    pub(super) fn found(users: u32) -> Found {
        let latency = Duration::from_millis(10);
        let mut measurement = Measurement::default();
        let mut seconds = vec![Happened::default(), Happened::default()];
        seconds[0].started = users.into();
        for (at, second) in seconds.iter_mut().enumerate() {
            for _ in 0..users {
                second.latencies.record(latency);
                measurement.record(Duration::from_secs(at as u64), Ok(latency));
            }
        }
        seconds[1].failures = 1;
        let failed = Err(Failure::Status(503).into());
        measurement.record(Duration::from_secs(1), failed);
        let latencies: Latencies = [latency].into_iter().collect();
        Found {
            name: None,
            load: StepLoad::published(users),
            level: Level {
                began_at: UNIX_EPOCH + Duration::from_secs(1_000),
                duration: Duration::from_secs(180),
                users: users.into(),
                measurement,
                from_due: latencies,
                lateness: [Duration::from_millis(1)].into_iter().collect(),
                seconds,
                busiest: 0.01,
            },
            processes: 1,
            memory: 1 << 20,
        }
    }
}
