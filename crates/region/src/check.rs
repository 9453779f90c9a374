//! The model beside what others measured on AWS.
//!
//! Two kinds of published figures are no check, and say so: those that a line of the profile was made of, and those of a
//! handler that does something else than ours.

use fastrand::Rng;
use serde::Serialize;

use crate::{
    bandwidth::Cpu,
    environment::{Environment, Replay},
    estimate::{Architecture, FrontDoor, Subject, estimate, summary},
    profile::{Error, Profile},
    recording::{Call, Recorded, Recording, Step, Then},
};

/// The published caller's way there and back, in milliseconds: what it waited for its plain server, which does next to
/// nothing (teticio/latency, "FastAPI + EC2"). The one free parameter.
pub const PUBLISHED_ROUND_TRIP_MS: f64 = 13.0;

/// What a ratio may be off by.
pub const TOLERANCE: f64 = 0.25;

/// A published figure and the model's.
#[derive(Clone, Debug)]
pub struct Check {
    /// What was measured.
    pub what: String,
    /// Who measured it, where and when.
    pub source: &'static str,
    /// The published figure, in `unit`.
    pub published: f64,
    /// The model's.
    pub modelled: f64,
    /// `ms`, or `core` for a share of one.
    pub unit: &'static str,
    /// Why it is no check, or why it is off; empty if it is neither.
    pub remark: &'static str,
    independent: bool,
}

impl Check {
    /// Whether the figure says something of the model: no line of the profile is made of it, and it is of the same thing.
    #[must_use]
    pub fn is_independent(&self) -> bool {
        self.independent
    }

    /// Modelled ÷ published.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.modelled / self.published
    }

    /// Whether the model is as near as it should be.
    #[must_use]
    pub fn is_near(&self) -> bool {
        (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&self.ratio())
    }
}

/// What was recorded here of the functions that published ones are compared with.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Ours<'a> {
    /// `empty`.
    pub empty: &'a Recorded,
    /// `counter-dynamodb`.
    pub counter_dynamodb: &'a Recorded,
    /// `counter-s3`.
    pub counter_s3: &'a Recorded,
    /// How long [`crate::kernel`] takes where they were recorded, in milliseconds.
    pub kernel_ms: f64,
}

const TETICIO: &str = "teticio/latency, mean of 1,000 calls, December 2021";
const THROTTLING: &str = "pwrdrvr/lambda-throttling, Node 20, March 2025";
const CEBERT: &str = "cebert/aws-lambda-performance-benchmarks, Rust, November 2025";
const SHINYAZ: &str = "shinyaz.com, Rust on arm64 at 128 MB, March 2026";
const MAXDAY: &str = "maxday/lambda-perf, empty Rust function, August 2026";
const LUKETN: &str =
    "luketn/aws-lambda-cpp-mongodb, C++ through an HTTP API, same Region, August 2021";
const RUST_DEMO: &str =
    "aws-samples/serverless-rust-demo, one call a function, arm64 at 128 MB, December 2021";

/// What the first handshake takes more with aws-lc, as SDKs have it by default: entropy, once a process (aws/aws-lc-rs/pull/922
/// and issue 1140: 38 to 50 ms).
const ENTROPY_MS: f64 = 45.0;

const USED: &str = "no check: a line of the profile is made of it";

/// Every published figure that can be modelled.
///
/// # Errors
/// The profile lacks a line, or a function was not recorded.
pub fn checks(profile: &Profile, ours: &Ours<'_>) -> Result<Vec<Check>, Error> {
    let mut checks = counters(profile, ours)?;
    checks.extend(shares(profile)?);
    checks.extend(first_requests(profile, ours)?);
    checks.extend(made_of(profile, ours)?);
    Ok(checks)
}

