//! What would be in a Region, from what was recorded here. The model itself is the crate [`region`].

use std::time::Duration;

use region::{
    Architecture, Estimate, FrontDoor, Profile, Recorded, Subject, check::PUBLISHED_ROUND_TRIP_MS,
};

/// What waiting takes, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Waiting {
    /// On average.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// A Region as callers from a certain distance see it.
#[derive(Clone, Debug)]
pub struct Model {
    profile: Profile,
    kernel_ms: f64,
    round_trip_ms: f64,
}

impl Model {
    /// The Region of this profile, for callers whose way there and back takes `round_trip`, as long as the published caller's
    /// unless it is said. `kernel_ms` is what the kernel took where and when functions were recorded.
    #[must_use]
    pub fn new(profile: Profile, round_trip: Option<Duration>, kernel_ms: f64) -> Self {
        Self {
            profile,
            kernel_ms,
            round_trip_ms: round_trip.map_or(PUBLISHED_ROUND_TRIP_MS, |it| it.as_secs_f64() * 1e3),
        }
    }

    /// The Region's name.
    #[must_use]
    pub fn region(&self) -> &str {
        self.profile.region()
    }

    /// The way of the callers there and back, in milliseconds.
    #[must_use]
    pub fn round_trip_ms(&self) -> f64 {
        self.round_trip_ms
    }

    /// What callers of a function would see through an HTTP API.
    ///
    /// # Errors
    /// The profile does not know a call that the function makes, or nothing was recorded.
    pub fn estimate(
        &self,
        recorded: &Recorded,
        memory_mb: u32,
        architecture: Architecture,
    ) -> Result<Estimate, region::Error> {
        let subject = Subject {
            recorded,
            kernel_ms: self.kernel_ms,
            memory_mb,
            architecture,
            front_door: Some(FrontDoor::HttpApi),
            round_trip_ms: self.round_trip_ms,
        };
        region::estimate(&self.profile, &subject)
    }

    /// What it takes to wait for the calls of these lines of the profile, one after the other. Its percentiles are the sums of
    /// theirs: the 99th is too high rather than too low.
    ///
    /// # Errors
    /// The profile has no such line.
    pub fn waiting(&self, lines: &[&str]) -> Result<Waiting, region::Error> {
        let mut waiting = Waiting::default();
        for line in lines {
            let parameter = self.profile.parameter(line)?;
            waiting.mean += self.profile.latency(line)?.mean();
            waiting.p50 += parameter.value;
            waiting.p99 += parameter.p99.unwrap_or(parameter.value);
        }
        Ok(waiting)
    }

    /// The share of a core that goes with a memory size, or how many cores.
    #[must_use]
    pub fn vcpu(&self, memory_mb: u32) -> Option<f64> {
        let limits = self.profile.limits(memory_mb).ok()?;
        Some(limits.quota / limits.period)
    }

    /// What a reader has to know.
    #[must_use]
    pub fn note(&self) -> String {
        format!(
            "modelled: not measured. What each invocation did here (processor time and calls), replayed with what {} takes by \
             its profile, for a caller {} ms away, there and back; a core here takes {:.0} ms for what one of Lambda's takes 153 ms \
             for (x86_64). The range is where the mean is nine times in ten; docs/region.md says how, from what sources, and how \
             that compares with what others measured.",
            self.region(),
            self.round_trip_ms,
            self.kernel_ms
        )
    }
}
