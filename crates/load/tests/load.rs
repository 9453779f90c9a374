//! The load against a real server: what is a latency, what is a failure, and of which kind.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use load::{
    Failure, Measurement, Sequential, Target, Work, closed_loop, on_its_own_thread,
    testing::{Behaviour, Server, refusing_address},
};

const LONG: Duration = Duration::from_secs(30);

async fn target(url: &str, timeout: Duration) -> Arc<Target> {
    Arc::new(
        Target::resolve(&url.parse().unwrap(), timeout)
            .await
            .unwrap(),
    )
}

async fn probed(url: &str, requests: u64, timeout: Duration) -> Measurement {
    let target = target(url, timeout).await;
    on_its_own_thread(move || async move { Sequential::new(target).run(requests, &|| {}).await })
        .await
        .unwrap()
}

async fn assert_all_fail(url: &str, timeout: Duration, failure: Failure) {
    let measurement = probed(url, 3, timeout).await;
    assert_eq!(
        measurement.failures.by_cause(),
        BTreeMap::from([(failure, 3)])
    );
    assert_eq!(measurement.latencies.count(), 0);
    assert_eq!(measurement.latencies.mean(), None);
    assert_eq!(measurement.requests_per_second(), 0.0);
}

#[tokio::test]
async fn a_latency_holds_the_servers_delay() {
    let delay = Duration::from_millis(20);
    let server = Server::start(Behaviour::Answer(delay)).await;
    let measurement = probed(&server.url(), 10, LONG).await;
    assert_eq!(measurement.latencies.count(), 10);
    assert_eq!(measurement.failures.count(), 0);
    assert!(measurement.latencies.percentile(50.0) >= Some(delay));
    assert!(measurement.elapsed >= delay * 10);
    assert!(measurement.latencies.max().unwrap() <= measurement.elapsed);
}

#[tokio::test]
async fn a_sequence_uses_one_connection() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let measurement = probed(&server.url(), 50, LONG).await;
    assert_eq!((server.requests(), server.connections()), (50, 1));
    assert_eq!(measurement.reconnects, 0);
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_sent_again_and_no_failure() {
    let server = Server::start(Behaviour::CloseAtSecond).await;
    let target = target(&server.url(), LONG).await;
    let measured = Sequential::new(target).run(10, &|| {}).await;
    assert_eq!(measured.failures.by_cause(), BTreeMap::new());
    assert_eq!(measured.latencies.count(), 10);
    // Each connection answers one request; the next one meets its end.
    assert_eq!(measured.reconnects, 9);
    assert_eq!(server.requests(), 19);
}

#[tokio::test]
async fn a_post_that_met_a_closing_connection_is_not_sent_again() {
    let server = Server::start(Behaviour::CloseAtSecond).await;
    let target = Target::resolve(&server.url().parse().unwrap(), LONG)
        .await
        .unwrap();
    let target = Arc::new(target.posting("text/plain", Default::default));
    let measured = Sequential::new(target).run(10, &|| {}).await;
    assert_eq!(measured.latencies.count(), 5);
    assert_eq!(
        measured.failures.by_cause(),
        BTreeMap::from([(Failure::Closed, 5)])
    );
    assert_eq!(server.requests(), 10);
}

#[tokio::test]
async fn what_a_problem_says_is_kept() {
    let server = Server::start(Behaviour::Problem("no connection is free")).await;
    let target = target(&server.url(), LONG).await;
    let measured = Sequential::new(target).run(3, &|| {}).await;
    assert_eq!(measured.failures.count(), 3);
    assert_eq!(
        measured.details,
        BTreeMap::from([("no connection is free".to_owned(), 3)])
    );
}

