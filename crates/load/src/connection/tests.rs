use std::{
    future::pending,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

use super::*;
use crate::{
    Pattern, Request,
    target::connector,
    testing::{Behaviour, Server, secure_server},
};

const LONG: Duration = Duration::from_secs(30);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42";

async fn resolved(url: &str) -> Target {
    Target::resolve(&url.parse().unwrap(), LONG).await.unwrap()
}

/// A server that does with its n-th connection, counted from 0, what the script says, and then closes it.
async fn scripted<S, F>(script: S) -> Target
where
    S: Fn(u64, TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for connection in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(script(connection, stream));
        }
    });
    resolved(&format!("http://{address}/")).await
}

/// The next request, without a body; nothing if the client closed the connection.
async fn asked(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

async fn say(stream: &mut TcpStream, bytes: &[u8]) {
    // The client may have gone.
    let _ = stream.write_all(bytes).await;
}

/// Answers each request with these bytes, until the client closes.
async fn answer_all(mut stream: TcpStream, answer: &[u8]) {
    while asked(&mut stream).await.is_some() {
        say(&mut stream, answer).await;
    }
}

fn connection(target: Target) -> Connection {
    Connection::new(Arc::new(target))
}

#[tokio::test]
async fn what_comes_unasked_on_a_kept_connection_answers_nothing() {
    let target = scripted(|number, mut stream| async move {
        if number > 0 {
            return answer_all(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nfresh").await;
        }
        asked(&mut stream).await;
        say(&mut stream, OK).await;
        say(
            &mut stream,
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstale",
        )
        .await;
        asked(&mut stream).await;
    });
    let mut connection = connection(target.await);
    assert_eq!(connection.text().await.unwrap(), "42");
    tokio::time::timeout(LONG, async {
        while connection.reconnects() == 0 {
            connection.open().await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(connection.text().await.unwrap(), "fresh");
    assert_eq!(connection.reconnects(), 1);
}

#[tokio::test]
async fn an_answer_with_something_behind_it_is_good_and_its_connection_is_not() {
    let target = scripted(|_, stream| {
        answer_all(
            stream,
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42garbage",
        )
    });
    let mut connection = connection(target.await);
    for reconnects in 0..3 {
        assert_eq!(connection.text().await.unwrap(), "42");
        assert_eq!(connection.reconnects(), reconnects);
    }
}

#[tokio::test]
async fn a_connection_that_the_server_will_close_is_not_used_again() {
    let target = scripted(|_, stream| {
        answer_all(
            stream,
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n42",
        )
    });
    let mut connection = connection(target.await);
    for _ in 0..3 {
        connection.request().await.unwrap();
    }
    assert_eq!(connection.reconnects(), 2);
}

#[tokio::test]
async fn nobody_gets_the_answer_to_a_request_that_was_given_up() {
    let target = scripted(|number, mut stream| async move {
        if number == 0 {
            asked(&mut stream).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            say(
                &mut stream,
                b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstale",
            )
            .await;
            pending::<()>().await;
        }
        answer_all(stream, OK).await;
    });
    let mut connection = connection(target.await);
    let given_up = tokio::time::timeout(Duration::from_millis(20), connection.request());
    assert!(given_up.await.is_err());
    assert_eq!(connection.text().await.unwrap(), "42");
    assert_eq!(connection.reconnects(), 1);
}

#[tokio::test]
async fn an_answer_in_pieces_is_read_to_its_end() {
    let target = scripted(|_, mut stream| async move {
        while asked(&mut stream).await.is_some() {
            let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
            for piece in answer.chunks(7) {
                say(&mut stream, piece).await;
                tokio::task::yield_now().await;
            }
        }
    });
    let mut connection = connection(target.await);
    for _ in 0..20 {
        assert_eq!(connection.text().await.unwrap(), "abc");
    }
    assert_eq!(connection.reconnects(), 0);
}

#[tokio::test]
async fn an_answer_larger_than_any_buffer_is_read_to_its_end() {
    let target = scripted(|_, mut stream| async move {
        while asked(&mut stream).await.is_some() {
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 3000000\r\n\r\n";
            say(&mut stream, head.as_bytes()).await;
            say(&mut stream, &vec![b'x'; 3_000_000]).await;
        }
    });
    let mut connection = connection(target.await);
    connection.request().await.unwrap();
    assert_eq!(connection.text().await.unwrap(), "x".repeat(4096));
    assert_eq!(connection.reconnects(), 0);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_not_asked_for_again() {
    let requests = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&requests);
    let target = scripted(move |_, mut stream| {
        let counted = Arc::clone(&counted);
        async move {
            for answer in [OK, &OK[..OK.len() - 1]] {
                asked(&mut stream).await;
                counted.fetch_add(1, Ordering::SeqCst);
                say(&mut stream, answer).await;
            }
        }
    });
    let mut connection = connection(target.await);
    connection.request().await.unwrap();
    let failed = connection.request().await.unwrap_err();
    assert_eq!(failed.failure, Failure::Closed);
    assert_eq!(requests.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_answer_that_trickles_in_runs_out_of_time() {
    let mut target = scripted(|_, mut stream| async move {
        asked(&mut stream).await;
        say(
            &mut stream,
            b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n",
        )
        .await;
        while stream.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    target.timeout = Duration::from_millis(50);
    let failed = connection(target).request().await.unwrap_err();
    assert_eq!(failed.failure, Failure::TimedOut);
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_a_large_body_is_heard() {
    let target = scripted(|_, mut stream| async move {
        asked(&mut stream).await;
        say(
            &mut stream,
            b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n",
        )
        .await;
        // Stays open, and reads no more.
        pending::<()>().await;
    });
    let body = Request::of("POST")
        .unwrap()
        .body(Pattern::text("x".repeat(20_000_000)));
    let mut connection = connection(target.await.sending(body));
    for _ in 0..2 {
        let failed = connection.request().await.unwrap_err();
        assert_eq!(failed.failure, Failure::Status(413));
    }
    assert_eq!(
        connection.reconnects(),
        1,
        "half a request is left on the first"
    );
}

#[tokio::test]
async fn a_large_body_is_sent_to_its_end() {
    let target = scripted(|_, mut stream| async move {
        while asked(&mut stream).await.is_some() {
            let mut body = vec![0; 5_000_000];
            stream.read_exact(&mut body).await.unwrap();
            assert!(body.iter().all(|&byte| byte == b'x'));
            say(&mut stream, OK).await;
        }
    });
    let body = Request::of("POST")
        .unwrap()
        .body(Pattern::text("x".repeat(5_000_000)));
    let mut connection = connection(target.await.sending(body));
    for _ in 0..2 {
        connection.request().await.unwrap();
    }
    assert_eq!(connection.reconnects(), 0);
}

#[tokio::test]
async fn the_answer_to_head_has_no_body() {
    let target = scripted(|_, stream| {
        answer_all(stream, b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")
    });
    let mut connection = connection(target.await.sending(Request::of("HEAD").unwrap()));
    for _ in 0..3 {
        assert_eq!(connection.text().await.unwrap(), "");
    }
    assert_eq!(connection.reconnects(), 0);
}

#[tokio::test]
async fn a_put_that_met_a_closing_connection_is_sent_again() {
    let server = Server::start(Behaviour::CloseAtSecond).await;
    let target = resolved(&server.url()).await;
    let put = Request::of("PUT").unwrap().body(Pattern::text(""));
    let mut connection = connection(target.sending(put));
    for _ in 0..5 {
        connection.request().await.unwrap();
    }
    assert_eq!((connection.reconnects(), server.requests()), (4, 9));
}

#[tokio::test]
async fn each_request_can_have_a_connection_of_its_own() {
    let server = Server::start(Behaviour::Answer(Duration::ZERO)).await;
    let mut closing = connection(resolved(&server.url()).await.closing());
    for _ in 0..3 {
        closing.request().await.unwrap();
    }
    assert_eq!((closing.reconnects(), server.connections()), (0, 3));

    let mut closed = connection(resolved(&server.url()).await);
    for _ in 0..3 {
        closed.request().await.unwrap();
        closed.close();
    }
    assert_eq!((closed.reconnects(), server.connections()), (0, 6));
}

#[tokio::test]
async fn with_a_connection_for_each_request_opening_it_is_part_of_the_latency() {
    let delay = Duration::from_millis(50);
    let directory = tempfile::tempdir().unwrap();
    let (address, certificate) = secure_server(directory.path()).await;
    // The handshake has to wait.
    let target = scripted(move |_, mut client| async move {
        tokio::time::sleep(delay).await;
        let mut server = TcpStream::connect(address).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    });
    let target = trusting(target.await, &certificate).closing();
    let mut connection = connection(target);
    for _ in 0..2 {
        assert!(connection.request().await.unwrap() >= delay);
    }
}

#[tokio::test]
async fn over_tls_it_is_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (address, certificate) = secure_server(directory.path()).await;
    let target = trusting(
        resolved(&format!("http://localhost:{}/", address.port())).await,
        &certificate,
    );
    let mut connection = connection(target);
    for _ in 0..20 {
        assert_eq!(connection.text().await.unwrap(), "42");
    }
    assert_eq!(connection.reconnects(), 0);
}

fn trusting(mut target: Target, certificate: &Path) -> Target {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate).unwrap())
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    target.tls = Some((connector(roots).unwrap(), name));
    target
}

#[test]
fn a_connection_that_waits_is_small() {
    assert!(
        size_of::<Connection>() <= 128,
        "{}",
        size_of::<Connection>()
    );
}
