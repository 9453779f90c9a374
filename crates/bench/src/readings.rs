//! readings-server with memcached, which answers the readings of 5,000 customers: against the same in the published way, in Go,
//! and a hit against a bare question to memcached.
//!
//! Each server has a memcached of its own, filled from one database. Server, memcached and wrk share the cores, as each would
//! share a small instance's with its cache. What a server takes of them for a request stands beside its rate: that hardly
//! depends on what else they do.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use backends::{
    mariadb::{MariaDb, Options},
    memcached::Memcached,
    program::{Program, Settings},
};
use load::{Connection, Target, on_its_own_thread};
use local_lambda::peak_memory;
use mysql_async::{Conn, Opts, OptsBuilder};

use crate::{
    memcached::{BareGets, counts, forget_all},
    ratio::Ratios,
    rows::{Bar, Measured},
    server::processor_seconds,
    stack::{TIMEOUT, p50, turn},
    wrk::{CONNECTIONS, thousand_a_second},
};

const OURS: &str = "target/servers/readings-server";
const GO: &str = "target/baselines/go-readings";

/// As many as the published study has.
const CUSTOMERS: u64 = 5_000;
const READINGS_EACH: u64 = 10;

const TURNS: usize = 11;

/// Turns of the hits one after the other, and requests in each.
const HIT_TURNS: usize = 41;
const HITS: u64 = 200;

/// Whose readings those ask for.
const CUSTOMER: u64 = 2_500;

/// How many customers both are asked for.
const ASKED: u64 = 100;

/// Asks for a customer as the published load does: one of the first 4,499.
const RANDOM_CUSTOMERS: &str =
    "request = function() return wrk.format('GET', '/customerdata/' .. math.random(1, 4499)) end\n";

pub(crate) async fn measure() -> anyhow::Result<Vec<Measured>> {
    let missing = [
        backends::mariadb::find_program().err(),
        backends::memcached::find_program().err(),
    ];
    if let Some(reason) = missing.into_iter().flatten().next() {
        eprintln!("readings-server is skipped: {reason}");
        return Ok(Vec::new());
    }
    let database = MariaDb::start(Options::default()).await?;
    fill(&database).await?;
    let ours = Serving::start("readings-server", OURS, &["--quiet"], &database).await?;
    let mut measured = hit(&ours).await?;
    let go = match fs::read_to_string(format!("{GO}.missing")) {
        Ok(reason) => {
            eprintln!("the server in Go is skipped: {}", reason.trim());
            None
        }
        Err(_) => {
            let versions = fs::read_to_string(format!("{GO}.versions"));
            let versions = versions.context("the server in Go is not built: run `make bench`")?;
            eprintln!("the server in Go is built with {}", versions.trim());
            Some((
                Serving::start("Go", GO, &[], &database).await?,
                // As many connections to the cache are kept as there are callers.
                Serving::start("Go, 64 kept", GO, &["--cache-clients=32"], &database).await?,
            ))
        }
    };
    if let Some((published, tuned)) = &go {
        measured.extend(compare(&ours, published, tuned).await?);
        measured.extend(published.footprint(GO)?);
        measured.push(same_answers(&ours, published).await?);
    }
    measured.extend(ours.footprint(OURS)?);
    for serving in go.into_iter().flat_map(|(a, b)| [a, b]).chain([ours]) {
        serving.stop().await?;
    }
    Ok(measured)
}

async fn fill(database: &MariaDb) -> anyhow::Result<()> {
    eprintln!("filling a database with {CUSTOMERS} customers and their readings");
    let options = OptsBuilder::from_opts(Opts::from_url(&database.url())?).prefer_socket(false);
    let mut connection = Conn::new(options).await?;
    readings::seed::fill(&mut connection, CUSTOMERS, READINGS_EACH, |_| {}).await?;
    Ok(connection.disconnect().await?)
}

