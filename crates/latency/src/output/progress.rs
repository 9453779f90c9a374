//! What is happening, while it takes long.

use std::{
    io::{IsTerminal as _, stderr},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);

/// One step of a command, on the standard error output: a bar in a terminal, one plain line anywhere else.
///
/// Clones show the same step.
#[derive(Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    /// A step of `length` parts.
    #[must_use]
    pub fn bar(what: &str, length: u64) -> Self {
        Self::start(
            what,
            ProgressBar::new(length),
            "{msg} {wide_bar} {pos}/{len}",
        )
    }

    /// A step that ends when it ends.
    #[must_use]
    pub fn spinner(what: &str) -> Self {
        Self::start(what, ProgressBar::new_spinner(), "{spinner} {msg}")
    }

    fn start(what: &str, bar: ProgressBar, template: &str) -> Self {
        if !stderr().is_terminal() {
            super::say(what);
            return Self(ProgressBar::hidden());
        }
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_message(what.to_owned());
        // The bar draws on a thread of its own; one part done is then no more than an atomic addition to the load.
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// So many parts more are done.
    pub fn advance(&self, parts: u64) {
        self.0.inc(parts);
    }

    /// The step is over; its bar goes away.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}
