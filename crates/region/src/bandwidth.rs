//! Architecture time under bandwidth control.
//!
//! A function may use `quota` of processor time, all its threads together, in each `period`; once that is used up it waits
//! for the next one (Linux kernel documentation, "CFS Bandwidth Control"). Lambda's period is 20 ms and its quota the
//! memory size's share of it: `period × memory ÷ 1,769 MB` (Lambda developer guide, "Configure Lambda function memory").
//!
//! With a quota of q a burst of c begun at the start of a period ends after `⌊c / q⌋ × period + c mod q`, or a period
//! earlier with all of q where nothing remains.

/// What a function may use. Times are in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How long a period is.
    pub period: f64,
    /// Architecture time in each period.
    pub quota: f64,
    /// How many threads run at the same time.
    pub cores: f64,
}

/// The processor of one environment, and what is left of the current period's quota.
#[derive(Clone, Debug)]
pub struct Cpu {
    limits: Limits,
    period_ends: f64,
    left: f64,
}

impl Cpu {
    /// With the whole quota, in a period that ends at `period_ends`.
    #[must_use]
    pub fn new(limits: Limits, period_ends: f64) -> Self {
        Self {
            limits,
            period_ends,
            left: limits.quota,
        }
    }

    /// Other limits from the next period on, as after the init phase.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        self.left = self.left.min(limits.quota);
    }

    /// Runs for `cpu` of processor time on so many threads at once, from the time `at` on: when that is done.
    pub fn run(&mut self, at: f64, cpu: f64, threads: f64) -> f64 {
        let threads = threads.clamp(1.0, self.limits.cores.max(1.0));
        // Also of what is no number: this ends.
        let (mut now, mut to_do) = (at, cpu.max(0.0));
        loop {
            if now >= self.period_ends {
                let periods = ((now - self.period_ends) / self.limits.period).floor() + 1.0;
                self.period_ends += periods * self.limits.period;
                self.left = self.limits.quota;
            }
            let possible = ((self.period_ends - now) * threads).min(self.left);
            if to_do <= possible {
                self.left -= to_do;
                return now + to_do / threads;
            }
            to_do -= possible;
            now = self.period_ends;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: f64 = 20.0;

    fn share(share: f64) -> Limits {
        Limits {
            period: PERIOD,
            quota: PERIOD * share,
            cores: 2.0,
        }
    }

    fn assert_ends(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn a_burst_of_seven_quotas_ends_in_the_seventh_period() {
        // 10 ms at 1/14 of a core: 20/14 = 1.43 ms a period. Six periods with nothing left, and 1.43 ms of the seventh.
        let mut cpu = Cpu::new(share(1.0 / 14.0), PERIOD);
        assert_ends(cpu.run(0.0, 10.0 - 1e-12, 1.0), 6.0 * 20.0 + 20.0 / 14.0);
    }

    #[test]
    fn a_burst_within_the_quota_is_not_held_up() {
        let mut cpu = Cpu::new(share(0.25), PERIOD);
        assert_ends(cpu.run(3.0, 4.0, 1.0), 7.0);
        // One millisecond is left, the second one has to wait for the next period.
        assert_ends(cpu.run(10.0, 2.0, 1.0), 21.0);
    }

    #[test]
    fn what_is_left_of_a_period_is_lost() {
        let mut cpu = Cpu::new(share(0.25), PERIOD);
        // Three periods pass unused; there is no more than one quota in the fourth.
        assert_ends(cpu.run(65.0, 6.0, 1.0), 81.0);
    }

    #[test]
    fn a_period_that_ends_soon_brings_its_quota_sooner() {
        let mut cpu = Cpu::new(share(0.25), 1.0);
        // 1 ms until the period ends, with 4 ms of the old quota unused; then 5 ms of the new one.
        assert_ends(cpu.run(0.0, 6.0, 1.0), 6.0);
    }

    #[test]
    fn two_threads_use_the_quota_twice_as_fast() {
        let mut cpu = Cpu::new(share(0.25), PERIOD);
        assert_ends(cpu.run(0.0, 4.0, 2.0), 2.0);
        let mut cpu = Cpu::new(share(0.25), PERIOD);
        assert_ends(cpu.run(0.0, 6.0, 2.0), 20.5);
        // And two cores' worth of quota lets both run all the time.
        let mut cpu = Cpu::new(share(2.0), PERIOD);
        assert_ends(cpu.run(0.0, 100.0, 2.0), 50.0);
    }

    /// Bursts with pauses between them, one after the other: when each ends.
    fn ends(limits: Limits, phase: f64, work: &[(f64, f64)]) -> Vec<f64> {
        let mut cpu = Cpu::new(limits, phase);
        let mut now = 0.0;
        work.iter()
            .map(|(burst, pause)| {
                now = cpu.run(now, *burst, 1.0);
                let end = now;
                now += pause;
                end
            })
            .collect()
    }

    proptest! {
        #[test]
        fn more_memory_is_never_slower(
            less in 0.05..1.5f64,
            more in 0.0..1.0f64,
            phase in 0.01..PERIOD,
            work in prop::collection::vec((0.0..30.0f64, 0.0..40.0f64), 1..12),
        ) {
            let slow = ends(share(less), phase, &work);
            let fast = ends(share(less + more), phase, &work);
            for (slow, fast) in slow.iter().zip(fast) {
                prop_assert!(fast <= slow + 1e-6, "{fast} after {slow}");
            }
        }

        #[test]
        fn a_quota_of_a_whole_core_changes_nothing(
            share_of_a_core in 1.0..6.0f64,
            phase in 0.01..PERIOD,
            work in prop::collection::vec((0.0..30.0f64, 0.0..40.0f64), 1..12),
        ) {
            let mut now = 0.0;
            for (end, (burst, pause)) in ends(share(share_of_a_core), phase, &work).iter().zip(&work) {
                now += burst;
                prop_assert!((end - now).abs() < 1e-6, "{end}, not {now}");
                now += pause;
            }
        }

        #[test]
        fn in_the_long_run_it_gets_its_share(share_of_a_core in 0.05..1.0f64, phase in 0.01..PERIOD) {
            let end = ends(share(share_of_a_core), phase, &[(10_000.0, 0.0)])[0];
            let found = 10_000.0 / end;
            prop_assert!((found / share_of_a_core - 1.0).abs() < 0.01, "{found}");
        }
    }
}
