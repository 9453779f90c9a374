//! `latency tune`: one function at several memory sizes, with which its share of a CPU grows.

mod best;
mod deployed;
mod left;
mod local;
mod memory_sizes;
mod modelled;
mod patience;
mod put_back;
mod subject;

use crate::{cli::Tune, interrupt::Interrupts, results::Results};

pub(super) async fn run(arguments: &Tune, interrupts: &mut Interrupts) -> anyhow::Result<Results> {
    let memory_sizes = arguments.memory_sizes()?;
    match &arguments.stack {
        None => local::run(arguments, memory_sizes, interrupts).await,
        Some(stack) => deployed::run(arguments, stack, memory_sizes, interrupts).await,
    }
}
