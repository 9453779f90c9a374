//! Latencies, kept as a histogram: a mean alone hides the calls that people wait for.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

use crate::buckets::bucket;

/// Longest latency the histogram tells apart, in nanoseconds: an hour, far above any request's timeout.
const LONGEST_NANOS: u64 = 3_600_000_000_000;

/// Every recorded value is off by less than a thousandth of itself.
const SIGNIFICANT_DIGITS: u8 = 3;

/// The percentiles that are shown beside the mean and the maximum.
pub const PERCENTILES: [f64; 3] = [50.0, 99.0, 99.9];

/// The latencies of the requests that succeeded. A failure has no latency and never gets in here.
///
/// Mean and maximum are exact; percentiles come from an HdrHistogram in nanoseconds with three significant digits.
#[derive(Clone, Debug)]
pub struct Latencies {
    pub(crate) histogram: Histogram<u64>,
    pub(crate) total: Duration,
    pub(crate) longest: Duration,
}

impl Latencies {
    /// No latencies yet.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the bounds are constants, and a test makes a histogram of them"
    )]
    pub fn new() -> Self {
        let histogram = Histogram::new_with_bounds(1, LONGEST_NANOS, SIGNIFICANT_DIGITS)
            .expect("the bounds are valid");
        Self {
            histogram,
            total: Duration::ZERO,
            longest: Duration::ZERO,
        }
    }

    /// Adds one latency.
    pub fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(LONGEST_NANOS);
        self.histogram.saturating_record(nanos);
        self.total += latency;
        self.longest = self.longest.max(latency);
    }

    /// Adds all latencies of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.histogram += &other.histogram;
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.histogram.len()
    }

    /// The arithmetic mean; none without a latency.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        (self.count() > 0).then(|| self.total.div_f64(self.count() as f64))
    }

    /// The latency that `percent` of the requests, from 0 to 100, did not exceed; none without a latency.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        (self.count() > 0).then(|| {
            let nanos = self.histogram.value_at_quantile(percent / 100.0);
            // A bucket's upper end may lie above the longest latency in it.
            Duration::from_nanos(nanos).min(self.longest)
        })
    }

    /// Where the median is with 95 % confidence; none with fewer than six latencies, which can't say it that surely.
    ///
    /// By order statistics, whatever the distribution: the median is below the j-th and above the k-th of n latencies no
    /// more often than a fair coin shows fewer than j or at least k heads in n throws. Le Boudec, "Performance Evaluation of
    /// Computer and Communication Systems" (2010), theorem 2.1; for many, with the normal distribution's 1.96 √n ÷ 2.
    #[must_use]
    pub fn median_interval(&self) -> Option<(Duration, Duration)> {
        let (low, high) = median_ranks(self.count())?;
        Some((self.ranked(low), self.ranked(high)))
    }

    /// The latency of this rank, counted from 1.
    fn ranked(&self, rank: u64) -> Duration {
        let share = rank as f64 / self.count() as f64;
        Duration::from_nanos(self.histogram.value_at_quantile(share)).min(self.longest)
    }

    /// How many there are of which length, the shortest first; lengths are off by less than a hundredth of themselves.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> {
        let mut buckets: BTreeMap<u64, u64> = BTreeMap::new();
        for value in self.histogram.iter_recorded() {
            let nanos = value.value_iterated_to();
            *buckets.entry(bucket(nanos)).or_default() += value.count_at_value();
        }
        buckets
            .into_iter()
            .map(|(nanos, count)| (Duration::from_nanos(nanos), count))
    }

    /// The longest latency; none without one.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then_some(self.longest)
    }
}

