//! What every handler needs at start-up and to answer: AWS clients from Lambda's own variables, logs, time left, errors
//! for the caller. No business logic.

pub mod aws;
pub mod connection;
pub mod deadline;
pub mod logs;
#[cfg(feature = "testing")]
pub mod testing;

pub use environment;
pub use problem::Problem;
