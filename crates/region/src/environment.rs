//! An execution environment of the model: replays what was recorded, one phase after the other.

use fastrand::Rng;

use crate::{
    bandwidth::{Cpu, Limits},
    distribution::Distribution,
    profile::{CACHE, Error, Profile},
    recording::{Call, Recording, Then},
};

/// A recording with the profile's figures in place of names.
pub(crate) struct Replay {
    steps: Vec<(f64, f64, Event)>,
}

enum Event {
    Call {
        latency: Distribution,
        handshake: Option<Handshake>,
    },
    Answer(usize),
    End,
}

/// What a new connection takes.
#[derive(Clone, Copy)]
struct Handshake {
    round_trips: f64,
    /// Of TLS, where it is spoken.
    tls: Option<Tls>,
}

/// Processor time of a TLS handshake, and of the first one.
#[derive(Clone, Copy)]
struct Tls {
    cpu: f64,
    first_cpu: f64,
}

impl Replay {
    /// `speed` is how many times as long this machine's processor time takes on one of Lambda's cores.
    pub(crate) fn new(recording: &Recording, profile: &Profile, speed: f64) -> Result<Self, Error> {
        let steps = recording.steps.iter().map(|step| {
            let event = match &step.then {
                Then::Call(call) => Event::Call {
                    latency: profile.call(&call.service, &call.operation)?,
                    handshake: handshake(call, profile)?,
                },
                Then::Answer(call) => Event::Answer(*call),
                Then::End => Event::End,
            };
            Ok((step.cpu_ms * speed, step.threads(), event))
        });
        Ok(Self {
            steps: steps.collect::<Result<_, Error>>()?,
        })
    }
}

fn handshake(call: &Call, profile: &Profile) -> Result<Option<Handshake>, Error> {
    if !call.new_connection {
        return Ok(None);
    }
    let tls = Tls {
        cpu: profile.value("CPU of a TLS handshake")?,
        first_cpu: profile.value("CPU of the first TLS handshake")?,
    };
    Ok(Some(Handshake {
        round_trips: profile.connecting(&call.service, &call.operation)?,
        tls: (call.service != CACHE).then_some(tls),
    }))
}

/// A running environment.
pub(crate) struct Environment {
    cpu: Cpu,
    connected: bool,
}

impl Environment {
    /// Its first period ends at `period_ends`.
    fn new(limits: Limits, period_ends: f64) -> Self {
        Self {
            cpu: Cpu::new(limits, period_ends),
            connected: false,
        }
    }

    /// At any time of a period.
    pub(crate) fn at_any_time(limits: Limits, random: &mut Rng) -> Self {
        let into_the_period = random.f64();
        Self::new(limits, limits.period * (1.0 - into_the_period))
    }

    /// From now on with these limits.
    pub(crate) fn limit(&mut self, limits: Limits) {
        self.cpu.limit(limits);
    }

    /// Does what was recorded, from the time `at` on: when it is over.
    pub(crate) fn run(&mut self, at: f64, replay: &Replay, random: &mut Rng) -> f64 {
        let mut now = at;
        let mut answers = Vec::new();
        for (cpu, threads, event) in &replay.steps {
            now = self.cpu.run(now, *cpu, *threads);
            match event {
                Event::Call { latency, handshake } => {
                    if let Some(handshake) = handshake {
                        now = self.connect(now, *handshake);
                    }
                    answers.push(now + latency.sample(random));
                }
                // What ran meanwhile may have taken longer than the answer.
                Event::Answer(call) => {
                    now = answers.get(*call).map_or(now, |answer| now.max(*answer));
                }
                Event::End => break,
            }
        }
        now
    }

    fn connect(&mut self, at: f64, handshake: Handshake) -> f64 {
        let connected = at + handshake.round_trips;
        let Some(tls) = handshake.tls else {
            return connected;
        };
        let cpu = match std::mem::replace(&mut self.connected, true) {
            true => tls.cpu,
            false => tls.first_cpu,
        };
        self.cpu.run(connected, cpu, 1.0)
    }
}
