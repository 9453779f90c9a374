//! Customers and the readings of their meters: their tables, their JSON, and how they are answered over HTTP.

mod schema;
#[cfg(feature = "seed")]
pub mod seed;

pub use schema::{SCHEMA, schema};
