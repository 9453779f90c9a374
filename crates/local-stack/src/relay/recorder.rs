//! What environments do, step by step: their processor time, and the calls that they make.
//!
//! One phase of one environment at a time. Where two overlap, whose call it was could not be told: neither is kept.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use local_lambda::{Phase, PhaseChange, cpu_time};
use region::{Call, ColdStart, Recorded, Recording, Step, Then};

use super::ApiCall;

/// Records one host's environments.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    /// How many phases have begun so far.
    phases: u64,
    /// Init phases whose first invocation is to come, by process.
    initialised: BTreeMap<u32, Recording>,
    recorded: BTreeMap<String, Recorded>,
}

/// A phase that has begun.
#[derive(Debug)]
struct Open {
    phase: u64,
    process_id: u32,
    steps: Vec<Step>,
    calls: usize,
    cpu: Duration,
    since: Instant,
    /// What it is worth, once another phase has overlapped it or its process has ended.
    spoilt: bool,
}

/// A call of a phase.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Handle {
    phase: u64,
    call: usize,
}

impl Recorder {
    /// An environment enters a phase.
    pub(crate) fn change(&self, change: PhaseChange<'_>) {
        let state = &mut *self.lock();
        match change.phase {
            // From the start of the process on: what the system does to load the program is part of it.
            Phase::InitBegins => state.begin(change.process_id, Duration::ZERO),
            Phase::InvocationBegins => {
                let cpu = cpu_time(change.process_id).unwrap_or_default();
                state.begin(change.process_id, cpu);
            }
            Phase::InitEnds => {
                if let Some(init) = state.end(change.process_id) {
                    state.initialised.insert(change.process_id, init);
                }
            }
            Phase::InvocationEnds => {
                let init = state.initialised.remove(&change.process_id);
                if let Some(invocation) = state.end(change.process_id) {
                    let function = change.function.to_owned();
                    let recorded = state.recorded.entry(function).or_default();
                    match init {
                        Some(init) => recorded.cold.push(ColdStart {
                            init,
                            first: invocation,
                        }),
                        None => recorded.warm.push(invocation),
                    }
                }
            }
        }
    }

    /// A call begins, if in a phase that is recorded.
    pub(crate) fn call(&self, call: &ApiCall, new_connection: bool) -> Option<Handle> {
        let mut state = self.lock();
        let open = state.open.as_mut()?;
        open.step(Then::Call(Call {
            service: call.service.clone(),
            operation: call.operation.clone(),
            new_connection,
        }));
        open.calls += 1;
        Some(Handle {
            phase: open.phase,
            call: open.calls - 1,
        })
    }

    /// Something of a call's answer has come; the last of it counts.
    pub(crate) fn answered(&self, handle: Handle) {
        let mut state = self.lock();
        if let Some(open) = state.open.as_mut()
            && open.phase == handle.phase
        {
            open.answer(handle.call);
        }
    }

    /// What was recorded of a function since the last time.
    pub(crate) fn take(&self, function: &str) -> Recorded {
        self.lock().recorded.remove(function).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn begin(&mut self, process_id: u32, cpu: Duration) {
        self.phases += 1;
        // Kept, so that the end of the one that was there is not taken for the end of this one.
        let overlaps = self.open.is_some();
        self.open = Some(Open {
            phase: self.phases,
            process_id,
            steps: Vec::new(),
            calls: 0,
            cpu,
            since: Instant::now(),
            spoilt: overlaps,
        });
    }

    fn end(&mut self, process_id: u32) -> Option<Recording> {
        let mut open = self.open.take_if(|open| open.process_id == process_id)?;
        open.step(Then::End);
        (!open.spoilt).then_some(Recording { steps: open.steps })
    }
}

impl Open {
    fn step(&mut self, then: Then) {
        let Some(cpu) = cpu_time(self.process_id) else {
            self.spoilt = true;
            return;
        };
        let now = Instant::now();
        self.steps.push(Step {
            cpu_ms: milliseconds(cpu.saturating_sub(self.cpu)),
            wall_ms: milliseconds(now - self.since),
            then,
        });
        (self.cpu, self.since) = (cpu, now);
    }

    fn answer(&mut self, call: usize) {
        // The rest of an answer: one step, up to its last byte.
        let begun = self.steps.pop_if(|step| step.then == Then::Answer(call));
        self.step(Then::Answer(call));
        if let (Some(begun), Some(step)) = (begun, self.steps.last_mut()) {
            step.cpu_ms += begun.cpu_ms;
            step.wall_ms += begun.wall_ms;
        }
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(recorder: &Recorder, phase: Phase) {
        change_of(recorder, phase, std::process::id());
    }

    fn change_of(recorder: &Recorder, phase: Phase, process_id: u32) {
        recorder.change(PhaseChange {
            function: "counter",
            process_id,
            phase,
        });
    }

    fn update() -> ApiCall {
        ApiCall {
            service: "dynamodb".to_owned(),
            operation: "UpdateItem".to_owned(),
        }
    }

    fn shape(recording: &Recording) -> String {
        let steps = recording.steps.iter().map(|step| match &step.then {
            Then::Call(call) if call.new_connection => format!("connect {}", call.operation),
            Then::Call(call) => call.operation.clone(),
            Then::Answer(call) => format!("answer {call}"),
            Then::End => "end".to_owned(),
        });
        steps.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_first_invocation_stands_with_its_init_phase_and_the_others_by_themselves() {
        let recorder = Recorder::default();
        change(&recorder, Phase::InitBegins);
        let opened = recorder.call(&update(), true).unwrap();
        recorder.answered(opened);
        change(&recorder, Phase::InitEnds);
        for _ in 0..2 {
            change(&recorder, Phase::InvocationBegins);
            let call = recorder.call(&update(), false).unwrap();
            recorder.answered(call);
            recorder.answered(call);
            change(&recorder, Phase::InvocationEnds);
        }
        let recorded = recorder.take("counter");
        assert_eq!((recorded.cold.len(), recorded.warm.len()), (1, 1));
        let ColdStart { init, first } = &recorded.cold[0];
        assert_eq!(shape(init), "connect UpdateItem, answer 0, end");
        assert_eq!(shape(first), "UpdateItem, answer 0, end");
        assert_eq!(shape(&recorded.warm[0]), shape(first));
        assert!(init.cpu_ms() > 0.0);
    }

    #[test]
    fn what_overlaps_is_not_kept() {
        let recorder = Recorder::default();
        let (one, other) = (std::process::id(), std::os::unix::process::parent_id());
        change_of(&recorder, Phase::InvocationBegins, one);
        change_of(&recorder, Phase::InvocationBegins, other);
        change_of(&recorder, Phase::InvocationEnds, one);
        change_of(&recorder, Phase::InvocationEnds, other);
        assert_eq!(recorder.take("counter"), Recorded::default());
    }

    #[test]
    fn a_call_outside_of_a_phase_and_a_late_answer_are_nobodys() {
        let recorder = Recorder::default();
        assert!(recorder.call(&update(), true).is_none());
        change(&recorder, Phase::InvocationBegins);
        let call = recorder.call(&update(), true).unwrap();
        change(&recorder, Phase::InvocationEnds);
        change(&recorder, Phase::InvocationBegins);
        recorder.answered(call);
        change(&recorder, Phase::InvocationEnds);
        let recorded = recorder.take("counter");
        assert_eq!(shape(&recorded.warm[0]), "connect UpdateItem, end");
        assert_eq!(shape(&recorded.warm[1]), "end");
    }
}
