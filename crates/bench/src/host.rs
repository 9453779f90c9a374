//! The host against `cargo lambda watch`: what each adds to a function that does nothing.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::{Served, in_turns, loaded, sequential},
};

/// Short turns: the speed of a shared machine changes within seconds.
const LATENCY_TURNS: usize = 200;
const REQUESTS: u64 = 50;
const THROUGHPUT_TURNS: usize = 31;
const CONNECTIONS: usize = 8;
const LOADED: Duration = Duration::from_millis(500);
/// `watch` compiles the function first.
const COMPILED_WITHIN: Duration = Duration::from_secs(900);

pub(crate) async fn against_watch(served: &mut Served) -> anyhow::Result<Vec<Measured>> {
    let watch = Watch::start().await?;
    let (ours, theirs) = (served.url("/empty"), watch.url());
    eprintln!("calling the empty function through the host and through cargo lambda watch");
    let latency = in_turns([&ours, &theirs], LATENCY_TURNS, REQUESTS).await?;
    let mut throughput = Ratios::default();
    for _ in 0..THROUGHPUT_TURNS {
        let host = loaded(&ours, CONNECTIONS, LOADED).await?;
        let watch = loaded(&theirs, CONNECTIONS, LOADED).await?;
        throughput.add(host.requests_per_second() / watch.requests_per_second());
    }
    watch.stop().await?;
    Ok(vec![
        Measured::ratio(
            "host ÷ cargo lambda watch: p50 of an empty function, 1 connection",
            &latency,
            Bar::AtMost(0.5),
        ),
        Measured::ratio(
            "host ÷ cargo lambda watch: throughput, 8 connections",
            &throughput,
            Bar::AtLeast(1.5),
        ),
    ])
}

/// A running `cargo lambda watch`.
struct Watch {
    child: Child,
    port: u16,
}

impl Watch {
    async fn start() -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let log = tempfile::NamedTempFile::new()?;
        let output = || {
            File::options()
                .append(true)
                .open(log.path())
                .map(Stdio::from)
        };
        eprintln!(
            "starting cargo lambda watch --release --ignore-changes (it compiles the function first)"
        );
        let child = Command::new("cargo")
            .args(["lambda", "watch", "--release", "--ignore-changes"])
            .args([
                "--invoke-address",
                "127.0.0.1",
                "--invoke-port",
                &port.to_string(),
            ])
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            // Its own end is ours to say, so that it can end its functions.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cargo lambda can't be started: run `make tools`")?;
        let mut watch = Self { child, port };
        let since = Instant::now();
        while let Err(error) = sequential(&watch.url(), 1).await {
            let ended = watch.child.try_wait()?;
            if ended.is_some() || since.elapsed() > COMPILED_WITHIN {
                let log = fs::read_to_string(log.path()).unwrap_or_default();
                return Err(
                    error.context(format!("cargo lambda watch does not serve: {}", log.trim()))
                );
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(watch)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/lambda-url/empty/", self.port)
    }

    async fn stop(mut self) -> anyhow::Result<()> {
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(id) = id {
            // Ctrl-C is how it is meant to end.
            kill_process(id, Signal::INT)?;
        }
        self.child.wait().await?;
        Ok(())
    }
}
