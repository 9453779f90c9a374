//! The processes of one server. Behind a load balancer, one that died is started again, as its instance would be: by systemd,
//! or by the Auto Scaling group.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use backends::program::Program;
use tokio::{sync::oneshot, task::JoinHandle};

use crate::Error;

/// How often it is looked after a process.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long a process that died is not there, at least: `RestartSec` of the template's unit.
const RESTARTED_AFTER: Duration = Duration::from_secs(1);

/// Running processes. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Processes {
    urls: Vec<String>,
    started_in: Duration,
    /// In the order of the URLs.
    ids: Arc<Mutex<Vec<u32>>>,
    end: oneshot::Sender<()>,
    kept: JoinHandle<Vec<Program>>,
}

impl Processes {
    /// Keeps these, of which there is one at least, and starts those again that die, if they are to `revive`.
    pub(super) fn keep(programs: Vec<Program>, revive: bool) -> Result<Self, Error> {
        let ids = programs.iter().map(Program::process_id);
        let ids = Arc::new(Mutex::new(ids.collect::<Result<_, _>>()?));
        let (end, ended) = oneshot::channel();
        Ok(Self {
            urls: programs.iter().map(Program::url).collect(),
            started_in: programs
                .first()
                .map(Program::started_in)
                .unwrap_or_default(),
            ids: ids.clone(),
            end,
            kept: tokio::spawn(kept(programs, revive, ids, ended)),
        })
    }

    /// Where each answers: `http://127.0.0.1:PORT`.
    pub(super) fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Of the first.
    pub(super) fn started_in(&self) -> Duration {
        self.started_in
    }

    pub(super) fn ids(&self) -> Vec<u32> {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) async fn stop(self) -> Result<(), Error> {
        // Whoever is not there to be told has ended already.
        let _ = self.end.send(());
        for program in self.kept.await.unwrap_or_default() {
            program.stop().await?;
        }
        Ok(())
    }
}

/// Until told to end, or until nobody is left to tell.
async fn kept(
    mut programs: Vec<Program>,
    revive: bool,
    ids: Arc<Mutex<Vec<u32>>>,
    mut ended: oneshot::Receiver<()>,
) -> Vec<Program> {
    if !revive {
        // Told or left alone: it ends.
        let _ = ended.await;
        return programs;
    }
    loop {
        tokio::select! {
            _ = &mut ended => return programs,
            revived = look_after(&mut programs) => {
                let mut ids = ids.lock().unwrap_or_else(PoisonError::into_inner);
                for (at, id) in revived {
                    ids[at] = id;
                }
            }
        }
    }
}

/// Once: which were started again, and their new ids.
async fn look_after(programs: &mut [Program]) -> Vec<(usize, u32)> {
    tokio::time::sleep(POLL_INTERVAL).await;
    let mut dead = Vec::new();
    for (at, program) in programs.iter_mut().enumerate() {
        // Not known is not dead.
        if program.has_ended().unwrap_or_default() {
            tracing::warn!(
                "{} at {} has died: it is started again",
                program.name(),
                program.url()
            );
            dead.push((at, program));
        }
    }
    let mut revived = Vec::new();
    if dead.is_empty() {
        return revived;
    }
    tokio::time::sleep(RESTARTED_AFTER).await;
    for (at, program) in dead {
        match program.restart().await.and_then(|()| program.process_id()) {
            Ok(id) => revived.push((at, id)),
            Err(error) => {
                tracing::warn!(%error, "{} at {} is not back", program.name(), program.url())
            }
        }
    }
    revived
}
