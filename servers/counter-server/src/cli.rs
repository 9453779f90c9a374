//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// A hit counter: GET /hits counts a hit and answers with the count.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) server: server_kit::Arguments,
    /// Keep the count in this file, over restarts and crashes; without it, the count is in memory and starts at 0
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
}
