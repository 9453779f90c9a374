//! One workload, every serverless architecture, measured.
//!
//! The way through the crate is one-way: a command ([`commands`]) measures ([`load`], [`cost`]), what
//! it found becomes [`results`], and these are shown ([`output`]) and written to files ([`export`]).

pub mod aws;
pub mod circumstances;
pub mod cli;
pub mod columns;
pub mod commands;
pub mod cost;
pub mod database;
pub mod env_file;
pub mod export;
pub mod interrupt;
pub mod machine;
pub mod model;
pub mod open_files;
pub mod output;
pub mod package;
pub mod page;
pub mod published;
pub mod ramp;
pub mod report;
pub mod reports;
pub mod request;
pub mod results;
mod target;
pub mod time_line;
pub mod warnings;
mod whole_file;

/// What the user gave makes no sense; says what and why in one line.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// How a command ended that was not kept from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Well.
    Done,
    /// Well, but requests failed.
    RequestsFailed,
}
