//! Lambda on your own machine.
//!
//! Each execution environment is the real program, talking to a Runtime API endpoint of its own. Requests come in
//! through the front doors ([`serve`]): an HTTP API, function URLs and the Invoke API, all on one port of 127.0.0.1.
//! Messages come in through event source mappings ([`EventSourceMapping`]), which poll queues.
//!
//! What is as on Lambda: one event at a time in an environment, the most recently used idle environment first, a new
//! one when all are busy, concurrency limits and throttling, init and function timeouts, crashes, the `REPORT` line.
//! What is not: the CPU share that goes with the memory size, the memory limit itself, and the network.

mod asynchronous;
mod awake;
mod backoff;
mod environment;
mod event_source_mapping;
mod front_door;
mod function;
mod guardian;
mod host;
pub mod http1;
mod invocation;
mod launch;
mod logs;
mod phase;
mod placement;
mod process;
mod report;
mod runtime;
mod runtime_api;
mod sqs;

pub use event_source_mapping::{
    Error as EventSourceMappingError, EventSourceMapping, EventSourceMetrics, Redirection,
    SqsEventSource,
};
pub use front_door::{
    API_ID, Error as FrontDoorError, FrontDoors, Integration, Route, RouteMethod, SendMessage,
    Unrouted, serve,
};
pub use function::Function;
pub use host::{Error, Host, HostSettings, OnReport};
pub use invocation::{FunctionError, Invocation, InvokeError};
pub use logs::{Logs, OnLine};
pub use phase::{OnPhase, Phase, PhaseChange};
pub use process::{cpu_time, peak_memory};
pub use report::{Report, Status};
pub use runtime::block_on;
pub use sqs::sqs_client;