#[tokio::test]
async fn a_connection_closed_between_requests_is_opened_again_and_no_failure() {
    let server = Server::start(Behaviour::CloseAfterAnswer).await;
    let target = target(&server.url(), LONG).await;
    let mut sequence = Sequential::new(target);
    let mut measurement = Measurement::default();
    for round in 1..=10 {
        measurement.merge(&sequence.run(1, &|| {}).await);
        // The next request must not be under way when the server closes.
        tokio::time::timeout(LONG, async {
            while server.closed() < round {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
        // One turn of the runtime, in which the connection learns of it.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(measurement.failures.by_cause(), BTreeMap::new());
    assert_eq!(measurement.latencies.count(), 10);
    assert_eq!(measurement.reconnects, 9);
    assert_eq!(server.requests(), 10);
}

#[tokio::test]
async fn a_status_other_than_2xx_is_a_failure() {
    for status in [301, 404, 500] {
        let server = Server::start(Behaviour::Status(status)).await;
        assert_all_fail(&server.url(), LONG, Failure::Status(status)).await;
        assert_eq!(server.connections(), 1, "the connection is kept");
    }
    let server = Server::start(Behaviour::Status(201)).await;
    assert_eq!(
        probed(&server.url(), 3, LONG).await.failures.by_cause(),
        BTreeMap::new()
    );
}

#[tokio::test]
async fn failed_requests_are_told_apart_from_those_that_succeeded() {
    let server = Server::start(Behaviour::UnavailableEvery(4)).await;
    let measurement = probed(&server.url(), 100, LONG).await;
    assert_eq!(measurement.latencies.count(), 75);
    assert_eq!(
        measurement.failures.by_cause(),
        BTreeMap::from([(Failure::Status(503), 25)])
    );
}

#[tokio::test]
async fn a_refused_connection_is_a_failure() {
    let url = format!("http://{}/", refusing_address().await);
    assert_all_fail(&url, LONG, Failure::Refused).await;
}

#[tokio::test]
async fn a_reset_connection_is_a_failure() {
    let server = Server::start(Behaviour::Reset).await;
    assert_all_fail(&server.url(), LONG, Failure::Reset).await;
    assert_eq!(server.requests(), 3, "no request is sent twice");
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_a_failure() {
    let server = Server::start(Behaviour::Close).await;
    assert_all_fail(&server.url(), LONG, Failure::Closed).await;
    assert_eq!(server.requests(), 3, "no request is sent twice");
}

#[tokio::test]
async fn half_an_answer_is_a_failure() {
    let server = Server::start(Behaviour::HalfAnswer).await;
    assert_all_fail(&server.url(), LONG, Failure::Closed).await;
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_failure() {
    let server = Server::start(Behaviour::Nonsense).await;
    assert_all_fail(&server.url(), LONG, Failure::BadResponse).await;
}

#[tokio::test]
async fn no_answer_in_time_is_a_failure() {
    let server = Server::start(Behaviour::Silence).await;
    let timeout = Duration::from_millis(50);
    assert_all_fail(&server.url(), timeout, Failure::TimedOut).await;
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_fails_the_handshake() {
    let server = Server::start(Behaviour::Nonsense).await;
    let url = server.url().replace("http:", "https:");
    assert_all_fail(&url, LONG, Failure::Tls).await;
}

#[tokio::test]
async fn a_sequence_that_is_cut_short_has_what_was_answered_until_then() {
    let server = Server::start(Behaviour::Answer(Duration::from_millis(20))).await;
    let target = target(&server.url(), LONG).await;
    let time = Duration::from_millis(300);
    let measurement = Sequential::new(target).run_within(time, 1_000_000).await;
    // The request under way when the time was over is not among them.
    assert_eq!(measurement.latencies.count(), server.requests() - 1);
    assert!(measurement.latencies.count() > 0);
    assert_eq!(measurement.failures.count(), 0);
    assert!(measurement.elapsed >= time);
}

#[tokio::test]
async fn a_sequence_without_an_answer_is_cut_short_with_nothing() {
    let server = Server::start(Behaviour::Silence).await;
    let target = target(&server.url(), LONG).await;
    let time = Duration::from_millis(50);
    let measurement = Sequential::new(target).run_within(time, 5).await;
    assert_eq!(measurement.requests(), 0);
}

#[tokio::test]
async fn a_closed_loop_shares_its_work_among_its_connections() {
    let server = Server::start(Behaviour::Answer(Duration::from_millis(1))).await;
    let target = target(&server.url(), LONG).await;
    let answers = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&answers);
    let measurement = on_its_own_thread(move || {
        closed_loop(target, 8, Work::Requests(203), move || {
            counted.fetch_add(1, Ordering::SeqCst);
        })
    })
    .await
    .unwrap();
    assert_eq!(measurement.latencies.count(), 203);
    assert_eq!((server.requests(), server.connections()), (203, 8));
    assert_eq!(answers.load(Ordering::SeqCst), 203);
    assert!(measurement.requests_per_second() > 0.0);
}

#[tokio::test]
async fn a_closed_loop_ends_when_its_time_is_over() {
    let server = Server::start(Behaviour::Answer(Duration::from_millis(1))).await;
    let target = target(&server.url(), LONG).await;
    let time = Duration::from_millis(100);
    let measurement = on_its_own_thread(move || closed_loop(target, 2, Work::For(time), || {}))
        .await
        .unwrap();
    assert!(measurement.elapsed >= time);
    assert_eq!(measurement.latencies.count(), server.requests());
}

#[tokio::test]
async fn a_closed_loop_counts_every_failure_of_every_connection() {
    let server = Server::start(Behaviour::Reset).await;
    let target = target(&server.url(), LONG).await;
    let measurement = on_its_own_thread(move || closed_loop(target, 4, Work::Requests(100), || {}))
        .await
        .unwrap();
    assert_eq!(
        measurement.failures.by_cause(),
        BTreeMap::from([(Failure::Reset, 100)])
    );
    assert_eq!(measurement.latencies.count(), 0);
    assert_eq!(measurement.reconnects, 96);
}
