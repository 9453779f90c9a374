use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::{
    Work, closed_loop, on_its_own_thread,
    testing::{Behaviour, Server, refusing_address},
};

const LONG: Duration = Duration::from_secs(30);

async fn load(
    url: &str,
    timeout: Duration,
    rate: f64,
    time: Duration,
    connections: usize,
) -> OpenLoad {
    let target = Target::resolve(&url.parse().unwrap(), timeout)
        .await
        .unwrap();
    let schedule = Schedule::new(rate, rate, time, Spacing::Constant).unwrap();
    on_its_own_thread(move || open_loop(Arc::new(target), schedule, connections, || {}))
        .await
        .unwrap()
}

#[tokio::test]
async fn all_requests_are_sent_on_no_more_connections_than_it_takes() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let ends = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&ends);
    let target = Target::resolve(&server.url().parse().unwrap(), LONG)
        .await
        .unwrap();
    let time = Duration::from_millis(1_500);
    let schedule = Schedule::new(200.0, 200.0, time, Spacing::Poisson).unwrap();
    let load = on_its_own_thread(move || {
        open_loop(Arc::new(target), schedule, 1000, move || {
            counted.fetch_add(1, Ordering::SeqCst);
        })
    })
    .await
    .unwrap();
    let requests = load.measurement.requests();
    assert_eq!(load.measurement.latencies.count(), requests);
    assert_eq!(load.from_start.count(), requests);
    assert_eq!(load.lateness.count(), requests);
    assert_eq!(
        (server.requests(), ends.load(Ordering::SeqCst)),
        (requests, requests)
    );
    assert_eq!(server.connections(), load.connections as u64);
    assert!(load.connections < 150, "{}", load.connections);
    assert_eq!((load.steps.len(), load.seconds.len()), (2, 2));
    let wanted: u64 = load.seconds.iter().map(|it| it.wanted).sum();
    assert_eq!(wanted, requests);
    assert!(load.measurement.elapsed >= time && load.measurement.client_cpu > Duration::ZERO);
}

#[tokio::test]
async fn a_stall_is_waited_for_by_all_who_come_meanwhile_and_only_an_open_load_tells() {
    // One request in fifty takes 200 ms, and the only connection is taken meanwhile.
    let stall = Duration::from_millis(200);
    let server = Server::start(Behaviour::StallEvery(50, stall)).await;
    let open = load(&server.url(), LONG, 100.0, Duration::from_secs(2), 1).await;
    assert_eq!(open.measurement.latencies.count(), 200);
    // Of the 50 requests of half a second, those of 200 ms wait, half as long on average.
    let long = |latencies: &Latencies| {
        let long = latencies
            .buckets()
            .filter(|(latency, _)| *latency > stall / 4);
        long.map(|(_, count)| count).sum::<u64>()
    };
    assert!(
        long(&open.measurement.latencies) > 40,
        "{}",
        long(&open.measurement.latencies)
    );
    assert!(open.measurement.latencies.percentile(90.0) > Some(stall / 4));

    let target = Target::resolve(&server.url().parse().unwrap(), LONG)
        .await
        .unwrap();
    let closed = closed_loop(Arc::new(target), 1, Work::Requests(200), || {}).await;
    // Whoever waits for an answer before asking again sees each of the four stalls once; other programs may stall, too.
    for latencies in [&closed.latencies, &open.from_start] {
        assert!((4..20).contains(&long(latencies)), "{}", long(latencies));
    }
}

#[tokio::test]
async fn a_request_that_finds_no_connection_waits_and_that_is_not_the_generators_fault() {
    let server = Server::start(Behaviour::Answer(Duration::from_millis(50))).await;
    let load = load(&server.url(), LONG, 100.0, Duration::from_secs(2), 3).await;
    // Three connections answer sixty requests a second.
    assert_eq!((load.connections, server.connections()), (3, 3));
    assert!(load.lateness.count() < 20, "{}", load.lateness.count());
    let not_sent = load.measurement.failures.by_cause();
    assert_eq!(not_sent.keys().collect::<Vec<_>>(), [&Failure::NotSent]);
    assert_eq!(load.measurement.requests(), 200);
    assert!(load.measurement.latencies.max() > load.from_start.max());
    let behind: Vec<_> = load.seconds.iter().map(|second| second.behind).collect();
    assert!(behind[0] > 20 && behind[1] > behind[0], "{behind:?}");
}

