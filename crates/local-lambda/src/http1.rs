//! The one loop that accepts HTTP/1 connections, for every server of the local run.

use std::{error::Error, pin::pin, time::Duration};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::Service,
};
use hyper_util::{rt::TokioIo, server::graceful::GracefulShutdown};
use tokio::net::{TcpListener, TcpStream};

/// How long open requests may take to finish once the server is to end.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// How long to wait after a failed `accept`: without file descriptors left, it fails at once again.
const PAUSE: Duration = Duration::from_millis(10);

/// Serves connections until `until` resolves; then lets open requests finish, for two seconds at most.
pub async fn serve<S, B>(listener: TcpListener, service: S, until: impl Future<Output = ()>)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    let graceful = GracefulShutdown::new();
    let mut until = pin!(until);
    loop {
        let stream = tokio::select! {
            stream = accept(&listener) => stream,
            () = &mut until => break,
        };
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::debug!("some requests were still open");
    }
}

/// The next connection, however long that takes.
pub async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "TCP_NODELAY was refused");
                }
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{BufRead as _, BufReader},
        process::{Command, Stdio},
    };

    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    /// Set for the process that runs out of file descriptors.
    const STARVED: &str = "STARVED_OF_FILE_DESCRIPTORS";

    fn processor_time() -> Duration {
        Duration::try_from(clock_gettime(ClockId::ProcessCPUTime)).unwrap()
    }

    async fn accept_without_file_descriptors() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut taken = Vec::new();
        while let Ok(file) = File::open("/dev/null") {
            taken.push(file);
        }
        println!("port {}", listener.local_addr().unwrap().port());
        let since = processor_time();
        let starved = tokio::time::timeout(Duration::from_secs(1), accept(&listener)).await;
        assert!(starved.is_err(), "there was no file descriptor for it");
        let spent = processor_time() - since;
        assert!(spent < Duration::from_millis(300), "{spent:?} of a second");
        drop(taken);
        accept(&listener).await;
    }

    #[tokio::test]
    async fn without_file_descriptors_it_waits_and_serves_again_when_there_are_some() {
        if std::env::var_os(STARVED).is_some() {
            return accept_without_file_descriptors().await;
        }
        let this = std::env::current_exe().unwrap();
        let name = concat!(
            "http1::tests::",
            "without_file_descriptors_it_waits_and_serves_again_when_there_are_some"
        );
        let mut starved = Command::new("sh")
            .args(["-c", "ulimit -n 64; exec \"$@\"", "sh"])
            .arg(this)
            .args(["--exact", name, "--nocapture"])
            .env(STARVED, "1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let port: u16 = BufReader::new(starved.stdout.as_mut().unwrap())
            .lines()
            .find_map(|line| line.unwrap().split_once("port ")?.1.parse().ok())
            .unwrap();
        let _connection = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        assert!(starved.wait().unwrap().success());
    }
}
