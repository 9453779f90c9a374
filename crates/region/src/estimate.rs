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
}

impl FrontDoor {
    fn parameter(self) -> &'static str {
        match self {
            Self::HttpApi => "HTTP API",
            Self::FunctionUrl => "function URL",
        }
    }
}

/// What a function runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Intel and AMD.
    X86_64,
    /// Graviton.
    Arm64,
}

impl Architecture {
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
    pub architecture: Architecture,
    /// What callers call; none for invocations by themselves.
    pub front_door: Option<FrontDoor>,
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
    let Waited {
        mut latencies,
        mut durations,
    } = simulation.warm(INVOCATIONS);
    let (init, first) = simulation.cold(profile, subject)?.unzip();
    let mut billed: Vec<f64> = durations.iter().map(|ms| ms.ceil().max(1.0)).collect();
    Ok(Estimate {
        billed_mean: summary(&mut billed).mean,
        latency: summary(&mut latencies),
        duration: summary(&mut durations),
        init,
        first,
        range: range(profile, subject)?,
        moved_by: moved_by(profile, subject)?,
    })
}

impl Subject<'_> {
    /// How many times as long processor time takes there as where it was recorded.
    pub(crate) fn speed(&self, profile: &Profile) -> Result<f64, Error> {
        Ok(profile.value(self.architecture.kernel())? / self.kernel_ms)
    }
}

/// A subject's invocations with the profile's figures.
struct Simulation {
    limits: Limits,
    warm: Vec<Replay>,
    round_trip: f64,
    front_door: Distribution,
    invocation: Distribution,
    in_duration: Distribution,
}

#[derive(Default)]
struct Waited {
    latencies: Vec<f64>,
    durations: Vec<f64>,
}

impl Simulation {
    fn new(profile: &Profile, subject: &Subject<'_>) -> Result<Self, Error> {
        let speed = subject.speed(profile)?;
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
        Ok(Self {
            limits: profile.limits(subject.memory_mb)?,
            warm,
            round_trip: subject.round_trip_ms,
            front_door: match subject.front_door {
                Some(door) => profile.latency(door.parameter())?,
                None => Distribution::constant(0.0),
            },
            invocation: profile.latency("invocation")?,
            in_duration: profile.latency("in the duration")?,
        })
    }

