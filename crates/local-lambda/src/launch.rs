//! What starts an environment: a process of the function, with a Runtime API endpoint of its own.

use std::{
    io,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Instant,
};

use rustix::process::Pid;
use tokio::{
    net::TcpListener,
    process::{Child, Command},
    task::AbortHandle,
};

use crate::{
    environment::{Environment, Init},
    function::Function,
    guardian::{Guardian, Watched},
    logs::Log,
    phase::Observer,
    runtime_api,
};

/// Starts a process of the function. Its init phase is over with its first call for an event.
pub(crate) async fn launch(
    guardian: &Guardian,
    function: &Function,
    log: &Log,
    freeze: bool,
    observer: Option<Observer>,
) -> io::Result<(Arc<Environment>, Init)> {
    let since = Instant::now();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let runtime_api = listener.local_addr()?.to_string();
    let log_stream = format!("local/[$LATEST]{}", uuid::Uuid::new_v4().simple());
    let child = Command::new(&function.program)
        .args(&function.arguments)
        .current_dir(&function.directory)
        .env_clear()
        .envs(function.variables(&runtime_api, &log_stream))
        .stdin(Stdio::null())
        .stdout(log.stdio()?)
        .stderr(log.stdio()?)
        // A group of its own: a terminal's Ctrl-C is for the host, and the kernel hangs up on a frozen process whose
        // host has gone.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let pid = child
        .id()
        .and_then(|id| Pid::from_raw(id.cast_signed()))
        .ok_or_else(|| io::Error::other("the process has no id"))?;
    let group = guardian.watch(pid)?;
    let (environment, init) = Environment::new(pid, freeze, since, observer);
    let environment = Arc::new(environment);
    let endpoint = tokio::spawn(runtime_api::serve(listener, environment.clone()));
    tokio::spawn(wait_for_end(
        child,
        group,
        environment.clone(),
        endpoint.abort_handle(),
    ));
    Ok((environment, init))
}

async fn wait_for_end(
    mut child: Child,
    group: Watched,
    environment: Arc<Environment>,
    endpoint: AbortHandle,
) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = environment.to_be_killed() => {
            group.kill();
            child.wait().await
        }
    };
    // What the function's process has started ends with it.
    drop(group);
    endpoint.abort();
    environment.has_ended(status.map_or_else(|error| error.to_string(), describe));
}

/// An exit status in Lambda's words: `exit status 1`, `signal: killed`.
fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "signal: killed".to_owned(),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => "unknown".to_owned(),
    }
}
