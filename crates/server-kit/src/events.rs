//! What the crates that a server is made of say by `tracing`, in its log.

use std::fmt::{self, Write as _};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::{SetGlobalDefaultError, set_global_default},
};

use crate::Log;

/// Writes events to the log, the fields after the message: `the circuit is open error="it took too long"`. Of spans, which
/// nobody here opens, it knows nothing.
#[derive(Debug)]
pub struct Events(Log);

impl Events {
    /// From now on, all events of this process.
    ///
    /// # Errors
    /// They go elsewhere already.
    pub fn to(log: &Log) -> Result<(), SetGlobalDefaultError> {
        set_global_default(Self(log.clone()))
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::INFO)
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        text.message.push_str(&text.fields);
        self.0
            .message(event.metadata().level().as_str(), &text.message);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Nothing fails that is written to memory.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
