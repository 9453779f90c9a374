//! Our counter on DynamoDB against the same in other languages and in the published way, on one emulator: its own time is in all
//! of them.

use anyhow::Context as _;
use local_lambda::Report;

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::{Served, in_turns, sequential},
};

const OURS: &str = "counter-dynamodb";

/// Turns of the latencies, and requests in each.
const TURNS: usize = 41;
const REQUESTS: u64 = 50;

/// Fresh environments of each function.
const STARTS: usize = 11;

/// What we are measured against, and the bars of p50, init and peak memory.
struct Baseline {
    function: &'static str,
    name: &'static str,
    p50: Bar,
    init: Bar,
    memory: Bar,
}

const BASELINES: [Baseline; 6] = [
    Baseline {
        function: "python-dynamodb",
        name: "Python",
        p50: Bar::AtMost(0.35),
        init: Bar::AtMost(0.01),
        memory: Bar::AtMost(0.15),
    },
    Baseline {
        function: "javascript-dynamodb",
        name: "JavaScript",
        p50: Bar::AtMost(0.4),
        init: Bar::AtMost(0.02),
        memory: Bar::AtMost(0.07),
    },
    Baseline {
        function: "python-dynamodb-published",
        name: "Python in the published way",
        p50: Bar::AtMost(0.35),
        init: Bar::None,
        memory: Bar::None,
    },
    Baseline {
        function: "javascript-dynamodb-published",
        name: "JavaScript in the published way",
        p50: Bar::AtMost(0.4),
        init: Bar::None,
        memory: Bar::None,
    },
    Baseline {
        function: "cpp-dynamodb",
        name: "C++",
        p50: Bar::None,
        init: Bar::None,
        memory: Bar::None,
    },
    Baseline {
        function: "rust-dynamodb-published",
        name: "Rust in the published way",
        p50: Bar::AtMost(0.6),
        init: Bar::None,
        memory: Bar::None,
    },
];

/// Those that run here; of the others it is said why they do not.
pub(crate) async fn against_ours(served: &mut Served) -> anyhow::Result<Vec<Measured>> {
    let mut measured = Vec::new();
    for baseline in &BASELINES {
        let mut skipped = served.stack.skipped().iter();
        if let Some(skipped) = skipped.find(|it| it.name == baseline.function) {
            eprintln!("{} is skipped: {}", skipped.name, skipped.reason);
            continue;
        }
        measured.extend(baseline.against_ours(served).await?);
    }
    Ok(measured)
}

impl Baseline {
    async fn against_ours(&self, served: &mut Served) -> anyhow::Result<Vec<Measured>> {
        eprintln!("measuring {OURS} against {}", self.name);
        let (ours, theirs) = (url(served, OURS)?, url(served, self.function)?);
        let (mut init, mut memory) = (Ratios::default(), Ratios::default());
        for _ in 0..STARTS {
            let ours = start(served, OURS, &ours).await?;
            let theirs = start(served, self.function, &theirs).await?;
            init.add(init_seconds(&ours)? / init_seconds(&theirs)?);
            memory.add(ours.max_memory_used_bytes as f64 / theirs.max_memory_used_bytes as f64);
        }
        let p50 = in_turns([&ours, &theirs], TURNS, REQUESTS).await?;
        let row = |what: &str, ratios: &Ratios, bar: Bar| {
            Measured::ratio(format!("{OURS} ÷ {}: {what}", self.name), ratios, bar)
        };
        Ok(vec![
            row("p50", &p50, self.p50),
            row("init", &init, self.init),
            row("peak memory after a few hits", &memory, self.memory),
        ])
    }
}

fn url(served: &Served, function: &str) -> anyhow::Result<String> {
    let mut functions = served.stack.functions().iter();
    let function = functions.find(|it| it.name == function);
    let route = function.and_then(|it| it.routes.first());
    Ok(served.url(&route.with_context(|| "a function has no route")?.path))
}

/// A few hits in a fresh environment: the report of the first, with the memory of all.
async fn start(served: &mut Served, function: &str, url: &str) -> anyhow::Result<Report> {
    served.stack.host().retire_idle(function).await;
    served.take_reports().await;
    sequential(url, 10).await?;
    let reports = served.take_reports().await;
    let peak = reports.iter().map(|report| report.max_memory_used_bytes);
    let peak = peak.max().unwrap_or_default();
    let mut reports = reports.into_iter();
    let mut first = reports
        .find(|report| report.init_duration.is_some())
        .with_context(|| format!("{function} did not start afresh"))?;
    first.max_memory_used_bytes = peak;
    Ok(first)
}

fn init_seconds(report: &Report) -> anyhow::Result<f64> {
    let init = report.init_duration.context("there was no init phase")?;
    Ok(init.as_secs_f64())
}
