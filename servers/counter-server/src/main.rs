//! A hit counter on a plain server.

mod cli;
mod counter;
mod http_handler;
mod state_file;

use std::process::ExitCode;

use clap::Parser as _;
use server_kit::{CutOff, Listener, Log, NotListening, Signals};

use crate::{cli::Arguments, counter::Counter, state_file::StateFile};

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
    #[error(transparent)]
    Listen(#[from] NotListening),
    #[error("signals can't be waited for: {0}")]
    Signals(std::io::Error),
    #[error(transparent)]
    CutOff(#[from] CutOff),
}

async fn run(arguments: Arguments) -> Result<(), Error> {
    let mut signals = Signals::new().map_err(Error::Signals)?;
    let listener = Listener::bind(&arguments.server).await?;
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
    let app = http_handler::router(counter);
    listener
        .serve(app, &arguments.server, &log, signals.end())
        .await?;
    Ok(())
}
