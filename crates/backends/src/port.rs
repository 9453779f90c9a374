//! Ports of 127.0.0.1.

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
};

/// A port that nobody listens on. Between this answer and its use, somebody else may take it.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(bind(0)?.local_addr()?.port())
}

/// Whether somebody listens on a port.
pub(crate) fn is_taken(port: u16) -> bool {
    bind(port).is_err()
}

fn bind(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
}
