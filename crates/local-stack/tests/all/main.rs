//! The stack as its users see it: the repository's own functions, as they are built for Lambda, and small templates.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod baselines;
mod calc_worker;
mod client;
mod common;
mod distances;
mod faults;
mod load_balancer;
mod queue;
mod rds_faults;
mod rds_functions;
mod readings;
mod recorded;
mod servers;
mod stack;
mod start;
mod switch;
mod wait;

/// Held by a test that loads every core, so that no two do at once.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
