//! One function of a deployed stack, and what was found.

use std::{collections::BTreeMap, time::Duration};

use load::{Failures, Latencies, Measurement, Url};
use serde_json::{Value, json};

use crate::{
    aws::{self, Aws, ReportLine},
    columns,
    cost::{self, Cost, FrontDoor, Prices, Processor, Usage},
    results::Row,
    warnings::{self, Warning},
};

/// Direct invocations of each function, for their reports. The first one may be a cold start.
pub(super) const INVOCATIONS: u64 = 10;

/// A function, and what was found.
pub(super) struct DeployedFunction {
    pub(super) name: String,
    /// Its name in Lambda.
    function: String,
    pub(super) url: Url,
    processor: Option<Processor>,
    reports: Vec<ReportLine>,
    pub(super) sequential: Measurement,
    /// Only this machine calls on several connections.
    pub(super) closed_loop: Option<Measurement>,
}

impl DeployedFunction {
    /// The function with this logical id in its stack and this name in Lambda. Nothing is known of it yet.
    pub(super) fn new(logical_id: &str, function: String, url: Url) -> Self {
        Self {
            name: kebab_case(logical_id),
            function,
            url,
            processor: None,
            reports: Vec::new(),
            sequential: Measurement::default(),
            closed_loop: None,
        }
    }

    /// Invokes the function a few times and keeps what Lambda reports, and asks what it runs on.
    ///
    /// An error leaves what was learned before it.
    pub(super) async fn look_at(&mut self, aws: &Aws) -> Result<(), aws::Error> {
        let event = http_api_event(&self.url).to_string().into_bytes();
        for _ in 0..INVOCATIONS {
            let invocation = aws.invoke(&self.function, event.clone()).await?;
            let answer: Value = serde_json::from_slice(&invocation.payload).unwrap_or_default();
            if matches!(answer["statusCode"].as_u64(), Some(200..=299)) {
                self.reports.extend(invocation.report);
            }
        }
        self.processor = Some(aws.processor(&self.function).await?);
        Ok(())
    }

    pub(super) fn failures(&self) -> Failures {
        let mut all = self.sequential.failures.clone();
        if let Some(closed_loop) = &self.closed_loop {
            all.merge(&closed_loop.failures, 0);
        }
        all
    }

    pub(super) fn warnings(&self) -> Vec<Warning> {
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
    pub(super) fn cost(&self, prices: &Prices) -> anyhow::Result<Option<Cost>> {
        let known = || {
            Some(Usage {
                front_door: front_door(self.url.origin().host())?,
                processor: self.processor?,
                memory_mb: self.reports.first()?.memory_mb,
                billed_duration: self.billed_duration()?,
                api_calls: BTreeMap::new(),
            })
        };
        let cost = known().map(|usage| cost::per_million(&usage, prices));
        Ok(cost.transpose()?)
    }

    pub(super) fn row(&self, cost: Option<Cost>) -> Row {
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
            .text(columns::ARCHITECTURE, &self.name)
            .latencies(&self.sequential)
            .number(
                columns::REQUESTS_PER_SECOND,
                self.closed_loop
                    .as_ref()
                    .map(Measurement::requests_per_second),
            )
            .failures(&self.failures())
            .milliseconds(columns::INIT_MS, init.percentile(50.0))
            .milliseconds(columns::BILLED_MS, self.billed_duration())
            .number(columns::PEAK_MEMORY_MB, peak.map(f64::from))
            .number(
                columns::USD_PER_MILLION_WITHOUT_API_CALLS,
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
