//! A stand-in for RDS Proxy, for local runs only: many clients share a database's few connections.
//!
//! [`RdsProxy::start`] starts one on a free port of 127.0.0.1. It is here to show what RDS Proxy does to a function's
//! connections, not to serve anybody: it trusts its network, and one account is all it knows.
//!
//! # As RDS Proxy
//!
//! What the Amazon Aurora and RDS User Guides say of RDS Proxy, and what is known of its answers:
//!
//! - There are never more database connections than `MaxConnectionsPercent` of the database's `max_connections`. One that
//!   was closed counts until the database has hung up as well.
//! - A session borrows a connection for a statement or, once a transaction is open, until its end. The database itself
//!   tells whether one is open, in the status of each response.
//! - Whoever finds no connection waits, first come, first served, and after `ConnectionBorrowTimeout` gets error 9501. It
//!   is the same if the database is away: the proxy goes on trying until then.
//! - Anything but a plain query of the text protocol pins its session: it keeps its connection until its client goes. So does
//!   an insertion that made an id, since the client may ask for it.
//! - What a session left behind, a transaction or what it was pinned for, is undone before the next one gets its connection.
//!
//! # Not as RDS Proxy
//!
//! - RDS Proxy tracks some session settings (`SET NAMES`, `SET time_zone`, `USE` and more) and shares connections all the same.
//!   Here they pin.
//! - Clients sign in with `mysql_native_password` and the database's own user and password, and without TLS. There is no
//!   IAM authentication, Secrets Manager, initialization query, session pinning filter, reader endpoint or failover.
//! - A command whose client went away runs to its end, and its connection goes back to the pool. RDS Proxy closes it.
//! - `COM_RESET_CONNECTION` ends a session as its client's going away does. `COM_CHANGE_USER` and what else is not in
//!   everyday use is answered with error 1047. Compression, files of the client's (`LOAD DATA LOCAL`) and MariaDB's own
//!   extensions of the protocol are not offered.
//!
//! # Why packets, and not a server library
//!
//! The choice was between `opensrv-mysql` in front of a pool of `mysql_async`, and `mysql_common`'s packets with the results
//! relayed. The former reads each value and writes it anew. It describes all columns as 1,024 bytes of `utf8` without
//! decimals, counts no warnings, has no error 9501 in its list, and had no release since 2024. Here the handshake is
//! `mysql_common`'s, which is what `mysql_async` is made of, and from then on bytes are passed on as they come. What was
//! agreed on with the client is agreed on with the database, so that a response is the same with the proxy or without it:
//! tests compare them to the byte. The price is to follow responses just far enough to know where they end, which is
//! cheaper than to decode them.

mod command;
mod database_connection;
mod error;
mod handshake;
mod metrics;
mod packet;
mod pool;
mod proxy;
mod response;
mod session;
mod state;
mod statement;
#[cfg(test)]
mod tests;

pub use error::Error;
pub use metrics::Metrics;
pub use proxy::{RdsProxy, Settings};