    /// One request after the other: what the quota owes one invocation, the next one pays.
    fn warm(&self, invocations: usize) -> Waited {
        let mut random = Rng::with_seed(SEED);
        let mut environment = Environment::at_any_time(self.limits, &mut random);
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
    fn cold(&self, profile: &Profile, subject: &Subject<'_>) -> Result<Option<(f64, f64)>, Error> {
        let speed = subject.speed(profile)?;
        let replay = |recording: &Recording| Replay::new(recording, profile, speed);
        let starts = subject.recorded.cold.iter();
        let starts = starts.map(|start| Ok((replay(&start.init)?, replay(&start.first)?)));
        let starts = starts.collect::<Result<Vec<_>, Error>>()?;
        if starts.is_empty() {
            return Ok(None);
        }
        let init_limits = profile.init_limits(subject.memory_mb)?;
        let more = profile.value("in the init phase")?;
        let making = profile.latency("making an environment")?;
        let mut random = Rng::with_seed(SEED);
        let (mut inits, mut firsts) = (Vec::new(), Vec::new());
        for at in 0..COLD_STARTS {
            let (init, first) = &starts[at % starts.len()];
            let mut environment = Environment::at_any_time(init_limits, &mut random);
            let initialised = environment.run(0.0, init, &mut random) + more;
            environment.limit(self.limits);
            let ended = environment.run(initialised, first, &mut random)
                + self.in_duration.sample(&mut random);
            inits.push(initialised);
            firsts.push(self.outside(&mut random) + making.sample(&mut random) + ended);
        }
        Ok(Some((summary(&mut inits).p50, summary(&mut firsts).p50)))
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

/// A value within the range: as often below the best estimate as above it, and evenly so in proportion. What is nothing
/// stays nothing.
fn draw(parameter: &Parameter, random: &mut Rng) -> f64 {
    let below = random.bool();
    let (from, to) = match below {
        true => (parameter.low, parameter.value),
        false => (parameter.value, parameter.high),
    };
    let part = random.f64();
    match from > 0.0 {
        true => from * (to / from).powf(part),
        false => 0.0,
    }
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

pub(crate) fn summary(values: &mut [f64]) -> Summary {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recording::{Call, ColdStart, Step, Then};

    /// A Region that can be worked out by hand: 128 MB are a fourteenth of a core, and nothing varies.
    const BY_HAND: &str = "name,unit,value,p99,low,high,source,date\n\
        memory of one vCPU,MB,1792,,1792,1792,a test,2026\n\
        CPU period,ms,20,,20,20,a test,2026\n\
        CPU share of the init phase,core,1,,1,1,a test,2026\n\
        memory below 3 vCPU,MB,3008,,3008,3008,a test,2026\n\
        memory below 4 vCPU,MB,5307,,5307,5307,a test,2026\n\
        memory below 5 vCPU,MB,7076,,7076,7076,a test,2026\n\
        memory below 6 vCPU,MB,8845,,8845,8845,a test,2026\n\
        kernel on x86_64,ms,100,,100,100,a test,2026\n\
        kernel on arm64,ms,200,,200,200,a test,2026\n\
        HTTP API,ms,3,,3,3,a test,2026\n\
        invocation,ms,2,,1,4,a test,2026\n\
        in the duration,ms,1,,1,1,a test,2026\n\
        in the init phase,ms,15,,15,15,a test,2026\n\
        making an environment,ms,70,,70,70,a test,2026\n\
        opening a connection,ms,4,,4,4,a test,2026\n\
        CPU of a TLS handshake,ms,0.5,,0.5,0.5,a test,2026\n\
        CPU of the first TLS handshake,ms,5,,5,5,a test,2026\n\
        dynamodb GetItem,ms,5,,2,20,a test,2026\n";

    fn by_hand() -> Profile {
        Profile::read("by hand", BY_HAND).unwrap()
    }

    fn step(cpu_ms: f64, then: Then) -> Step {
        Step {
            cpu_ms,
            wall_ms: cpu_ms,
            then,
        }
    }

    fn get_item(new_connection: bool) -> Then {
        Then::Call(Call {
            service: "dynamodb".to_owned(),
            operation: "GetItem".to_owned(),
            new_connection,
        })
    }

    /// A burst, a call, work until its answer comes, and another burst.
    fn recording(before: f64, call: Then, meanwhile: f64, after: f64) -> Recording {
        Recording {
            steps: vec![
                step(before, call),
                step(meanwhile, Then::Answer(0)),
                step(after, Then::End),
            ],
        }
    }

    fn burst(cpu_ms: f64) -> Recording {
        Recording {
            steps: vec![step(cpu_ms, Then::End)],
        }
    }

    fn warm(recording: Recording) -> Recorded {
        Recorded {
            cold: Vec::new(),
            warm: vec![recording],
        }
    }

    fn subject(recorded: &Recorded, memory_mb: u32) -> Subject<'_> {
        Subject {
            recorded,
            kernel_ms: 100.0,
            memory_mb,
            architecture: Architecture::X86_64,
            front_door: Some(FrontDoor::HttpApi),
            round_trip_ms: 10.0,
        }
    }

    fn estimated(recorded: &Recorded, memory_mb: u32) -> Estimate {
        estimate(&by_hand(), &subject(recorded, memory_mb)).unwrap()
    }

    fn assert_ms(found: f64, expected: f64) {
        assert!(
            (found / expected - 1.0).abs() < 1e-6,
            "{found}, not {expected}"
        );
    }

    #[test]
    fn a_function_that_waits_takes_the_sum_of_its_parts() {
        let recorded = warm(recording(0.0, get_item(false), 0.0, 0.0));
        let found = estimated(&recorded, 128);
        // 5 for the call and 1 that Lambda adds; 10 for the way, 3 for the front door and 2 for the invocation.
        assert_ms(found.duration.p99, 6.0);
        assert_ms(found.billed_mean, 6.0);
        assert_ms(found.latency.mean, 21.0);
        assert_eq!((found.init, found.first), (None, None));
    }

    #[test]
    fn what_runs_while_an_answer_is_awaited_takes_no_longer() {
        let one_core = 1792;
        let recorded = warm(recording(2.0, get_item(false), 4.0, 1.0));
        assert_ms(
            estimated(&recorded, one_core).duration.mean,
            2.0 + 5.0 + 1.0 + 1.0,
        );
        let recorded = warm(recording(2.0, get_item(false), 7.0, 1.0));
        assert_ms(
            estimated(&recorded, one_core).duration.mean,
            2.0 + 7.0 + 1.0 + 1.0,
        );
    }

    #[test]
    fn one_call_after_the_other_gets_a_fourteenth_of_a_core() {
        let recorded = warm(burst(10.0));
        let found = estimated(&recorded, 128);
        // 10 ms of processor time are seven quotas of 20/14 ms: seven periods from one call to the next, all told.
        assert!((found.latency.mean / 140.0 - 1.0).abs() < 0.01, "{found:?}");
        // A core that is twice as slow takes twice as long.
        let arm = Subject {
            architecture: Architecture::Arm64,
            ..subject(&recorded, 128)
        };
        let arm = estimate(&by_hand(), &arm).unwrap();
        assert!((arm.latency.mean / 280.0 - 1.0).abs() < 0.01, "{arm:?}");
    }

    #[test]
    fn the_init_phase_has_a_whole_core_and_the_first_invocation_has_not() {
        let connects = || recording(2.0, get_item(true), 0.0, 0.0);
        let recorded = Recorded {
            cold: vec![ColdStart {
                init: connects(),
                first: burst(0.0),
            }],
            warm: vec![burst(0.0)],
        };
        let warmed = estimated(&recorded, 128);
        // 2 of its own, 4 and 5 for the connection, 5 for the call, and 15 that Lambda adds.
        assert_ms(warmed.init.unwrap(), 2.0 + 4.0 + 5.0 + 5.0 + 15.0);
        // The way, the front door and the invocation; the environment; the init phase; what Lambda adds to the duration.
        assert_ms(warmed.first.unwrap(), 15.0 + 70.0 + 31.0 + 1.0);

        let recorded = Recorded {
            cold: vec![ColdStart {
                init: burst(0.0),
                first: connects(),
            }],
            warm: vec![burst(0.0)],
        };
        let not_warmed = estimated(&recorded, 128);
        assert_ms(not_warmed.init.unwrap(), 15.0);
        // 7 ms of processor time are 4.9 quotas: one at once, the next after up to a period, three more and a bit; and 5 for
        // the call.
        let first = not_warmed.first.unwrap() - warmed.first.unwrap() + 16.0;
        assert!((65.0..87.0).contains(&first), "{first}");
        assert_ms(
            estimated(&recorded, 1792).first.unwrap(),
            15.0 + 70.0 + 15.0 + 16.0 + 1.0,
        );
    }

    #[test]
    fn the_range_and_what_moves_it_are_the_profiles() {
        let recorded = warm(recording(0.0, get_item(false), 0.0, 0.0));
        let found = estimated(&recorded, 128);
        // At most 36 + 2 and at least 18 − 1; both at once are seldom.
        let (low, high) = found.range;
        assert!(low > 17.0 && low < 20.0, "{low}");
        assert!(high < 38.0 && high > 30.0, "{high}");
        let moved = found.moved_by.unwrap();
        assert_eq!(moved.parameter, "dynamodb GetItem");
        assert_ms(moved.between.0, 18.0);
        assert_ms(moved.between.1, 36.0);
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let unknown = Then::Call(Call {
            service: "s3".to_owned(),
            operation: "PutObject".to_owned(),
            new_connection: false,
        });
        let recorded = warm(recording(0.0, unknown, 0.0, 0.0));
        let error = estimate(&by_hand(), &subject(&recorded, 128)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the profile of by hand has no line for 's3 PutObject'"
        );
        let nothing = Recorded::default();
        let error = estimate(&by_hand(), &subject(&nothing, 128)).unwrap_err();
        assert!(matches!(error, Error::NothingRecorded), "{error}");
    }

    #[test]
    fn a_parameter_that_is_left_out_moves_nothing() {
        let recorded = warm(recording(1.0, get_item(true), 0.0, 0.0));
        let profile = by_hand().with("CPU of a TLS handshake", 0.0);
        let found = estimate(&profile, &subject(&recorded, 128)).unwrap();
        assert!(found.range.0 < found.latency.mean && found.latency.mean < found.range.1);
    }

    #[test]
    fn the_same_recording_gives_the_same_estimate() {
        let recorded = warm(recording(1.0, get_item(false), 0.5, 2.0));
        let profile = Profile::of(crate::DEFAULT_REGION).unwrap();
        let once = || estimate(&profile, &subject(&recorded, 256)).unwrap();
        assert_eq!(once(), once());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn more_memory_is_never_slower(
            less in 128..1800u32,
            more in 0..3000u32,
            bursts in prop::array::uniform3(0.0..20.0f64),
        ) {
            let recorded = warm(recording(bursts[0], get_item(false), bursts[1], bursts[2]));
            let mean = |memory_mb| {
                let profile = by_hand();
                Simulation::new(&profile, &subject(&recorded, memory_mb)).unwrap().mean_latency()
            };
            let (slow, fast) = (mean(less), mean(less + more));
            prop_assert!(fast <= slow + 1e-6, "{fast} with more than {slow}");
        }
    }
}