/// The ranks, counted from 1, between which the median of `count` values is with 95 % confidence.
fn median_ranks(count: u64) -> Option<(u64, u64)> {
    /// Up to here, every throw of the coin is counted.
    const FEW: u64 = 70;
    if count > FEW {
        let count = count as f64;
        let half = 1.96 * count.sqrt() / 2.0;
        let low = (count / 2.0 - half).floor() as u64;
        return Some((low, (count / 2.0 + half).ceil() as u64 + 1));
    }
    let mut likelihood = 0.5_f64.powi(i32::try_from(count).ok()?);
    let mut fewer = 0.0;
    let mut low = 0;
    // Fewer than `low` heads, or more than `count - low`: at most one time in twenty, both together.
    while low < count / 2 && fewer + likelihood <= 0.025 {
        fewer += likelihood;
        likelihood *= (count - low) as f64 / (low + 1) as f64;
        low += 1;
    }
    (low > 0).then_some((low, count + 1 - low))
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

impl FromIterator<Duration> for Latencies {
    fn from_iter<I: IntoIterator<Item = Duration>>(latencies: I) -> Self {
        let mut all = Self::new();
        latencies
            .into_iter()
            .for_each(|latency| all.record(latency));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_to_ten_thousand_microseconds() -> Latencies {
        (1..=10_000).map(Duration::from_micros).collect()
    }

    fn assert_near(found: Option<Duration>, microseconds: f64) {
        let found = found.unwrap().as_secs_f64() * 1e6;
        assert!(
            (found / microseconds - 1.0).abs() < 0.001,
            "{found} is not {microseconds}"
        );
    }

    #[test]
    fn the_statistics_of_known_latencies_are_right() {
        let latencies = one_to_ten_thousand_microseconds();
        assert_eq!(latencies.count(), 10_000);
        assert_eq!(latencies.mean(), Some(Duration::from_nanos(5_000_500)));
        assert_near(latencies.percentile(50.0), 5_000.0);
        assert_near(latencies.percentile(99.0), 9_900.0);
        assert_near(latencies.percentile(99.9), 9_990.0);
        assert_eq!(latencies.max(), Some(Duration::from_millis(10)));
    }

    #[test]
    fn one_straggler_moves_the_maximum_but_not_the_median() {
        let mut latencies: Latencies = std::iter::repeat_n(Duration::from_millis(1), 999).collect();
        latencies.record(Duration::from_secs(1));
        assert_near(latencies.percentile(50.0), 1_000.0);
        assert_near(latencies.mean(), 1_999.0);
        assert_eq!(latencies.max(), Some(Duration::from_secs(1)));
    }

    #[test]
    fn merged_halves_equal_the_whole() {
        let mut merged: Latencies = (1..=5_000).map(Duration::from_micros).collect();
        merged.merge(&(5_001..=10_000).map(Duration::from_micros).collect());
        let whole = one_to_ten_thousand_microseconds();
        assert_eq!(merged.mean(), whole.mean());
        assert_eq!(merged.percentile(99.9), whole.percentile(99.9));
        assert_eq!(merged.max(), whole.max());
    }

    #[test]
    fn a_percentile_never_exceeds_the_maximum() {
        let latencies: Latencies = [Duration::from_nanos(123_456_789)].into_iter().collect();
        assert_eq!(latencies.percentile(99.9), latencies.max());
    }

    #[test]
    fn without_a_latency_there_is_no_statistic() {
        let none = Latencies::new();
        assert_eq!(none.mean(), None);
        assert_eq!(none.percentile(50.0), None);
        assert_eq!(none.max(), None);
    }
    #[test]
    fn the_ranks_around_a_median_are_those_of_the_published_table() {
        assert_eq!(median_ranks(5), None);
        // Le Boudec, table A.1: the ranks for 95 %.
        for (count, ranks) in [(6, (1, 6)), (10, (2, 9)), (20, (6, 15)), (70, (27, 44))] {
            assert_eq!(median_ranks(count), Some(ranks), "of {count}");
        }
        // 50 ± 0.98 × 10.
        assert_eq!(median_ranks(100), Some((40, 61)));
    }

    #[test]
    fn the_median_of_what_was_drawn_from_is_nearly_always_in_its_interval() {
        let mut random = 1_u64;
        let mut draw = move || {
            // Knuth's MMIX: not for secrets, good enough for a coin.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            random >> 33
        };
        let mut inside = 0;
        for _ in 0..500 {
            let drawn = (0..200).map(|_| Duration::from_micros(1_000 + draw() % 1_000));
            let (low, high) = drawn.collect::<Latencies>().median_interval().unwrap();
            let median = Duration::from_micros(1_500);
            inside += u32::from(low <= median && median <= high);
        }
        assert!((460..500).contains(&inside), "{inside} of 500");
    }

    #[test]
    fn buckets_hold_every_latency_close_to_where_it_was() {
        let latencies = one_to_ten_thousand_microseconds();
        let buckets: Vec<_> = latencies.buckets().collect();
        assert_eq!(buckets.iter().map(|(_, count)| count).sum::<u64>(), 10_000);
        assert!(
            buckets.is_sorted() && buckets.len() < 1_800,
            "{}",
            buckets.len()
        );
        let mean = buckets
            .iter()
            .map(|(latency, count)| latency.as_secs_f64() * *count as f64);
        let mean = mean.sum::<f64>() / 10_000.0;
        assert!(
            (mean / latencies.mean().unwrap().as_secs_f64() - 1.0).abs() < 0.01,
            "{mean}"
        );
    }
}
