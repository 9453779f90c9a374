//! Which request is sent: the options of every command that calls a URL.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use load::{Pattern, Request, Url};
use serde::{Deserialize, Serialize};

use crate::{BadInput, aws::Signer};

/// What is shown in place of a secret.
const HIDDEN: &str = "…";

/// The request that is sent to a URL: a GET without a body, unless these say otherwise.
///
/// URL, header values and body may have placeholders: see [`load::Pattern`].
#[derive(Args, Clone, Debug, Default, Deserialize, Serialize)]
pub struct RequestOptions {
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// A header; may be given again for another
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The body. {A..B} in it, in a header or in the URL is a whole number from A to B, new for each request
    // Its type is application/json if it is JSON, and otherwise what a header says.
    #[arg(short, long, value_name = "BODY", conflicts_with = "data_file")]
    pub data: Option<String>,
    /// A file with the body
    #[arg(long, value_name = "FILE")]
    pub data_file: Option<PathBuf>,
    /// Sign requests as AWS wants it (Signature Version 4). What a function URL or the URL of an API says of service and
    /// Region need not be given
    #[arg(long, value_name = "SERVICE:REGION", num_args = 0..=1, value_parser = scope)]
    pub sigv4: Option<Option<Scope>>,
}

/// What a signature is good for.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Scope {
    /// The service's name in signatures, such as `lambda`.
    pub service: String,
    /// The Region, such as `eu-west-2`.
    pub region: String,
}

impl RequestOptions {
    /// Whether nothing is said of the request.
    #[must_use]
    pub fn are_default(&self) -> bool {
        let Self {
            method,
            headers,
            data,
            data_file,
            sigv4,
        } = self;
        method.is_none()
            && headers.is_empty()
            && data.is_none()
            && data_file.is_none()
            && sigv4.is_none()
    }

    /// The request, for this URL.
    ///
    /// # Errors
    /// What can't be sent, a file that can't be read, and no credentials for a signature.
    pub async fn request(&self, url: &Url) -> anyhow::Result<Request> {
        let mut request = self.unsigned()?;
        if let Some(scope) = &self.sigv4 {
            let scope = scope.clone().or_else(|| scope_of(url)).ok_or_else(|| {
                BadInput(format!(
                    "{} says no service and Region to sign for: --sigv4 SERVICE:REGION",
                    url.origin()
                ))
            })?;
            let signer = Signer::load(&scope.service, &scope.region).await?;
            request = request.signed(Arc::new(signer));
        }
        Ok(request)
    }

    fn unsigned(&self) -> Result<Request, BadInput> {
        let body = match (&self.data, &self.data_file) {
            (Some(data), _) => Some(data.clone().into_bytes()),
            (None, Some(file)) => Some(read(file)?),
            (None, None) => None,
        };
        let method = match (&self.method, &body) {
            (Some(method), _) => method,
            (None, Some(_)) => "POST",
            (None, None) => "GET",
        };
        let mut request = Request::of(method).map_err(bad)?;
        let mut has_type = false;
        for header in &self.headers {
            let (name, value) = header
                .split_once(':')
                .ok_or_else(|| BadInput("a header has to be 'NAME: VALUE'".to_owned()))?;
            has_type |= name.eq_ignore_ascii_case("content-type");
            let value = value.trim().parse().map_err(bad)?;
            request = request.header(name.trim_end(), value).map_err(bad)?;
        }
        let Some(body) = body else { return Ok(request) };
        match String::from_utf8(body) {
            Ok(text) => {
                let pattern: Pattern = text.parse().map_err(bad)?;
                if !has_type && is_json(&pattern) {
                    let json = Pattern::text("application/json");
                    request = request.header("content-type", json).map_err(bad)?;
                }
                Ok(request.body(pattern))
            }
            Err(no_text) => Ok(request.bytes(no_text.into_bytes())),
        }
    }

    /// The request before its URL, for a title: without what may be secret.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        if let Some(method) = &self.method {
            shown += &format!("-X {method} ");
        }
        for header in &self.headers {
            shown += &format!("-H '{}' ", without_secret(header));
        }
        if self.data.is_some() {
            shown += &format!("-d {HIDDEN} ");
        }
        if let Some(file) = &self.data_file {
            shown += &format!("--data-file {} ", file.display());
        }
        if self.sigv4.is_some() {
            shown += "--sigv4 ";
        }
        shown
    }
}

