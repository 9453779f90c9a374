//! The function's environment variables.

use std::env;

/// A variable without which the function cannot start. Ends the init phase.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("environment variable {0} is not set")]
pub struct MissingVariable(pub &'static str);

/// The value of an environment variable.
///
/// # Errors
///
/// When the variable is missing, empty, or not Unicode.
pub fn variable(name: &'static str) -> Result<String, MissingVariable> {
    env::var(name)
        .ok()
        .filter(|value| !value.is_empty())
        .ok_or(MissingVariable(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_variable_is_named() {
        let error = variable("NO_SUCH_VARIABLE").unwrap_err();
        assert_eq!(
            error.to_string(),
            "environment variable NO_SUCH_VARIABLE is not set"
        );
    }
}