fn counters(profile: &Profile, ours: &Ours<'_>) -> Result<Vec<Check>, Error> {
    let mean = |recorded: &Recorded| {
        let subject = Subject {
            round_trip_ms: PUBLISHED_ROUND_TRIP_MS,
            ..subject(ours, recorded, Architecture::X86_64)
        };
        Ok::<_, Error>(estimate(profile, &subject)?.latency.mean)
    };
    let dynamodb = in_two_calls(ours.counter_dynamodb, "dynamodb", ["GetItem", "UpdateItem"]);
    let s3 = in_two_calls(ours.counter_s3, "s3", ["GetObject", "PutObject"]);
    Ok(vec![
        Check {
            what: "Rust + DynamoDB, read and then written (ours, with a call more)".to_owned(),
            source: TETICIO,
            published: 26.0,
            modelled: mean(&dynamodb)?,
            unit: "ms",
            remark: "its whole platform took less than the round trip of an empty function through an HTTP API elsewhere",
            independent: true,
        },
        Check {
            what: "Rust + DynamoDB, one update: ours".to_owned(),
            source: TETICIO,
            published: 26.0,
            modelled: mean(ours.counter_dynamodb)?,
            unit: "ms",
            remark: "no check: published were two calls",
            independent: false,
        },
        Check {
            what: "Python + S3, read and then written (ours in Rust, with a call more)".to_owned(),
            source: TETICIO,
            published: 120.0,
            modelled: mean(&s3)?,
            unit: "ms",
            remark: "no check: Python takes milliseconds of processor time for each call, at a fourteenth of a core",
            independent: false,
        },
    ])
}

/// What a busy loop gets of a core.
fn shares(profile: &Profile) -> Result<Vec<Check>, Error> {
    let published = [
        (THROTTLING, 128, 0.0723),
        (THROTTLING, 256, 0.1325),
        (THROTTLING, 512, 0.2899),
        (THROTTLING, 1024, 0.5805),
        (THROTTLING, 1769, 0.9676),
        (CEBERT, 128, 0.0743),
        (CEBERT, 256, 0.1518),
        (CEBERT, 512, 0.323),
        (CEBERT, 1024, 0.627),
    ];
    let check = |(source, memory_mb, published)| {
        let limits = profile.limits(memory_mb)?;
        // As long as the published loop ran at the full share.
        let work = 5_000.0 * published;
        let took = Cpu::new(limits, limits.period).run(0.0, work, 1.0);
        Ok(Check {
            what: format!("share of a core at {memory_mb} MB"),
            source,
            published,
            modelled: work / took,
            unit: "core",
            remark: "",
            independent: true,
        })
    };
    published.into_iter().map(check).collect()
}

/// The duration of the first invocation after the init phase.
fn first_requests(profile: &Profile, ours: &Ours<'_>) -> Result<Vec<Check>, Error> {
    let handshake = profile.value("CPU of the first TLS handshake")?;
    let with_entropy = profile
        .clone()
        .with("CPU of the first TLS handshake", handshake + ENTROPY_MS);
    let first = |architecture, memory_mb, calls: &[&str], connects| {
        let subject = Subject {
            memory_mb,
            ..subject(ours, ours.counter_dynamodb, architecture)
        };
        first_duration(&with_entropy, &subject, calls, connects)
    };
    let mut checks = vec![
        Check {
            what: "first request, TLS not warmed up".to_owned(),
            source: SHINYAZ,
            published: 912.0,
            modelled: first(Architecture::Arm64, 128, &["GetItem"], true)?,
            unit: "ms",
            remark: "an SDK takes more processor time for its first steps with its default configuration than ours with a lean one",
            independent: true,
        },
        Check {
            what: "first request, connection opened in the init phase".to_owned(),
            source: SHINYAZ,
            published: 21.0,
            modelled: first(Architecture::Arm64, 128, &["GetItem"], false)?,
            unit: "ms",
            remark: "our lean client's first call fits a quota of 1.4 ms; what needs more waits for the next period, up to 20 ms",
            independent: true,
        },
    ];
    for (architecture, name, published) in [
        (
            Architecture::Arm64,
            "arm64",
            [826.0, 418.0, 222.0, 124.0, 98.0],
        ),
        (
            Architecture::X86_64,
            "x86_64",
            [1317.0, 661.0, 342.0, 188.0, 132.0],
        ),
    ] {
        for (memory_mb, published) in [128, 256, 512, 1024, 1769].into_iter().zip(published) {
            checks.push(Check {
                what: format!("first request, two batch calls, {name}, {memory_mb} MB"),
                source: CEBERT,
                published,
                modelled: first(architecture, memory_mb, &["PutItem", "GetItem"], true)?,
                unit: "ms",
                independent: true,
                remark: match (architecture, memory_mb) {
                    (Architecture::Arm64, 1024 | 1769) => {
                        "some 36 ms of it are no processor time: more than a connection and two calls take by the profile"
                    }
                    (Architecture::Arm64, _) => "",
                    (Architecture::X86_64, _) => {
                        "the init phase too takes half as long again on x86_64 there, but the kernel as long: it does not speak for all code"
                    }
                },
            });
        }
    }
    Ok(checks)
}

