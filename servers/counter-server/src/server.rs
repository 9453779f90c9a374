//! The life of the server: connections are taken until it ends, and those that are open then may finish.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::service::TowerToHyperService;
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    time::{sleep, timeout},
};

use crate::{
    connection::{self, Shared},
    limits::Limits,
    log::Log,
};

/// How long requests under way may take once the server ends. Amazon ECS kills a container 30 s after it told it to stop.
const GRACE: Duration = Duration::from_secs(10);

/// How long it waits when the system has no room for one more connection.
const FULL: Duration = Duration::from_millis(50);

/// Requests that were not answered when the server ended.
#[derive(Debug, thiserror::Error)]
#[error("requests under way were not done {} s after the end, and are cut off: {connections}", GRACE.as_secs())]
pub(crate) struct CutOff {
    connections: usize,
}

/// A server.
pub(crate) struct Server {
    pub(crate) app: Router,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) logs_requests: bool,
}

impl Server {
    /// Serves until `end`, and then until the requests under way are answered.
    pub(crate) async fn run(
        self,
        listener: TcpListener,
        end: impl Future<Output = ()>,
    ) -> Result<(), CutOff> {
        let all = self.limits.connections;
        let room = Arc::new(Semaphore::new(all as usize));
        let (ending, _) = watch::channel(false);
        let shared = Shared {
            app: TowerToHyperService::new(self.app),
            limits: self.limits,
            log: self.log,
            logs_requests: self.logs_requests,
        };
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
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}
