//! The router over a real database behind a real cache.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod fill;
mod http;
mod read_through;
