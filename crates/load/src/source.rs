//! An address of this machine that connections come from, with ports of our own.

use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::{AtomicU32, Ordering},
};

use tokio::net::{TcpSocket, TcpStream};

/// Below those that the system gives away (Linux: from 32,768 on). Its search for a free one takes milliseconds once half of
/// them are taken, and what it finds for an address it then gives to no other.
const FIRST_PORT: u32 = 1_024;
const PORTS: u32 = 31_744;

/// After so many ports that others have, there is none.
const TRIES: usize = 1_000;

/// An address, and which port is the next.
#[derive(Debug)]
pub struct Source {
    address: Ipv4Addr,
    next: AtomicU32,
}

impl Source {
    /// How many connections can be open from one address at the same time. Some ports are others'.
    pub const CONNECTIONS: u64 = 30_000;

    /// Connections from this address.
    #[must_use]
    pub fn new(address: Ipv4Addr) -> Self {
        Self {
            address,
            next: AtomicU32::new(0),
        }
    }

    /// Connects to the first of these addresses that takes a connection.
    pub(crate) async fn connect(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let mut failed = io::Error::from(ErrorKind::AddrNotAvailable);
        for address in addresses.iter().filter(|address| address.is_ipv4()) {
            match self.bound()?.connect(*address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    fn bound(&self) -> io::Result<TcpSocket> {
        for _ in 0..TRIES {
            let port = FIRST_PORT + self.next.fetch_add(1, Ordering::Relaxed) % PORTS;
            let socket = TcpSocket::new_v4()?;
            match socket.bind(SocketAddr::from((self.address, port as u16))) {
                Ok(()) => return Ok(socket),
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => return Err(error),
            }
        }
        Err(ErrorKind::AddrNotAvailable.into())
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_port_that_is_taken_is_left_out() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let server = listener.local_addr().unwrap();
        // So that no other test is in its way.
        let address = Ipv4Addr::from(0x7f00_0000 | (fastrand::u32(0x10_0000..0xff_0000)));
        let source = Source::new(address);
        let taken = std::net::TcpListener::bind((address, 1_025)).unwrap();
        let mut ports = Vec::new();
        let mut connections = Vec::new();
        for _ in 0..3 {
            let connection = source.connect(&[server]).await.unwrap();
            let local = connection.local_addr().unwrap();
            assert_eq!(local.ip(), address);
            ports.push(local.port());
            connections.push(connection);
        }
        assert!(!ports.contains(&taken.local_addr().unwrap().port()));
        assert!(ports.is_sorted() && ports[2] < 1_100, "{ports:?}");
    }
}