fn bad(error: impl ToString) -> BadInput {
    BadInput(error.to_string())
}

fn read(file: &Path) -> Result<Vec<u8>, BadInput> {
    std::fs::read(file)
        .map_err(|error| BadInput(format!("{} can't be read: {error}", file.display())))
}

fn is_json(pattern: &Pattern) -> bool {
    serde_json::from_str::<serde::de::IgnoredAny>(&pattern.rendered()).is_ok()
}

fn scope(text: &str) -> Result<Scope, String> {
    text.split_once(':')
        .filter(|(service, region)| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            [service, region]
                .iter()
                .all(|part| !part.is_empty() && part.chars().all(plain))
        })
        .map(|(service, region)| Scope {
            service: service.to_owned(),
            region: region.to_owned(),
        })
        .ok_or_else(|| {
            "it has to be SERVICE:REGION, such as lambda:eu-west-2; without it, --sigv4 goes behind the URL"
                .to_owned()
        })
}

/// What AWS's own host names say: that of a function URL, `<id>.lambda-url.<region>.on.aws` (Lambda developer guide, "Function
/// URLs"), and that of an API, `<id>.execute-api.<region>.amazonaws.com` (API Gateway developer guide, "Invoke").
fn scope_of(url: &Url) -> Option<Scope> {
    let parts: Vec<_> = url.origin().host().split('.').collect();
    let (service, region) = match parts[..] {
        [_, "lambda-url", region, "on", "aws"] => ("lambda", region),
        [_, "execute-api", region, "amazonaws", "com"]
        | [_, "execute-api", region, "amazonaws", "com", "cn"] => ("execute-api", region),
        _ => return None,
    };
    Some(Scope {
        service: service.to_owned(),
        region: region.to_owned(),
    })
}

/// A header without its value, if that is what nobody else may know.
fn without_secret(header: &str) -> String {
    let (name, _) = header.split_once(':').unwrap_or((header, ""));
    let lower = name.to_ascii_lowercase();
    let secret = [
        "auth",
        "cookie",
        "key",
        "token",
        "secret",
        "password",
        "session",
        "credential",
    ];
    match secret.iter().any(|word| lower.contains(word)) {
        true => format!("{name}: {HIDDEN}"),
        false => header.to_owned(),
    }
}

