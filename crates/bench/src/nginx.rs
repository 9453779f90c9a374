//! The host against nginx, which passes each request to an upstream that always answers the same: a server that does nothing
//! but relay.

use std::time::Duration;

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::{Served, loaded},
};

const TURNS: usize = 21;
const CONNECTIONS: usize = 64;
const LOADED: Duration = Duration::from_millis(500);

pub(crate) async fn against_host(served: &Served) -> anyhow::Result<Measured> {
    eprintln!("calling the empty function through the host, and nginx");
    let nginx = Nginx::start().await?;
    let (ours, theirs) = (served.url("/empty"), nginx.url());
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
pub(crate) struct Nginx(backends::nginx::Nginx);

impl Nginx {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let configuration = |port| {
            format!(
                "    keepalive_requests 1000000;
    upstream constant {{ server 127.0.0.1:{port}; keepalive 128; keepalive_requests 1000000; }}
    server {{
        listen 127.0.0.1:{port};
        location = /hits {{ return 200 12345; }}
        location = /constant {{ return 200; }}
        location / {{ proxy_pass http://constant/constant; proxy_http_version 1.1; proxy_set_header Connection \"\"; }}
    }}"
            )
        };
        Ok(Self(backends::nginx::Nginx::start(1, configuration).await?))
    }

    /// Where it passes requests to its upstream.
    fn url(&self) -> String {
        format!("{}/", self.0.url())
    }

    /// Where it answers the same text always.
    pub(crate) fn constant(&self) -> String {
        format!("{}/hits", self.0.url())
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.0.stop().await?)
    }
}
