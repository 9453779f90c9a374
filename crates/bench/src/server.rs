//! The plain server: against FastAPI's, against nginx with a constant answer, with its count in a file, and killed.
//!
//! The load is wrk's: one thread of our own client takes more than a request takes the server.

use std::path::Path;

use anyhow::Context as _;
use backends::program::{Program, Settings};
use load::testing::kills::under_load;
use local_lambda::cpu_time;
use local_stack::Server;

use crate::{
    nginx::Nginx,
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::Served,
    wrk::{CONNECTIONS, thousand_a_second},
};

const TURNS: usize = 11;
const PROGRAM: &str = "target/servers/counter-server";

pub(crate) async fn measure(served: &Served) -> anyhow::Result<Vec<Measured>> {
    eprintln!("calling the plain servers");
    let mut measured = compare(served).await?;
    measured.push(kills().await?);
    Ok(measured)
}

async fn compare(served: &Served) -> anyhow::Result<Vec<Measured>> {
    let server = |name: &str| -> anyhow::Result<&Server> {
        let mut servers = served.stack.servers().iter();
        servers
            .find(|server| server.name() == name)
            .with_context(|| format!("{name} does not run: run `make tools`"))
    };
    let url = |name: &str| -> anyhow::Result<String> {
        let server = server(name)?;
        Ok(format!("{}{}", server.url(), server.path()))
    };
    let processes = [
        server("counter-server")?.process_ids()[0],
        server("fastapi")?.process_ids()[0],
    ];
    let nginx = Nginx::start().await?;
    let logging = Program::start(Settings {
        name: "counter-server with its log".to_owned(),
        program: std::path::absolute(PROGRAM)?,
        variables: Vec::new(),
        arguments: vec!["--port={port}".to_owned()],
        health_path: "/healthz".to_owned(),
    })
    .await?;
    let urls = [
        url("counter-server")?,
        url("fastapi")?,
        nginx.constant(),
        url("counter-server-state")?,
        format!("{}/hits", logging.url()),
    ];
    let mut rates: [Ratios; 5] = Default::default();
    let mut ratios: [Ratios; 5] = Default::default();
    for _ in 0..TURNS {
        let mut turn = [0.0; 5];
        let mut worked = [0.0; 2];
        for (at, url) in urls.iter().enumerate() {
            let before = processes.get(at).map(|id| processor_seconds(*id));
            turn[at] = thousand_a_second(url, None).await?;
            rates[at].add(turn[at]);
            if let Some(before) = before {
                worked[at] = (processor_seconds(processes[at])? - before?) / turn[at];
            }
        }
        ratios[4].add(worked[0] / worked[1]);
        let [ours, fastapi, nginx, state, logging] = turn;
        ratios[0].add(ours / fastapi);
        ratios[1].add(ours / nginx);
        ratios[2].add(state / ours);
        ratios[3].add(logging / ours);
    }
    logging.stop().await?;
    nginx.stop().await?;
    let row = |what: &str, ratios: &Ratios, bar| {
        let what = format!("counter-server{what}: requests/s, {CONNECTIONS} connections");
        Measured::ratio(what, ratios, bar)
    };
    let rate = |what: &str, rates: &Ratios| {
        Measured::ratio(format!("{what}: thousand requests/s"), rates, Bar::None)
    };
    Ok(vec![
        row(" ÷ FastAPI's", &ratios[0], Bar::AtLeast(8.0)),
        row(
            " ÷ nginx with a constant answer",
            &ratios[1],
            Bar::AtLeast(0.6),
        ),
        row(" with --state ÷ without", &ratios[2], Bar::None),
        row(
            " with its access log ÷ without",
            &ratios[3],
            Bar::AtLeast(0.5),
        ),
        Measured::ratio(
            "counter-server ÷ FastAPI's: processor time a request",
            &ratios[4],
            Bar::None,
        ),
        rate("counter-server", &rates[0]),
        rate("FastAPI", &rates[1]),
        rate("nginx", &rates[2]),
        rate("counter-server with --state", &rates[3]),
    ])
}

async fn kills() -> anyhow::Result<Measured> {
    eprintln!("killing the counter server under load");
    let kept = tokio::task::spawn_blocking(|| {
        let directory = tempfile::tempdir()?;
        let state = directory.path().join("hits").display().to_string();
        let arguments = ["--port=0", "--quiet", "--state", &state];
        std::io::Result::Ok(under_load(Path::new(PROGRAM), &arguments, 50, 8))
    })
    .await??;
    let what = format!(
        "counter-server --state: hits lost or given twice in 50 kills, of {}",
        kept.acknowledged
    );
    let wrong = kept.lost + kept.twice + kept.invented;
    Ok(Measured::value(what, wrong as f64, Bar::AtMost(0.0)))
}

/// The processor time of a process so far, in seconds. Unlike a rate, it says little of what else the machine does, and nothing
/// of what the load generator can do.
pub(crate) fn processor_seconds(process_id: u32) -> anyhow::Result<f64> {
    let time = cpu_time(process_id).context("its processor time is not known")?;
    Ok(time.as_secs_f64())
}
