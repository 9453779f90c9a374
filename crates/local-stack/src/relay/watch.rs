//! What is done about the calls that a relay sees: they are counted, and if wanted recorded and made to take longer.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{ApiCall, Delays, Recorder, delay::Due, recorder::Handle};

/// While a function waits for its backend in a Region, the core that it ran on does something else or nothing. What it does
/// then takes longer than after an answer that comes at once: so no answer does.
const PAUSE: Duration = Duration::from_millis(5);
/// The same of a cache: who asks one does without it after a few milliseconds.
const PAUSE_OF_CACHE: Duration = Duration::from_millis(1);

/// What is done about calls.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    recorder: Option<Arc<Recorder>>,
    delays: Option<Delays>,
    /// How often each was made.
    calls: Mutex<BTreeMap<ApiCall, u64>>,
}

/// A call that has begun.
#[derive(Debug)]
pub(crate) struct Begun {
    recorded: Option<Handle>,
    due: Option<Due>,
}

impl Begun {
    /// When the answer that has just come is to be passed on. The rest of it follows at once.
    pub(crate) fn take_due(&mut self) -> Option<Instant> {
        match self.due.take()? {
            Due::At(due) => Some(due),
            Due::After(time) => Some(Instant::now() + time),
        }
    }
}

impl Watch {
    /// Calls are made to take longer.
    pub(crate) fn delaying(delays: Delays) -> Self {
        Self {
            delays: Some(delays),
            ..Self::default()
        }
    }

    /// Calls are recorded.
    pub(crate) fn recording(recorder: Arc<Recorder>) -> Self {
        Self {
            recorder: Some(recorder),
            delays: Some(Delays::Pause {
                cache: PAUSE_OF_CACHE,
                others: PAUSE,
            }),
            ..Self::default()
        }
    }

    pub(crate) fn delays(&self) -> Option<&Delays> {
        self.delays.as_ref()
    }

    /// A call begins. Fails if it can't be made to take as long as it should.
    pub(crate) fn begins(&self, call: ApiCall, new_connection: bool) -> io::Result<Begun> {
        let delays = self.delays.as_ref();
        let due = delays.map(|delays| delays.due(&call, new_connection));
        let recorder = self.recorder.as_ref();
        let recorded = recorder.and_then(|recorder| recorder.call(&call, new_connection));
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(call).or_default() += 1;
        Ok(Begun {
            recorded,
            due: due.transpose()?,
        })
    }

    /// Something of its answer has come.
    pub(crate) fn answered(&self, call: &Begun) {
        if let (Some(recorder), Some(handle)) = (&self.recorder, &call.recorded) {
            recorder.answered(*handle);
        }
    }

    /// The calls so far. Failed attempts count, as they do on the bill.
    pub(crate) fn calls(&self) -> BTreeMap<ApiCall, u64> {
        self.calls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
