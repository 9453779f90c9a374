//! `template.yaml` run locally.
//!
//! [`Stack::start`] reads the SAM template that is deployed, starts the emulator, has its CloudFormation make the tables,
//! buckets and queues with the template's own properties, starts a MariaDB for its databases, and serves the functions, over
//! HTTP and from their queues, with [`local_lambda`].

mod database;
mod error;
mod load_balancer;
mod relay;
mod runtime;
mod servers;
mod service;
mod stack;
mod template;
mod way_in;

pub use database::{Database, DatabaseSettings, Prepare, PrepareError, UrlFault};
pub use error::Error;
pub use region::Architecture;
pub use relay::ApiCall;
pub use runtime::find_tools;
pub use servers::Server;
pub use stack::{Distances, Metered, Settings, SkippedFunction, Stack};
pub use template::{ServedFunction, conditions, has_database, parameters_that_bring, to_json};
