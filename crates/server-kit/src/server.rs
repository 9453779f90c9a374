//! The life of the server: connections are taken until it ends, and those that are open then may finish.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::service::TowerToHyperService;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    Arguments, Log,
    connection::{self, Shared},
    limits::Limits,
    open_files,
};

/// How long requests under way may take once the server ends. Amazon ECS kills a container 30 s after it told it to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long it waits when the system has no room for one more connection.
const FULL: Duration = Duration::from_millis(50);

/// Requests that were not answered when the server ended.
#[derive(Debug, thiserror::Error)]
#[error("requests under way were not done {} s after the end, and are cut off: {connections}", GRACE.as_secs())]
pub struct CutOff {
    connections: usize,
}

/// An address that can't be listened on.
#[derive(Debug, thiserror::Error)]
#[error("{address} can't be listened on: {cause}")]
pub struct NotListening {
    address: SocketAddr,
    cause: io::Error,
}

/// A socket that listens: clients are taken once it is served.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Where the command line says.
    ///
    /// # Errors
    /// Somebody else listens there, or nobody may.
    pub async fn bind(arguments: &Arguments) -> Result<Self, NotListening> {
        let address = SocketAddr::new(arguments.address, arguments.port);
        let failed = |cause| NotListening { address, cause };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
    }

    /// Serves until `end`, and then until the requests under way are answered. The log says where, and is written to its end.
    ///
    /// # Errors
    /// Not all of them were.
    pub async fn serve(
        self,
        app: Router,
        arguments: &Arguments,
        log: &Log,
        end: impl Future<Output = ()>,
    ) -> Result<(), CutOff> {
        let limits = Limits {
            connections: open_files::allow(arguments.max_connections.get(), log),
            header_timeout: arguments.header_timeout,
            idle_timeout: arguments.idle_timeout,
        };
        log.message("INFO", &format!("listening on http://{}", self.address));
        let shared = Shared {
            app: TowerToHyperService::new(app),
            limits,
            log: log.clone(),
            logs_requests: !arguments.quiet,
        };
        let ended = run(self.socket, shared, end).await;
        log.message("INFO", "ended");
        log.flush();
        ended
    }
}

async fn run(
    listener: TcpListener,
    shared: Shared,
    end: impl Future<Output = ()>,
) -> Result<(), CutOff> {
    let all = shared.limits.connections;
    let room = Arc::new(Semaphore::new(all as usize));
    let (ending, _) = watch::channel(false);
    let mut end = pin!(end);
    let take = async {
        loop {
            // Who finds no room waits in the system's queue.
            let Ok(place) = room.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (shared, ending) = (shared.clone(), ending.subscribe());
                    tokio::spawn(async move {
                        connection::serve(stream, shared, ending).await;
                        drop(place);
                    });
                }
                // Its client has gone again.
                Err(error) if is_of_the_connection(&error) => {}
                Err(error) => {
                    let message = format!("a connection can't be taken: {error}");
                    shared.log.message("ERROR", &message);
                    sleep(FULL).await;
                }
            }
        }
    };
    tokio::select! {
        () = &mut end => {}
        () = take => {}
    }
    drop(listener);
    shared
        .log
        .message("INFO", "ending: requests under way are answered");
    let _ = ending.send(true);
    match timeout(GRACE, room.acquire_many(all)).await {
        Ok(_) => Ok(()),
        Err(_) => Err(CutOff {
            connections: all as usize - room.available_permits(),
        }),
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
