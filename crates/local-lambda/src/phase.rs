//! The phases of an environment, for whoever records what happens in them.

use std::{fmt, sync::Arc};

/// Where an environment is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its process was started.
    InitBegins,
    /// It asked for its first event.
    InitEnds,
    /// It was given an event.
    InvocationBegins,
    /// It answered.
    InvocationEnds,
}

/// An environment that enters a phase.
#[derive(Clone, Copy, Debug)]
pub struct PhaseChange<'a> {
    /// The function's name.
    pub function: &'a str,
    /// The environment's process.
    pub process_id: u32,
    /// What begins or ends.
    pub phase: Phase,
}

/// What is called with each change, on the way of the event: it has to be quick.
pub type OnPhase = Arc<dyn Fn(PhaseChange<'_>) + Send + Sync>;

/// Whoever watches one environment.
#[derive(Clone)]
pub(crate) struct Observer {
    pub(crate) function: String,
    pub(crate) on_phase: OnPhase,
}

impl Observer {
    pub(crate) fn tell(&self, process_id: u32, phase: Phase) {
        (self.on_phase)(PhaseChange {
            function: &self.function,
            process_id,
            phase,
        });
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Observer")
            .field("function", &self.function)
            .finish_non_exhaustive()
    }
}
