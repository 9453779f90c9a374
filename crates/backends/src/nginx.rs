//! nginx for local runs and tests, where a load balancer is on AWS: what it does is up to whoever configures it.

use std::{fs, path::PathBuf};

use tokio::net::TcpStream;

use crate::{
    Error,
    installed::{Installed, find},
    process::Signal,
    server::{Server, Start, on_free_ports},
};

const NGINX: Installed = Installed {
    server: "nginx",
    variable: "NGINX",
    remedy: "install nginx (Debian or Ubuntu: sudo apt-get install nginx-light)",
};

/// A running nginx. Dropping it ends it.
#[derive(Debug)]
pub struct Nginx {
    server: Server,
    port: u16,
}

/// What [`find_program`] says when there is none.
#[must_use]
pub fn not_installed() -> Error {
    NGINX.missing()
}

/// Finds the program: what `NGINX` names if it is set (none, if it is empty), or `nginx` in `PATH` or where systems keep
/// servers.
///
/// # Errors
/// It is not installed.
pub fn find_program() -> Result<PathBuf, Error> {
    NGINX.find(|| find("nginx"))
}

impl Nginx {
    /// Starts one, and waits until it takes connections.
    ///
    /// `http` writes what stands in its block `http`, given a free port of 127.0.0.1 on which a server of it has to listen.
    /// Each of so many `workers` takes 16,384 connections at most, or as many as this process may have files.
    ///
    /// # Errors
    /// It is not installed, or it does not take its configuration.
    pub async fn start(workers: u32, http: impl Fn(u16) -> String) -> Result<Self, Error> {
        let program = find_program()?;
        on_free_ports(async |[port]| {
            let mut nginx = Self {
                server: Server::new("nginx")?,
                port,
            };
            let directory = nginx.server.directory();
            let file = directory.join("nginx.conf");
            fs::write(&file, configuration(workers, &http(port)))
                .map_err(Error::io("nginx's configuration can't be written"))?;
            let prefix = format!("{}/", directory.display());
            let arguments = ["-e", "stderr", "-p", &prefix, "-c", "nginx.conf"];
            let start = Start {
                program: program.clone(),
                arguments: arguments.map(str::to_owned).into(),
                variables: Vec::new(),
            };
            let takes_connections = async || TcpStream::connect(("127.0.0.1", port)).await.is_ok();
            nginx.server.start(&start, takes_connections).await?;
            Ok(nginx)
        })
        .await
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends it, directory and all.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(mut self) -> Result<(), Error> {
        self.server.end(Signal::Terminate).await?;
        self.server.stop()
    }
}

/// Nothing outside its directory is read or written.
fn configuration(workers: u32, http: &str) -> String {
    // As root it would give its workers away to a user who can't read the directory.
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    format!(
        "daemon off; pid nginx.pid; error_log stderr; {user}
worker_processes {workers};
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
{http}
}}
"
    )
}
