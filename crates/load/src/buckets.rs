//! Latencies counted in few buckets: enough for a second of a time line, of which there are many.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

/// How many latencies there are of which length. Lengths are off by less than a hundredth of themselves.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Buckets {
    /// By the upper end in nanoseconds.
    counts: BTreeMap<u64, u64>,
    /// Exact, as the histogram is not.
    total: Duration,
}

/// The upper end of the bucket that this many nanoseconds are in: two hundred steps at most from a power of two to the next.
pub(crate) fn bucket(nanos: u64) -> u64 {
    let step = (nanos.next_power_of_two() / 256).max(1);
    nanos.div_ceil(step) * step
}

impl Buckets {
    /// Adds one latency.
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX / 2);
        *self.counts.entry(bucket(nanos)).or_default() += 1;
        self.total += latency;
    }

    /// Adds all latencies of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (&nanos, count) in &other.counts {
            *self.counts.entry(nanos).or_default() += count;
        }
        self.total += other.total;
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.values().sum()
    }

    /// The arithmetic mean; none without a latency.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let count = self.count();
        (count > 0).then(|| self.total.div_f64(count as f64))
    }

    /// The latency that `percent` of them, from 0 to 100, did not exceed; none without a latency.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        let rank = ((self.count() as f64 * percent / 100.0).ceil() as u64).max(1);
        let mut counted = 0;
        self.iter().find_map(|(latency, count)| {
            counted += count;
            (counted >= rank).then_some(latency)
        })
    }

    /// All of them, the shortest first.
    pub fn iter(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let buckets = self.counts.iter();
        buckets.map(|(&nanos, &count)| (Duration::from_nanos(nanos), count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_off_by_less_than_a_hundredth() {
        let mut buckets = Buckets::default();
        (1..=10_000).for_each(|micros| buckets.record(Duration::from_micros(micros)));
        assert_eq!(buckets.count(), 10_000);
        for (percent, micros) in [(50.0, 5_000.0), (99.0, 9_900.0), (100.0, 10_000.0)] {
            let found = buckets.percentile(percent).unwrap().as_secs_f64() * 1e6;
            assert!((found / micros - 1.0).abs() < 0.01, "{percent}: {found}");
        }
        assert_eq!(buckets.mean(), Some(Duration::from_nanos(5_000_500)));
        assert_eq!(Buckets::default().percentile(50.0), None);
    }

    #[test]
    fn merged_halves_equal_the_whole_also_after_a_journey() {
        let (mut half, mut other, mut whole) =
            (Buckets::default(), Buckets::default(), Buckets::default());
        for micros in 1..=1_000 {
            let latency = Duration::from_micros(micros * 7);
            whole.record(latency);
            if micros % 2 == 0 {
                &mut half
            } else {
                &mut other
            }
            .record(latency);
        }
        let json = serde_json::to_string(&other).unwrap();
        half.merge(&serde_json::from_str(&json).unwrap());
        assert_eq!(half, whole);
    }
}
