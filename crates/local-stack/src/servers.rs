//! The servers of ours that the template has, running.

mod processes;

use std::{collections::BTreeMap, path::Path, time::Duration};

use backends::{memcached::Memcached, nginx::Nginx, program::Program};

use self::processes::Processes;
use crate::{
    Database, Error, SkippedFunction, load_balancer,
    template::{self, Need},
};

/// A server that runs beside the functions: a process, or several behind a load balancer. It ends with the stack.
#[derive(Debug)]
pub struct Server {
    // Before the processes: it has connections to them.
    load_balancer: Option<Nginx>,
    processes: Processes,
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

    /// Where it answers, by way of its load balancer if it has one: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        match &self.load_balancer {
            Some(balancer) => balancer.url(),
            None => self.processes.urls().concat(),
        }
    }

    /// The path that is measured.
    pub fn path(&self) -> &str {
        &self.described.path
    }

    /// The ids of its processes, those of now: behind a load balancer, one that died is started again on its port.
    /// `/proc/ID/status` has the peak memory of each. The load balancer itself is not among them.
    pub fn process_ids(&self) -> Vec<u32> {
        self.processes.ids()
    }

    /// From the start of its (first) process until that was healthy, to a tenth or a few milliseconds.
    pub fn started_in(&self) -> Duration {
        self.processes.started_in()
    }

    /// What a request waits for where it is deployed, as lines of a Region's profile. One that needs a cache finds there what it
    /// is asked for.
    pub fn waits_for(&self) -> Vec<&'static str> {
        let needs = |need| self.described.needs.contains(&need);
        let balancer = self.described.load_balancer.is_some();
        let balancer = balancer.then_some("application load balancer");
        let backend = match (needs(Need::Cache), needs(Need::Database)) {
            (true, _) => Some("memcached Get"),
            (false, true) => Some("mysql Query"),
            (false, false) => None,
        };
        balancer.into_iter().chain(backend).collect()
    }

    /// What it costs by the hour when it is deployed: items of the price list, and how many units of each.
    pub fn paid_by_the_hour(&self) -> &BTreeMap<String, f64> {
        &self.described.paid_by_the_hour
    }
}

/// What servers may need.
pub(crate) struct Backends<'a> {
    pub(crate) database: Option<&'a Database>,
    pub(crate) cache: Option<&'a Memcached>,
}

/// Why a server does not run.
enum Missing {
    /// This is an error, unless the server is optional.
    Program(String),
    /// What a machine may lack.
    Backend(backends::Error),
}

/// Starts all of them, one after the other: how long each takes is measured. Those that can't be had here are skipped.
pub(crate) async fn start(
    template: &Path,
    all: Vec<template::Server>,
    backends: &Backends<'_>,
) -> Result<(Vec<Server>, Vec<SkippedFunction>), Error> {
    let (mut servers, mut skipped) = (Vec::new(), Vec::new());
    for described in all {
        let name = described.settings.name.clone();
        let line = described.line;
        let is_optional = described.is_optional;
        let reason = match run(described, backends).await? {
            Ok(server) => {
                servers.push(server);
                continue;
            }
            Err(Missing::Backend(error)) => error.to_string(),
            Err(Missing::Program(reason)) if is_optional => reason,
            Err(Missing::Program(message)) => {
                return Err(Error::Template {
                    template: template.to_owned(),
                    line,
                    message,
                });
            }
        };
        skipped.push(SkippedFunction { name, reason });
    }
    Ok((servers, skipped))
}

async fn run(
    mut described: template::Server,
    backends: &Backends<'_>,
) -> Result<Result<Server, Missing>, Error> {
    let settings = &mut described.settings;
    if !settings.program.is_file() {
        return Ok(Err(Missing::Program(format!(
            "{} is missing: run `{}`",
            settings.program.display(),
            described.built_by
        ))));
    }
    for need in &described.needs {
        match variables(*need, backends) {
            Ok(variables) => settings.variables.extend(variables),
            Err(error) => return Ok(Err(Missing::Backend(error))),
        }
    }
    if described.load_balancer.is_some()
        && let Err(error @ backends::Error::NotInstalled { .. }) = backends::nginx::find_program()
    {
        return Ok(Err(Missing::Backend(error)));
    }
    let mut programs = Vec::new();
    for _ in 0..described.processes {
        match Program::start(settings.clone()).await {
            Ok(program) => programs.push(program),
            Err(error @ backends::Error::NoInterpreter(_)) if described.is_optional => {
                return Ok(Err(Missing::Program(error.to_string())));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let processes = Processes::keep(programs, described.load_balancer.is_some())?;
    let load_balancer = match &described.load_balancer {
        None => None,
        Some(balancer) => {
            let targets = processes.urls().iter();
            let targets = targets.map(|url| url.trim_start_matches("http://").to_owned());
            Some(load_balancer::start(balancer, &targets.collect::<Vec<_>>()).await?)
        }
    };
    Ok(Ok(Server {
        load_balancer,
        processes,
        described,
    }))
}

/// The variables that lead to a backend, or why there is none.
fn variables(
    need: Need,
    backends: &Backends<'_>,
) -> Result<Vec<(&'static str, String)>, backends::Error> {
    match need {
        Need::Database => {
            let database = backends
                .database
                .ok_or_else(backends::mariadb::not_installed)?;
            let host = ("DATABASE_HOST", database.address().to_owned());
            Ok(database.variables().into_iter().chain([host]).collect())
        }
        Need::Cache => {
            let cache = backends
                .cache
                .ok_or_else(backends::memcached::not_installed)?;
            Ok(vec![("CACHE_ADDRESS", cache.address())])
        }
    }
}

/// Ends all of them.
pub(crate) async fn stop(servers: Vec<Server>) -> Result<(), Error> {
    for server in servers {
        if let Some(balancer) = server.load_balancer {
            balancer.stop().await?;
        }
        server.processes.stop().await?;
    }
    Ok(())
}
