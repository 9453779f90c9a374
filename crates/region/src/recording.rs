//! What an invocation did: bursts of processor time, and calls to backends with what they wait for.

use serde::{Deserialize, Serialize};

/// What was recorded of one function.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// Fresh environments.
    pub cold: Vec<ColdStart>,
    /// Invocations after the first one.
    pub warm: Vec<Recording>,
}

/// A fresh environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ColdStart {
    /// Its init phase, from the start of its process.
    pub init: Recording,
    /// Its first invocation.
    pub first: Recording,
}

/// One phase of an environment, step by step; the last one is [`Then::End`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The steps.
    pub steps: Vec<Step>,
}

/// Architecture time, and what came then.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Architecture time since the step before, user and system, of all threads, in milliseconds.
    pub cpu_ms: f64,
    /// How long that took by the clock, in milliseconds.
    pub wall_ms: f64,
    /// What came then.
    pub then: Then,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Then {
    /// A backend was called.
    Call(Call),
    /// The call of this number, counted from 0 in its recording, was answered.
    Answer(usize),
    /// The phase was over.
    End,
}

/// A call to a backend.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The service, such as `dynamodb` or `mysql`.
    pub service: String,
    /// Its operation, such as `UpdateItem` or `Query`.
    pub operation: String,
    /// Whether a connection was opened for it.
    pub new_connection: bool,
}

impl Step {
    /// How many threads were at work on average, at least one.
    ///
    /// Architecture time that is longer than the clock's can't be one thread's.
    pub(crate) fn threads(&self) -> f64 {
        match self.wall_ms > 0.0 {
            true => (self.cpu_ms / self.wall_ms).max(1.0),
            false => 1.0,
        }
    }
}

impl Recording {
    /// Its calls, in the order in which they began.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        self.steps.iter().filter_map(|step| match &step.then {
            Then::Call(call) => Some(call),
            Then::Answer(_) | Then::End => None,
        })
    }

    /// Its processor time in milliseconds.
    #[must_use]
    pub fn cpu_ms(&self) -> f64 {
        self.steps.iter().map(|step| step.cpu_ms).sum()
    }
}
