//! Latencies, kept as a histogram: a mean alone hides the calls that people wait for.

use std::time::Duration;

use hdrhistogram::Histogram;

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

    /// The longest latency; none without one.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then_some(self.longest)
    }
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
}
