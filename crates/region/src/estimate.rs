//! What callers of a function would see: many invocations replayed under a profile, and how sure that is.
//!
//! A caller who sends one request after the other waits for
//! `round trip + front door + Lambda's own part + duration`,
//! the duration being the replay of a recording. The first request to a fresh environment waits for
//! `round trip + front door + Lambda's own part + making the environment + init phase + duration`.

use fastrand::Rng;

use crate::{
    bandwidth::Limits,
    distribution::Distribution,
    environment::{Environment, Replay},
    profile::{Error, Parameter, Profile},
    recording::{Recorded, Recording},
};

/// Invocations of the estimate itself, and of each variation of the profile.
const INVOCATIONS: usize = 4000;
const INVOCATIONS_OF_A_VARIATION: usize = 400;

/// Fresh environments, likewise.
const COLD_STARTS: usize = 400;

/// Profiles drawn from the ranges: their 5th and 95th percentiles are a range of 90 %.
const VARIATIONS: usize = 100;

/// Any number: the same estimate every time.
const SEED: u64 = 12;

/// What callers call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontDoor {
    /// An HTTP API of Amazon API Gateway.
    HttpApi,
    /// A Lambda function URL.
    FunctionUrl,
    /// Nothing: an invocation by itself.
    None,
}

impl FrontDoor {
    fn parameter(self) -> Option<&'static str> {
        match self {
            Self::HttpApi => Some("HTTP API"),
            Self::FunctionUrl => Some("function URL"),
            Self::None => None,
        }
    }
}

/// What a function runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processor {
    /// Intel and AMD.
    X86_64,
    /// Graviton.
    Arm64,
}

impl Processor {
    /// The parameter that says how long one core takes for [`crate::kernel`].
    #[must_use]
    pub fn kernel(self) -> &'static str {
        match self {
            Self::X86_64 => "kernel on x86_64",
            Self::Arm64 => "kernel on arm64",
        }
    }
}

/// What is to be estimated.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// What was recorded of the function.
    pub recorded: &'a Recorded,
    /// How long [`crate::kernel`] takes where it was recorded, in milliseconds.
    pub kernel_ms: f64,
    /// The function's memory size in MB.
    pub memory_mb: u32,
    /// What it is to run on.
    pub processor: Processor,
    /// What callers call.
    pub front_door: FrontDoor,
    /// The way from the caller to the Region and back, in milliseconds.
    pub round_trip_ms: f64,
}

/// Many values, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Their mean.
    pub mean: f64,
    /// Their median.
    pub p50: f64,
    /// Their 99th percentile.
    pub p99: f64,
}

/// The parameter whose range moves the result most.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// Its name.
    pub parameter: String,
    /// The mean latency at one end of the range and at the other, in milliseconds, the shorter first.
    pub between: (f64, f64),
}

/// What callers would see, in milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// What a caller waits for who sends one request after the other.
    pub latency: Summary,
    /// Of that, the invocation's duration, as in Lambda's report.
    pub duration: Summary,
    /// The mean of what is billed, each invocation in whole milliseconds.
    pub billed_mean: f64,
    /// The init phase: the median.
    pub init: Option<f64>,
    /// The first request to a fresh environment: the median of what its caller waits for.
    pub first: Option<f64>,
    /// Where the mean latency is nine times in ten, as the profile's ranges have it.
    pub range: (f64, f64),
    /// What would make it more certain.
    pub moved_by: Option<Moved>,
}

/// What a function's callers would see in the profile's Region.
///
/// # Errors
/// The profile lacks a line, or nothing was recorded.
pub fn estimate(profile: &Profile, subject: &Subject<'_>) -> Result<Estimate, Error> {
    let simulation = Simulation::new(profile, subject)?;
    let warm = simulation.warm(INVOCATIONS);
    let (init, first) = simulation.cold().unzip();
    let mut billed: Vec<f64> = warm.durations.iter().map(|ms| ms.ceil().max(1.0)).collect();
    Ok(Estimate {
        billed_mean: summary(&mut billed).mean,
        latency: summary(&mut warm.latencies.clone()),
        duration: summary(&mut warm.durations.clone()),
        init,
        first,
        range: range(profile, subject)?,
        moved_by: moved_by(profile, subject)?,
    })
}

/// A subject with the profile's figures.
struct Simulation {
    limits: Limits,
    init_limits: Limits,
    warm: Vec<Replay>,
    cold: Vec<(Replay, Replay)>,
    round_trip: f64,
    front_door: Distribution,
    invocation: Distribution,
    in_duration: Distribution,
    init: f64,
    making: Distribution,
}

#[derive(Default)]
struct Waited {
    latencies: Vec<f64>,
    durations: Vec<f64>,
}

