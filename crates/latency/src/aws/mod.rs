//! AWS as the AWS CLI sees it: Region, credentials and endpoints come from the same variables, or from the CLI itself.
//!
//! The few requests made here are plain, so they are signed and sent as they are: the SDKs of Lambda and CloudFormation
//! would add a minute and a half of processor time to each build from nothing.

mod cloudformation;
mod credentials;
mod data_api;
mod lambda;
mod query;
mod rds;
mod report_line;
mod s3;
mod secrets_manager;
mod signature;

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::{
    Connector,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{HttpConnector as _, HttpConnectorSettings};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;
use tokio::sync::Mutex;

pub use data_api::DataApi;
pub use lambda::{Configuration, Invocation, Phase};
pub use rds::Cluster;
pub use report_line::ReportLine;
pub use signature::Signer;

use self::signature::Scope;

/// A connection that takes longer is not coming.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// No answer takes longer: it is the longest that Lambda lets a function run, 15 minutes, and some.
const READ_TIMEOUT: Duration = Duration::from_secs(16 * 60);

/// An AWS account in a Region, with permission to ask it something.
#[derive(Debug)]
pub struct Aws {
    /// As they were last got, for as long as they are valid.
    credentials: Mutex<Option<Credentials>>,
    region: String,
    connector: Connector,
}

/// Why AWS did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not said which Region to ask.
    #[error("no Region: set AWS_REGION, or region in the AWS CLI's configuration")]
    NoRegion,
    /// There are no credentials, or they can't be had.
    #[error("no AWS credentials: {0}")]
    NoCredentials(String),
    /// A request can't be made.
    #[error("no request can be made: {0}")]
    NoRequest(String),
    /// Nobody answered.
    #[error("{endpoint} can't be reached: {cause}")]
    Unreachable {
        /// The service's endpoint.
        endpoint: String,
        /// The innermost cause.
        cause: String,
    },
    /// The service refused.
    #[error("{service} refuses: {message} ({code})")]
    Refused {
        /// The service's name.
        service: &'static str,
        /// AWS's name for the error, such as `AccessDeniedException` or `TooManyRequestsException`.
        code: String,
        /// The service's own words.
        message: String,
    },
    /// The service answered something else than it should.
    #[error("{service} answered what is not understood: {reason}")]
    NotUnderstood {
        /// The service's name.
        service: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The function was invoked, and failed.
    #[error("function {function} failed: {reason}")]
    FunctionError {
        /// The function that was to be invoked.
        function: String,
        /// `errorType: errorMessage` of its response, as far as it has them.
        reason: String,
    },
}

impl Error {
    /// AWS's name for the refusal, if it is one.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }
}

/// A service that can be asked.
struct Service {
    /// Its name in errors.
    name: &'static str,
    /// Its id in variables and files that name an endpoint: `AWS_ENDPOINT_URL_<ID>`.
    id: &'static str,
    /// Its name in signatures and host names.
    prefix: &'static str,
}

impl Service {
    /// The answer, unless it is a refusal in JSON.
    fn accepted(&self, answer: Response<Bytes>) -> Result<Response<Bytes>, Error> {
        if answer.status().is_success() {
            return Ok(answer);
        }
        let error_type = answer.headers().get("x-amzn-errortype");
        let code = error_type
            .and_then(|value| value.to_str().ok()?.split(':').next())
            .map_or_else(|| answer.status().to_string(), str::to_owned);
        let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        // Errors of the service write it large, those of its front write it small.
        let message = body["Message"].as_str().or(body["message"].as_str());
        Err(Error::Refused {
            service: self.name,
            code,
            message: message.unwrap_or("it does not say why").to_owned(),
        })
    }

    /// The JSON of the answer, unless it is a refusal.
    fn json(&self, answer: Response<Bytes>) -> Result<Value, Error> {
        let answer = self.accepted(answer)?;
        serde_json::from_slice(answer.body())
            .map_err(|error| self.not_understood(error.to_string()))
    }

    fn not_understood(&self, reason: impl Into<String>) -> Error {
        Error::NotUnderstood {
            service: self.name,
            reason: reason.into(),
        }
    }
}

impl Aws {
    /// Finds out the Region. AWS is not asked for anything yet.
    ///
    /// # Errors
    /// [`Error::NoRegion`].
    pub async fn load() -> Result<Self, Error> {
        let region = credentials::region().await?;
        let settings = HttpConnectorSettings::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .build();
        let connector = Connector::builder()
            .sleep_impl(TokioSleep::new())
            .connector_settings(settings)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .build();
        Ok(Self {
            credentials: Mutex::default(),
            region,
            connector,
        })
    }

    /// The Region that is asked, such as `eu-west-2`.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Signs and sends a request to this path of the service, and returns the answer whatever its status is.
    async fn send(
        &self,
        service: &Service,
        path: &str,
        request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Response<Bytes>, Error> {
        let endpoint = self.endpoint(service);
        let mut request = request
            .uri(format!("{}{path}", endpoint.trim_end_matches('/')))
            .body(body)
            .map_err(no_request)?;
        self.sign(service, &mut request).await?;

        let request = request.map(SdkBody::from).try_into().map_err(no_request)?;
        let unreachable = |error: &(dyn std::error::Error + 'static)| Error::Unreachable {
            endpoint: endpoint.clone(),
            cause: innermost(error),
        };
        let answer = self.connector.call(request).await;
        let answer = answer
            .map_err(|error| unreachable(&error))?
            .try_into_http1x()
            .map_err(|error| unreachable(&error))?;
        let (parts, body) = answer.into_parts();
        let body = ByteStream::new(body).collect().await;
        let body = body.map_err(|error| unreachable(&error))?.into_bytes();
        Ok(Response::from_parts(parts, body))
    }

    async fn credentials(&self) -> Result<Credentials, Error> {
        let mut last = self.credentials.lock().await;
        match &*last {
            Some(valid) if credentials::are_valid(valid) => Ok(valid.clone()),
            _ => Ok(last.insert(credentials::credentials().await?).clone()),
        }
    }

    async fn sign(&self, service: &Service, request: &mut Request<Vec<u8>>) -> Result<(), Error> {
        let scope = Scope {
            service: service.prefix,
            region: &self.region,
        };
        let headers = request.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers,
            SignableBody::Bytes(request.body()),
        )
        .map_err(no_request)?;
        let identity = self.credentials().await?.into();
        scope
            .sign(&identity, SystemTime::now(), signable)?
            .apply_to_request_http1x(request);
        Ok(())
    }

    /// The endpoint that the user configured for the service or for all, or else AWS's own.
    fn endpoint(&self, service: &Service) -> String {
        credentials::endpoint(service.id).unwrap_or_else(|| {
            // The partition of China is the one outside amazonaws.com that anybody can have an account in.
            let suffix = match self.region.starts_with("cn-") {
                true => "amazonaws.com.cn",
                false => "amazonaws.com",
            };
            format!("https://{}.{}.{suffix}", service.prefix, self.region)
        })
    }
}

fn no_request(error: impl std::error::Error + 'static) -> Error {
    Error::NoRequest(innermost(&error))
}

/// The innermost cause, on one line: "Connection refused" rather than "dispatch failure".
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let cause = anyhow::Chain::new(error).next_back();
    one_line(&cause.map(ToString::to_string).unwrap_or_default())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
