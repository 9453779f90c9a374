//! Every function of a deployed stack whose URL is one of the stack's outputs.

use std::time::{Duration, SystemTime};

use load::{Failures, Latencies, Measurement, Url};
use serde_json::{Value, json};

use super::{
    super::{from_lambda::Prober, target, url},
    beside, published_notes,
    turns::{TURN, WARM_UP, closed_loop_note, in_closed_loop, in_sequence, sequence_note},
};
use crate::{
    BadInput,
    aws::{self, Aws, ReportLine},
    cli::Compare,
    cost::{self, Cost, FrontDoor, Prices, Processor, Usage},
    output::Progress,
    published,
    results::{Results, Row, Table},
    warnings::{self, Warning},
};

/// Direct invocations of each function, for their reports. The first one may be a cold start.
const INVOCATIONS: u64 = 10;

/// Requests that latency-probe sends to one function before the next one's turn. Each turn opens a connection of its own,
/// and the first request on one may be slower: so few first ones stay out of p99.
const TURN_FROM_LAMBDA: u64 = 250;

/// A function, and what was found.
struct Subject {
    name: String,
    /// Its name in Lambda.
    function: String,
    url: Url,
    processor: Option<Processor>,
    reports: Vec<ReportLine>,
    sequential: Measurement,
    /// Only this machine calls on several connections.
    closed_loop: Option<Measurement>,
}

pub(super) async fn run(arguments: &Compare, stack: &str) -> anyhow::Result<Results> {
    let measured_at = SystemTime::now();
    let aws = Aws::load().await?;
    let prober = match &arguments.from_lambda.function {
        None => None,
        Some(named) => {
            let timeout = arguments.common.timeout;
            Some(Prober::find(&aws, named.as_deref(), stack, timeout).await?)
        }
    };
    let mut subjects = subjects(&aws, stack).await?;
    let warnings = read_reports(&aws, &mut subjects).await;
    match &prober {
        None => call_from_here(arguments, &mut subjects).await?,
        Some(prober) => call_from_lambda(arguments, prober, &mut subjects).await?,
    }
    results(
        arguments,
        stack,
        measured_at,
        prober.as_ref(),
        &subjects,
        warnings,
    )
}

async fn subjects(aws: &Aws, stack: &str) -> anyhow::Result<Vec<Subject>> {
    let outputs = aws.outputs(stack).await?;
    let functions = aws.functions(stack).await?;
    let mut subjects = Vec::new();
    for (logical_id, function) in functions {
        let Some(value) = outputs.get(&format!("{logical_id}Url")) else {
            continue;
        };
        let Ok(url) = url(value) else { continue };
        subjects.push(Subject {
            name: kebab_case(&logical_id),
            function,
            url,
            processor: None,
            reports: Vec::new(),
            sequential: Measurement::default(),
            closed_loop: None,
        });
    }
    if subjects.is_empty() {
        return Err(BadInput(format!(
            "stack {stack} has no function with an output for its URL, as CounterS3 has CounterS3Url"
        ))
        .into());
    }
    Ok(subjects)
}

/// Invokes each function a few times and keeps what Lambda reports. Where it does not, a warning says why.
async fn read_reports(aws: &Aws, subjects: &mut [Subject]) -> Vec<String> {
    let progress = Progress::bar(
        "invoking each function for its reports",
        subjects.len() as u64,
    );
    let mut warnings = Vec::new();
    for subject in subjects {
        if let Err(error) = subject.read_reports(aws).await {
            let name = &subject.name;
            warnings.push(format!("{name}: billed and memory are not known: {error}"));
        }
        progress.advance(1);
    }
    progress.finish();
    warnings
}

async fn call_from_here(arguments: &Compare, subjects: &mut [Subject]) -> anyhow::Result<()> {
    let requests = arguments.requests.get();
    let mut targets = Vec::new();
    for subject in &*subjects {
        targets.push(target(&subject.url.to_string(), arguments.common.timeout).await?);
    }
    let progress = Progress::bar(
        "calling one after the other",
        (WARM_UP + requests) * targets.len() as u64,
    );
    in_sequence(targets.clone(), WARM_UP, &progress).await?;
    let sequential = in_sequence(targets.clone(), requests, &progress).await?;
    progress.finish();
    let closed_loop = in_closed_loop(&targets).await?;
    for ((subject, sequential), closed_loop) in subjects.iter_mut().zip(sequential).zip(closed_loop)
    {
        subject.sequential = sequential;
        subject.closed_loop = Some(closed_loop);
    }
    Ok(())
}

