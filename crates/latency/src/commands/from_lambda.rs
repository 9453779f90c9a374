//! Requests sent by the function `latency-probe`, from inside the Region.

use std::{num::NonZeroU64, time::Duration};

use load::{
    Measurement, Url,
    probe::{Answer, MAX_REQUESTS, Probe, ProblemDetails, TimeKernel},
};
use serde::Serialize;

use crate::{BadInput, aws::Aws};

/// The output of a stack that names its latency-probe.
const OUTPUT: &str = "LatencyProbeFunction";

/// Most requests of one invocation.
const MOST: NonZeroU64 = NonZeroU64::new(MAX_REQUESTS).unwrap();

/// The function that sends the requests.
pub(super) struct Prober<'a> {
    aws: &'a Aws,
    function: String,
    timeout_ms: NonZeroU64,
}

impl<'a> Prober<'a> {
    /// The function that is named, or else the one that the stack's outputs name. `timeout` is that of one request.
    pub(super) async fn find(
        aws: &'a Aws,
        named: Option<&str>,
        stack: &str,
        timeout: Duration,
    ) -> anyhow::Result<Self> {
        let function = match named {
            Some(function) => function.to_owned(),
            None => aws.outputs(stack).await?.remove(OUTPUT).ok_or_else(|| {
                BadInput(format!(
                    "stack {stack} has no output {OUTPUT}: name a function, --from-lambda FUNCTION"
                ))
            })?,
        };
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        Ok(Self {
            aws,
            function,
            timeout_ms: NonZeroU64::new(timeout_ms).unwrap_or(NonZeroU64::MIN),
        })
    }

    /// Who sends the requests, for a note.
    pub(super) fn description(&self) -> String {
        format!(
            "the Lambda function {} in {}",
            self.function,
            self.aws.region()
        )
    }

    /// Has `requests` requests sent, in as many invocations as that takes, and calls `on_answers` with what each made.
    pub(super) async fn run(
        &self,
        url: &Url,
        requests: u64,
        on_answers: impl Fn(u64),
    ) -> anyhow::Result<Measurement> {
        let mut all = Measurement::default();
        while let Some(left) = NonZeroU64::new(requests.saturating_sub(all.requests())) {
            let part = self.probe(url, left.min(MOST)).await?;
            let made = part.requests();
            anyhow::ensure!(
                made > 0,
                "function {} ended before {url} had answered once: its timeout is too short",
                self.function
            );
            all.merge(&part);
            on_answers(made);
        }
        Ok(all)
    }

    /// How long one of its cores takes for the kernel, in milliseconds.
    pub(super) async fn kernel_ms(&self) -> anyhow::Result<f64> {
        match self.invoke(&TimeKernel { kernel: true }).await? {
            Answer::KernelMs(ms) => Ok(ms),
            Answer::Problem(problem) => Err(self.refusal(&problem)),
            Answer::Measured(_) => Err(self.not_understood()),
        }
    }

    async fn probe(&self, url: &Url, requests: NonZeroU64) -> anyhow::Result<Measurement> {
        let probe = Probe {
            url: url.to_string(),
            requests,
            timeout_ms: self.timeout_ms,
        };
        match self.invoke(&probe).await? {
            Answer::Measured(measured) => Ok(measured.measurement),
            Answer::Problem(problem) => Err(self.refusal(&problem)),
            Answer::KernelMs(_) => Err(self.not_understood()),
        }
    }

    async fn invoke(&self, event: &impl Serialize) -> anyhow::Result<Answer> {
        let event = serde_json::to_vec(event)?;
        let invocation = self.aws.invoke(&self.function, event).await?;
        serde_json::from_slice(&invocation.payload).map_err(|_| self.not_understood())
    }

    fn not_understood(&self) -> anyhow::Error {
        anyhow::anyhow!(
            "function {} does not answer as latency-probe does",
            self.function
        )
    }

    fn refusal(&self, problem: &ProblemDetails) -> anyhow::Error {
        let text = format!("function {}: {}", self.function, problem.detail);
        match problem.status {
            400..500 => BadInput(text).into(),
            _ => anyhow::Error::msg(text),
        }
    }
}
