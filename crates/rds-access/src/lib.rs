//! Call transcriptions in a MariaDB, MySQL or Aurora MySQL database: their schema, the query for one of them, connections
//! with a password or with IAM authentication, and their form as answers over HTTP. What the functions that read them in
//! different ways have in common.

mod connection;
mod error;
mod iam;
mod query;
mod response;
#[cfg(feature = "seed")]
pub mod seed;
mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transcription;

pub use connection::{connect_and_find, within};
pub use error::Error;
pub use query::{Wanted, find, find_and};
pub use response::{response, wanted};
pub use settings::{ConnectionSettings, SettingsError};
pub use transcription::{SCHEMA, Transcription};
