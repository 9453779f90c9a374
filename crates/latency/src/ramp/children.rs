//! Users spread over processes: this program again, each with a part of them.

use std::{env, process::Stdio};

use anyhow::{Context as _, bail};
use load::{Level, Part, StepLoad};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{self, ChildStdin, ChildStdout, Command},
};

use super::{
    Subject,
    limits::Spread,
    worker::{Answer, COMMAND, Job},
};

/// Runs the load, and returns what was measured with the memory that the processes had, in bytes.
pub(super) async fn run(
    subject: &Subject,
    load: &StepLoad,
    spread: Spread,
) -> anyhow::Result<(Level, u64)> {
    let mut children = Vec::new();
    for at in 0..spread.processes {
        let job = Job {
            subject: subject.clone(),
            load: load.clone(),
            part: Part {
                at,
                of: spread.processes,
            },
            addresses: spread.addresses,
        };
        children.push(Child::start(&job).await?);
    }
    for child in &mut children {
        match child.answer().await? {
            Answer::Ready => {}
            answer => bail!("a process of the load is not ready: {answer:?}"),
        }
    }
    // All are there: they begin together.
    for child in &mut children {
        child
            .input
            .write_all(b"\n")
            .await
            .context("a process of the load is gone")?;
    }
    let mut whole: Option<Level> = None;
    let mut memory = 0;
    for child in &mut children {
        match child.answer().await? {
            Answer::Done { level, most_memory } => {
                memory += most_memory;
                match &mut whole {
                    None => whole = Some(*level),
                    Some(whole) => whole.join(&level),
                }
            }
            answer => bail!("a process of the load says nothing of it: {answer:?}"),
        }
    }
    for child in &mut children {
        child.process.wait().await?;
    }
    Ok((whole.context("no process ran")?, memory))
}

struct Child {
    process: process::Child,
    // It ends when this is closed, and so with this process, however that ends.
    input: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Child {
    async fn start(job: &Job) -> anyhow::Result<Self> {
        let program = env::current_exe().context("this program is not found")?;
        let mut process = Command::new(program)
            .arg(COMMAND)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Ctrl-C is for this process: what it starts ends with it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("a process for users can't be started")?;
        let (Some(mut input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            bail!("a process for users has no pipes");
        };
        let mut line = serde_json::to_vec(job)?;
        line.push(b'\n');
        input
            .write_all(&line)
            .await
            .context("a process of the load is gone")?;
        Ok(Self {
            process,
            input,
            answers: BufReader::new(output).lines(),
        })
    }

    async fn answer(&mut self) -> anyhow::Result<Answer> {
        match self.answers.next_line().await? {
            Some(line) => Ok(serde_json::from_str(&line)?),
            None => bail!(
                "a process of the load ended: {}",
                self.process.wait().await?
            ),
        }
    }
}
