//! The command against real servers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't go on fails"
)]

mod browser;
mod browser_page;
mod browser_report;
mod calc;
mod cargo_lambda;
mod children;
mod command;
mod database;
mod deployed;
mod fake_function;
mod fake_lambda;
mod latency_probe;
mod neighbours;
mod publish;
mod ramp;
mod readings;
mod region;
mod seed_stack;
mod stack;
mod tune;
