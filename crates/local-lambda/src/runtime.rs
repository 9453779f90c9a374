//! The thread that a host runs on.

use std::{io, pin::Pin};

use tokio::runtime::Builder;

/// Runs a future, and whatever it spawns, on this thread.
///
/// Not generic, so that the runtime's own loop is compiled with this crate, as fast as this crate is: a host waits for little
/// else.
///
/// # Errors
/// The operating system gives no event queue.
pub fn block_on(future: Pin<Box<dyn Future<Output = ()> + '_>>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(future);
    Ok(())
}