/// A command line without what may be secret in the options of a request.
pub(crate) fn without_secrets(
    arguments: impl Iterator<Item = String>,
) -> impl Iterator<Item = String> {
    let mut before = String::new();
    arguments.map(move |argument| {
        let shown = match (&*before, &*argument) {
            ("-H" | "--header", header) => without_secret(header),
            ("-d" | "--data", _) => HIDDEN.to_owned(),
            (_, given) => {
                if let Some(header) = given.strip_prefix("--header=") {
                    format!("--header={}", without_secret(header))
                } else if given.starts_with("--data=") {
                    format!("--data={HIDDEN}")
                } else if let Some(header) = given.strip_prefix("-H").filter(|it| !it.is_empty()) {
                    format!("-H{}", without_secret(header.trim_start_matches('=')))
                } else if given.starts_with("-d") && given.len() > 2 {
                    format!("-d{HIDDEN}")
                } else {
                    given.to_owned()
                }
            }
        };
        before = argument;
        shown
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        options: RequestOptions,
        url: String,
    }

    fn options(arguments: &[&str]) -> RequestOptions {
        let line = ["latency"].iter().chain(arguments).chain(&["http://h/"]);
        Line::try_parse_from(line).unwrap().options
    }

    fn request(arguments: &[&str]) -> String {
        format!("{:?}", options(arguments).unsigned().unwrap())
    }

    fn error(arguments: &[&str]) -> String {
        options(arguments).unsigned().unwrap_err().to_string()
    }

    #[test]
    fn a_body_makes_it_a_post_and_json_has_its_type() {
        assert!(options(&[]).are_default());
        assert!(request(&[]).contains("method: GET"));
        let json = request(&["-d", r#"{"customer": {1..9}}"#]);
        assert!(
            json.contains("method: POST") && json.contains("application/json"),
            "{json}"
        );
        let text = request(&["-X", "PUT", "-d", "a=b"]);
        assert!(
            text.contains("method: PUT") && !text.contains("content-type"),
            "{text}"
        );
        let typed = request(&["-H", "Content-Type: text/plain", "-d", "5"]);
        assert!(
            typed.contains("text/plain") && !typed.contains("json"),
            "{typed}"
        );
    }

    #[test]
    fn a_file_is_a_body_whatever_is_in_it() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"{\"a\": [1]}").unwrap();
        let path = file.path().to_str().unwrap().to_owned();
        assert!(request(&["--data-file", &path]).contains("application/json"));
        file.write_all(&[0xff, 0]).unwrap();
        assert!(request(&["--data-file", &path]).contains("POST"));
        assert!(error(&["--data-file", "/no/such/file"]).contains("/no/such/file can't be read"));
    }

    #[test]
    fn what_can_not_be_sent_is_one_clear_line_without_secrets() {
        assert_eq!(error(&["-H", "secret"]), "a header has to be 'NAME: VALUE'");
        assert!(error(&["-H", "Host: h"]).contains("host follows from URL and body"));
        assert!(error(&["-X", "CONNECT"]).contains("CONNECT"));
        assert!(error(&["-d", "{9..1}"]).contains("'{9..1}' is no placeholder"));
        assert!(!error(&["-H", "authorization: se\ncret"]).contains("secret"));
    }

    #[test]
    fn the_url_says_what_to_sign_for_if_it_is_awss_own() {
        let of = |url: &str| scope_of(&url.parse().unwrap()).map(|it| (it.service, it.region));
        let both = |service: &str, region: &str| Some((service.to_owned(), region.to_owned()));
        assert_eq!(
            of("https://abc.lambda-url.eu-west-2.on.aws/"),
            both("lambda", "eu-west-2")
        );
        assert_eq!(
            of("https://abc.execute-api.us-east-1.amazonaws.com/x"),
            both("execute-api", "us-east-1")
        );
        assert_eq!(
            of("https://abc.execute-api.cn-north-1.amazonaws.com.cn/x"),
            both("execute-api", "cn-north-1")
        );
        assert_eq!(of("https://on.aws/"), None);
        assert_eq!(of("https://example.com/lambda-url.eu-west-2.on.aws"), None);
    }

    #[tokio::test]
    async fn a_url_that_says_nothing_needs_a_service_and_a_region() {
        let line = Line::try_parse_from(["latency", "http://127.0.0.1/", "--sigv4"]).unwrap();
        let url = line.url.parse().unwrap();
        let error = line.options.request(&url).await.unwrap_err().to_string();
        assert_eq!(
            error,
            "http://127.0.0.1 says no service and Region to sign for: --sigv4 SERVICE:REGION"
        );
        let swallowed = Line::try_parse_from(["latency", "--sigv4", "http://h/"])
            .err()
            .unwrap();
        assert!(
            swallowed.to_string().contains("goes behind the URL"),
            "{swallowed}"
        );
        let given = options(&["--sigv4", "s3:eu-west-2"])
            .sigv4
            .unwrap()
            .unwrap();
        assert_eq!((&*given.service, &*given.region), ("s3", "eu-west-2"));
    }

    #[test]
    fn nothing_secret_is_shown() {
        let arguments = [
            "-X",
            "POST",
            "-H",
            "Authorization: Bearer s3cr3t",
            "-HCookie: s3cr3t",
            "--header=x-api-key: s3cr3t",
            "--header",
            "X-Auth-Token: s3cr3t",
            "-H",
            "accept: a/b",
            "-d",
            "s3cr3t",
        ];
        assert_eq!(
            options(&arguments).shown(),
            "-X POST -H 'Authorization: …' -H 'Cookie: …' -H 'x-api-key: …' -H 'X-Auth-Token: …' -H 'accept: a/b' -d … "
        );
        let line = |arguments: &[&str]| {
            let arguments = arguments.iter().map(|argument| (*argument).to_owned());
            without_secrets(arguments).collect::<Vec<_>>().join(" ")
        };
        let shown = line(&arguments);
        assert!(
            !shown.contains("s3cr3t") && shown.contains("accept: a/b"),
            "{shown}"
        );
        assert_eq!(
            line(&[
                "probe",
                "--data=s",
                "-ds",
                "--data-file",
                "f",
                "-n",
                "5",
                "-H=cookie: s"
            ]),
            "probe --data=… -d… --data-file f -n 5 -Hcookie: …"
        );
        assert!(options(&[]).shown().is_empty());
    }
}