async fn call_from_lambda(
    arguments: &Compare,
    prober: &Prober<'_>,
    subjects: &mut [Subject],
) -> anyhow::Result<()> {
    let requests = arguments.requests.get();
    let progress = Progress::bar(
        &format!("having {} call", prober.description()),
        (WARM_UP + requests) * subjects.len() as u64,
    );
    for subject in &*subjects {
        let advance = |made| progress.advance(made);
        prober.run(&subject.url, WARM_UP, advance).await?;
    }
    let mut left = requests;
    while left > 0 {
        let turn = left.min(TURN_FROM_LAMBDA);
        for subject in &mut *subjects {
            let advance = |made| progress.advance(made);
            let measured = prober.run(&subject.url, turn, advance).await?;
            subject.sequential.merge(&measured);
        }
        left -= turn;
    }
    progress.finish();
    Ok(())
}

fn results(
    arguments: &Compare,
    stack: &str,
    measured_at: SystemTime,
    prober: Option<&Prober<'_>>,
    subjects: &[Subject],
    mut warnings: Vec<String>,
) -> anyhow::Result<Results> {
    let prices = Prices::eu_west_2()?;
    let published = published::all()?;
    let mut rows = Vec::new();
    let mut failed = 0;
    for subject in subjects {
        let name = &subject.name;
        let row = subject.row(subject.cost(&prices)?);
        rows.push(beside(row, published::beside(name, &published)));
        failed += subject.failures().count();
        let of_subject = subject.warnings();
        warnings.extend(
            of_subject
                .iter()
                .map(|warning| format!("{name}: {warning}")),
        );
    }
    let mut notes = notes(arguments, prober);
    notes.extend(published_notes(&published));
    Ok(Results {
        title: format!("latency compare --stack {stack}"),
        measured_at,
        table: Table::new(rows),
        notes,
        warnings,
        failures: failed,
    })
}

impl Subject {
    async fn read_reports(&mut self, aws: &Aws) -> Result<(), aws::Error> {
        self.processor = Some(aws.processor(&self.function).await?);
        let event = http_api_event(&self.url).to_string().into_bytes();
        for _ in 0..INVOCATIONS {
            let invocation = aws.invoke(&self.function, event.clone()).await?;
            let answer: Value = serde_json::from_slice(&invocation.payload).unwrap_or_default();
            if matches!(answer["statusCode"].as_u64(), Some(200..=299)) {
                self.reports.extend(invocation.report);
            }
        }
        Ok(())
    }

    fn failures(&self) -> Failures {
        let mut all = self.sequential.failures.clone();
        if let Some(closed_loop) = &self.closed_loop {
            all.merge(&closed_loop.failures, 0);
        }
        all
    }

    fn warnings(&self) -> Vec<Warning> {
        let mut all = warnings::of(&self.sequential);
        all.extend(self.closed_loop.iter().flat_map(warnings::of_closed_loop));
        all
    }

    /// The mean of what was billed, without the cold starts.
    fn billed_duration(&self) -> Option<Duration> {
        let warm = self.reports.iter();
        let warm = warm.filter(|report| report.init_duration.is_none());
        let billed: Latencies = warm.map(|report| report.billed_duration).collect();
        billed.mean()
    }

    /// Without what the function's calls to AWS services cost: nobody counts them there.
    fn cost(&self, prices: &Prices) -> anyhow::Result<Option<Cost>> {
        let known = || {
            Some(Usage {
                front_door: front_door(self.url.origin().host())?,
                processor: self.processor?,
                memory_mb: self.reports.first()?.memory_mb,
                billed_duration: self.billed_duration()?,
                api_calls: Default::default(),
            })
        };
        let cost = known().map(|usage| cost::per_million(&usage, prices));
        Ok(cost.transpose()?)
    }

