//! Load from this machine, by turns.

use std::{fmt, sync::Arc, time::Duration};

use load::{Measurement, Sequential, Target, Work, closed_loop, on_its_own_thread};

use crate::output::Progress;

/// Requests to one target before the next one's turn: short against the noise of a machine, long against the first
/// request of a turn.
pub(super) const TURN: u64 = 50;

/// Requests to each target before anything is timed.
pub(super) const WARM_UP: u64 = 100;

/// Virtual users of the closed loop, and for how long in how many turns they call a target.
const CONNECTIONS: usize = 8;
const CLOSED_LOOP_TURN: Duration = Duration::from_millis(250);
const CLOSED_LOOP_TURNS: u32 = 4;

/// Sends `requests` requests to each target, one after the other.
pub(super) async fn in_sequence(
    targets: Vec<Arc<Target>>,
    requests: u64,
    progress: &Progress,
) -> std::io::Result<Vec<Measurement>> {
    let bar = progress.clone();
    on_its_own_thread(move || async move {
        let mut sequences: Vec<_> = targets
            .into_iter()
            .map(|target| (Sequential::new(target), Measurement::default()))
            .collect();
        let mut left = requests;
        while left > 0 {
            let turn = left.min(TURN);
            for (sequence, measurement) in &mut sequences {
                measurement.merge(&sequence.run(turn, &|| bar.advance(1)).await);
            }
            left -= turn;
        }
        sequences
            .into_iter()
            .map(|(_, measurement)| measurement)
            .collect()
    })
    .await
}

/// Has each target called on several connections at once.
pub(super) async fn in_closed_loop(targets: &[Arc<Target>]) -> std::io::Result<Vec<Measurement>> {
    let progress = Progress::spinner(&format!("calling on {CONNECTIONS} connections at once"));
    let mut measured = vec![Measurement::default(); targets.len()];
    for _ in 0..CLOSED_LOOP_TURNS {
        for (target, measurement) in targets.iter().zip(&mut measured) {
            let target = Arc::clone(target);
            let turn = on_its_own_thread(move || {
                closed_loop(target, CONNECTIONS, Work::For(CLOSED_LOOP_TURN), || {})
            })
            .await?;
            measurement.merge(&turn);
        }
    }
    progress.finish();
    Ok(measured)
}

/// What the columns mean to max are of `requests` requests to each target, by turns of `turn`.
pub(super) fn sequence_note(requests: impl fmt::Display, turn: u64) -> String {
    format!(
        "mean to max: {requests} requests, one after the other on one connection; the functions take turns of {turn}."
    )
}

/// What the column requests/s is of.
pub(super) fn closed_loop_note() -> String {
    let seconds = CLOSED_LOOP_TURN.as_secs_f64() * f64::from(CLOSED_LOOP_TURNS);
    format!("requests/s: {CONNECTIONS} connections in a closed loop for {seconds} s.")
}
