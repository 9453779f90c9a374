//! One workload, every serverless architecture, measured.

pub mod load;
pub mod statistics;
