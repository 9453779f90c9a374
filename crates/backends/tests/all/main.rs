//! The processes, as a user of this crate sees them.

mod mariadb;
mod ministack;
mod process;
mod program;
