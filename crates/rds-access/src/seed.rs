//! Fills databases with what the functions read.
//!
//! [`fill`] fills the table of any [`Server`](::seed::Server). [`Cache`] keeps what it filled for the servers of local runs,
//! which work on copies.

mod cache;
mod row;
mod transcriptions;

pub use cache::{Cache, Error as CacheError};
pub use transcriptions::fill;