    fn row(&self, cost: Option<Cost>) -> Row {
        let init: Latencies = self
            .reports
            .iter()
            .filter_map(|report| report.init_duration)
            .collect();
        let peak = self
            .reports
            .iter()
            .map(|report| report.max_memory_used_mb)
            .max();
        Row::default()
            .text("architecture", "architecture", &self.name)
            .latencies(&self.sequential)
            .number(
                "requests_per_second",
                "requests/s",
                0,
                self.closed_loop
                    .as_ref()
                    .map(Measurement::requests_per_second),
            )
            .failures(&self.failures())
            .milliseconds("init_ms", "init (ms)", init.percentile(50.0))
            .milliseconds("billed_ms", "billed (ms)", self.billed_duration())
            .number("peak_memory_mb", "peak memory (MB)", 0, peak.map(f64::from))
            .number(
                "usd_per_million_without_api_calls",
                "cost without AWS calls ($/million)",
                2,
                cost.map(|cost| cost.total()),
            )
    }
}

/// `CounterS3` is called counter-s3: a capital letter begins a word.
fn kebab_case(logical_id: &str) -> String {
    let mut name = String::new();
    for letter in logical_id.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

/// What AWS serves under this host name, as far as there is a price for it.
fn front_door(host: &str) -> Option<FrontDoor> {
    let (_, service) = host.split_once('.')?;
    if service.starts_with("execute-api.") {
        Some(FrontDoor::HttpApi)
    } else if service.starts_with("lambda-url.") {
        Some(FrontDoor::FunctionUrl)
    } else {
        None
    }
}

/// A GET of the URL as an HTTP API would hand it to its function, payload format 2.0.
fn http_api_event(url: &Url) -> Value {
    let (path, query) = url
        .path_and_query()
        .split_once('?')
        .unwrap_or((url.path_and_query(), ""));
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": { "host": url.origin().host() },
        "requestContext": {
            "domainName": url.origin().host(),
            "http": {
                "method": "GET",
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "latency",
            },
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": 0,
        },
        "isBase64Encoded": false,
    })
}

fn notes(arguments: &Compare, prober: Option<&Prober<'_>>) -> Vec<String> {
    let requests = arguments.requests;
    let mut notes = match prober {
        None => vec![
            "Measured from this machine: the way to the Region and back is in every latency."
                .to_owned(),
            sequence_note(requests, TURN),
            closed_loop_note(),
        ],
        Some(prober) => vec![
            format!("Measured from {}.", prober.description()),
            sequence_note(requests, TURN_FROM_LAMBDA),
            "Each turn is an invocation with a connection of its own. It calls on one connection only: there is no \
             requests/s."
                .to_owned(),
        ],
    };
    notes.extend([
        format!(
            "init, billed, peak memory: as Lambda reported them of {INVOCATIONS} direct invocations. Init is that of the \
             cold starts among them, billed is the mean of the others."
        ),
        "cost without AWS calls: list prices of eu-west-2 for the API's request, Lambda's request and its GB-seconds. Not \
         in it: the calls that the function makes to other AWS services, logs, data transfer and the free tier."
            .to_owned(),
    ]);
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_bears_the_name_of_its_function() {
        assert_eq!(kebab_case("CounterDynamodb"), "counter-dynamodb");
        assert_eq!(kebab_case("CounterS3"), "counter-s3");
        assert_eq!(kebab_case("Empty"), "empty");
    }

    #[test]
    fn only_what_has_a_price_is_a_front_door() {
        let door = |url: &str| front_door(url.parse::<Url>().unwrap().origin().host());
        assert_eq!(
            door("https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com/empty"),
            Some(FrontDoor::HttpApi)
        );
        assert_eq!(
            door("https://a1b2c3d4e5.lambda-url.eu-west-2.on.aws/"),
            Some(FrontDoor::FunctionUrl)
        );
        assert_eq!(door("https://api.example.com/"), None);
        assert_eq!(door("http://127.0.0.1:9000/"), None);
    }
}
