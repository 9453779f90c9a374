//! A host behind its front doors, on a port of the loopback addresses.

use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use local_lambda::{FrontDoorError, FrontDoors, Host};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::Error;

/// Listeners on one port, on which nobody serves yet.
#[derive(Debug)]
pub(crate) struct Listeners {
    address: SocketAddr,
    sockets: Vec<TcpListener>,
}

impl Listeners {
    /// Listens on a port of 127.0.0.1, or on a free one if it is 0.
    ///
    /// A port that was asked for is also listened on at `[::1]`, where the system has it: `cargo lambda invoke` calls
    /// there.
    pub(crate) async fn bind(port: u16) -> Result<Self, Error> {
        let first = bind(Ipv4Addr::LOCALHOST.into(), port).await?;
        let address = first
            .local_addr()
            .map_err(|cause| Error::Listen { port, cause })?;
        let mut sockets = vec![first];
        if port != 0 {
            match bind(Ipv6Addr::LOCALHOST.into(), port).await {
                Ok(socket) => sockets.push(socket),
                Err(taken @ Error::PortTaken(_)) => return Err(taken),
                Err(no_ipv6) => tracing::debug!(%no_ipv6, "served on 127.0.0.1 only"),
            }
        }
        Ok(Self { address, sockets })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn into_sockets(self) -> Vec<TcpListener> {
        self.sockets
    }
}

async fn bind(address: IpAddr, port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((address, port))
        .await
        .map_err(|cause| match cause.kind() {
            ErrorKind::AddrInUse => Error::PortTaken(port),
            _ => Error::Listen { port, cause },
        })
}

/// A served host. Dropping it closes the doors, but the host's environments stay until the runtime ends.
#[derive(Debug)]
pub(crate) struct Service {
    url: String,
    host: Host,
    close: watch::Sender<()>,
    serving: Vec<JoinHandle<Result<(), FrontDoorError>>>,
}

impl Service {
    /// Opens the doors on all of these.
    pub(crate) async fn open(
        listeners: Listeners,
        host: Host,
        doors: FrontDoors,
    ) -> Result<Self, Error> {
        let url = listeners.url();
        let close = watch::Sender::new(());
        let mut serving = Vec::new();
        for listener in listeners.sockets {
            let mut closed = close.subscribe();
            // Closed when told to, and when nobody is left to tell it.
            let until = async move { drop(closed.changed().await) };
            let mut served = Box::pin(local_lambda::serve(
                listener,
                host.clone(),
                doors.clone(),
                until,
            ));
            // Routes are looked at before the first connection is waited for: if they can't be, we hear of it now.
            tokio::select! {
                biased;
                served = &mut served => served?,
                () = std::future::ready(()) => {}
            }
            serving.push(tokio::spawn(served));
        }
        Ok(Self {
            url,
            host,
            close,
            serving,
        })
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Closes the doors, lets open requests finish, and ends every environment.
    pub(crate) async fn close(self) -> Result<(), Error> {
        drop(self.close);
        let mut result = Ok(());
        for served in self.serving {
            // Whoever aborted or panicked the task: it serves no more, which is what was asked for.
            result = result.and(served.await.unwrap_or(Ok(())));
        }
        self.host.shutdown().await;
        Ok(result?)
    }
}
