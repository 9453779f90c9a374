//! A process with a part of the users: told what to do on its standard input, it says what it measured on its standard output,
//! a line of JSON each.

use std::{
    io::{self, BufRead as _, Write as _},
    process, thread,
};

use anyhow::Context as _;
use load::{Level, Part, StepLoad};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::{Subject, here, limits::Spread, most_memory};
use crate::Ending;

/// The command that makes this program such a process.
pub(super) const COMMAND: &str = "ramp-users";

/// What it is told first. A further line says when.
#[derive(Deserialize, Serialize)]
pub(super) struct Job {
    pub(super) subject: Subject,
    pub(super) load: StepLoad,
    pub(super) part: Part,
    /// How many addresses of this machine the users come from; 0 if the system chooses.
    pub(super) addresses: u32,
}

/// What it says.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Answer {
    /// It waits for the word.
    Ready,
    /// All is measured.
    Done { level: Box<Level>, most_memory: u64 },
}

/// Does what it is told, and ends at once when nobody is there any more to tell it something.
pub(crate) async fn run() -> anyhow::Result<Ending> {
    let (sender, mut lines) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            // Whoever does not listen is done.
            let _ = sender.send(line);
        }
        process::exit(1)
    });
    let mut line = async || lines.recv().await.context("nobody says what to do");
    let job: Job = serde_json::from_str(&line().await?)?;
    let target = job.subject.target().await?;
    say(&Answer::Ready)?;
    line().await?;
    let spread = Spread {
        processes: 1,
        addresses: job.addresses,
    };
    let level = here(target, &job.load, job.part, spread).await?;
    say(&Answer::Done {
        level: Box::new(level),
        most_memory: most_memory(),
    })?;
    Ok(Ending::Done)
}

fn say(answer: &Answer) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::request::RequestOptions;

    #[test]
    fn a_job_is_the_same_after_its_way_and_takes_one_line() {
        let request = RequestOptions {
            method: Some("PUT".to_owned()),
            headers: vec!["x-a: {1..9}".to_owned()],
            data: Some("two\nlines".to_owned()),
            ..RequestOptions::default()
        };
        let job = Job {
            subject: Subject {
                name: None,
                url: "http://127.0.0.1/{1..4499}".to_owned(),
                request,
                timeout: Duration::from_secs(1),
            },
            load: StepLoad::published(7).at_speed(3.0),
            part: Part { at: 1, of: 2 },
            addresses: 1,
        };
        let line = serde_json::to_string(&job).unwrap();
        assert!(!line.contains('\n'), "{line}");
        let back: Job = serde_json::from_str(&line).unwrap();
        assert_eq!((&back.load, back.part), (&job.load, job.part));
        assert_eq!(serde_json::to_string(&back).unwrap(), line);
    }
}
