//! The stand-in on its own, in front of any database: prints where it listens, and at its end how it did.

use std::{io, process::ExitCode, time::Duration};

use clap::Parser;
use local_rds_proxy::{Metrics, RdsProxy, Settings};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for RDS Proxy, for local runs only.
#[derive(Debug, Parser)]
struct Arguments {
    /// The database: HOST:PORT.
    upstream: String,
    /// The account of the database, and of the clients; it must have mysql_native_password.
    #[arg(long, env = "DATABASE_USER")]
    user: String,
    /// Its password.
    #[arg(long, env = "DATABASE_PASSWORD", hide_env_values = true)]
    password: String,
    /// The port of 127.0.0.1 to listen on; 0 for any that is free.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The share of the database's connections that may be used.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100))]
    max_connections_percent: u32,
    /// The share of the database's connections that may stay open without use.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(0..=100))]
    max_idle_connections_percent: u32,
    /// How many seconds a request may wait for a database connection.
    #[arg(long, default_value_t = 120)]
    connection_borrow_timeout: u64,
    /// After how many seconds of silence a client is sent away.
    #[arg(long, default_value_t = 1800)]
    idle_client_timeout: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(metrics) => {
            println!("{metrics:#?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("local-rds-proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<Metrics, local_rds_proxy::Error> {
    let proxy = RdsProxy::start(Settings {
        port: arguments.port,
        max_connections_percent: arguments.max_connections_percent,
        max_idle_connections_percent: arguments.max_idle_connections_percent,
        borrow_timeout: Duration::from_secs(arguments.connection_borrow_timeout),
        idle_client_timeout: Duration::from_secs(arguments.idle_client_timeout),
        ..Settings::new(arguments.upstream, arguments.user, arguments.password)
    })
    .await?;
    println!("{}", proxy.address());
    until_told_to_stop().await?;
    let metrics = proxy.metrics();
    proxy.stop().await?;
    Ok(metrics)
}

async fn until_told_to_stop() -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
