//! When requests should be sent.

use std::time::Duration;

/// How requests are spread over the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// As evenly as can be.
    Constant,
    /// Independently of each other, as those of many visitors: a Poisson process.
    Poisson,
}

/// Requests at a rate that stays the same or changes evenly.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    from: f64,
    to: f64,
    time: Duration,
    spacing: Spacing,
}

impl Schedule {
    /// From `from` requests a second to `to`, in this time. None unless both rates and the time are more than nothing.
    #[must_use]
    pub fn new(from: f64, to: f64, time: Duration, spacing: Spacing) -> Option<Self> {
        let is_rate = |rate: f64| rate.is_finite() && rate > 0.0;
        (is_rate(from) && is_rate(to) && !time.is_zero()).then_some(Self {
            from,
            to,
            time,
            spacing,
        })
    }

    /// How long it is.
    #[must_use]
    pub fn time(&self) -> Duration {
        self.time
    }

    /// How many requests are to be expected.
    #[must_use]
    pub fn expected(&self) -> u64 {
        ((self.from + self.to) / 2.0 * self.time.as_secs_f64()).round() as u64
    }

    /// How long after the start each request should be sent.
    ///
    /// Until the time t, Λ(t) = from·t + (to − from)·t² ÷ 2·time requests are due. The n-th is sent at the time when Λ is n;
    /// of a Poisson process, when Λ is the sum of n exponentially distributed numbers of mean 1 (Çinlar, "Introduction to
    /// Stochastic Processes", 1975, 4.7: a process that is not stationary is a stationary one in another time).
    pub(super) fn arrivals(self, mut random: fastrand::Rng) -> impl Iterator<Item = Duration> {
        let time = self.time.as_secs_f64();
        let slope = (self.to - self.from) / time;
        let all = (self.from + self.to) / 2.0 * time;
        let mut due = 0.0;
        let mut first = true;
        std::iter::from_fn(move || {
            due += match self.spacing {
                Spacing::Constant if std::mem::take(&mut first) => 0.0,
                Spacing::Constant => 1.0,
                // 1 − u is never 0.
                Spacing::Poisson => -(1.0 - random.f64()).ln(),
            };
            // A hair's breadth, so that a rounding error makes no further one.
            if due >= all - 1e-9 {
                return None;
            }
            // Λ(t) = due, solved for t in the form that also holds without a slope.
            let root = (self.from.powi(2) + 2.0 * slope * due).max(0.0).sqrt();
            Some(Duration::from_secs_f64(2.0 * due / (self.from + root)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(from: f64, to: f64, seconds: u64, spacing: Spacing) -> Vec<f64> {
        let time = Duration::from_secs(seconds);
        let schedule = Schedule::new(from, to, time, spacing).unwrap();
        let arrivals = schedule.arrivals(fastrand::Rng::with_seed(7));
        let arrivals: Vec<_> = arrivals.map(|it| it.as_secs_f64()).collect();
        assert!(arrivals.is_sorted() && arrivals.iter().all(|&at| at <= seconds as f64));
        arrivals
    }

    fn within(arrivals: &[f64], second: f64) -> f64 {
        arrivals
            .iter()
            .filter(|&&at| at >= second && at < second + 1.0)
            .count() as f64
    }

    #[test]
    fn at_a_constant_rate_gaps_are_the_same() {
        let arrivals = arrivals(4.0, 4.0, 2, Spacing::Constant);
        assert_eq!(arrivals, [0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75]);
    }

    #[test]
    fn a_rate_rises_or_falls_evenly() {
        for (from, to) in [(100.0, 900.0), (900.0, 100.0)] {
            let arrivals = arrivals(from, to, 8, Spacing::Constant);
            assert_eq!(arrivals.len(), 4000);
            for second in 0..8 {
                let wanted = from + (to - from) * (f64::from(second) + 0.5) / 8.0;
                let found = within(&arrivals, f64::from(second));
                assert!((found - wanted).abs() <= 1.0, "{found} in second {second}");
            }
        }
    }

    #[test]
    fn a_poisson_process_has_its_rate_and_its_spread() {
        for to in [1000.0, 3000.0] {
            let arrivals = arrivals(1000.0, to, 50, Spacing::Poisson);
            let expected = (1000.0 + to) / 2.0 * 50.0;
            // Five standard deviations.
            let off = (arrivals.len() as f64 - expected).abs();
            assert!(off < 5.0 * expected.sqrt(), "{off}");
        }
        // The gaps of an exponential distribution are as long on average as they differ.
        let arrivals = arrivals(1000.0, 1000.0, 50, Spacing::Poisson);
        let gaps: Vec<_> = arrivals.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn nothing_is_no_rate_and_no_time() {
        let second = Duration::from_secs(1);
        for (from, to, time) in [
            (0.0, 1.0, second),
            (1.0, -1.0, second),
            (f64::NAN, 1.0, second),
            (1.0, f64::INFINITY, second),
            (1.0, 1.0, Duration::ZERO),
        ] {
            assert!(Schedule::new(from, to, time, Spacing::Constant).is_none());
        }
        let schedule = Schedule::new(1.0, 3.0, second * 10, Spacing::Poisson).unwrap();
        assert_eq!(schedule.expected(), 20);
    }
}