impl Simulation {
    fn new(profile: &Profile, subject: &Subject<'_>) -> Result<Self, Error> {
        let kernel = profile.value(subject.processor.kernel())?;
        let speed = kernel / subject.kernel_ms;
        let replay = |recording: &Recording| Replay::new(recording, profile, speed);
        let warm: Vec<_> = subject
            .recorded
            .warm
            .iter()
            .map(replay)
            .collect::<Result<_, _>>()?;
        if warm.is_empty() {
            return Err(Error::NothingRecorded);
        }
        let cold = subject.recorded.cold.iter();
        Ok(Self {
            limits: profile.limits(subject.memory_mb)?,
            init_limits: profile.init_limits(subject.memory_mb)?,
            warm,
            cold: cold
                .map(|start| Ok((replay(&start.init)?, replay(&start.first)?)))
                .collect::<Result<_, Error>>()?,
            round_trip: subject.round_trip_ms,
            front_door: match subject.front_door.parameter() {
                Some(name) => profile.latency(name)?,
                None => Distribution::constant(0.0),
            },
            invocation: profile.latency("invocation")?,
            in_duration: profile.latency("in the duration")?,
            init: profile.value("in the init phase")?,
            making: profile.latency("making an environment")?,
        })
    }

    /// One request after the other: what the quota owes one invocation, the next one pays.
    fn warm(&self, invocations: usize) -> Waited {
        let mut random = Rng::with_seed(SEED);
        let mut environment = self.environment(self.limits, &mut random);
        let mut now = 0.0;
        let mut waited = Waited::default();
        for at in 0..invocations {
            let outside = self.outside(&mut random);
            let begun = now + outside / 2.0;
            let replay = &self.warm[at % self.warm.len()];
            let ended =
                environment.run(begun, replay, &mut random) + self.in_duration.sample(&mut random);
            waited.durations.push(ended - begun);
            waited.latencies.push(outside + ended - begun);
            now += outside + ended - begun;
        }
        waited
    }

    /// Fresh environments: the median of the init phase, and of what the first caller waits for.
    fn cold(&self) -> Option<(f64, f64)> {
        if self.cold.is_empty() {
            return None;
        }
        let mut random = Rng::with_seed(SEED);
        let (mut inits, mut firsts) = (Vec::new(), Vec::new());
        for at in 0..COLD_STARTS {
            let (init, first) = &self.cold[at % self.cold.len()];
            let mut environment = self.environment(self.init_limits, &mut random);
            let initialised = environment.run(0.0, init, &mut random) + self.init;
            environment.limit(self.limits);
            let ended = environment.run(initialised, first, &mut random)
                + self.in_duration.sample(&mut random);
            inits.push(initialised);
            firsts.push(self.outside(&mut random) + self.making.sample(&mut random) + ended);
        }
        Some((summary(&mut inits).p50, summary(&mut firsts).p50))
    }

    /// An invocation may come at any time of a period.
    fn environment(&self, limits: Limits, random: &mut Rng) -> Environment {
        let into_the_period = random.f64();
        Environment::new(limits, limits.period * (1.0 - into_the_period))
    }

    /// What lies between the caller and the environment, there and back.
    fn outside(&self, random: &mut Rng) -> f64 {
        self.round_trip + self.front_door.sample(random) + self.invocation.sample(random)
    }

    fn mean_latency(&self) -> f64 {
        let mut latencies = self.warm(INVOCATIONS_OF_A_VARIATION).latencies;
        summary(&mut latencies).mean
    }
}

/// The range of the mean latency: the profile's parameters drawn from their ranges, each by itself.
fn range(profile: &Profile, subject: &Subject<'_>) -> Result<(f64, f64), Error> {
    let mut random = Rng::with_seed(SEED);
    let mut means = Vec::new();
    for _ in 0..VARIATIONS {
        let mut drawn = profile.clone();
        for parameter in profile.parameters() {
            drawn = drawn.with(&parameter.name, draw(parameter, &mut random));
        }
        means.push(Simulation::new(&drawn, subject)?.mean_latency());
    }
    means.sort_by(f64::total_cmp);
    Ok((percentile(&means, 0.05), percentile(&means, 0.95)))
}

/// A value within the range: as often below the best estimate as above it, and evenly so in proportion.
fn draw(parameter: &Parameter, random: &mut Rng) -> f64 {
    let below = random.bool();
    let (from, to) = match below {
        true => (parameter.low, parameter.value),
        false => (parameter.value, parameter.high),
    };
    from * (to / from).powf(random.f64())
}

/// The parameter that moves the mean latency most, when each by itself goes from one end of its range to the other.
fn moved_by(profile: &Profile, subject: &Subject<'_>) -> Result<Option<Moved>, Error> {
    let mut most: Option<Moved> = None;
    for parameter in profile.parameters() {
        let mean = |value| {
            let moved = profile.clone().with(&parameter.name, value);
            Ok::<_, Error>(Simulation::new(&moved, subject)?.mean_latency())
        };
        let (one, other) = (mean(parameter.low)?, mean(parameter.high)?);
        let moved = Moved {
            parameter: parameter.name.clone(),
            between: (one.min(other), one.max(other)),
        };
        let width = |moved: &Moved| moved.between.1 - moved.between.0;
        if width(&moved) > most.as_ref().map_or(0.0, width) {
            most = Some(moved);
        }
    }
    Ok(most)
}

fn summary(values: &mut [f64]) -> Summary {
    values.sort_by(f64::total_cmp);
    Summary {
        mean: values.iter().sum::<f64>() / values.len() as f64,
        p50: percentile(values, 0.5),
        p99: percentile(values, 0.99),
    }
}

/// The value below which this part of the sorted values is.
fn percentile(sorted: &[f64], part: f64) -> f64 {
    let at = (sorted.len() as f64 * part) as usize;
    sorted[at.min(sorted.len() - 1)]
}