#[tokio::test]
async fn a_request_that_waits_longer_than_it_may_take_is_not_sent() {
    let timeout = Duration::from_millis(200);
    let server = Server::start(Behaviour::Silence).await;
    let load = load(&server.url(), timeout, 20.0, Duration::from_secs(1), 1).await;
    let causes = load.measurement.failures.by_cause();
    assert_eq!(load.measurement.requests(), 20);
    assert!(
        causes[&Failure::TimedOut] >= 2 && causes[&Failure::NotSent] >= 5,
        "{causes:?}"
    );
}

#[tokio::test]
async fn every_failure_is_counted() {
    let url = format!("http://{}/", refusing_address().await);
    let load = load(&url, LONG, 50.0, Duration::from_millis(500), 10).await;
    assert_eq!(load.measurement.failures.by_cause()[&Failure::Refused], 25);
    assert_eq!(load.measurement.latencies.count(), 0);
}

fn seconds(counts: &[(u64, u64, u64)]) -> Vec<Second> {
    let seconds = counts.iter().map(|&(wanted, answered, behind)| Second {
        wanted,
        sent: wanted,
        answered,
        behind,
    });
    seconds.collect()
}

#[test]
fn a_server_that_keeps_up_does_not_fall_behind() {
    // The first answers come in the next second, the rate rises, and one second has a pause that is made up for.
    let good = seconds(&[
        (100, 10, 0),
        (200, 110, 0),
        (300, 150, 20),
        (400, 440, 0),
        (500, 480, 3),
        (500, 490, 0),
    ]);
    assert_eq!(falls_behind(&good), None);
    for few in [&good[..0], &good[..1], &good[..2]] {
        assert_eq!(falls_behind(few), None);
    }
}

#[test]
fn a_server_with_too_few_answers_in_two_successive_seconds_falls_behind() {
    let rising = seconds(&[
        (100, 95, 0),
        (200, 195, 0),
        (300, 250, 0),
        (400, 255, 0),
        (500, 250, 0),
    ]);
    assert_eq!(
        falls_behind(&rising),
        Some(FallsBehind {
            second: 3,
            rate: 400,
            rule: Rule::FewAnswers
        })
    );
}

#[test]
fn a_server_for_which_ever_more_wait_falls_behind() {
    let waiting = seconds(&[
        (100, 99, 0),
        (100, 97, 6),
        (100, 97, 12),
        (100, 97, 18),
        (100, 97, 19),
    ]);
    assert_eq!(
        falls_behind(&waiting),
        Some(FallsBehind {
            second: 1,
            rate: 100,
            rule: Rule::MoreWait
        })
    );
    assert_eq!(falls_behind(&waiting[..3]), None);
    assert_eq!(falls_behind(&waiting[1..]), None);
}

#[tokio::test]
async fn a_long_run_is_told_in_few_steps() {
    let target = Target::resolve(&"http://127.0.0.1/".parse().unwrap(), LONG).await;
    let target = Arc::new(target.unwrap());
    for (time, steps, step) in [(1, 1, 1), (60, 60, 1), (61, 31, 2), (3600, 60, 60)] {
        let time = Duration::from_secs(time);
        let schedule = Schedule::new(1.0, 1.0, time, Spacing::Constant).unwrap();
        let shared = Shared::new(Arc::clone(&target), schedule, 1, Box::new(|| {}));
        shared.with(|state| {
            assert_eq!((state.load.steps.len(), state.step), (steps, step));
            assert_eq!(state.load.seconds.len() as u64, time.as_secs());
        });
    }
}
