//! An open load: requests come at a rate, whether the earlier ones are answered or not, as visitors do.
//!
//! A request's latency is told twice: from the moment at which it should have been sent, which is what a visitor waits, and
//! from the moment at which it was. A stall of the server delays all requests that come meanwhile, and only the first kind
//! shows that (*coordinated omission*; Gil Tene, "How NOT to Measure Latency", 2013).

mod clock;
mod schedule;

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::task::{JoinSet, yield_now};

use self::clock::Clock;
pub use self::schedule::{Schedule, Spacing};
use crate::{
    Connection, FailedRequest, Failure, Failures, Latencies, Measurement, Target,
    measurement::Stopwatch,
};

/// So many arrivals are let in at once before others get their turn.
const AT_ONCE: u32 = 32;

/// The most steps that a run is told in: each has its histograms.
const MOST_STEPS: u64 = 60;

/// From here on, a request that had a connection left late.
const LATE: Duration = Duration::from_millis(1);

/// A server that answers fewer than this share of a second's arrivals in the next one does not keep up.
const KEEPS_UP: f64 = 0.95;

/// What came of an open load.
#[derive(Clone, Debug, Default)]
pub struct OpenLoad {
    /// The whole of it. Its latencies are from the moment at which a request should have been sent.
    pub measurement: Measurement,
    /// The latencies from the moment at which it was.
    pub from_start: Latencies,
    /// The same in steps, each as long as the others, but for the last.
    pub steps: Vec<Step>,
    /// What happened in each second.
    pub seconds: Vec<Second>,
    /// The most connections that were open.
    pub connections: usize,
    /// By how much requests left later than they should have, though there was a connection for them.
    pub lateness: Latencies,
    /// How many of these left more than 1 ms late.
    pub late: u64,
    /// From when on the server did not keep up; none if it did.
    pub falls_behind: Option<FallsBehind>,
}

/// The requests that should have been sent in some whole seconds.
#[derive(Clone, Debug)]
pub struct Step {
    /// The first of these seconds, counted from 0.
    pub second: u64,
    /// Their latencies from the moment at which they should have been sent.
    pub latencies: Latencies,
    /// Their latencies from the moment at which they were sent.
    pub from_start: Latencies,
    /// Those that failed, each in the second in which it did.
    pub failures: Failures,
}

/// What happened in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// Requests that should have been sent.
    pub wanted: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were answered well.
    pub answered: u64,
    /// Requests that should have been sent until its end, and were not: they waited for a connection.
    pub behind: u64,
}

/// Since when, and by which rule, a server did not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FallsBehind {
    /// The second, counted from 0.
    pub second: u64,
    /// Requests that should have been sent in it.
    pub rate: u64,
    /// The rule.
    pub rule: Rule,
}

/// How it is known that a server did not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// In this second and the next, it answered fewer requests than 95 % of those of the second before.
    FewAnswers,
    /// In this second and the next two, more than 5 % of the requests were added to those that wait for a connection.
    MoreWait,
}

fn falls_behind(seconds: &[Second]) -> Option<FallsBehind> {
    // An answer may well come in the second after its request.
    let few = |at: usize| {
        let (before, now) = (seconds.get(at - 1)?, seconds.get(at)?);
        Some((now.answered as f64) < before.wanted as f64 * KEEPS_UP)
    };
    let more_wait = |at: usize| {
        let (before, now) = (seconds.get(at - 1)?, seconds.get(at)?);
        let more = now.behind.saturating_sub(before.behind);
        Some(more as f64 > now.wanted as f64 * (1.0 - KEEPS_UP))
    };
    let all = |rule: &dyn Fn(usize) -> Option<bool>, mut at: std::ops::Range<usize>| {
        at.all(|at| rule(at) == Some(true))
    };
    (1..seconds.len()).find_map(|at| {
        let rule = if all(&few, at..at + 2) {
            Rule::FewAnswers
        } else if all(&more_wait, at..at + 3) {
            Rule::MoreWait
        } else {
            return None;
        };
        Some(FallsBehind {
            second: at as u64,
            rate: seconds[at].wanted,
            rule,
        })
    })
}

/// Sends requests when the schedule says so, on as many connections as that takes, but at most `connections`: a request that
/// finds none waits. One that waits to the end of the schedule, or for longer than a request may take, is not sent, and failed.
///
/// Calls `on_end` after each. The load runs on the runtime of the caller: give it a thread of its own
/// ([`crate::on_its_own_thread`]).
pub async fn open_loop(
    target: Arc<Target>,
    schedule: Schedule,
    connections: usize,
    on_end: impl Fn() + Send + Sync + 'static,
) -> OpenLoad {
    compiled_here(Shared::new(
        target,
        schedule,
        connections.max(1),
        Box::new(on_end),
    ))
    .await
}

/// The body of an async function is compiled where it is first polled. As a trait object it is so here, as fast as this
/// crate is.
fn compiled_here(shared: Shared) -> Pin<Box<dyn Future<Output = OpenLoad> + Send>> {
    Box::pin(arrivals(Arc::new(shared)))
}

async fn arrivals(shared: Arc<Shared>) -> OpenLoad {
    let stopwatch = Stopwatch::start();
    let started = shared.started;
    let mut clock = Clock::new();
    let mut tasks = JoinSet::new();
    let mut at_once = 0;
    for after in shared.schedule.arrivals(fastrand::Rng::new()) {
        let due = started + after;
        if clock.wait_until(due).await {
            at_once = 0;
        } else {
            at_once += 1;
            if at_once == AT_ONCE {
                yield_now().await;
                at_once = 0;
            }
        }
        while tasks.try_join_next().is_some() {}
        if let Some(connection) = shared.arrived(due) {
            tasks.spawn(serve(Arc::clone(&shared), connection, due));
        }
    }
    clock.wait_until(started + shared.schedule.time()).await;
    shared.give_up();
    tasks.join_all().await;

    let mut load = shared.with(|state| std::mem::take(&mut state.load));
    stopwatch.stop(&mut load.measurement);
    load.finish(shared.schedule.time());
    load
}

