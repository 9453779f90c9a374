//! One workload, every serverless architecture, measured.

pub mod cost;
pub mod load;
pub mod published;
pub mod statistics;
pub mod warnings;
