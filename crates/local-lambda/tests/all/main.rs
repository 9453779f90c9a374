//! The host as its users see it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod event_source_mapping;
mod front_door;
mod host;
