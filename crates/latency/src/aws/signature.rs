//! Signature Version 4: of the requests that the command makes itself, and of those that it times.

use std::{fmt, time::SystemTime};

use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest,
        SigningInstructions, SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4::SigningParams,
};
use aws_smithy_runtime_api::client::identity::Identity;
use load::{Sign, Unsigned};

use super::{Error, credentials, no_request};

/// What a signature is good for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// The service's name in signatures, such as `lambda`.
    pub(super) service: &'a str,
    pub(super) region: &'a str,
}

impl Scope<'_> {
    pub(super) fn sign(
        self,
        identity: &Identity,
        time: SystemTime,
        request: SignableRequest<'_>,
    ) -> Result<SigningInstructions, Error> {
        let mut settings = SigningSettings::default();
        // S3 wants the body's hash in a header; the others take it.
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        if self.service == "s3" {
            // The one service that takes a path as it is.
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        }
        // Whatever stands between may change it.
        let excluded = settings.excluded_headers.get_or_insert_default();
        excluded.push("connection".into());
        let parameters = SigningParams::builder()
            .identity(identity)
            .region(self.region)
            .name(self.service)
            .time(time)
            .settings(settings)
            .build()
            .map_err(no_request)?
            .into();
        let (instructions, _) = sign(request, &parameters).map_err(no_request)?.into_parts();
        Ok(instructions)
    }
}

/// Signs the load's requests, with the credentials that there are at its start.
pub struct Signer {
    identity: Identity,
    service: String,
    region: String,
}

impl Signer {
    /// Signs for a service, by its name in signatures, in a Region.
    ///
    /// # Errors
    /// [`Error::NoCredentials`].
    pub async fn load(service: &str, region: &str) -> Result<Self, Error> {
        Ok(Self {
            identity: credentials::credentials().await?.into(),
            service: service.to_owned(),
            region: region.to_owned(),
        })
    }

    fn at(&self, time: SystemTime, request: &Unsigned<'_>) -> Result<Vec<(String, String)>, Error> {
        let signable = SignableRequest::new(
            request.method,
            &request.url,
            request.headers.iter().copied(),
            SignableBody::Bytes(request.body),
        )
        .map_err(no_request)?;
        let scope = Scope {
            service: &self.service,
            region: &self.region,
        };
        let instructions = scope.sign(&self.identity, time, signable)?;
        let headers = instructions.headers();
        Ok(headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }
}

impl Sign for Signer {
    fn sign(&self, request: &Unsigned<'_>) -> Result<Vec<(String, String)>, String> {
        self.at(SystemTime::now(), request)
            .map_err(|error| error.to_string())
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Signer({}:{})", self.service, self.region)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_credential_types::Credentials;

    use super::*;

    /// The key and the moment of AWS's own examples ("Signature Version 4 test suite"): 2015-08-30, 12:36:00.
    fn authorization(token: Option<&str>, request: &Unsigned<'_>) -> String {
        let credentials = Credentials::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            token.map(str::to_owned),
            None,
            "published",
        );
        let signer = Signer {
            identity: credentials.into(),
            service: "service".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let headers = signer.at(time, request).unwrap();
        assert!(headers.contains(&("x-amz-date".to_owned(), "20150830T123600Z".to_owned())));
        assert_eq!(
            headers
                .iter()
                .any(|(name, _)| name == "x-amz-security-token"),
            token.is_some()
        );
        let mut headers = headers.into_iter();
        headers.find(|(name, _)| name == "authorization").unwrap().1
    }

    #[test]
    fn a_signature_is_the_one_that_aws_publishes() {
        let request = Unsigned {
            method: "POST",
            url: "https://example.amazonaws.com/".to_owned(),
            headers: vec![
                ("host", "example.amazonaws.com"),
                ("user-agent", "latency"),
                ("content-type", "application/x-www-form-urlencoded"),
                ("connection", "close"),
                ("content-length", "13"),
            ],
            body: b"Param1=value1",
        };
        // Its case post-x-www-form-urlencoded.
        assert_eq!(
            authorization(None, &request),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders=content-length;content-type;host;x-amz-content-sha256;x-amz-date, \
             Signature=d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"
        );
        assert_ne!(
            authorization(Some("token"), &request),
            authorization(None, &request)
        );
    }
}
