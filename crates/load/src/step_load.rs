//! A step load: virtual users with a think time, who come in steps.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a step load does.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct StepLoad {
    /// Virtual users, once all are there.
    pub users: u32,
    /// How long a user waits between an answer and the next request: uniform between these two.
    pub think_time: (Duration, Duration),
    /// Users started a second, within a step.
    pub spawn_rate: f64,
    /// The share of the users that comes with each step, above 0 and up to 1.
    pub step_share: f64,
    /// From the beginning of a step to that of the next.
    pub step_length: Duration,
    /// From the first user to the end. Requests under way are then waited for.
    pub duration: Duration,
    /// Whether each request has a connection of its own. Opening it is then part of the latency.
    pub new_connections: bool,
}

impl StepLoad {
    /// The published load with so many users: a tenth of them every 15 s, ten started a second, 5 to 9 s between two requests
    /// of one user, 3 minutes (pgrunm, "AWS scaling comparison", 2020).
    #[must_use]
    pub fn published(users: u32) -> Self {
        Self {
            users,
            think_time: (Duration::from_secs(5), Duration::from_secs(9)),
            spawn_rate: 10.0,
            step_share: 0.1,
            step_length: Duration::from_secs(15),
            duration: Duration::from_secs(180),
            new_connections: false,
        }
    }

    /// The same with all times divided by `speed`, above 0. Users are started as much faster.
    #[must_use]
    pub fn at_speed(&self, speed: f64) -> Self {
        let (least, most) = self.think_time;
        Self {
            think_time: (least.div_f64(speed), most.div_f64(speed)),
            spawn_rate: self.spawn_rate * speed,
            step_length: self.step_length.div_f64(speed),
            duration: self.duration.div_f64(speed),
            ..self.clone()
        }
    }

    /// When each user starts, the first at 0. Who would start after the end is left out.
    pub fn starts(&self) -> impl Iterator<Item = Duration> {
        let step_users = f64::from(self.users) * self.step_share;
        let between = Duration::try_from_secs_f64(1.0 / self.spawn_rate).unwrap_or(Duration::MAX);
        let mut next = Duration::ZERO;
        let starts = (0..self.users).map(move |user| {
            // A tenth of a number is not always a tenth of it in floating point.
            let step = (f64::from(user) / step_users + 1e-9).floor();
            let start = next.max(self.step_length.mul_f64(step));
            next = start.saturating_add(between);
            start
        });
        starts.take_while(|start| *start < self.duration)
    }

    /// About how many requests a second there are once all users are there, if answers take no time.
    #[must_use]
    pub fn requests_per_second(&self) -> f64 {
        let (least, most) = self.think_time;
        let mean = (least + most).div_f64(2.0).as_secs_f64();
        f64::from(self.users) / mean.max(1e-3)
    }
}

/// One of several parts that a load is divided into: every `of`-th user, from user `at` on.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Which part, counted from 0.
    pub at: u32,
    /// How many there are.
    pub of: u32,
}

impl Part {
    /// All users.
    pub const WHOLE: Self = Self { at: 0, of: 1 };

    /// When the users of this part start.
    pub(crate) fn starts(self, load: &StepLoad) -> impl Iterator<Item = Duration> {
        let of = self.of.max(1) as usize;
        load.starts().skip(self.at as usize).step_by(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users_at(load: &StepLoad, seconds: f64) -> usize {
        let time = Duration::from_secs_f64(seconds);
        load.starts().filter(|start| *start <= time).count()
    }

    #[test]
    fn a_tenth_of_the_users_comes_every_15_seconds_ten_a_second() {
        let load = StepLoad::published(1_500);
        assert_eq!(users_at(&load, 0.0), 1);
        assert_eq!(users_at(&load, 1.0), 11);
        for step in 1..=10 {
            let end = f64::from(step) * 15.0 - 0.01;
            assert_eq!(users_at(&load, end), 150 * step as usize, "step {step}");
        }
        let load = StepLoad::published(50);
        assert_eq!(users_at(&load, 0.41), 5);
        assert_eq!(users_at(&load, 14.9), 5);
        assert_eq!(users_at(&load, 15.0), 6);
        assert_eq!(users_at(&load, 136.0), 50);
    }

    #[test]
    fn every_number_of_users_has_ten_steps_whatever_a_tenth_of_it_is() {
        for users in 1..=1_000 {
            let load = StepLoad {
                spawn_rate: 1e6,
                ..StepLoad::published(users)
            };
            assert_eq!(load.starts().count(), users as usize);
            let last = load.starts().last().unwrap();
            assert!(last < Duration::from_secs(136), "{users}: {last:?}");
        }
    }

    #[test]
    fn a_step_that_spawns_longer_than_it_lasts_delays_the_next() {
        let load = StepLoad {
            spawn_rate: 1.0,
            ..StepLoad::published(1_000)
        };
        // One a second, never two: only 180 of them come before the end.
        assert_eq!(load.starts().count(), 180);
        assert!(load.starts().eq((0..180).map(Duration::from_secs)));
    }

    #[test]
    fn at_ten_times_the_speed_everything_happens_in_a_tenth_of_the_time() {
        let load = StepLoad::published(400);
        let fast = load.at_speed(10.0);
        assert_eq!(fast.duration, Duration::from_secs(18));
        assert_eq!(fast.think_time.1, Duration::from_millis(900));
        for (slow, fast) in load.starts().zip(fast.starts()) {
            assert!(
                (slow.as_secs_f64() / 10.0 - fast.as_secs_f64()).abs() < 1e-6,
                "{slow:?} {fast:?}"
            );
        }
        assert_eq!(load.starts().count(), fast.starts().count());
    }

    #[test]
    fn the_parts_together_are_the_whole() {
        let load = StepLoad::published(101);
        let mut starts: Vec<_> = (0..3)
            .flat_map(|at| Part { at, of: 3 }.starts(&load).collect::<Vec<_>>())
            .collect();
        starts.sort_unstable();
        assert!(starts.into_iter().eq(load.starts()));
    }
}
