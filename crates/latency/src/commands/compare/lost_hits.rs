//! Whether a counter has counted what it says it has: a burst of hits, and the count after it.

use std::{io, sync::Arc, time::Duration};

use load::{Connection, Target, Work, closed_loop, on_its_own_thread};

use crate::{columns, output::Progress, results::Row};

/// Virtual users of the burst.
const CONNECTIONS: usize = 64;

/// How long a burst takes at most: writers of one object wait for each other.
const LONGEST: Duration = Duration::from_secs(7);

/// Virtual users of the rounds before it: environments that start all at once share this machine until they time out.
const WARM_UP: [usize; 4] = [8, 16, 32, CONNECTIONS];

/// What became of a burst on a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    /// Hits that were answered with a count.
    acknowledged: u64,
    /// Those of them that are missing from the count afterwards; none if it was not told.
    lost: Option<u64>,
}

/// Sends a burst of so many hits to every target, one after the other; none where what answers is not a count.
///
/// Nobody else may count meanwhile. `after_each` is called once a target is done.
pub(super) async fn bursts(
    targets: &[Arc<Target>],
    hits: u64,
    after_each: impl AsyncFn(),
) -> io::Result<Vec<Option<Burst>>> {
    if hits == 0 {
        return Ok(vec![None; targets.len()]);
    }
    let progress = Progress::bar("looking for lost hits", targets.len() as u64);
    let mut bursts = Vec::new();
    for target in targets {
        let target = Arc::clone(target);
        bursts.push(on_its_own_thread(move || burst(target, hits)).await?);
        after_each().await;
        progress.advance(1);
    }
    progress.finish();
    Ok(bursts)
}

async fn burst(target: Arc<Target>, hits: u64) -> Option<Burst> {
    let mut connection = Connection::new(Arc::clone(&target));
    count(&mut connection).await?;
    for users in WARM_UP {
        let work = Work::Requests(users as u64);
        closed_loop(Arc::clone(&target), users, work, || {}).await;
    }
    let before = count(&mut connection).await?;
    let measured = closed_loop(target, CONNECTIONS, Work::AtMost(hits, LONGEST), || {}).await;
    let after = count(&mut connection).await;
    let acknowledged = measured.latencies.count();
    Some(Burst {
        acknowledged,
        lost: after.map(|after| lost(before, acknowledged, after)),
    })
}

/// Counts a hit; none if the answer is not the count.
async fn count(connection: &mut Connection) -> Option<u64> {
    connection.text().await.ok()?.trim().parse().ok()
}

/// Of the acknowledged hits between two counts, those that are missing. A hit that failed may have been counted.
fn lost(before: u64, acknowledged: u64, after: u64) -> u64 {
    // The last count has counted itself.
    let counted = after.saturating_sub(before).saturating_sub(1);
    acknowledged.saturating_sub(counted)
}

/// Adds what became of the burst to a row.
pub(super) fn beside(row: Row, burst: Option<Burst>) -> Row {
    row.optional_count(
        columns::BURST_ACKNOWLEDGED,
        burst.map(|burst| burst.acknowledged),
    )
    .optional_count(columns::LOST_HITS, burst.and_then(|burst| burst.lost))
}

/// What the columns mean.
pub(super) fn note(hits: u64) -> String {
    format!(
        "hits lost: of those that were acknowledged in a burst of {hits} on {CONNECTIONS} connections, cut off after {} s, how many \
         are missing from the count after it.",
        LONGEST.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hit_is_lost_when_it_was_acknowledged_and_not_counted() {
        // 5, then ten hits, then the hit that tells.
        assert_eq!(lost(5, 10, 16), 0);
        assert_eq!(lost(5, 10, 13), 3);
        // Two that failed were counted all the same.
        assert_eq!(lost(5, 8, 16), 0);
        // A counter that began anew.
        assert_eq!(lost(500, 10, 11), 10);
    }
}
