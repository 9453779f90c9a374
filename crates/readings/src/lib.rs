//! Customers and the readings of their meters: their tables, their JSON, the cache in front of the database, and how they are
//! answered over HTTP. What a server and a function that serve them have in common.

mod cache;
mod circuit;
mod customer_id;
mod fill;
mod flights;
mod http;
mod key;
mod read_through;
mod record;
mod repository;
mod schema;
#[cfg(feature = "seed")]
pub mod seed;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use cache::{Cache, DEADLINE};
pub use customer_id::{CustomerId, NotAnId};
pub use fill::{Filled, NotFilled, fill};
pub use http::{TimeLeft, router};
pub use key::Key;
pub use read_through::{ReadThrough, Refused};
pub use record::{Customer, Reading, Readings};
pub use schema::{SCHEMA, schema};
