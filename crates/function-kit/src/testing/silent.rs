//! A backend that never answers.

use std::{io, net::TcpListener};

/// Connections to it are made, by the kernel, and nobody takes them.
#[derive(Debug)]
pub struct SilentBackend {
    listener: TcpListener,
}

impl SilentBackend {
    /// # Errors
    ///
    /// When no port is free.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        Ok(Self { listener })
    }

    /// Its port on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Where it would answer, for an AWS client.
    ///
    /// # Errors
    ///
    /// As [`port`](Self::port).
    pub fn endpoint(&self) -> io::Result<String> {
        Ok(format!("http://127.0.0.1:{}", self.port()?))
    }
}
