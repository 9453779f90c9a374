//! A stack for as long as a command needs it, and what the commands that measure it share.

use std::{path::Path, sync::Arc};

use load::{Latencies, Measurement, Sequential, Target, on_its_own_thread};
use local_lambda::{HostSettings, Route, RouteMethod, Status};
use local_stack::{
    Distances, ServedFunction, Server, Settings, Stack, find_tools, parameters_that_bring,
};
use region::Profile;

use crate::{
    BadInput,
    cli::{BackendLatency, DistanceOptions, Template},
    database,
    interrupt::Interrupts,
    output::{self, Progress},
    reports::Reports,
};

/// Starts the template's stack, uses it, and stops it however that went.
pub(super) async fn with_stack<T>(
    template: &Template,
    port: u16,
    host: HostSettings,
    interrupts: &mut Interrupts,
    use_it: impl AsyncFnOnce(&Stack) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let database = interrupts.during(database::settings(template)).await?;
    let settings = Settings {
        distances: distances(&template.distances)?,
        template: template.template.clone(),
        parameters: template.parameters.iter().cloned().collect(),
        port,
        host,
        ministack: backends::ministack::find_program(Path::new("."))?,
        tools: find_tools(Path::new("."))?,
        durable: false,
        database,
    };
    let stack = interrupts
        .during(async { Ok(Stack::start(settings).await?) })
        .await?;
    output::skipped(stack.skipped());
    let used = interrupts.during(use_it(&stack)).await;
    let undelayed = stack.undelayed();
    let stopped = stack.stop().await;
    // What went wrong first tells more.
    let used = used?;
    stopped?;
    if !undelayed.is_empty() {
        let calls: Vec<_> = undelayed.iter().map(ToString::to_string).collect();
        return Err(BadInput(format!(
            "--backend-latency region: the profile of {} has no line for {}, so these calls were not answered",
            template.distances.region,
            calls.join(", ")
        ))
        .into());
    }
    Ok(used)
}

/// What is made to take longer.
fn distances(options: &DistanceOptions) -> anyhow::Result<Distances> {
    let profile = profile(&options.region)?;
    Ok(Distances {
        backends: (options.backend_latency == BackendLatency::Region).then_some(profile),
        caller: options.client_rtt,
    })
}

/// The profile of the Region of this name.
pub(super) fn profile(region: &str) -> anyhow::Result<Profile> {
    Profile::of(region).map_err(|error| match error {
        region::Error::UnknownRegion { .. } => BadInput(format!("--region: {error}")).into(),
        error => error.into(),
    })
}

/// The same for a measurement: on a free port, with the host's reports, and saying that it starts.
pub(super) async fn with_reports<T>(
    template: &Template,
    interrupts: &mut Interrupts,
    measure: impl AsyncFnOnce(&Stack, Reports) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let (reports, on_report) = Reports::new();
    let host = HostSettings {
        on_report: Some(on_report),
        ..HostSettings::default()
    };
    let progress = Progress::spinner(&format!("starting {}", template.template.display()));
    with_stack(template, 0, host, interrupts, async |stack| {
        progress.finish();
        measure(stack, reports).await
    })
    .await
}

/// The path under which a function can be called without knowing anything of it: that of a route without parameters, or of the
/// template's output with its URL.
pub(super) fn path<'a>(stack: &'a Stack, function: &'a ServedFunction) -> Option<&'a str> {
    let callable = |route: &&Route| {
        let get = matches!(&route.method, RouteMethod::Any)
            || matches!(&route.method, RouteMethod::Only(method) if method == "GET");
        get && route.path.starts_with('/') && !route.path.contains('{')
    };
    let route = function.routes.iter().find(callable);
    route.map(|route| &*route.path).or_else(|| {
        let output = format!("{}Url", function.logical_id);
        let (_, address) = stack.outputs().get(&output)?.split_once("://")?;
        address.find('/').map(|path| &address[path..])
    })
}

/// The server of this name.
pub(super) fn server<'a>(stack: &'a Stack, name: &str) -> Result<&'a Server, BadInput> {
    let servers = stack.servers();
    if let Some(server) = servers.iter().find(|server| server.name() == name) {
        return Ok(server);
    }
    let skipped = stack.skipped().iter().find(|it| it.name == name);
    Err(BadInput(match skipped {
        Some(skipped) => format!("server '{name}' is skipped: {}", skipped.reason),
        None => {
            let names: Vec<_> = servers.iter().map(Server::name).collect();
            format!(
                "the template, with these parameters, has no server '{name}', but {}",
                names.join(", ")
            )
        }
    }))
}

/// The function of this name, and the path under which it can be called.
pub(super) fn called<'a>(
    stack: &'a Stack,
    template: &Template,
    name: &str,
) -> Result<(&'a ServedFunction, &'a str), BadInput> {
    if let Some(skipped) = stack
        .skipped()
        .iter()
        .find(|function| function.name == name)
    {
        return Err(BadInput(format!(
            "function '{name}' is skipped: {}",
            skipped.reason
        )));
    }
    let functions = stack.functions();
    let function = functions
        .iter()
        .find(|function| function.name == name)
        .ok_or_else(|| missing(functions, template, name))?;
    let path = path(stack, function).ok_or_else(|| {
        BadInput(format!(
            "function '{name}' has no GET route without parameters, and no output with a URL"
        ))
    })?;
    Ok((function, path))
}

/// What to do about a function that is not served: give a parameter, or another name.
fn missing(functions: &[ServedFunction], template: &Template, name: &str) -> BadInput {
    let given = template.parameters.iter().cloned().collect();
    // The template was read a moment ago: if it can't be read now, its functions are still known.
    let bringing = parameters_that_bring(&template.template, name, &given).unwrap_or_default();
    if !bringing.is_empty() {
        return BadInput(format!(
            "function '{name}' is left out of the template: add --parameter {}",
            bringing.join(" or --parameter ")
        ));
    }
    let names: Vec<_> = functions.iter().map(|function| &*function.name).collect();
    BadInput(format!(
        "the template has no function '{name}', but {}",
        names.join(", ")
    ))
}

/// What fresh environments of one function took.
#[derive(Default)]
pub(super) struct ColdStarts {
    /// The init phases.
    pub(super) init: Latencies,
    /// The first invocations, init phase included, as the caller saw them.
    pub(super) first: Measurement,
    /// The second invocations.
    pub(super) warm: Measurement,
    /// The most memory that any of the environments used.
    pub(super) peak_memory_bytes: u64,
}

impl ColdStarts {
    /// Lets the function start in a fresh environment once more and calls it twice.
    pub(super) async fn add(
        &mut self,
        stack: &Stack,
        function: &ServedFunction,
        target: &Arc<Target>,
        reports: &mut Reports,
    ) -> anyhow::Result<()> {
        stack.host().retire_idle(&function.name).await;
        let target = Arc::clone(target);
        let (first, warm) = on_its_own_thread(move || async move {
            let mut sequence = Sequential::new(target);
            (sequence.run(1, &|| {}).await, sequence.run(1, &|| {}).await)
        })
        .await?;
        let reports = reports.take(stack.host()).await;
        for report in reports
            .iter()
            .filter(|report| report.function == function.name)
        {
            // An init phase that failed has no duration to compare.
            if let (Some(init), false) = (report.init_duration, report.status == Status::Crash) {
                self.init.record(init);
            }
            self.peak_memory_bytes = self.peak_memory_bytes.max(report.max_memory_used_bytes);
        }
        self.first.merge(&first);
        self.warm.merge(&warm);
        Ok(())
    }
}
