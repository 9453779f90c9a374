//! What TLS takes: two lines of the Region's profile are measured here, since nothing public says it of rustls with ring.
//!
//! In processor time, and scaled to what a core of Lambda takes by the kernel of crates/region.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use ::region::{DEFAULT_REGION, Profile};
use anyhow::Context as _;
use load::{
    core::{cpu_ms, kernel_ms, median},
    testing::{secure_front, secure_server},
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

use crate::{
    cold::init,
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::Served,
};

const FIRST_HANDSHAKES: usize = 31;
const HANDSHAKES: usize = 300;

/// The system's root certificates, of which Lambda's operating system has about as many.
const ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

pub(crate) async fn handshakes(served: &Served) -> anyhow::Result<Vec<Measured>> {
    eprintln!("timing TLS handshakes");
    let kernel = Profile::of(DEFAULT_REGION)?.value("kernel on x86_64")?;
    let here = median((0..25).map(|_| kernel_ms()).collect());
    let to_lambda = kernel / here;
    let directory = tempfile::tempdir()?;
    let first = first_handshakes(served, directory.path()).await?;
    let later = later_handshakes(directory.path()).await?;
    let row = |what: &str, ms: &Ratios| {
        Measured::value(
            format!("{what}, rustls with ring: ms of a core of Lambda"),
            ms.quantile(0.5) * to_lambda,
            Bar::None,
        )
    };
    Ok(vec![
        row(
            "processor time of a function's first TLS handshake, root certificates read",
            &first,
        ),
        row(
            "processor time of a further TLS handshake, one certificate",
            &later,
        ),
    ])
}

/// The init phase of counter-dynamodb, which connects: over TLS, less in plain text.
async fn first_handshakes(served: &Served, directory: &Path) -> anyhow::Result<Ratios> {
    let upstream = served.stack.ministack().endpoint();
    let upstream = upstream.trim_start_matches("http://").parse()?;
    let (address, certificate, handshakes) = secure_front(directory, upstream).await;
    let roots = directory.join("roots.pem");
    let system = fs::read_to_string(ROOTS).with_context(|| format!("{ROOTS} can't be read"))?;
    fs::write(&roots, system + &fs::read_to_string(certificate)?)?;
    let endpoint = format!("https://localhost:{}", address.port());
    let roots = roots.to_string_lossy().into_owned();
    let over_tls = [("AWS_ENDPOINT_URL", &*endpoint), ("SSL_CERT_FILE", &*roots)];
    let mut differences = Ratios::default();
    for _ in 0..FIRST_HANDSHAKES {
        let plain = init(served, "counter-dynamodb", &[]).await?;
        let secure = init(served, "counter-dynamodb", &over_tls).await?;
        differences.add((secure - plain) / 1e6);
    }
    anyhow::ensure!(
        handshakes.load(Ordering::Relaxed) == FIRST_HANDSHAKES as u64,
        "the function does not shake hands once in its init phase"
    );
    Ok(differences)
}

/// Handshakes of a client that remembers nothing of the one before.
async fn later_handshakes(directory: &Path) -> anyhow::Result<Ratios> {
    let (address, certificate) = secure_server(directory).await;
    let handshakes = tokio::task::spawn_blocking(move || {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let mut times = Ratios::default();
        for _ in 0..HANDSHAKES {
            let mut stream = TcpStream::connect(address)?;
            let since = cpu_ms();
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots.clone())
                .with_no_client_auth();
            let name = ServerName::try_from("localhost")?;
            let mut client = ClientConnection::new(Arc::new(config), name)?;
            while client.is_handshaking() {
                client.complete_io(&mut stream)?;
            }
            times.add(cpu_ms() - since);
        }
        anyhow::Ok(times)
    });
    handshakes.await?
}
