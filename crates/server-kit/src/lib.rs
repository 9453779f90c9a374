//! What every server needs around its router: connections with limits, a log that nobody waits for, signals, and an end at
//! which the requests under way are answered. No business logic.

mod activity;
mod arguments;
mod connection;
mod events;
mod limits;
mod log;
mod open_files;
mod server;
mod signals;

pub use arguments::Arguments;
pub use events::Events;
pub use log::Log;
pub use server::{CutOff, Listener, NotListening};
pub use signals::Signals;
