//! What a step load left behind: the whole, and second by second.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::{Buckets, Latencies, Measurement};

/// What was measured of one number of users.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Level {
    /// When it began.
    pub began_at: SystemTime,
    /// How long users were there: answers to what they had asked came later still.
    pub duration: Duration,
    /// Users that were started.
    pub users: u64,
    /// Latencies from the moment when a request was really sent, as everywhere else, and failures.
    pub measurement: Measurement,
    /// Latencies from the moment when the request was due: opening a connection and whatever kept the generator are part of
    /// them.
    pub from_due: Latencies,
    /// How late the generator was, for each request.
    pub lateness: Latencies,
    /// What happened in each second since the beginning.
    pub seconds: Vec<Happened>,
    /// The share of the time in which the generator's busiest thread was busy, from 0 to 1.
    pub busiest: f64,
}

/// What happened in one second.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct Happened {
    /// Users that were started.
    pub started: u64,
    /// Requests that failed.
    pub failures: u64,
    /// Latencies of those that succeeded.
    pub latencies: Buckets,
}

/// A moment of a level, with what happened in the seconds up to it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The end of a second: seconds since the beginning.
    pub second: u64,
    /// Users that were there: none after the end, when answers are waited for.
    pub users: u64,
    /// Requests a second, whatever became of them.
    pub requests_per_second: f64,
    /// Failures a second.
    pub failures_per_second: f64,
    /// Latencies of those that succeeded.
    pub latencies: Buckets,
    /// What had happened since the beginning.
    pub total: Happened,
}

impl Level {
    /// Nothing yet.
    pub(crate) fn begin(duration: Duration) -> Self {
        Self {
            began_at: SystemTime::now(),
            duration,
            users: 0,
            measurement: Measurement::default(),
            from_due: Latencies::new(),
            lateness: Latencies::new(),
            seconds: Vec::new(),
            busiest: 0.0,
        }
    }

    /// The second of this number.
    pub(crate) fn second(&mut self, second: u64) -> &mut Happened {
        let at = second as usize;
        if self.seconds.len() <= at {
            self.seconds.resize(at + 1, Happened::default());
        }
        &mut self.seconds[at]
    }

    /// Adds another part of the same load, which ran at the same time.
    pub fn join(&mut self, part: &Self) {
        self.began_at = self.began_at.min(part.began_at);
        self.users += part.users;
        self.measurement.join(&part.measurement);
        self.from_due.merge(&part.from_due);
        self.lateness.merge(&part.lateness);
        for (at, second) in part.seconds.iter().enumerate() {
            self.second(at as u64).add(second);
        }
        self.busiest = self.busiest.max(part.busiest);
    }

    /// The end of each second, with what happened in the last `window` seconds up to it.
    pub fn moments(&self, window: usize) -> impl Iterator<Item = Moment> + '_ {
        let mut total = Happened::default();
        self.seconds.iter().enumerate().map(move |(at, second)| {
            total.add(second);
            let from = (at + 1).saturating_sub(window.max(1));
            let mut recent = Happened::default();
            for second in &self.seconds[from..=at] {
                recent.add(second);
            }
            let length = (at + 1 - from) as f64;
            Moment {
                second: at as u64 + 1,
                users: match at as f64 >= self.duration.as_secs_f64() {
                    true => 0,
                    false => total.started,
                },
                requests_per_second: recent.requests() as f64 / length,
                failures_per_second: recent.failures as f64 / length,
                latencies: recent.latencies,
                total: total.clone(),
            }
        })
    }
}

impl Happened {
    /// Requests, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.latencies.count() + self.failures
    }

    fn add(&mut self, other: &Self) {
        self.started += other.started;
        self.failures += other.failures;
        self.latencies.merge(&other.latencies);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    fn level(milliseconds: u64) -> Level {
        let mut level = Level::begin(Duration::from_secs(3));
        level.users = 2;
        level.busiest = milliseconds as f64 / 100.0;
        for at in 0..4 {
            let latency = Duration::from_millis(milliseconds);
            level
                .measurement
                .record(Duration::from_secs(at), Ok(latency));
            level.from_due.record(2 * latency);
            level.second(at).latencies.record(latency);
        }
        level.second(0).started = 2;
        level.second(3).failures = 1;
        let late = Duration::from_secs(3);
        level
            .measurement
            .record(late, Err(Failure::TimedOut.into()));
        level.measurement.elapsed = Duration::from_secs(4);
        level
    }

    #[test]
    fn two_parts_of_a_level_are_one_also_after_a_journey() {
        let mut whole = level(10);
        let json = serde_json::to_string(&level(50)).unwrap();
        whole.join(&serde_json::from_str(&json).unwrap());
        assert_eq!(whole.users, 4);
        assert_eq!(whole.measurement.requests(), 10);
        assert_eq!(whole.measurement.elapsed, Duration::from_secs(4));
        assert_eq!(
            whole.measurement.latencies.mean(),
            Some(Duration::from_millis(30))
        );
        assert_eq!(whole.from_due.max(), Some(Duration::from_millis(100)));
        // Both failed in the same second, not one after the other.
        let failed: Vec<_> = whole.measurement.failures.by_second().collect();
        assert_eq!(failed, [(3, Failure::TimedOut, 2)]);
        assert_eq!(whole.seconds.len(), 4);
        assert_eq!(whole.seconds[3].requests(), 4);
        assert!((whole.busiest - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_moment_has_what_happened_in_its_window() {
        let level = level(10);
        let moments: Vec<_> = level.moments(2).collect();
        let rates: Vec<_> = moments.iter().map(|it| it.requests_per_second).collect();
        assert_eq!(rates, [1.0, 1.0, 1.0, 1.5]);
        assert_eq!(moments[3].failures_per_second, 0.5);
        assert_eq!(moments[3].latencies.count(), 2);
        assert_eq!(moments[3].total.requests(), 5);
        // Its time is three seconds: the last answer came later.
        let users: Vec<_> = moments.iter().map(|moment| moment.users).collect();
        assert_eq!(users, [2, 2, 2, 0]);
    }
}