/// A server and its cache.
struct Serving {
    name: &'static str,
    program: Program,
    cache: Memcached,
}

impl Serving {
    /// It has filled its cache when it answers.
    async fn start(
        name: &'static str,
        program: &str,
        arguments: &[&str],
        database: &MariaDb,
    ) -> anyhow::Result<Self> {
        let cache = Memcached::start().await?;
        let variables = [
            ("DATABASE_HOST", database.address()),
            ("DATABASE_NAME", database.database().to_owned()),
            ("DATABASE_USER", database.user().to_owned()),
            ("DATABASE_PASSWORD", database.password().to_owned()),
            ("CACHE_ADDRESS", cache.address()),
        ];
        let arguments = arguments.iter().map(|it| (*it).to_owned());
        let program = Program::start(Settings {
            name: name.to_owned(),
            program: std::path::absolute(program)?,
            arguments: std::iter::once("--port={port}".to_owned())
                .chain(arguments)
                .collect(),
            variables: variables.into(),
            health_path: "/healthz".to_owned(),
        })
        .await?;
        Ok(Self {
            name,
            program,
            cache,
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.program.url())
    }

    fn footprint(&self, file: &str) -> anyhow::Result<Vec<Measured>> {
        let name = self.name;
        let memory = peak_memory(self.program.process_id()?).context("its memory is not known")?;
        let size = fs::metadata(file)?.len();
        let filled = self.program.started_in().as_secs_f64();
        Ok(vec![
            Measured::megabytes(format!("{name}: peak memory, MB"), memory, Bar::None),
            Measured::megabytes(format!("{name}: program, MB"), size, Bar::None),
            Measured::value(
                format!("{name}: s until {CUSTOMERS} customers are cached and it listens"),
                filled,
                Bar::None,
            ),
        ])
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.program.stop().await?;
        Ok(self.cache.stop().await?)
    }
}

/// A hit less an empty route, to a bare question to memcached: p50, one after the other.
async fn hit(ours: &Serving) -> anyhow::Result<Vec<Measured>> {
    eprintln!("asking readings-server for what is cached, and memcached itself");
    let path = format!("/customerdata/{CUSTOMER}");
    let target = async |path: &str| {
        anyhow::Ok(Arc::new(
            Target::resolve(&ours.url(path).parse()?, TIMEOUT).await?,
        ))
    };
    let (hit, empty) = (target(&path).await?, target("/healthz").await?);
    let port = ours.cache.port();
    let ratios = on_its_own_thread(move || async move {
        let mut gets = BareGets::connect(port, &format!("customerReadings_id_{CUSTOMER}")).await?;
        let (mut hit, mut empty) = (Connection::new(hit), Connection::new(empty));
        let (mut over, mut whole) = (Ratios::default(), Ratios::default());
        for _ in 0..HIT_TURNS {
            let hit = turn(&mut hit, HITS, Duration::ZERO).await;
            let hit = hit.map_err(|failure| anyhow::anyhow!("{failure}"))?;
            let bare = gets.turn(HITS).await?;
            let empty = turn(&mut empty, HITS, Duration::ZERO).await;
            let empty = empty.map_err(|failure| anyhow::anyhow!("{failure}"))?;
            over.add((p50(&hit) - p50(&empty)) / p50(&bare));
            whole.add(p50(&hit) / p50(&bare));
        }
        anyhow::Ok([over, whole])
    });
    let [over, whole] = ratios.await??;
    Ok(vec![
        Measured::ratio(
            "(readings-server: a hit − /healthz) ÷ a bare get of memcached: p50",
            &over,
            Bar::AtMost(2.0),
        ),
        Measured::ratio(
            "readings-server: a hit ÷ a bare get of memcached: p50",
            &whole,
            Bar::None,
        ),
    ])
}

async fn compare(
    ours: &Serving,
    published: &Serving,
    tuned: &Serving,
) -> anyhow::Result<Vec<Measured>> {
    eprintln!("calling readings-server and the server in Go on {CONNECTIONS} connections");
    let directory = tempfile::tempdir()?;
    let script = directory.path().join("random.lua");
    fs::write(&script, RANDOM_CUSTOMERS)?;
    let servers = [ours, published, tuned];
    let mut rates: [Ratios; 3] = Default::default();
    let mut faster: [Ratios; 2] = Default::default();
    let mut worked: [Ratios; 2] = Default::default();
    for _ in 0..TURNS {
        let mut rate = [0.0; 3];
        let mut work = [0.0; 3];
        for (at, server) in servers.iter().enumerate() {
            (rate[at], work[at]) = load(server, &script).await?;
            rates[at].add(rate[at]);
        }
        for at in [0, 1] {
            faster[at].add(rate[0] / rate[at + 1]);
            worked[at].add(work[0] / work[at + 1]);
        }
    }
    let requests = format!("requests/s, {CONNECTIONS} connections");
    let time = "processor time a request";
    let ratio = |what: &str, ratios: &Ratios, bar| {
        Measured::ratio(format!("readings-server ÷ {what}"), ratios, bar)
    };
    let go = "Go in the published way";
    let kept = "Go that keeps 64 connections to its cache";
    let rate = |what: &str, rates: &Ratios| {
        Measured::ratio(format!("{what}: thousand requests/s"), rates, Bar::None)
    };
    Ok(vec![
        ratio(&format!("{go}: {requests}"), &faster[0], Bar::AtLeast(1.3)),
        ratio(&format!("{kept}: {requests}"), &faster[1], Bar::None),
        ratio(&format!("{go}: {time}"), &worked[0], Bar::None),
        ratio(&format!("{kept}: {time}"), &worked[1], Bar::None),
        rate("readings-server", &rates[0]),
        rate(go, &rates[1]),
        rate(kept, &rates[2]),
    ])
}

/// Answers that are not the same to the byte: from the cache, where it has them, and from the database.
async fn same_answers(ours: &Serving, go: &Serving) -> anyhow::Result<Measured> {
    let mut others = 0;
    for _ in ["filled", "empty"] {
        for at in 0..ASKED {
            let id = at * 97 % CUSTOMERS + 1;
            for resource in ["customer", "customerdata"] {
                let path = format!("/{resource}/{id}");
                let (ours, theirs) = (text(&ours.url(&path)).await?, text(&go.url(&path)).await?);
                if ours != theirs {
                    eprintln!("{path}: {ours} here, {theirs} in Go");
                    others += 1;
                }
            }
        }
        for serving in [ours, go] {
            forget_all(serving.cache.port()).await?;
        }
    }
    Ok(Measured::value(
        format!("answers of {} that are others than Go's", ASKED * 4),
        f64::from(others),
        Bar::AtMost(0.0),
    ))
}

async fn text(url: &str) -> anyhow::Result<String> {
    let target = Arc::new(Target::resolve(&url.parse()?, TIMEOUT).await?);
    let text = Connection::new(target).text().await;
    text.map_err(|failed| anyhow::anyhow!("{url}: {}", failed.failure))
}

/// Thousand requests a second, and processor time a request in any unit. What is asked for is cached, and stays so.
async fn load(server: &Serving, script: &Path) -> anyhow::Result<(f64, f64)> {
    let id = server.program.process_id()?;
    let port = server.cache.port();
    let before = (counts(port).await?, processor_seconds(id)?);
    let rate = thousand_a_second(&server.url("/customerdata/1"), Some(script)).await?;
    let (after, worked) = (counts(port).await?, processor_seconds(id)? - before.1);
    let hits = after.hits - before.0.hits;
    anyhow::ensure!(
        after.misses == before.0.misses && hits > 0,
        "{}: {hits} hits and {} misses",
        server.name,
        after.misses - before.0.misses
    );
    Ok((rate, worked / hits as f64))
}
