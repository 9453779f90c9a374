//! What was done, for a reader of the log to see what was covered: a block for each deployment, though they go on side by side.

use std::{cell::RefCell, time::Instant};

struct Log {
    since: Instant,
    lines: RefCell<String>,
}

tokio::task_local! {
    static LOG: Log;
}

/// Prints what is said meanwhile in one block, also when it fails.
pub(crate) async fn gathered<T>(
    what: &str,
    done: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let log = Log {
        since: Instant::now(),
        lines: RefCell::default(),
    };
    let said = LOG.scope(log, async {
        let outcome = done.await;
        let seconds = LOG.with(|log| log.since.elapsed().as_secs_f64());
        let lines = LOG.with(|log| log.lines.take());
        println!("== {what}: {seconds:.1} s\n{lines}");
        outcome
    });
    said.await.map_err(|error| error.context(what.to_owned()))
}

/// Adds a line, and after how many seconds it came.
pub(crate) fn line(line: &str) {
    LOG.with(|log| {
        let seconds = log.since.elapsed().as_secs_f64();
        log.lines
            .borrow_mut()
            .push_str(&format!("{seconds:7.1} s  {line}\n"));
    });
}

/// Says what was done.
macro_rules! say {
    ($($text:tt)*) => { $crate::log::line(&format!($($text)*)) };
}
pub(crate) use say;
