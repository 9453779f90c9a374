//! Latencies as they vary from call to call.

use fastrand::Rng;

/// A log-normal distribution, the usual form of a latency: many near the median, few much later.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Distribution {
    median: f64,
    sigma: f64,
}

/// How many standard deviations the 99th percentile of a normal distribution is above its median.
const P99: f64 = 2.326_347_874;

impl Distribution {
    /// The one that has this median and 99th percentile: `sigma = ln(p99 ÷ p50) ÷ 2.326`.
    #[must_use]
    pub fn new(p50: f64, p99: f64) -> Self {
        let sigma = match p50 > 0.0 && p99 > p50 {
            true => (p99 / p50).ln() / P99,
            false => 0.0,
        };
        Self { median: p50, sigma }
    }

    /// Always the same.
    #[must_use]
    pub fn constant(value: f64) -> Self {
        Self {
            median: value,
            sigma: 0.0,
        }
    }

    /// Its mean: `median × e^(sigma² ÷ 2)`.
    #[must_use]
    pub fn mean(self) -> f64 {
        self.median * (self.sigma * self.sigma / 2.0).exp()
    }

    /// One of its values.
    pub fn sample(self, random: &mut Rng) -> f64 {
        // Drawn also where it changes nothing: two profiles then see the same chances.
        let normal = normal(random);
        self.median * (self.sigma * normal).exp()
    }
}

/// A value of the standard normal distribution (Box and Muller, 1958).
fn normal(random: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_percentiles_that_it_was_made_of() {
        let mut random = Rng::with_seed(1);
        let distribution = Distribution::new(8.0, 16.0);
        let mut values: Vec<_> = (0..20_000)
            .map(|_| distribution.sample(&mut random))
            .collect();
        let mean: f64 = values.iter().sum::<f64>() / values.len() as f64;
        assert!((mean / distribution.mean() - 1.0).abs() < 0.03, "{mean}");
        values.sort_by(f64::total_cmp);
        for (at, expected) in [(10_000, 8.0), (19_800, 16.0)] {
            let found: f64 = values[at];
            assert!((found / expected - 1.0).abs() < 0.03, "{found}");
        }
    }

    #[test]
    fn a_constant_does_not_vary() {
        let mut random = Rng::with_seed(1);
        for distribution in [Distribution::constant(3.0), Distribution::new(3.0, 3.0)] {
            assert_eq!(distribution.sample(&mut random), 3.0);
        }
    }
}
