//! Call transcriptions in a MariaDB, MySQL or Aurora MySQL database: their schema, the query for one of them, and their form
//! as answers over HTTP. What the functions that read them in different ways have in common.

mod query;
mod response;
#[cfg(feature = "seed")]
pub mod seed;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod transcription;

pub use query::Wanted;
pub use rds_connection::{ConnectionSettings, Error};
pub use response::{response, wanted};
pub use transcription::{SCHEMA, Transcription};
