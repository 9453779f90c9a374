//! The init phase of the counters against that of a function that does nothing: processor time as the scheduler counts it, to the
//! nanosecond, which a busy machine does not change as it does wall time.

use std::{fs, path::Path, process::Stdio};

use anyhow::Context as _;
use tokio::{io::AsyncReadExt as _, net::TcpListener, process::Command};

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::Served,
};

const TURNS: usize = 51;
const COUNTERS: [&str; 2] = ["counter-dynamodb", "counter-s3"];

pub(crate) async fn against_empty(served: &Served) -> anyhow::Result<Vec<Measured>> {
    eprintln!("starting functions up to their first call for an event");
    let mut ratios = COUNTERS.map(|_| Ratios::default());
    for _ in 0..TURNS {
        let empty = init(served, "empty", &[]).await?;
        for (function, ratios) in COUNTERS.iter().zip(&mut ratios) {
            ratios.add(init(served, function, &[]).await? / empty);
        }
    }
    let rows = COUNTERS.iter().zip(&ratios);
    Ok(rows
        .map(|(function, ratios)| {
            Measured::ratio(
                format!("{function} ÷ empty: processor time of the init phase"),
                ratios,
                Bar::AtMost(1.5),
            )
        })
        .collect())
}

/// The processor time, in nanoseconds, of a process of the function up to its first call for an event. It has further
/// variables than its own.
pub(crate) async fn init(
    served: &Served,
    function: &str,
    variables: &[(&str, &str)],
) -> anyhow::Result<f64> {
    let runtime_api = TcpListener::bind("127.0.0.1:0").await?;
    let environment = served.stack.environment(function);
    let mut child = Command::new(Path::new("target/lambda").join(function).join("bootstrap"))
        .env_clear()
        .envs(environment.with_context(|| format!("there is no function {function}"))?)
        .envs(variables.iter().copied())
        .env(
            "AWS_LAMBDA_RUNTIME_API",
            runtime_api.local_addr()?.to_string(),
        )
        .env("AWS_LAMBDA_FUNCTION_NAME", function)
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_LOG_GROUP_NAME", "local")
        .env("AWS_LAMBDA_LOG_STREAM_NAME", "local")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (mut connection, _) = runtime_api.accept().await?;
    // Its request for an event: it waits for the answer now.
    connection.read_u8().await?;
    let id = child.id().context("the function has ended")?;
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let statistics = fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_processor = statistics.split(' ').next().unwrap_or_default();
        nanoseconds += on_processor.parse::<f64>()?;
    }
    child.kill().await?;
    Ok(nanoseconds)
}
