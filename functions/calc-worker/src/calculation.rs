//! What the body of a message asks for: `{"x": 1.5}` is a calculation that takes a second and a half.

use std::time::Duration;

use serde_json::{Map, Value, error::Category};

/// Why a body asks for nothing that can be calculated, now or later. Says nothing of the body's content: it may be large,
/// and is not ours to log.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum Refused {
    #[error("the body is not JSON, see its line {line}, column {column}")]
    NotJson { line: usize, column: usize },
    #[error("the body is not an object with a number x")]
    NoNumber,
    #[error("x is negative")]
    Negative,
    #[error(
        "x is longer than {0:?}, which is what the function's timeout leaves for a calculation"
    )]
    TooLong(Duration),
}

/// How long a calculation takes that may not take longer than `longest`.
pub(crate) fn duration(body: &str, longest: Duration) -> Result<Duration, Refused> {
    let body: Map<String, Value> =
        serde_json::from_str(body).map_err(|error| match error.classify() {
            Category::Data => Refused::NoNumber,
            _ => Refused::NotJson {
                line: error.line(),
                column: error.column(),
            },
        })?;
    let x = body
        .get("x")
        .and_then(Value::as_f64)
        .ok_or(Refused::NoNumber)?;
    if x < 0.0 {
        return Err(Refused::Negative);
    }
    // What is no duration is too long for one.
    Duration::try_from_secs_f64(x)
        .ok()
        .filter(|x| *x <= longest)
        .ok_or(Refused::TooLong(longest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(28);

    #[test]
    fn x_is_in_seconds() {
        for (body, millis) in [
            (r#"{"x": 1.5}"#, 1500),
            (r#"{"x": 28}"#, 28_000),
            (r#"{"x": 0}"#, 0),
            (r#"{"x": -0.0}"#, 0),
            (r#" {"x": 2e-3, "y": [null]} "#, 2),
        ] {
            let expected = Ok(Duration::from_millis(millis));
            assert_eq!(duration(body, LONGEST), expected, "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        for body in [
            "",
            "x",
            r#"{"x": NaN}"#,
            r#"{"x": Infinity}"#,
            r#"{"x": 1e999}"#,
            r#"{"x": 1"#,
        ] {
            let refused = duration(body, LONGEST).unwrap_err();
            assert!(
                matches!(refused, Refused::NotJson { line: 0..=1, .. }),
                "{body}"
            );
        }
    }

    #[test]
    fn what_has_no_number_x_is_refused() {
        for body in [
            "{}",
            "null",
            "1.5",
            "[1.5]",
            r#""{}""#,
            r#"{"X": 1.5}"#,
            r#"{"x": null}"#,
            r#"{"x": "1.5"}"#,
            r#"{"x": "NaN"}"#,
            r#"{"x": true}"#,
            r#"{"x": [1.5]}"#,
        ] {
            assert_eq!(duration(body, LONGEST), Err(Refused::NoNumber), "{body}");
        }
    }

    #[test]
    fn a_negative_number_is_refused() {
        for body in [r#"{"x": -1}"#, r#"{"x": -1e-300}"#, r#"{"x": -1e300}"#] {
            assert_eq!(duration(body, LONGEST), Err(Refused::Negative), "{body}");
        }
    }

    #[test]
    fn more_than_fits_is_refused() {
        for body in [
            r#"{"x": 28.000001}"#,
            r#"{"x": 1e300}"#,
            r#"{"x": 18446744073709551615}"#,
        ] {
            assert_eq!(
                duration(body, LONGEST),
                Err(Refused::TooLong(LONGEST)),
                "{body}"
            );
        }
    }
}
