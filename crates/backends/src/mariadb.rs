//! MariaDB for local runs and tests: in a temporary directory, on a free port of 127.0.0.1, with an account of its own.
//!
//! [`MariaDb::start`] starts one. It goes away with its value and, however this process ends, with this process. It keeps
//! what it was given only as long as it runs, and is set up for that: no binary log, no waiting for the disk.

mod administration;
mod data_directory;
mod program;
mod server;

pub use administration::Administration;
pub use program::{find_program, not_installed, version};
pub use server::{MariaDb, Options};
