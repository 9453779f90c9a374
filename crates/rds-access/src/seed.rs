//! Fills databases with what the functions read.
//!
//! [`fill`] fills the table of any [`Server`]. [`Cache`] keeps what it filled for the servers of local runs, which work on
//! copies.

mod cache;
mod row;
mod server;
mod transcriptions;

pub use cache::{Cache, Error as CacheError};
pub use server::Server;
pub use transcriptions::{Error, fill};
