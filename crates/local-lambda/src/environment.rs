//! An execution environment: one process of a function, and the one event it may have at a time.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use rustix::process::Pid;
use tokio::sync::{Notify, oneshot, watch};

use crate::{
    invocation::{FunctionError, error_payload},
    phase::{Observer, Phase},
    process::{self, PeakMemory},
};

/// How long the init phase may take (Lambda developer guide, "Init phase").
const INIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A running environment.
#[derive(Debug)]
pub(crate) struct Environment {
    pid: Pid,
    freeze: bool,
    observer: Option<Observer>,
    state: Mutex<State>,
    event_waits: Notify,
    kill: Notify,
    ended: watch::Sender<bool>,
    peak_memory: PeakMemory,
    peak_memory_bytes: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// Who waits for the end of the init phase.
    init: Option<oneshot::Sender<Result<(), Bytes>>>,
    /// Placed here, and not yet fetched.
    waiting: Option<(Event, oneshot::Sender<Outcome>)>,
    in_flight: Option<InFlight>,
    exit: Option<String>,
}

/// An event as the function gets it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) request_id: String,
    pub(crate) payload: Bytes,
    pub(crate) deadline: SystemTime,
    pub(crate) trace_id: String,
    pub(crate) function_arn: String,
}

#[derive(Debug)]
struct InFlight {
    request_id: String,
    since: Instant,
    reply: oneshot::Sender<Outcome>,
}

/// What became of an event.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The function answered after this long.
    Answered {
        payload: Bytes,
        function_error: Option<FunctionError>,
        duration: Duration,
    },
    /// The environment ended with the event in it.
    Ended { how: String, duration: Duration },
    /// The environment ended before it fetched the event: nobody has seen it.
    NotDelivered,
}

/// An init phase that failed, with the error to answer and how long it took.
#[derive(Debug)]
pub(crate) struct InitFailed {
    pub(crate) payload: Bytes,
    pub(crate) duration: Duration,
}

/// The init phase of an environment that has just been started.
#[derive(Debug)]
pub(crate) struct Init {
    since: Instant,
    end: oneshot::Receiver<Result<(), Bytes>>,
}

impl Environment {
    /// An environment whose process has just been started, `since` when.
    pub(crate) fn new(
        pid: Pid,
        freeze: bool,
        since: Instant,
        observer: Option<Observer>,
    ) -> (Self, Init) {
        let (initialised, end) = oneshot::channel();
        let environment = Self {
            pid,
            freeze,
            observer,
            state: Mutex::new(State {
                init: Some(initialised),
                ..State::default()
            }),
            event_waits: Notify::new(),
            kill: Notify::new(),
            ended: watch::Sender::new(false),
            peak_memory: PeakMemory::of(pid),
            peak_memory_bytes: AtomicU64::new(0),
        };
        environment.enters(Phase::InitBegins);
        (environment, Init { since, end })
    }

    /// Waits for the end of the init phase: how long it took. An environment whose init phase fails is ended.
    ///
    /// `request_id` is the invocation that needs it, named in the error payload.
    pub(crate) async fn initialised(
        &self,
        init: Init,
        request_id: &str,
    ) -> Result<Duration, InitFailed> {
        let payload = match tokio::time::timeout(INIT_TIMEOUT, init.end).await {
            Ok(Ok(Ok(()))) => return Ok(init.since.elapsed()),
            Ok(Ok(Err(reported))) => reported,
            Ok(Err(_ended)) => {
                let how = self
                    .lock()
                    .exit
                    .clone()
                    .unwrap_or_else(|| "unknown".to_owned());
                error_payload(
                    request_id,
                    "Runtime.ExitError",
                    &format!("Runtime exited with error: {how}"),
                )
            }
            Err(_elapsed) => {
                let message = format!(
                    "Init timed out after {:.2} seconds",
                    INIT_TIMEOUT.as_secs_f64()
                );
                error_payload(request_id, "Sandbox.Timedout", &message)
            }
        };
        let duration = init.since.elapsed();
        self.end().await;
        Err(InitFailed { payload, duration })
    }

