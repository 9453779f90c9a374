//! Dollars per million calls.
//!
//! Front door + Lambda requests + GB-seconds of the billed duration + the calls that the handler made. Not in it: data
//! transfer, logs, storage and the free tier.

mod hourly;
mod monthly;
mod prices;
mod queue;

use std::{collections::BTreeMap, time::Duration};

pub use region::{Architecture, FrontDoor};

pub use hourly::{backends_per_month, per_month};
pub use monthly::Monthly;
pub use prices::{Error as PriceError, Price, Prices};
pub use queue::{QueueUsage, per_million_messages};

/// Prices are for one unit, costs for so many calls.
const CALLS: f64 = 1e6;

/// The item of the price list for the GB-seconds of an architecture.
fn gigabyte_seconds_of(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "lambda-x86_64",
        Architecture::Arm64 => "lambda-arm64",
    }
}

/// What one call uses, on average.
#[derive(Clone, Debug)]
pub struct Usage {
    /// What it comes in through.
    pub front_door: FrontDoor,
    /// What the function runs on.
    pub architecture: Architecture,
    /// The function's memory size in MB.
    pub memory_mb: u32,
    /// The mean billed duration.
    pub billed_duration: Duration,
    /// Calls to backends by service and operation, such as `("dynamodb", "UpdateItem")`, for each invocation. Those to a
    /// database cost nothing each: it is paid by the hour.
    pub api_calls: BTreeMap<(String, String), f64>,
}

/// What a million calls cost, in US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// The front door.
    pub front_door: f64,
    /// Lambda's charge for each request.
    pub requests: f64,
    /// Lambda's charge for memory and time.
    pub duration: f64,
    /// The calls to other AWS services.
    pub api_calls: f64,
}

impl Cost {
    /// All together.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.front_door + self.requests + self.duration + self.api_calls
    }
}

/// Why a cost is not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A price can't be had.
    #[error(transparent)]
    Price(#[from] PriceError),
    /// Nothing is known of the price of an operation.
    #[error("there is no price for {service} {operation}: add it to the cost module")]
    UnknownOperation {
        /// The service, as in the credential scope of a signed request.
        service: String,
        /// The operation's name in its API.
        operation: String,
    },
}

/// What a million calls of this usage cost.
///
/// Lambda bills 128 MB as 0.125 GB, and each invocation in whole milliseconds: the billed duration has to be the mean of
/// what was billed, not of what was measured.
///
/// # Errors
/// A call to an operation whose price is not known; it is never taken to be free.
pub fn per_million(usage: &Usage, prices: &Prices) -> Result<Cost, Error> {
    let front_door = match usage.front_door {
        FrontDoor::HttpApi => "http-api",
        FrontDoor::FunctionUrl => "function-url",
    };
    let gigabyte_seconds =
        f64::from(usage.memory_mb) / 1024.0 * usage.billed_duration.as_secs_f64();
    let mut api_calls = 0.0;
    for ((service, operation), each) in &usage.api_calls {
        if hourly::is_paid_by_the_hour(service) {
            continue;
        }
        let (item, units) =
            billed_as(service, operation).ok_or_else(|| Error::UnknownOperation {
                service: service.clone(),
                operation: operation.clone(),
            })?;
        api_calls += each * units * prices.of(item)?.usd * CALLS;
    }
    Ok(Cost {
        front_door: prices.of(front_door)?.usd * CALLS,
        requests: prices.of("lambda")?.usd * CALLS,
        duration: gigabyte_seconds
            * prices.of(gigabyte_seconds_of(usage.architecture))?.usd
            * CALLS,
        api_calls,
    })
}

/// The item of the price list and the units that one call is billed as.
///
/// DynamoDB: an item up to 1 KB to write and up to 4 KB to read, as a counter is; reads as strongly consistent ones, an
/// eventually consistent one costs half. S3: LIST is billed as PUT, HEAD as GET, DELETE is free.
fn billed_as(service: &str, operation: &str) -> Option<(&'static str, f64)> {
    let item = match (service, operation) {
        ("dynamodb", "PutItem" | "UpdateItem" | "DeleteItem") => "dynamodb-write",
        ("dynamodb", "GetItem") => "dynamodb-read",
        ("s3", "PutObject" | "CopyObject" | "ListObjects" | "ListObjectsV2" | "ListBuckets") => {
            "s3-put"
        }
        ("s3", "GetObject" | "HeadObject" | "HeadBucket") => "s3-get",
        ("s3", "DeleteObject") => "s3-delete",
        (
            "sqs",
            "SendMessage"
            | "SendMessageBatch"
            | "ReceiveMessage"
            | "DeleteMessage"
            | "DeleteMessageBatch"
            | "ChangeMessageVisibility"
            | "GetQueueUrl"
            | "GetQueueAttributes",
        ) => "sqs",
        _ => return None,
    };
    Some((item, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter_on_dynamodb() -> Usage {
        Usage {
            front_door: FrontDoor::HttpApi,
            architecture: Architecture::X86_64,
            memory_mb: 128,
            billed_duration: Duration::from_millis(2),
            api_calls: BTreeMap::from([(("dynamodb".into(), "UpdateItem".into()), 1.0)]),
        }
    }

    fn assert_dollars(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-9,
            "{found} is not {expected} dollars"
        );
    }

    #[test]
    fn a_million_hits_on_dynamodb_cost_what_they_cost_by_hand() {
        let cost = per_million(&counter_on_dynamodb(), &Prices::eu_west_2().unwrap()).unwrap();
        // HTTP API: 1,000,000 requests at $1.16 a million.
        assert_dollars(cost.front_door, 1.16);
        // Lambda: 1,000,000 requests at $0.20 a million.
        assert_dollars(cost.requests, 0.20);
        // 1,000,000 × 2 ms = 2,000 s; × 0.125 GB = 250 GB-s; × $0.0000166667 = $0.004166675.
        assert_dollars(cost.duration, 0.004_166_675);
        // 1,000,000 write request units at $0.7423 a million.
        assert_dollars(cost.api_calls, 0.7423);
        assert_dollars(cost.total(), 2.106_466_675);
    }

    #[test]
    fn a_million_hits_on_s3_cost_what_they_cost_by_hand() {
        let usage = Usage {
            architecture: Architecture::Arm64,
            front_door: FrontDoor::FunctionUrl,
            memory_mb: 256,
            billed_duration: Duration::from_micros(3_500),
            api_calls: BTreeMap::from([
                (("s3".into(), "PutObject".into()), 1.0),
                (("s3".into(), "GetObject".into()), 0.02),
            ]),
        };
        let cost = per_million(&usage, &Prices::eu_west_2().unwrap()).unwrap();
        assert_dollars(cost.front_door, 0.0);
        // 3,500 s × 0.25 GB = 875 GB-s; × $0.0000133334 = $0.011666725.
        assert_dollars(cost.duration, 0.011_666_725);
        // 1,000,000 PUTs at $5.30 a million and 20,000 GETs at $0.42 a million.
        assert_dollars(cost.api_calls, 5.308_4);
        assert_dollars(cost.total(), 5.520_066_725);
    }

    #[test]
    fn an_operation_without_a_price_is_named_and_not_free() {
        let mut usage = counter_on_dynamodb();
        usage
            .api_calls
            .insert(("dynamodb".into(), "TransactWriteItems".into()), 1.0);
        let error = per_million(&usage, &Prices::eu_west_2().unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no price for dynamodb TransactWriteItems: add it to the cost module"
        );
    }
}
