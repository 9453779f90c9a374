//! AWS clients from the variables that Lambda sets, without the default provider chain: nothing is looked up in files,
//! profiles or metadata services that a function does not have, and a cold start is that much shorter.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
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
use aws_types::{SdkConfig, region::Region};

use crate::environment::{MissingVariable, variable};

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
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        variable("AWS_SESSION_TOKEN").ok(),
        None,
        "Lambda",
    );
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
