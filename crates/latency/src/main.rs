//! The `latency` command. Exit codes: 0 well, 1 requests or the command failed, 2 bad input, 128 + n signal n.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use latency::{BadInput, Ending, cli, commands, interrupt::Signal, open_files};

fn main() -> ExitCode {
    // What the host and the stack find worth a word, such as a resource that is left out locally.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
    open_files::allow_many();
    let cli = match cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(Ok(help)) => {
            // Whoever closes the pipe has read enough.
            let _ = std::io::stdout().write_all(help.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(Err(error)) => return failed(&error.into()),
    };
    let mut ending = Ok(Ending::Done);
    let run = local_lambda::block_on(Box::pin(async { ending = commands::run(cli).await }));
    match run.map_err(anyhow::Error::from).and(ending) {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::RequestsFailed) => ExitCode::FAILURE,
        Err(error) => match error.downcast_ref::<Signal>() {
            Some(signal) => ExitCode::from(signal.exit_code()),
            None => failed(&error),
        },
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("latency: {error:#}");
    ExitCode::from(if error.is::<BadInput>() { 2 } else { 1 })
}
