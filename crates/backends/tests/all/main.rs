//! The processes, as a user of this crate sees them.

mod mariadb;
mod memcached;
mod ministack;
mod nginx;
mod process;
mod program;
