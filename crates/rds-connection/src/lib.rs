//! Connections to a MariaDB, MySQL or Aurora MySQL database, with a password or with IAM authentication, and questions asked
//! on them: one connection that a function keeps between invocations, or a server's pool.

mod backoff;
mod connection;
mod error;
mod iam;
mod idle;
mod kept;
mod pool;
mod question;
mod settings;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod utilisation;

pub use connection::{connect_and_ask, within};
pub use error::Error;
pub use kept::KeptConnection;
pub use pool::Pool;
pub use question::{Database, Question, ask, ask_and};
pub use settings::{ConnectionSettings, SettingsError};
pub use utilisation::{Limits, NotANumber};
