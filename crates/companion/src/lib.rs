//! A program that runs beside this process, a server for a local run or a test, and ends with it however that ends.

mod log;
mod port;
mod process;

pub use log::last_line;
pub use port::{free_port, is_taken};
pub use process::{Companion, Signal};
