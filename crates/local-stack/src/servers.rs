//! The servers of ours that the template has, running.

use std::{collections::BTreeMap, path::Path, time::Duration};

use backends::program::Program;

use crate::{Error, SkippedFunction, template};

/// A server that runs beside the functions. It ends with the stack.
#[derive(Debug)]
pub struct Server {
    program: Program,
    process_id: u32,
    described: template::Server,
}

impl Server {
    /// Its name in the template.
    pub fn name(&self) -> &str {
        &self.described.settings.name
    }

    /// What it is.
    pub fn description(&self) -> Option<&str> {
        self.described.description.as_deref()
    }

    /// Where it answers: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.program.url()
    }

    /// The path that is measured.
    pub fn path(&self) -> &str {
        &self.described.path
    }

    /// The id of its one process: `/proc/ID/status` has its peak memory.
    pub fn process_id(&self) -> u32 {
        self.process_id
    }

    /// From the start of its process until it was healthy, to a tenth or a few milliseconds.
    pub fn started_in(&self) -> Duration {
        self.program.started_in()
    }

    /// What it costs by the hour when it is deployed: items of the price list, and how many units of each.
    pub fn paid_by_the_hour(&self) -> &BTreeMap<String, f64> {
        &self.described.paid_by_the_hour
    }
}

/// Starts all of them, one after the other: how long each takes is measured. Those that can't be had here are skipped.
pub(crate) async fn start(
    template: &Path,
    all: Vec<template::Server>,
) -> Result<(Vec<Server>, Vec<SkippedFunction>), Error> {
    let (mut servers, mut skipped) = (Vec::new(), Vec::new());
    for described in all {
        let file = &described.settings.program;
        let reason = if file.is_file() {
            match Program::start(described.settings.clone()).await {
                Ok(program) => {
                    servers.push(Server {
                        process_id: program.process_id()?,
                        program,
                        described,
                    });
                    continue;
                }
                Err(error @ backends::Error::NoInterpreter(_)) if described.is_optional => {
                    error.to_string()
                }
                Err(error) => return Err(error.into()),
            }
        } else {
            format!(
                "{} is missing: run `{}`",
                file.display(),
                described.built_by
            )
        };
        if !described.is_optional {
            return Err(Error::Template {
                template: template.to_owned(),
                line: described.line,
                message: reason,
            });
        }
        skipped.push(SkippedFunction {
            name: described.settings.name,
            reason,
        });
    }
    Ok((servers, skipped))
}

/// Ends all of them.
pub(crate) async fn stop(servers: Vec<Server>) -> Result<(), Error> {
    for server in servers {
        server.program.stop().await?;
    }
    Ok(())
}
