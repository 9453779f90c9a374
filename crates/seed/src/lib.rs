//! Fills tables with rows that are made up from their numbers: the same rows in every database, row by row or statement by
//! statement, and however often the filling was cut short.
//!
//! [`fill`] fills a [`Table`] of any [`Server`]; [`rows_there`] and [`add`] are its two halves, for who fills several.

mod fill;
mod server;
mod table;

pub use fill::{Error, add, fill, rows_there};
pub use server::Server;
pub use table::{Table, insert, literal};
