//! One connection: its requests, its limits, its lines in the log.

use std::{convert::Infallible, pin::pin};

use axum::{Router, http::Request, response::Response};
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::{Service as _, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    net::TcpStream,
    sync::watch,
    time::{Instant, sleep_until},
};

use crate::{
    activity::{Activity, Phase, Watched},
    limits::Limits,
    log::{Answered, Log},
};

/// The most that the head of a request may have, in bytes: nginx's `large_client_header_buffers` have twice as much, AWS's load
/// balancer lets through 64 KB. More is answered 431.
const HEAD: usize = 16 << 10;

/// What all connections share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) app: TowerToHyperService<Router>,
    pub(crate) limits: Limits,
    pub(crate) log: Log,
    pub(crate) logs_requests: bool,
}

/// Answers the connection's requests until it ends, its client has used up its time, or everything ends.
pub(crate) async fn serve(stream: TcpStream, shared: Shared, mut ending: watch::Receiver<bool>) {
    // Where it fails, answers are slower.
    let _ = stream.set_nodelay(true);
    let activity = Activity::new();
    let io = Watched {
        stream: TokioIo::new(stream),
        activity: activity.clone(),
    };
    let limits = shared.limits;
    let watch = activity.clone();
    let service = service_fn(move |request| answer(request, shared.clone(), activity.clone()));
    let connection = http1::Builder::new()
        .max_buf_size(HEAD)
        .serve_connection(io, service);
    let mut connection = pin!(connection);
    let mut timer = pin!(sleep_until(Instant::now() + limits.shortest()));
    let mut is_ending = false;
    loop {
        tokio::select! {
            biased;
            // A client that broke the rules or the connection: nobody is left to tell.
            _ = connection.as_mut() => return,
            _ = ending.changed(), if !is_ending => {
                is_ending = true;
                // The request under way is still answered.
                connection.as_mut().graceful_shutdown();
            }
            () = timer.as_mut() => {
                let now = Instant::now();
                let deadline = watch.deadline(&limits);
                if deadline.is_some_and(|deadline| deadline <= now) {
                    return;
                }
                // It may begin a request at any time from now on, and that may take the shortest.
                let next = deadline.map_or(now + limits.shortest(), |at| at.min(now + limits.shortest()));
                timer.as_mut().reset(next);
            }
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    shared: Shared,
    activity: Activity,
) -> Result<Response, Infallible> {
    let since = Instant::now();
    activity.enter(Phase::Waiting, since);
    let line = shared
        .logs_requests
        .then(|| (request.method().clone(), request.uri().clone()));
    let response = shared.app.call(request).await?;
    let now = Instant::now();
    activity.enter(Phase::Idle, now);
    if let Some((method, uri)) = line {
        shared.log.answered(&Answered {
            method: &method,
            // Without its query, which may have secrets.
            path: uri.path(),
            status: response.status(),
            duration: now - since,
            bytes: response.body().size_hint().exact().unwrap_or_default(),
        });
    }
    Ok(response)
}
