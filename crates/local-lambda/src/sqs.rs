//! The client with which queues are polled and integrations send.

use std::time::Duration;

use aws_sdk_sqs::{
    Client, Config,
    config::{
        BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig, retry::RetryConfig,
        timeout::TimeoutConfig,
    },
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};

/// The longest that SQS waits for a message (SQS API reference, `WaitTimeSeconds`); Lambda's pollers wait as long.
pub(crate) const LONGEST_POLL: Duration = Duration::from_secs(20);

const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A client of the SQS at this endpoint, which takes any credentials.
///
/// Its calls may take as long as a long poll, and none is tried again: who calls knows better whether and when.
pub fn sqs_client(endpoint: &str, region: &str) -> Client {
    let tls = TlsContext::builder().with_trust_store(TrustStore::empty());
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls.build().unwrap_or_default())
        .build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(LONGEST_POLL + Duration::from_secs(5))
        .build();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new("test", "test", None, None, "local"))
        .http_client(http)
        .sleep_impl(TokioSleep::new())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        // A long poll is silent for as long as the queue is empty.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Client::from_conf(config)
}

/// The innermost cause: "Connection refused" rather than "dispatch failure".
pub(crate) fn describe(error: &(dyn std::error::Error + 'static)) -> String {
    let innermost = anyhow::Chain::new(error).last();
    innermost.unwrap_or(error).to_string()
}
