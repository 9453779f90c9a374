//! The program, as its users run it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod end;
mod http;
mod kills;
mod limits;
mod log;
mod state;