    /// Puts an event into the environment. `None` if it has ended: place the event elsewhere.
    pub(crate) fn assign(&self, event: Event) -> Option<oneshot::Receiver<Outcome>> {
        let (reply, outcome) = oneshot::channel();
        {
            let mut state = self.lock();
            if state.exit.is_some() {
                return None;
            }
            state.waiting = Some((event, reply));
            if self.freeze {
                process::thaw(self.pid);
            }
        }
        self.event_waits.notify_one();
        Some(outcome)
    }

    /// The function asks for its next event (`GET …/invocation/next`); the first time, that ends the init phase.
    pub(crate) async fn next(&self) -> Event {
        let init = self.lock().init.take();
        if let Some(init) = init {
            self.enters(Phase::InitEnds);
            // Nobody waits any more when the init phase timed out.
            let _ = init.send(Ok(()));
        }
        loop {
            if let Some(event) = self.fetch() {
                return event;
            }
            self.event_waits.notified().await;
        }
    }

    /// Takes the waiting event into flight; freezes the process where there is none.
    fn fetch(&self) -> Option<Event> {
        let mut state = self.lock();
        let Some((event, reply)) = state.waiting.take() else {
            if self.freeze {
                process::freeze(self.pid);
            }
            return None;
        };
        self.enters(Phase::InvocationBegins);
        state.in_flight = Some(InFlight {
            request_id: event.request_id.clone(),
            since: Instant::now(),
            reply,
        });
        Some(event)
    }

    /// The function answers. `false` if no such invocation is in flight here.
    pub(crate) fn answer(
        &self,
        request_id: &str,
        payload: Bytes,
        function_error: Option<FunctionError>,
    ) -> bool {
        let Some(in_flight) = self
            .lock()
            .in_flight
            .take_if(|in_flight| in_flight.request_id == request_id)
        else {
            return false;
        };
        let duration = in_flight.since.elapsed();
        self.enters(Phase::InvocationEnds);
        // The caller may have given up: then nobody wants the answer.
        let _ = in_flight.reply.send(Outcome::Answered {
            payload,
            function_error,
            duration,
        });
        true
    }

    /// The function reports that its init phase failed (`POST …/init/error`).
    pub(crate) fn init_failed(&self, payload: Bytes) {
        if let Some(init) = self.lock().init.take() {
            let _ = init.send(Err(payload));
        }
    }

    /// Ends the process and waits until it is gone.
    pub(crate) async fn end(&self) {
        self.kill.notify_one();
        // The sender lives as long as `self`.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn enters(&self, phase: Phase) {
        if let Some(observer) = &self.observer {
            observer.tell(self.pid.as_raw_nonzero().get().cast_unsigned(), phase);
        }
    }

    /// The process id, or `None` once it has ended.
    pub(crate) fn process_id(&self) -> Option<u32> {
        self.lock()
            .exit
            .is_none()
            .then(|| self.pid.as_raw_nonzero().get().cast_unsigned())
    }

    /// Peak resident memory so far, in bytes; after its end, as it was last read.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        let now = self.peak_memory.bytes().unwrap_or_default();
        self.peak_memory_bytes
            .fetch_max(now, Ordering::Relaxed)
            .max(now)
    }

    /// Resolves when the process is to be killed.
    pub(crate) async fn to_be_killed(&self) {
        self.kill.notified().await;
    }

    /// The process has ended, in this way: whoever waits for something of it hears of that.
    pub(crate) fn has_ended(&self, how: String) {
        let (waiting, in_flight) = {
            let mut state = self.lock();
            state.exit = Some(how.clone());
            state.init = None;
            (state.waiting.take(), state.in_flight.take())
        };
        if let Some((_event, reply)) = waiting {
            let _ = reply.send(Outcome::NotDelivered);
        }
        if let Some(in_flight) = in_flight {
            let duration = in_flight.since.elapsed();
            let _ = in_flight.reply.send(Outcome::Ended { how, duration });
        }
        self.ended.send_replace(true);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
