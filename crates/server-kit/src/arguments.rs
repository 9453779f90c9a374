//! The part of the command line that all servers have.

use std::{net::IpAddr, num::NonZeroU32, time::Duration};

/// Where to listen, what clients may take, and what is logged.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The address to listen on; 0.0.0.0 is every one of this machine
    #[arg(long, default_value = "127.0.0.1")]
    pub(crate) address: IpAddr,
    /// The port to listen on; 0 is a free one. The log says which
    #[arg(long, default_value_t = 8080)]
    pub(crate) port: u16,
    /// No line in the log for each request
    #[arg(long)]
    pub(crate) quiet: bool,
    /// How many connections there may be at a time; more wait until one ends
    #[arg(long, value_name = "NUMBER", default_value = "10000")]
    pub(crate) max_connections: NonZeroU32,
    /// How long a client may take to send the head of a request, from its first byte
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration)]
    pub(crate) header_timeout: Duration,
    /// How long a connection may be without a request. Longer than that of a load balancer in front: 60 s for AWS's
    #[arg(long, value_name = "TIME", default_value = "75s", value_parser = humantime::parse_duration)]
    pub(crate) idle_timeout: Duration,
}
