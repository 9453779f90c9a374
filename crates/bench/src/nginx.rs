//! The host against nginx, which passes each request to an upstream that always answers the same: a server that does nothing
//! but relay.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tokio::process::{Child, Command};

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::{Served, loaded, sequential},
};

const TURNS: usize = 21;
const CONNECTIONS: usize = 64;
const LOADED: Duration = Duration::from_millis(500);
const STARTED_WITHIN: Duration = Duration::from_secs(10);

pub(crate) async fn against_host(served: &Served) -> anyhow::Result<Measured> {
    eprintln!("calling the empty function through the host, and nginx");
    let directory = tempfile::tempdir()?;
    let nginx = Nginx::start(directory.path()).await?;
    let (ours, theirs) = (served.url("/empty"), nginx.url.clone());
    let mut ratios = Ratios::default();
    for _ in 0..TURNS {
        let host = loaded(&ours, CONNECTIONS, LOADED).await?;
        let nginx = loaded(&theirs, CONNECTIONS, LOADED).await?;
        ratios.add(host.requests_per_second() / nginx.requests_per_second());
    }
    nginx.stop().await?;
    Ok(Measured::ratio(
        format!("host ÷ nginx with a constant upstream: requests/s, {CONNECTIONS} connections"),
        &ratios,
        Bar::AtLeast(0.25),
    ))
}

/// An nginx with one worker.
pub(crate) struct Nginx {
    child: Child,
    /// Where it passes requests to its upstream.
    url: String,
    /// Where it answers the same text always.
    pub(crate) constant: String,
}

impl Nginx {
    pub(crate) async fn start(directory: &Path) -> anyhow::Result<Self> {
        let port = || -> std::io::Result<u16> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            Ok(listener.local_addr()?.port())
        };
        let (front, upstream) = (port()?, port()?);
        let configuration = directory.join("nginx.conf");
        // One process: it ends with the child, and needs no more to be far quicker.
        let text = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off; keepalive_requests 1000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream constant {{ server 127.0.0.1:{upstream}; keepalive 128; keepalive_requests 1000000; }}
    server {{ listen 127.0.0.1:{upstream}; location / {{ return 200; }} location /hits {{ return 200 12345; }} }}
    server {{
        listen 127.0.0.1:{front};
        location / {{ proxy_pass http://constant; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}
    }}
}}
"
        );
        fs::write(&configuration, text)?;
        let child = Command::new("nginx")
            .args(["-e", "stderr", "-p"])
            .arg(directory)
            .arg("-c")
            .arg(&configuration)
            .env(
                "PATH",
                format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default()),
            )
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("nginx can't be started")?;
        let url = format!("http://127.0.0.1:{front}/");
        let since = Instant::now();
        while let Err(error) = sequential(&url, 1).await {
            if since.elapsed() > STARTED_WITHIN {
                return Err(error.context("nginx does not answer"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let constant = format!("http://127.0.0.1:{upstream}/hits");
        Ok(Self {
            child,
            url,
            constant,
        })
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }
}
