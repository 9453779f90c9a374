//! IAM authentication as RDS asks for it: the token in clear, and over TLS only. MariaDB does not ask like this, so a server
//! of the test's own plays the connection phase of MySQL's protocol.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, path::Path, sync::Arc};

use rds_connection::{ConnectionSettings, testing::settings};
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivatePkcs8KeyDer},
};

/// CLIENT_LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH and DEPRECATE_EOF.
const CAPABILITIES: u32 = 1 | 8 | 0x200 | 0x2000 | 0x8000 | 0x8_0000 | 0x100_0000;
const CLIENT_SSL: u32 = 0x800;

/// A server that asks for a password in clear, once, and takes any.
struct Server {
    address: String,
    /// What it was sent before TLS, and the password.
    heard: JoinHandle<(Vec<u8>, Option<String>)>,
    certificate: TempDir,
}

impl Server {
    async fn start(capabilities: u32) -> Self {
        let certificate = tempfile::tempdir().unwrap();
        let acceptor = acceptor(certificate.path());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            send(&mut stream, 0, &greeting(capabilities)).await;
            let Some(request) = receive(&mut stream).await else {
                return (Vec::new(), None);
            };
            let password = match acceptor.accept(stream).await {
                Ok(mut stream) => ask(&mut stream).await,
                Err(_) => None,
            };
            (request, password)
        });
        Self {
            address: format!("localhost:{port}"),
            heard,
            certificate,
        }
    }

    fn settings(&self, more: Option<(&'static str, String)>) -> ConnectionSettings {
        let mut variables = vec![
            ("DATABASE_HOST", self.address.clone()),
            ("DATABASE_NAME", "calls".to_owned()),
            ("DATABASE_USER", "reader".to_owned()),
            ("AWS_REGION", "eu-west-2".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI".to_owned()),
            ("AWS_SESSION_TOKEN", "session".to_owned()),
        ];
        variables.extend(more);
        settings(&variables).unwrap()
    }

    fn ca_file(&self) -> (&'static str, String) {
        let file = self.certificate.path().join("certificate.pem");
        ("DATABASE_CA_FILE", file.to_str().unwrap().to_owned())
    }
}

fn acceptor(directory: &Path) -> TlsAcceptor {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(directory.join("certificate.pem"), key.cert.pem()).unwrap();
    let private_key = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.into()], private_key.into())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Protocol::HandshakeV10
fn greeting(capabilities: u32) -> Vec<u8> {
    let [low, second, third, high] = capabilities.to_le_bytes();
    let mut greeting = vec![10];
    greeting.extend(b"8.0.36\0");
    greeting.extend(1_u32.to_le_bytes());
    greeting.extend(b"abcdefgh\0");
    greeting.extend([low, second, 255, 2, 0, third, high, 21]);
    greeting.extend([0; 10]);
    greeting.extend(b"ijklmnopqrst\0");
    greeting.extend(b"mysql_native_password\0");
    greeting
}

/// Protocol::AuthSwitchRequest, its answer, and OK.
async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> Option<String> {
    receive(stream).await?;
    send(stream, 3, b"\xfemysql_clear_password\0").await;
    let password = receive(stream).await?;
    send(stream, 5, &[0, 0, 0, 2, 0, 0, 0]).await;
    Some(String::from_utf8(password).unwrap())
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, sequence: u8, payload: &[u8]) {
    let mut packet = (payload.len() as u32).to_le_bytes()[..3].to_vec();
    packet.push(sequence);
    packet.extend(payload);
    stream.write_all(&packet).await.unwrap();
    stream.flush().await.unwrap();
}

async fn receive<S: AsyncRead + Unpin>(stream: &mut S) -> Option<Vec<u8>> {
    let [a, b, c, _sequence] = stream.read_u32_le().await.ok()?.to_le_bytes();
    let mut payload = vec![0; u32::from_le_bytes([a, b, c, 0]) as usize];
    stream.read_exact(&mut payload).await.ok()?;
    Some(payload)
}

#[tokio::test]
async fn the_token_is_the_password_in_clear_over_tls() {
    let server = Server::start(CAPABILITIES | CLIENT_SSL).await;
    let settings = server.settings(Some(server.ca_file()));
    settings.connect().await.unwrap();
    let (request, password) = server.heard.await.unwrap();
    let token = password.unwrap();
    let start = format!("{}/?Action=connect&DBUser=reader&X-Amz-", server.address);
    assert!(token.starts_with(&start), "{token}");
    assert!(token.contains("&X-Amz-Security-Token=session"), "{token}");
    assert!(token.ends_with('\0'));
    // Protocol::SSLRequest and no more: not even the user's name.
    assert_eq!(request.len(), 32);
}

#[tokio::test]
async fn a_server_that_nobody_vouches_for_gets_no_token() {
    let server = Server::start(CAPABILITIES | CLIENT_SSL).await;
    let error = server.settings(None).connect().await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(server.heard.await.unwrap().1, None);
}

#[tokio::test]
async fn a_server_of_another_name_gets_no_token() {
    let mut server = Server::start(CAPABILITIES | CLIENT_SSL).await;
    server.address = server.address.replace("localhost", "127.0.0.1");
    let settings = server.settings(Some(server.ca_file()));
    let error = settings.connect().await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(server.heard.await.unwrap().1, None);
}

#[tokio::test]
async fn a_server_without_tls_gets_nothing() {
    let server = Server::start(CAPABILITIES).await;
    let settings = server.settings(Some(server.ca_file()));
    let error = settings.connect().await.unwrap_err();
    assert!(error.to_string().contains("SSL"), "{error}");
    assert_eq!(server.heard.await.unwrap(), (Vec::new(), None));
}
