//! Partial batch responses: which records of a batch a function says it has not done.
//!
//! Lambda developer guide, "Implementing partial batch responses": what counts as complete success and as complete failure.

use std::collections::BTreeSet;

use serde_json::Value;

/// A response that says nothing Lambda can go by: the whole batch has failed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("the response is not a JSON object")]
    NoObject,
    #[error("batchItemFailures is not a list")]
    NoList,
    #[error("an item of batchItemFailures has no itemIdentifier")]
    NoIdentifier,
    #[error("itemIdentifier {0} is not of the batch")]
    Unknown(String),
}

/// The ids among `message_ids` that the response names as failed.
pub(super) fn failed<'a>(
    response: &[u8],
    message_ids: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeSet<&'a str>, Invalid> {
    let failures = match serde_json::from_slice(response) {
        Ok(Value::Null) => return Ok(BTreeSet::new()),
        Ok(Value::Object(mut response)) => match response.remove("batchItemFailures") {
            None | Some(Value::Null) => return Ok(BTreeSet::new()),
            Some(Value::Array(failures)) => failures,
            Some(_) => return Err(Invalid::NoList),
        },
        _ => return Err(Invalid::NoObject),
    };
    let message_ids: BTreeSet<&str> = message_ids.into_iter().collect();
    let failed = failures.iter().map(|failure| {
        let id = failure
            .get("itemIdentifier")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
            .ok_or(Invalid::NoIdentifier)?;
        message_ids
            .get(id)
            .copied()
            .ok_or_else(|| Invalid::Unknown(id.to_owned()))
    });
    failed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_two(response: &str) -> Result<BTreeSet<&'static str>, Invalid> {
        failed(response.as_bytes(), ["a", "b"])
    }

    #[test]
    fn a_response_names_the_records_that_failed() {
        assert_eq!(
            of_two(r#"{"batchItemFailures":[{"itemIdentifier":"b"}]}"#),
            Ok(BTreeSet::from(["b"]))
        );
        assert_eq!(
            of_two(
                r#"{"batchItemFailures":[{"itemIdentifier":"b"},{"itemIdentifier":"a"},{"itemIdentifier":"b"}]}"#
            ),
            Ok(BTreeSet::from(["a", "b"]))
        );
    }

    #[test]
    fn a_response_that_names_none_is_complete_success() {
        for response in [
            r#"{"batchItemFailures":[]}"#,
            r#"{"batchItemFailures":null}"#,
            "{}",
            "null",
            r#"{"statusCode":200}"#,
        ] {
            assert_eq!(of_two(response), Ok(BTreeSet::new()), "{response}");
        }
    }

    #[test]
    fn a_response_that_makes_no_sense_is_complete_failure() {
        let unknown = Invalid::Unknown("c".to_owned());
        for (response, expected) in [
            ("", Invalid::NoObject),
            ("{", Invalid::NoObject),
            (r#""done""#, Invalid::NoObject),
            (r#"{"batchItemFailures":"a"}"#, Invalid::NoList),
            (r#"{"batchItemFailures":["a"]}"#, Invalid::NoIdentifier),
            (
                r#"{"batchItemFailures":[{"id":"a"}]}"#,
                Invalid::NoIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#,
                Invalid::NoIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#,
                Invalid::NoIdentifier,
            ),
            (
                r#"{"batchItemFailures":[{"itemIdentifier":"a"},{"itemIdentifier":"c"}]}"#,
                unknown,
            ),
        ] {
            assert_eq!(of_two(response), Err(expected), "{response}");
        }
    }
}
