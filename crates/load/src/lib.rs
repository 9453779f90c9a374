//! Load: requests sent, answers timed.
//!
//! Two kinds. In a *closed* load a virtual user sends its next request only when it has the answer to the last one:
//! [`Sequential`], [`closed_loop`] and [`step_load()`]. A server that stalls is therefore asked less often while it stalls, and the
//! percentiles leave out the requests that people would have sent meanwhile (*coordinated omission*; Gil Tene, "How NOT to
//! Measure Latency", 2013). They answer "how long did a call take", not "how long would a visitor have waited". The
//! published tests that stand beside ours are closed loads too, so the columns can be compared.
//!
//! In an *open* load requests come at a rate, whatever became of the earlier ones: [`open_loop`], which answers the other
//! question, and from which rate on a server can't keep up.

mod answer;
mod buckets;
mod closed_loop;
mod connection;
pub mod core;
mod deadline;
mod failure;
mod latencies;
mod level;
mod measurement;
mod open_loop;
mod pattern;
pub mod probe;
mod request;
mod sequential;
mod source;
mod step_load;
mod stream;
mod target;
#[cfg(feature = "testing")]
pub mod testing;
mod thread;
mod url;
mod users;
mod wire;

pub use buckets::Buckets;
pub use closed_loop::{Work, closed_loop};
pub use connection::Connection;
pub use failure::{FailedRequest, Failure, Failures};
pub use latencies::{Latencies, PERCENTILES};
pub use level::{Happened, Level, Moment};
pub use measurement::{Measurement, best};
pub use open_loop::{FallsBehind, OpenLoad, Rule, Schedule, Second, Spacing, Step, open_loop};
pub use pattern::{NotPattern, Pattern};
pub use request::{NotRequest, Request, Sign, Unsigned};
pub use sequential::Sequential;
pub use source::Source;
pub use step_load::{Part, StepLoad};
pub use target::{Error as TargetError, Target};
pub use thread::on_its_own_thread;
pub use url::{NotUrl, Origin, Url};
pub use users::step_load;