fn made_of(profile: &Profile, ours: &Ours<'_>) -> Result<Vec<Check>, Error> {
    let of = |recorded, architecture, memory_mb, front_door| {
        let subject = Subject {
            memory_mb,
            front_door,
            ..subject(ours, recorded, architecture)
        };
        estimate(profile, &subject)
    };
    let used = |what: &str, source, published, modelled| Check {
        what: what.to_owned(),
        source,
        published,
        modelled,
        unit: "ms",
        remark: USED,
        independent: false,
    };
    let through_api = of(
        ours.empty,
        Architecture::X86_64,
        1024,
        Some(FrontDoor::HttpApi),
    )?;
    let x86_64 = of(ours.empty, Architecture::X86_64, 128, None)?;
    let arm64 = of(ours.empty, Architecture::Arm64, 128, None)?;
    let counter = of(ours.counter_dynamodb, Architecture::Arm64, 128, None)?;
    let two_calls = in_two_calls(ours.counter_dynamodb, "dynamodb", ["PutItem", "GetItem"]);
    let two_calls = of(&two_calls, Architecture::Arm64, 1769, None)?;
    Ok(vec![
        used(
            "empty function through an HTTP API, p50",
            LUKETN,
            13.4,
            through_api.latency.p50,
        ),
        used(
            "init phase, x86_64",
            MAXDAY,
            15.5,
            x86_64.init.unwrap_or_default(),
        ),
        used(
            "init phase, arm64",
            MAXDAY,
            13.9,
            arm64.init.unwrap_or_default(),
        ),
        used(
            "duration with one call to DynamoDB, p50",
            RUST_DEMO,
            5.13,
            counter.duration.p50,
        ),
        used(
            "duration with two batch calls to DynamoDB, mean",
            CEBERT,
            7.8,
            two_calls.duration.mean,
        ),
    ])
}

fn subject<'a>(ours: &Ours<'_>, recorded: &'a Recorded, architecture: Architecture) -> Subject<'a> {
    Subject {
        recorded,
        kernel_ms: ours.kernel_ms,
        memory_mb: 128,
        architecture,
        front_door: Some(FrontDoor::HttpApi),
        round_trip_ms: 0.0,
    }
}

/// What a function that makes one call would do if it made these two, each with the processor time of its one.
fn in_two_calls(recorded: &Recorded, service: &str, operations: [&str; 2]) -> Recorded {
    let warm = recorded.warm.iter();
    Recorded {
        cold: Vec::new(),
        warm: warm
            .map(|recording| with_calls(recording, service, &operations))
            .collect(),
    }
}

/// An invocation of one call with these in its place, one after the other.
fn with_calls(recording: &Recording, service: &str, operations: &[&str]) -> Recording {
    let mut steps: Vec<Step> = Vec::new();
    for operation in operations {
        steps.pop_if(|step| step.then == Then::End);
        // Each call that is there is a step, and its answer another.
        let first = steps.len() / 2;
        steps.extend(recording.steps.iter().map(|step| Step {
            then: match &step.then {
                Then::Call(call) => Then::Call(Call {
                    service: service.to_owned(),
                    operation: (*operation).to_owned(),
                    ..call.clone()
                }),
                Then::Answer(call) => Then::Answer(call + first),
                Then::End => Then::End,
            },
            ..step.clone()
        }));
    }
    Recording { steps }
}

/// The median duration of first invocations that make these calls to DynamoDB, and connect for the first one or not.
fn first_duration(
    profile: &Profile,
    subject: &Subject<'_>,
    operations: &[&str],
    connects: bool,
) -> Result<f64, Error> {
    const TIMES: usize = 400;
    let speed = subject.speed(profile)?;
    let limits = profile.limits(subject.memory_mb)?;
    let more = profile.value("in the duration")?;
    let mut replays = Vec::new();
    for cold in &subject.recorded.cold {
        let mut first = with_calls(&cold.first, "dynamodb", operations);
        if let Some(Then::Call(call)) = first.steps.first_mut().map(|step| &mut step.then) {
            call.new_connection = connects;
        }
        replays.push(Replay::new(&first, profile, speed)?);
    }
    if replays.is_empty() {
        return Err(Error::NothingRecorded);
    }
    let mut random = Rng::with_seed(1);
    let mut durations: Vec<f64> = (0..TIMES)
        .map(|at| {
            let mut environment = Environment::at_any_time(limits, &mut random);
            environment.run(0.0, &replays[at % replays.len()], &mut random) + more
        })
        .collect();
    Ok(summary(&mut durations).p50)
}
