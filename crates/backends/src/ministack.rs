//! ministack, the AWS emulator, for local runs and tests.
//!
//! [`Ministack::start`] starts one of its own on a free port of 127.0.0.1 and [`Ministack::deploy`] makes the resources
//! of a CloudFormation template in it. It goes away with its value and, however this process ends, with this process.

mod cloudformation;
mod emulator;
mod endpoint;
mod program;

pub use emulator::Ministack;
pub use endpoint::{ACCOUNT_ID, REGION, variables};
pub use program::find_program;
