//! The `latency` command.
fn main() {}
