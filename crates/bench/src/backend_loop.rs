//! A function against the calls to its backend that it can't do without, made by a bare client in a loop.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    ratio::Ratios,
    rows::{Bar, Measured},
    stack::{Served, p50, sequential},
};

const TURNS: usize = 75;
const REQUESTS: u64 = 50;

pub(crate) async fn dynamodb(served: &Served) -> anyhow::Result<Measured> {
    let ratios = turns(
        served,
        "counter-dynamodb",
        "bare_update_item",
        "/dynamodb/hits",
    )
    .await?;
    Ok(Measured::ratio(
        "counter-dynamodb ÷ a bare UpdateItem: warm p50",
        &ratios,
        Bar::AtMost(1.15),
    ))
}

pub(crate) async fn s3(served: &Served) -> anyhow::Result<Measured> {
    let ratios = turns(served, "counter-s3", "bare_put_object", "/s3/hits").await?;
    Ok(Measured::ratio(
        "counter-s3, alone ÷ a bare PutObject: warm p50",
        &ratios,
        Bar::AtMost(1.25),
    ))
}

/// A function, called at this path, against the example of its crate that makes the bare calls.
pub(crate) async fn turns(
    served: &Served,
    function: &str,
    example: &str,
    path: &str,
) -> anyhow::Result<Ratios> {
    eprintln!("calling {path} and {example}");
    let mut bare = BareLoop::start(served, function, example, &[])?;
    let url = served.url(path);
    let mut ratios = Ratios::default();
    bare.answer(REQUESTS).await?;
    for _ in 0..TURNS {
        let function = sequential(&url, REQUESTS).await?;
        let bare = bare.answer(REQUESTS).await?.into_iter().collect();
        ratios.add(p50(&function) / p50(&bare));
    }
    bare.stop().await?;
    Ok(ratios)
}

/// An example of a function's crate that does as much as a line on its standard input says, and answers with how long that
/// took, in all or each, in nanoseconds.
pub(crate) struct BareLoop {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl BareLoop {
    /// With the function's variables, and further ones.
    pub(crate) fn start(
        served: &Served,
        function: &str,
        example: &str,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let environment = served.stack.environment(function);
        let program = Path::new("target/lambda").join(example).join("bootstrap");
        let mut child = Command::new(&program)
            .env_clear()
            .envs(environment.with_context(|| format!("there is no function {function}"))?)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} can't be started: run `make bench`", program.display()))?;
        let (orders, answers) = (child.stdin.take(), child.stdout.take());
        let (orders, answers) = orders.zip(answers).context("no pipes to the loop")?;
        Ok(Self {
            child,
            orders,
            answers: BufReader::new(answers).lines(),
        })
    }

    pub(crate) async fn answer(&mut self, amount: u64) -> anyhow::Result<Vec<Duration>> {
        self.orders
            .write_all(format!("{amount}\n").as_bytes())
            .await?;
        let line = self
            .answers
            .next_line()
            .await?
            .context("the loop has ended")?;
        line.split_whitespace()
            .map(|nanos| Ok(Duration::from_nanos(nanos.parse()?)))
            .collect()
    }

    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        // The end of its input is the end of the loop.
        drop(self.orders);
        self.child.wait().await?;
        Ok(())
    }
}
