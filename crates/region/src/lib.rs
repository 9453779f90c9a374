//! What an invocation would take in a Region of AWS.
//!
//! A [`Recording`] is what one invocation did on this machine: processor time, calls to backends, processor time again. The
//! [`Profile`] of a Region says what Lambda and the backends take there, each figure with its source. [`estimate`] replays
//! the recordings under that profile, at any memory size.
//!
//! Nothing here reads a clock, a file or the network: the same recordings and the same profile give the same estimate.
//!
//! # What the model leaves out
//! - The scheduler looks at the quota once a tick, so a burst may overrun it and pay later (arXiv 2506.01283, section 5). Here
//!   it stops when the quota is used up, as it does on average.
//! - The answer's way out is over before the next event comes: what a runtime does after its answer costs nothing.
//! - Backends do not slow down under load, and one call's latency says nothing of the next one's.

mod bandwidth;
pub mod check;
mod distribution;
mod environment;
mod estimate;
pub mod kernel;
mod profile;
mod recording;

pub use bandwidth::{Cpu, Limits};
pub use distribution::Distribution;
pub use estimate::{Architecture, Estimate, FrontDoor, Moved, Subject, Summary, estimate};
pub use profile::{DEFAULT_REGION, Error, Parameter, Profile};
pub use recording::{Call, ColdStart, Recorded, Recording, Step, Then};
