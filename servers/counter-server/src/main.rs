//! A hit counter on a plain server.

mod activity;
mod cli;
mod connection;
mod counter;
mod http_handler;
mod limits;
mod log;
mod open_files;
mod server;
mod signals;
mod state_file;

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser as _;
use tokio::net::TcpListener;

use crate::{
    cli::Arguments, counter::Counter, limits::Limits, log::Log, server::Server, signals::Signals,
    state_file::StateFile,
};

// One thread: a hit takes less of it than handing the hit to another thread would. A disk and the log have one more each,
// since they may block.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("counter-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Why the server can't start, or can't end as it should.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    State(#[from] state_file::Error),
    #[error("{address} can't be listened on: {cause}")]
    Listen {
        address: SocketAddr,
        cause: std::io::Error,
    },
    #[error("signals can't be waited for: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    CutOff(#[from] server::CutOff),
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let mut signals = Signals::new().map_err(Error::Signals)?;
    let address = SocketAddr::new(arguments.address, arguments.port);
    let listen = |cause| Error::Listen { address, cause };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let url = format!("http://{}", listener.local_addr().map_err(listen)?);
    let log = Log::start();
    let counter = match &arguments.state {
        None => Counter::in_memory(),
        Some(path) => {
            let file = StateFile::open(path)?;
            if let Some(warning) = file.warning() {
                log.message("WARN", warning);
            }
            Counter::durable(file, log.clone())
        }
    };
    let server = Server {
        app: http_handler::router(counter),
        limits: Limits {
            connections: open_files::allow(arguments.max_connections.get(), &log),
            header_timeout: arguments.header_timeout,
            idle_timeout: arguments.idle_timeout,
        },
        log: log.clone(),
        logs_requests: !arguments.quiet,
    };
    log.message("INFO", &format!("listening on {url}"));
    let ended = server.run(listener, signals.end()).await;
    log.message("INFO", "ended");
    log.flush();
    Ok(ended?)
}
