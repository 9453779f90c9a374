//! AWS clients from the variables that Lambda sets, without the default provider chain: nothing is looked up in files,
//! profiles or metadata services that a function does not have, and a cold start is that much shorter.

use std::time::Duration;

use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::retries::classifiers::THROTTLING_ERRORS;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::{
    behavior_version::BehaviorVersion, http::SharedHttpClient, orchestrator::HttpResponse,
    result::SdkError, stalled_stream_protection::StalledStreamProtectionConfig,
};
use aws_smithy_types::{
    error::metadata::ProvideErrorMetadata, retry::RetryConfig, timeout::TimeoutConfig,
};
pub use aws_types::SdkConfig;
use aws_types::region::Region;

pub use environment::{Credentials, credentials_from};
use environment::{MissingVariable, variable};

/// A connection that takes longer than this inside a region is not coming.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// S3 and DynamoDB answer a small request in tens of milliseconds; two attempts of this fit a five second timeout.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// The configuration of every AWS client: region, credentials and endpoint as Lambda gives them, one HTTP client, and
/// timeouts and retries that leave time to answer.
///
/// Reads `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, and where they are set `AWS_SESSION_TOKEN` and
/// `AWS_ENDPOINT_URL`.
///
/// # Errors
///
/// When one of the first three is missing.
pub fn config() -> Result<SdkConfig, MissingVariable> {
    config_from(variable)
}

/// The same from another source than the environment.
///
/// # Errors
///
/// Those of `variable` for what is required.
pub fn config_from<F>(variable: F) -> Result<SdkConfig, MissingVariable>
where
    F: Fn(&'static str) -> Result<String, MissingVariable>,
{
    let credentials = credentials_from(&variable)?;
    let endpoint = variable("AWS_ENDPOINT_URL").ok();

    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variable("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client(endpoint.as_deref()))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT_TIMEOUT)
                .operation_attempt_timeout(ATTEMPT_TIMEOUT)
                .build(),
        )
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(3)
                .with_initial_backoff(Duration::from_millis(50))
                .with_max_backoff(Duration::from_millis(500)),
        )
        // Guards large bodies; here the attempt timeout covers the body too.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    config.set_endpoint_url(endpoint);
    Ok(config.build())
}

fn http_client(endpoint: Option<&str>) -> SharedHttpClient {
    // Reading the system's root certificates takes milliseconds of the init phase that plain HTTP has no use for.
    let roots = match endpoint {
        Some(url) if url.starts_with("http://") => TrustStore::empty(),
        _ => TrustStore::default(),
    };
    let tls = TlsContext::builder().with_trust_store(roots).build();
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.unwrap_or_default())
        .build_https()
}

/// Whether a failed call may succeed later without anybody mending anything: the service could not be reached, did not
/// answer in time, throttles, or has a fault of its own.
pub fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::DispatchFailure(_) | SdkError::TimeoutError(_) | SdkError::ResponseError(_) => {
            true
        }
        SdkError::ServiceError(error) => {
            let status = error.raw().status();
            status.is_server_error()
                || status.as_u16() == 429
                || error
                    .err()
                    .code()
                    .is_some_and(|code| THROTTLING_ERRORS.contains(&code))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::{client::result::ConnectorError, http::StatusCode};
    use aws_smithy_types::{body::SdkBody, error::ErrorMetadata};

    use super::*;

    fn set(
        variables: &[(&'static str, &str)],
    ) -> impl Fn(&'static str) -> Result<String, MissingVariable> {
        move |name| {
            variables
                .iter()
                .find(|(set, _)| *set == name)
                .map(|(_, value)| (*value).to_owned())
                .ok_or(MissingVariable(name))
        }
    }

    const LAMBDA: [(&str, &str); 3] = [
        ("AWS_REGION", "eu-west-2"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        (
            "AWS_SECRET_ACCESS_KEY",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        ),
    ];

    #[test]
    fn what_lambda_sets_is_all_it_takes() {
        let config = config_from(set(&LAMBDA)).unwrap();
        assert_eq!(config.region().unwrap().as_ref(), "eu-west-2");
        assert_eq!(config.endpoint_url(), None);
    }

    #[test]
    fn an_endpoint_can_be_given() {
        let mut variables = LAMBDA.to_vec();
        variables.push(("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"));
        let config = config_from(set(&variables)).unwrap();
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:4566"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = config_from(set(&LAMBDA[..2])).unwrap_err();
        assert_eq!(error, MissingVariable("AWS_SECRET_ACCESS_KEY"));
    }

    #[test]
    fn credentials_do_not_show_in_debug_output() {
        let config = config_from(set(&LAMBDA)).unwrap();
        let provider = config.credentials_provider().unwrap();
        let shown = format!("{config:?} {provider:?}");
        assert!(!shown.contains("wJalrXUtnFEMI"));
    }

    fn service_error(status: u16, code: &str) -> SdkError<ErrorMetadata, HttpResponse> {
        let status = StatusCode::try_from(status).unwrap();
        SdkError::service_error(
            ErrorMetadata::builder().code(code).build(),
            HttpResponse::new(status, SdkBody::empty()),
        )
    }

    #[test]
    fn throttling_and_faults_of_the_service_heal_by_themselves() {
        for (status, code) in [
            (400, "ProvisionedThroughputExceededException"),
            (400, "ThrottlingException"),
            (429, "TooManyRequestsException"),
            (500, "InternalServerError"),
            (503, "SlowDown"),
        ] {
            assert!(is_transient(&service_error(status, code)), "{code}");
        }
    }

    #[test]
    fn what_was_asked_wrongly_does_not() {
        for (status, code) in [
            (400, "ValidationException"),
            (400, "ResourceNotFoundException"),
            (403, "AccessDenied"),
            (404, "NoSuchBucket"),
        ] {
            assert!(!is_transient(&service_error(status, code)), "{code}");
        }
    }

    #[test]
    fn a_service_that_cannot_be_reached_may_be_reached_later() {
        let refused = ConnectorError::io("connection refused".into());
        assert!(is_transient::<ErrorMetadata>(&SdkError::dispatch_failure(
            refused
        )));
        assert!(is_transient::<ErrorMetadata>(&SdkError::timeout_error(
            "too late"
        )));
    }
}
