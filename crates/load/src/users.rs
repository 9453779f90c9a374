//! Virtual users with a think time: each waits for its answer, thinks, and asks again.

use std::{
    net::Ipv4Addr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use crate::{
    Connection, FailedRequest, Level, Part, Source, StepLoad, Target, measurement::Stopwatch,
};

/// A timer fires up to two milliseconds after its time: it counts whole ones, and so does the wait for events. So far, a
/// user has thought a little longer, and the request is not late.
const TIMER: Duration = Duration::from_millis(2);

/// Runs a part of the load against the target, from one of these addresses of this machine after the other, or from
/// whichever the system takes if there are none.
///
/// The load runs on the runtime of the caller: give it a thread of its own ([`crate::on_its_own_thread`]).
pub fn step_load(
    target: &Target,
    sources: &[Ipv4Addr],
    load: StepLoad,
    part: Part,
) -> Pin<Box<dyn Future<Output = Level> + Send>> {
    let target = match load.new_connections {
        true => target.clone().closing(),
        false => target.clone(),
    };
    let from = |source: &Ipv4Addr| target.clone().from_source(Source::new(*source));
    let mut targets: Vec<_> = sources.iter().map(from).map(Arc::new).collect();
    if targets.is_empty() {
        targets.push(Arc::new(target));
    }
    // As a trait object it is compiled here, as fast as this crate is.
    Box::pin(run(targets, load, part))
}

async fn run(targets: Vec<Arc<Target>>, load: StepLoad, part: Part) -> Level {
    let stopwatch = Stopwatch::start();
    let began = Instant::now();
    let shared = Arc::new(Shared {
        began,
        end: began + load.duration,
        level: Mutex::new(Level::begin(load.duration)),
        load,
    });
    // Each user has one end of it: when all are gone, the load is over.
    let (there, mut all_gone) = mpsc::channel::<()>(1);
    for (target, start) in targets.iter().cycle().zip(part.starts(&shared.load)) {
        let due = began + start;
        sleep_until(due).await;
        let (target, shared, there) = (Arc::clone(target), Arc::clone(&shared), there.clone());
        tokio::spawn(async move {
            user(target, &shared, due).await;
            drop(there);
        });
    }
    drop(there);
    all_gone.recv().await;
    sleep_until(shared.end).await;
    let mut level = shared.with(|level| std::mem::replace(level, Level::begin(Duration::ZERO)));
    stopwatch.stop(&mut level.measurement);
    level.busiest = level.measurement.client_busy();
    level
}

/// What all users of a part share.
struct Shared {
    load: StepLoad,
    began: Instant,
    end: Instant,
    // Never contended: all users are on one thread.
    level: Mutex<Level>,
}

impl Shared {
    fn with<T>(&self, change: impl FnOnce(&mut Level) -> T) -> T {
        change(&mut self.level.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn second(&self, moment: Instant) -> u64 {
        moment.duration_since(self.began).as_secs()
    }

    fn think_time(&self) -> Duration {
        let (least, most) = self.load.think_time;
        least + most.saturating_sub(least).mul_f64(fastrand::f64())
    }

    fn came(&self, late: Duration) {
        let second = self.second(Instant::now());
        self.with(|level| {
            level.users += 1;
            level.lateness.record(late);
            level.second(second).started += 1;
        });
    }
}

async fn user(target: Arc<Target>, shared: &Shared, mut due: Instant) {
    let mut connection = Connection::new(target);
    let mut late = due.elapsed();
    shared.came(late);
    if !shared.load.new_connections {
        // Whatever keeps it from opening fails the first request as well, and is counted there.
        let _ = connection.open().await;
    }
    loop {
        let outcome = connection.request().await;
        let answered = Instant::now();
        record(shared, outcome, answered, answered - on_time(due, late));
        due = answered + shared.think_time();
        if due >= shared.end {
            // The connection stays until the end, as a user does who thinks.
            sleep_until(shared.end).await;
            break;
        }
        sleep_until(due).await;
        late = due.elapsed();
        shared.with(|level| level.lateness.record(late));
    }
    let reconnects = connection.reconnects();
    shared.with(|level| level.measurement.reconnects += reconnects);
}

/// When a request was due, if what the timer itself takes is no delay.
fn on_time(due: Instant, late: Duration) -> Instant {
    due + late.min(TIMER)
}

fn record(
    shared: &Shared,
    outcome: Result<Duration, FailedRequest>,
    answered: Instant,
    from_due: Duration,
) {
    let second = shared.second(answered);
    shared.with(|level| {
        match &outcome {
            Ok(latency) => {
                level.from_due.record(from_due);
                level.second(second).latencies.record(*latency);
            }
            Err(_) => level.second(second).failures += 1,
        }
        level
            .measurement
            .record(Duration::from_secs(second), outcome);
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::net::TcpListener;

    use super::*;
    use crate::{
        Failure, on_its_own_thread,
        testing::{Behaviour, Server},
    };

    fn load(users: u32) -> StepLoad {
        // The published load at 200 times its speed: 900 ms, think time 25 to 45 ms.
        StepLoad::published(users).at_speed(200.0)
    }

    async fn target(url: &str) -> Target {
        let timeout = Duration::from_secs(20);
        Target::resolve(&url.parse().unwrap(), timeout)
            .await
            .unwrap()
    }

    async fn run(server: &Server, load: StepLoad) -> Level {
        let target = target(&server.url()).await;
        on_its_own_thread(move || step_load(&target, &[], load, Part::WHOLE))
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn every_user_asks_at_once_and_again_after_thinking_on_one_connection() {
        let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
        let level = run(&server, load(20)).await;
        assert_eq!((level.users, server.connections()), (20, 20));
        let requests = level.measurement.requests();
        assert_eq!(server.requests(), requests);
        assert_eq!(level.lateness.count(), requests);
        assert_eq!(level.from_due.count(), requests);
        let seconds = level.seconds.iter();
        assert_eq!(seconds.map(|it| it.requests()).sum::<u64>(), requests);
        assert_eq!(level.measurement.failures.count(), 0);
        // Each user once, and then at most once in the shortest time to think.
        let most = level.measurement.elapsed.as_millis() as u64 / 25 + 1;
        assert!((40..=20 * most).contains(&requests), "{requests}");
    }

    #[tokio::test]
    async fn a_new_connection_for_each_request_is_part_of_its_latency() {
        let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
        let load = StepLoad {
            new_connections: true,
            ..load(10)
        };
        let level = run(&server, load).await;
        assert_eq!(server.connections(), level.measurement.requests());
        assert_eq!(level.measurement.reconnects, 0);
        // What is in one and not in the other: how late the generator was, within what a timer takes.
        let [latencies, from_due] = [&level.measurement.latencies, &level.from_due];
        let difference = from_due
            .mean()
            .unwrap()
            .saturating_sub(latencies.mean().unwrap());
        assert!(
            difference <= level.lateness.mean().unwrap(),
            "{difference:?}"
        );
    }

    #[tokio::test]
    async fn failures_have_no_latency_but_a_cause_and_a_second() {
        let server = Server::start(Behaviour::UnavailableEvery(2)).await;
        let level = run(&server, load(10)).await;
        let failures = level.measurement.failures.by_cause();
        assert_eq!(failures[&Failure::Status(503)], server.requests() / 2);
        let seconds = level.seconds.iter();
        let in_seconds: u64 = seconds.map(|second| second.failures).sum();
        assert_eq!(in_seconds, server.requests() / 2);
        assert_eq!(level.from_due.count(), level.measurement.latencies.count());
    }

    #[tokio::test]
    async fn a_request_under_way_at_the_end_is_waited_for() {
        let delay = Duration::from_secs(1);
        let server = Server::start(Behaviour::Answer(delay)).await;
        let load = StepLoad {
            duration: Duration::from_millis(200),
            spawn_rate: 1e3,
            step_share: 1.0,
            ..load(5)
        };
        let level = run(&server, load).await;
        assert_eq!(level.measurement.latencies.count(), 5);
        assert!(level.measurement.elapsed >= delay);
        assert_eq!(level.seconds[0].started, 5);
    }

    /// How many of the latencies are this long.
    fn longer(latencies: &crate::Latencies, time: Duration) -> u64 {
        let long = latencies.buckets().filter(|(latency, _)| *latency >= time);
        long.map(|(_, count)| count).sum()
    }

    #[tokio::test]
    async fn a_late_generator_is_told_apart_from_a_late_server() {
        const BLOCKED: Duration = Duration::from_millis(400);
        let half = BLOCKED / 2;
        let load = StepLoad {
            think_time: (Duration::from_millis(100), Duration::from_millis(200)),
            ..load(20)
        };

        let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
        let (target, blocked) = (target(&server.url()).await, load.clone());
        let level = on_its_own_thread(move || async move {
            tokio::spawn(async {
                tokio::time::sleep(Duration::from_millis(450)).await;
                // As if it had too much to do.
                std::thread::sleep(BLOCKED);
            });
            step_load(&target, &[], blocked, Part::WHOLE).await
        })
        .await
        .unwrap();
        let late = longer(&level.lateness, half);
        assert!(late > 0);
        assert!(longer(&level.from_due, half) >= late);
        // Only what was under way just then.
        let slow = longer(&level.measurement.latencies, half);
        assert!(slow < late, "{slow} slow answers, {late} late requests");

        let server = Server::start(Behaviour::Answer(BLOCKED)).await;
        let level = run(&server, load).await;
        let answers = level.measurement.latencies.count();
        assert_eq!(longer(&level.measurement.latencies, BLOCKED), answers);
        let late = longer(&level.lateness, half);
        assert!(late < answers, "{late} late requests of {answers}");
    }

    #[tokio::test]
    async fn users_come_from_the_addresses_they_are_given() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let target = target(&url).await;
        let sources = ["127.0.0.2", "127.0.0.3"].map(|it| it.parse().unwrap());
        let users = StepLoad {
            duration: Duration::from_millis(100),
            spawn_rate: 1e3,
            step_share: 1.0,
            ..load(4)
        };
        let level = on_its_own_thread(move || step_load(&target, &sources, users, Part::WHOLE));
        let peers = async {
            let mut peers = BTreeSet::new();
            while peers.len() < 2 {
                // Closed at once: the request fails, which matters not.
                peers.insert(listener.accept().await.unwrap().1.ip());
            }
            drop(listener);
            peers
        };
        let (level, peers) = tokio::join!(level, peers);
        assert_eq!(level.unwrap().users, 4);
        assert!(peers.into_iter().eq(sources.map(std::net::IpAddr::V4)));
    }
}
