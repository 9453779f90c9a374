//! The program, as its users run it, and what may happen to what is behind it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cache_faults;
mod common;
mod database_faults;
mod end;
mod start;
mod users;
