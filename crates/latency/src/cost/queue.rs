//! Dollars per million messages that go through an HTTP API onto a queue, and are done by a function that its event
//! source mapping invokes with batches of them.
//!
//! Not in it: reads, data transfer, logs, storage and the free tier.

use super::{Architecture, CALLS, PriceError, Prices, gigabyte_seconds_of};

/// What some messages used, all together.
#[derive(Clone, Debug)]
pub struct QueueUsage {
    /// The messages. Each is one request to the HTTP API and one `SendMessage`.
    pub messages: u64,
    /// `ReceiveMessage` and `DeleteMessageBatch` calls, those on an empty queue included.
    pub polling_calls: u64,
    /// Invocations of the function.
    pub invocations: u64,
    /// What the function runs on.
    pub architecture: Architecture,
    /// The function's billed durations times its memory size.
    pub gigabyte_seconds: f64,
    /// Items of up to 1 KB that were written in DynamoDB transactions.
    pub transaction_items: u64,
}

/// What a transaction writes is prepared and committed: two write request units an item (DynamoDB developer guide,
/// "Capacity management for transactions").
const UNITS_PER_TRANSACTION_ITEM: f64 = 2.0;

/// What a million messages cost in US dollars, if each uses as much as these did; none without a message.
///
/// # Errors
/// A price can't be had.
pub fn per_million_messages(
    usage: &QueueUsage,
    prices: &Prices,
) -> Result<Option<f64>, PriceError> {
    if usage.messages == 0 {
        return Ok(None);
    }
    let messages = usage.messages as f64;
    let mut cost = 0.0;
    for (item, units) in [
        ("http-api", messages),
        ("sqs", messages + usage.polling_calls as f64),
        ("lambda", usage.invocations as f64),
        (
            gigabyte_seconds_of(usage.architecture),
            usage.gigabyte_seconds,
        ),
        (
            "dynamodb-write",
            usage.transaction_items as f64 * UNITS_PER_TRANSACTION_ITEM,
        ),
    ] {
        cost += prices.of(item)?.usd * units;
    }
    Ok(Some(cost / messages * CALLS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_messages_cost_what_they_cost_by_hand() {
        // 100 batches of 10, each received, done in 200 ms at 128 MB, counted in one transaction, and deleted.
        let usage = QueueUsage {
            messages: 1000,
            polling_calls: 200,
            invocations: 100,
            architecture: Architecture::X86_64,
            gigabyte_seconds: 100.0 * 0.2 * 0.125,
            transaction_items: 1100,
        };
        let cost = per_million_messages(&usage, &Prices::eu_west_2().unwrap());
        // HTTP API: $1.16.
        // SQS: 1,200,000 requests at $0.40 a million = $0.48.
        // Lambda: 100,000 requests at $0.20 a million = $0.02.
        // 1,000 × 2.5 GB-s = 2,500 GB-s × $0.0000166667 = $0.04166675.
        // DynamoDB: 2,200,000 write request units at $0.7423 a million = $1.63306.
        let expected = 1.16 + 0.48 + 0.02 + 0.041_666_75 + 1.633_06;
        let cost = cost.unwrap().unwrap();
        assert!((cost - expected).abs() < 1e-9, "{cost} is not {expected}");
    }

    #[test]
    fn without_a_message_there_is_no_cost() {
        let usage = QueueUsage {
            messages: 0,
            polling_calls: 1,
            invocations: 0,
            architecture: Architecture::Arm64,
            gigabyte_seconds: 0.0,
            transaction_items: 0,
        };
        let cost = per_million_messages(&usage, &Prices::eu_west_2().unwrap());
        assert_eq!(cost.unwrap(), None);
    }
}
