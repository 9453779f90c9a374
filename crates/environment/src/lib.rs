//! Environment variables, and the credentials in them.

use std::env;

pub use aws_credential_types::Credentials;

/// A variable without which a program cannot start. Ends a function's init phase.
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

/// The program's AWS credentials.
///
/// # Errors
///
/// When `variable` has no `AWS_ACCESS_KEY_ID` or `AWS_SECRET_ACCESS_KEY`.
pub fn credentials_from<F>(variable: F) -> Result<Credentials, MissingVariable>
where
    F: Fn(&'static str) -> Result<String, MissingVariable>,
{
    Ok(Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        variable("AWS_SESSION_TOKEN").ok(),
        None,
        "Lambda",
    ))
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
