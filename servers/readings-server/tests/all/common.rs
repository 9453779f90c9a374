//! The program, with a database and a cache of its own.

use std::{
    path::Path,
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use backends::{mariadb::Options, memcached::Memcached};
use load::testing::kills::Running;
use readings::testing::{TestDatabase, add_many, database, memcached_counts};

use crate::users::ask_once;

/// The customers that there are when a server starts.
pub(crate) const CUSTOMERS: std::ops::RangeInclusive<u32> = 10..=500;

/// So long that only what never answers is late.
pub(crate) const PATIENT: &str = "--cache-deadline=5s";

pub(crate) fn program() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_readings-server"))
}

/// What is behind a server.
pub(crate) struct Behind {
    pub(crate) database: TestDatabase,
    pub(crate) memcached: Memcached,
}

impl Behind {
    pub(crate) async fn start() -> Self {
        let database = database(Options::default()).await.unwrap();
        add_many(&database, CUSTOMERS).await.unwrap();
        let memcached = Memcached::start().await.unwrap();
        Self {
            database,
            memcached,
        }
    }

    /// The program on a free port, with nothing in its environment but where the two are.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command_without_cache(arguments);
        command.env("CACHE_ADDRESS", self.memcached.address());
        command
    }

    pub(crate) fn command_without_cache(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .arg("--port=0")
            .args(arguments)
            .env_clear()
            .envs(self.database.variables());
        command
    }

    /// Runs it until it listens.
    pub(crate) fn server(&self, arguments: &[&str]) -> Running {
        Running::spawn(self.command(arguments).arg("--quiet"))
    }

    pub(crate) async fn hits(&self) -> u64 {
        let address = self.memcached.address();
        memcached_counts(&address, "get_hits").await.unwrap()
    }

    /// Until the server is answered by the cache again.
    pub(crate) async fn until_hit(&self, server: &Running) {
        let before = self.hits().await;
        until("the cache is hit again", async || {
            assert_eq!(ask_once(server.address(), "/customer/10").await.status, 200);
            self.hits().await > before
        })
        .await;
    }
}

pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let since = Instant::now();
    while !condition().await {
        assert!(since.elapsed() < Duration::from_secs(30), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn ended(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("it ends", async || {
        status = child.try_wait().unwrap();
        status.is_some()
    })
    .await;
    status.unwrap()
}