/// Sends the request, and then those that wait for a connection.
async fn serve(shared: Arc<Shared>, mut connection: Connection, due: Instant) {
    let reconnects = connection.reconnects();
    shared.with(|state| {
        state
            .load
            .left(Instant::now().saturating_duration_since(due))
    });
    let mut next = Some(due);
    while let Some(due) = next {
        let begun = Instant::now();
        shared.sent(begun);
        let outcome = connection.request().await;
        shared.ended(due, Instant::now(), outcome);
        next = shared.next_waiting();
    }
    let reconnects = connection.reconnects() - reconnects;
    shared.with(|state| {
        state.load.measurement.reconnects += reconnects;
        state.free.push(connection);
    });
}

struct Shared {
    target: Arc<Target>,
    schedule: Schedule,
    most: usize,
    on_end: Box<dyn Fn() + Send + Sync>,
    started: Instant,
    // Never contended: all tasks are on one thread.
    state: Mutex<State>,
}

struct State {
    /// The one that was used last is used next: no more are open than it takes.
    free: Vec<Connection>,
    waiting: VecDeque<Instant>,
    load: OpenLoad,
    /// How long a step is, in seconds.
    step: u64,
}

impl Shared {
    fn new(
        target: Arc<Target>,
        schedule: Schedule,
        most: usize,
        on_end: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let seconds = schedule.time().as_secs_f64().ceil().max(1.0) as u64;
        let step = seconds.div_ceil(MOST_STEPS);
        let steps = (0..seconds).step_by(step as usize).map(Step::new);
        let load = OpenLoad {
            steps: steps.collect(),
            seconds: vec![Second::default(); seconds as usize],
            ..OpenLoad::default()
        };
        Self {
            target,
            schedule,
            most,
            on_end,
            started: Instant::now(),
            state: Mutex::new(State {
                free: Vec::new(),
                waiting: VecDeque::new(),
                load,
                step,
            }),
        }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The second in which this is.
    fn second(&self, moment: Instant) -> u64 {
        moment.saturating_duration_since(self.started).as_secs()
    }

    /// A connection for the request that is due, if there is one. Otherwise the request waits.
    fn arrived(&self, due: Instant) -> Option<Connection> {
        let second = self.second(due);
        self.with(|state| {
            state.count(second, |it| it.wanted += 1);
            let connection = state.free.pop();
            if connection.is_none() && state.load.connections < self.most {
                state.load.connections += 1;
                return Some(Connection::new(Arc::clone(&self.target)));
            }
            if connection.is_none() {
                state.waiting.push_back(due);
            }
            connection
        })
    }

    fn sent(&self, moment: Instant) {
        let second = self.second(moment);
        self.with(|state| state.count(second, |it| it.sent += 1));
    }

    /// The request that waits longest for a connection.
    fn next_waiting(&self) -> Option<Instant> {
        let now = Instant::now();
        loop {
            let due = self.with(|state| state.waiting.pop_front())?;
            if now.saturating_duration_since(due) <= self.target.timeout {
                return Some(due);
            }
            self.ended(due, now, Err(Failure::NotSent.into()));
        }
    }

    fn give_up(&self) {
        let now = Instant::now();
        while let Some(due) = self.with(|state| state.waiting.pop_front()) {
            self.ended(due, now, Err(Failure::NotSent.into()));
        }
    }

    fn ended(&self, due: Instant, now: Instant, outcome: Result<Duration, FailedRequest>) {
        let (due_in, second) = (self.second(due), self.second(now));
        self.with(|state| {
            if outcome.is_ok() {
                state.count(second, |it| it.answered += 1);
            }
            let step = (due_in / state.step) as usize;
            let last = state.load.steps.len() - 1;
            let step = &mut state.load.steps[step.min(last)];
            match outcome {
                Ok(from_start) => {
                    step.latencies.record(now.saturating_duration_since(due));
                    step.from_start.record(from_start);
                }
                Err(failed) => {
                    step.failures.record(second, failed.failure);
                    if let Some(detail) = failed.detail {
                        state.load.measurement.add_detail(&detail, 1);
                    }
                }
            }
        });
        (self.on_end)();
    }
}

impl State {
    /// Counts in this second, unless the schedule is over by then.
    fn count(&mut self, second: u64, change: impl FnOnce(&mut Second)) {
        if let Some(second) = self.load.seconds.get_mut(second as usize) {
            change(second);
        }
    }
}

impl OpenLoad {
    /// A request that had a connection left so much later than it should have.
    fn left(&mut self, lateness: Duration) {
        self.lateness.record(lateness);
        self.late += u64::from(lateness > LATE);
    }

    /// Adds up what was found in so much time.
    fn finish(&mut self, time: Duration) {
        for step in &self.steps {
            self.measurement.latencies.merge(&step.latencies);
            self.measurement.failures.merge(&step.failures, 0);
            self.from_start.merge(&step.from_start);
        }
        let mut behind = 0_u64;
        for second in &mut self.seconds {
            behind = (behind + second.wanted).saturating_sub(second.sent);
            second.behind = behind;
        }
        let whole = (time.as_secs() as usize).min(self.seconds.len());
        self.falls_behind = falls_behind(&self.seconds[..whole]);
    }
}

impl Step {
    fn new(second: u64) -> Self {
        Self {
            second,
            latencies: Latencies::new(),
            from_start: Latencies::new(),
            failures: Failures::default(),
        }
    }
}

#[cfg(test)]
mod tests;
