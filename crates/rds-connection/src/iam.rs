//! IAM database authentication: a signed request to connect, in place of a password.

use std::{
    error::Error,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4::SigningParams,
};
use environment::Credentials;
use http::Request;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// How long RDS takes a token: 15 minutes, its maximum.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// A token that ends sooner is not used any more: the clocks may differ, and the connection takes time.
const MARGIN: Duration = Duration::from_secs(60);

/// RFC 3986's unreserved characters, the only ones that Signature Version 4 leaves as they are.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The tokens of a database user: one is made when it is needed, and kept until shortly before it ends.
pub(crate) struct Tokens {
    address: String,
    user: String,
    region: String,
    credentials: Credentials,
    kept: Mutex<Option<(SystemTime, String)>>,
}

impl Tokens {
    /// Of this user at `host:port`.
    pub(crate) fn new(
        address: String,
        user: &str,
        region: String,
        credentials: Credentials,
    ) -> Self {
        Self {
            address,
            user: utf8_percent_encode(user, ENCODED).to_string(),
            region,
            credentials,
            kept: Mutex::default(),
        }
    }

    /// A token that is good for a minute or more.
    pub(crate) fn token(&self, now: SystemTime) -> Result<String, Box<dyn Error + Send + Sync>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made, token)) = &*kept
            && now
                .duration_since(*made)
                .is_ok_and(|age| age < LIFETIME - MARGIN)
        {
            return Ok(token.clone());
        }
        let token = self.sign(now)?;
        *kept = Some((now, token.clone()));
        Ok(token)
    }

    /// `host:port/?Action=connect&DBUser=…` with the signature in its query.
    fn sign(&self, now: SystemTime) -> Result<String, Box<dyn Error + Send + Sync>> {
        let mut settings = SigningSettings::default();
        settings.expires_in = Some(LIFETIME);
        settings.signature_location = SignatureLocation::QueryParams;
        let identity = self.credentials.clone().into();
        let parameters = SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("rds-db")
            .time(now)
            .settings(settings)
            .build()?
            .into();
        let url = format!(
            "https://{}/?Action=connect&DBUser={}",
            self.address, self.user
        );
        let signable =
            SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::empty())?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let mut request = Request::get(&url).body(())?;
        instructions.apply_to_request_http1x(&mut request);
        let url = request.uri().to_string();
        Ok(url.trim_start_matches("https://").to_owned())
    }
}

/// Without credentials and token.
impl fmt::Debug for Tokens {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Tokens")
            .field("address", &self.address)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn tokens(user: &str, session_token: Option<&str>) -> Tokens {
        Tokens::new(
            "prod-instance.us-east-1.rds.amazonaws.com:3306".into(),
            user,
            "us-east-1".into(),
            Credentials::new(
                "akid",
                "secret",
                session_token.map(Into::into),
                None,
                "test",
            ),
        )
    }

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_724_709_600 + seconds)
    }

    /// The same user, database, credentials and time as in the test of the AWS SDK for Rust (aws-sdk-rds, auth_token.rs).
    #[test]
    fn a_token_is_the_one_of_the_aws_sdk() {
        assert_eq!(
            tokens("peccy", None).token(at(0)).unwrap(),
            "prod-instance.us-east-1.rds.amazonaws.com:3306/?Action=connect&DBUser=peccy\
             &X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=akid%2F20240826%2Fus-east-1%2Frds-db%2Faws4_request\
             &X-Amz-Date=20240826T220000Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=dd0cba843009474347af724090233265628ace491ea17ce3eb3da098b983ad89"
        );
    }

    #[test]
    fn lambdas_session_token_and_a_user_of_any_name_are_encoded_once() {
        let token = tokens("a b@c", Some("a/b+c=")).token(at(0)).unwrap();
        assert!(token.contains("DBUser=a%20b%40c&"), "{token}");
        assert!(
            token.ends_with("&X-Amz-Security-Token=a%2Fb%2Bc%3D"),
            "{token}"
        );
    }

    #[test]
    fn a_token_is_kept_until_shortly_before_it_ends() {
        let tokens = tokens("peccy", None);
        let first = tokens.token(at(0)).unwrap();
        assert_eq!(tokens.token(at(13 * 60)).unwrap(), first);
        let second = tokens.token(at(14 * 60)).unwrap();
        assert_ne!(second, first);
        assert_eq!(tokens.token(at(27 * 60)).unwrap(), second);
    }

    #[test]
    fn a_token_from_the_future_is_not_used() {
        let tokens = tokens("peccy", None);
        let later = tokens.token(at(600)).unwrap();
        assert_ne!(tokens.token(at(0)).unwrap(), later);
    }

    #[test]
    fn neither_credentials_nor_token_show_in_debug_output() {
        let tokens = tokens("peccy", None);
        tokens.token(at(0)).unwrap();
        let shown = format!("{tokens:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("Signature"),
            "{shown}"
        );
    }
}
