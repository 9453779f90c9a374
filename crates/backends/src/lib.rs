//! Processes that stand in for AWS services on this machine, each started on a free port of 127.0.0.1, waited for until it is
//! healthy, and ended with its owner however that ends.

mod client;
mod error;
mod installed;
pub mod mariadb;
pub mod memcached;
pub mod ministack;
pub mod nginx;
mod port;
pub mod process;
pub mod program;
mod server;

pub use error::Error;
