//! A host behind its front doors, on a port of 127.0.0.1.

use std::net::{Ipv4Addr, SocketAddr};

use local_lambda::{FrontDoorError, FrontDoors, Host};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::Error;

/// A served host. Dropping it closes the doors, but the host's environments stay until the runtime ends.
#[derive(Debug)]
pub(crate) struct Service {
    address: SocketAddr,
    host: Host,
    close: oneshot::Sender<()>,
    serving: JoinHandle<Result<(), FrontDoorError>>,
}

/// Listens on a port, or on a free one if it is 0.
pub(crate) async fn listen(port: u16) -> Result<TcpListener, Error> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|cause| match cause.kind() {
            std::io::ErrorKind::AddrInUse => Error::PortTaken(port),
            _ => Error::Listen { port, cause },
        })
}

impl Service {
    /// Opens the doors.
    pub(crate) async fn open(
        listener: TcpListener,
        host: Host,
        doors: FrontDoors,
    ) -> Result<Self, Error> {
        let address = listener
            .local_addr()
            .map_err(|cause| Error::Listen { port: 0, cause })?;
        let (close, closed) = oneshot::channel();
        // Closed when told to, and when nobody is left to tell it.
        let until = async { drop(closed.await) };
        let mut serving = Box::pin(local_lambda::serve(listener, host.clone(), doors, until));
        // Routes are looked at before the first connection is waited for: if they can't be, we hear of it now.
        tokio::select! {
            biased;
            served = &mut serving => served?,
            () = std::future::ready(()) => {}
        }
        Ok(Self {
            address,
            host,
            close,
            serving: tokio::spawn(serving),
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// Closes the doors, lets open requests finish, and ends every environment.
    pub(crate) async fn close(self) -> Result<(), Error> {
        drop(self.close);
        let served = self.serving.await;
        self.host.shutdown().await;
        // Whoever aborted or panicked the task: it serves no more, which is what was asked for.
        Ok(served.unwrap_or(Ok(()))?)
    }
}
