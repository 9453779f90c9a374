//! Why a stack can't be had, in one line each.

use std::{io, path::PathBuf};

use crate::{PrepareError, UrlFault};

/// Why a stack can't be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The template is wrong, or asks for what can't be done locally.
    #[error("{}:{line}: {message}", template.display())]
    Template {
        /// The template.
        template: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// The template can't be read.
    #[error("{} can't be read: {cause}", template.display())]
    Unreadable {
        /// The template.
        template: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// A value is given to a parameter that the template does not have.
    #[error("{} has no parameter {parameter}; it has {}", template.display(), list(known))]
    NoSuchParameter {
        /// The template.
        template: PathBuf,
        /// The parameter's name.
        parameter: String,
        /// The parameters there are.
        known: Vec<String>,
    },
    /// Somebody else listens on the port.
    #[error("port {0} is taken: stop what uses it, or choose another")]
    PortTaken(u16),
    /// The port can't be listened on.
    #[error("127.0.0.1:{port} can't be listened on: {cause}")]
    Listen {
        /// The port.
        port: u16,
        /// What the system said.
        cause: io::Error,
    },
    /// The emulator or the database is missing, ended, or did not do what it was asked.
    #[error(transparent)]
    Backend(#[from] backends::Error),
    /// The database can't be filled.
    #[error("the database can't be filled: {0}")]
    Prepare(PrepareError),
    /// The stand-in for RDS Proxy that the template has can't be had.
    #[error(transparent)]
    DatabaseProxy(#[from] local_rds_proxy::Error),
    /// The server that is to be the template's database is not told well.
    #[error("the URL of the database is no mysql://USER:PASSWORD@HOST:PORT/DATABASE: {0}")]
    DatabaseUrl(#[from] UrlFault),
    /// The functions can't be hosted.
    #[error(transparent)]
    Host(#[from] local_lambda::Error),
    /// The routes contradict each other.
    #[error(transparent)]
    FrontDoor(#[from] local_lambda::FrontDoorError),
    /// A queue can't be polled.
    #[error(transparent)]
    EventSourceMapping(#[from] local_lambda::EventSourceMappingError),
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}
