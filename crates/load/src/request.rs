//! What is sent: the bytes of a request, made anew only where it is not the same each time.

use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method,
    header::{CONTENT_TYPE, USER_AGENT},
};

use crate::{Pattern, Url};

/// These are set as the body and the URL have it.
const OURS: [&str; 3] = ["host", "content-length", "transfer-encoding"];

/// A request: method, headers, body. URL, header values and body may have placeholders.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    headers: Vec<(HeaderName, Pattern)>,
    body: Option<Body>,
    signer: Option<Arc<dyn Sign>>,
}

#[derive(Clone)]
enum Body {
    Pattern(Pattern),
    Bytes(Bytes),
    Made(Arc<dyn Fn() -> Bytes + Send + Sync>),
}

/// A request that can't be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotRequest(String);

/// Signs each request anew, before it is timed.
pub trait Sign: fmt::Debug + Send + Sync {
    /// The headers that the signature adds.
    ///
    /// # Errors
    /// Why it can't be signed. The request counts as failed.
    fn sign(&self, request: &Unsigned<'_>) -> Result<Vec<(String, String)>, String>;
}

/// A request as it is sent, but for its signature.
#[derive(Debug)]
pub struct Unsigned<'a> {
    /// The method.
    pub method: &'a str,
    /// The whole URL.
    pub url: String,
    /// Names in small letters, and values.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body; empty without one.
    pub body: &'a [u8],
}

impl Default for Request {
    fn default() -> Self {
        Self {
            method: Method::GET,
            headers: Vec::new(),
            body: None,
            signer: None,
        }
    }
}

impl Request {
    /// A request of this method, without a body.
    ///
    /// # Errors
    /// It is not the name of a method, or it is CONNECT, after which nothing is HTTP.
    pub fn of(method: &str) -> Result<Self, NotRequest> {
        let known = Method::from_bytes(method.as_bytes()).ok();
        let method = known
            .filter(|method| method != Method::CONNECT)
            .ok_or_else(|| NotRequest(format!("'{method}' is not a method that can be sent")))?;
        Ok(Self {
            method,
            ..Self::default()
        })
    }

    /// The same with a further header.
    ///
    /// # Errors
    /// What can't be the name or the value of a header, and headers that follow from URL and body.
    pub fn header(mut self, name: &str, value: Pattern) -> Result<Self, NotRequest> {
        let header = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| NotRequest(format!("'{name}' is not the name of a header")))?;
        if OURS.contains(&header.as_str()) {
            return Err(NotRequest(format!(
                "the header {header} follows from URL and body, and can't be given"
            )));
        }
        // Not the value, which may be secret.
        HeaderValue::from_bytes(value.to_string().as_bytes())
            .map_err(|_| NotRequest(format!("the value of the header {header} can't be sent")))?;
        self.headers.push((header, value));
        Ok(self)
    }

    /// The same with this body.
    #[must_use]
    pub fn body(mut self, body: Pattern) -> Self {
        self.body = Some(Body::Pattern(body));
        self
    }

    /// The same with this body, which need not be text.
    #[must_use]
    pub fn bytes(mut self, body: impl Into<Bytes>) -> Self {
        self.body = Some(Body::Bytes(body.into()));
        self
    }

    /// A POST request whose body is made anew each time.
    pub(crate) fn posting(
        content_type: &'static str,
        make_body: impl Fn() -> Bytes + Send + Sync + 'static,
    ) -> Self {
        Self {
            method: Method::POST,
            headers: vec![(CONTENT_TYPE, Pattern::text(content_type))],
            body: Some(Body::Made(Arc::new(make_body))),
            signer: None,
        }
    }

    /// The same, signed.
    #[must_use]
    pub fn signed(mut self, signer: Arc<dyn Sign>) -> Self {
        self.signer = Some(signer);
        self
    }

    /// Whether a request may be sent again when nobody knows what became of it (RFC 9110, 9.2.2).
    pub(crate) fn is_idempotent(&self) -> bool {
        self.method.is_idempotent()
    }

    /// Whether its answer has no body, whatever the answer's head says.
    pub(crate) fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }

    /// Whether the same bytes are sent each time.
    pub(crate) fn is_constant(&self, url: &Url) -> bool {
        let body_is_constant = match &self.body {
            None | Some(Body::Bytes(_)) => true,
            Some(Body::Pattern(body)) => body.is_constant(),
            Some(Body::Made(_)) => false,
        };
        let mut headers = self.headers.iter();
        body_is_constant
            && self.signer.is_none()
            && url.pattern().is_constant()
            && headers.all(|(_, value)| value.is_constant())
    }

    /// What is sent to the URL.
    pub(crate) fn render(&self, url: &Url, closing: bool) -> Result<Vec<u8>, String> {
        let path = url.pattern().rendered();
        let body = match &self.body {
            None => Bytes::new(),
            Some(Body::Pattern(body)) => body.rendered().into_owned().into(),
            Some(Body::Bytes(body)) => body.clone(),
            Some(Body::Made(make)) => make(),
        };
        let fields = self.fields(url, closing, body.len());
        let signature = match &self.signer {
            None => Vec::new(),
            Some(signer) => signer.sign(&Unsigned {
                method: self.method.as_str(),
                url: format!("{}{path}", url.origin()),
                headers: fields
                    .iter()
                    .map(|(name, value)| (*name, &**value))
                    .collect(),
                body: &body,
            })?,
        };
        let mut out = Vec::with_capacity(512 + body.len());
        write(
            &mut out,
            &[self.method.as_str(), " ", &path, " HTTP/1.1\r\n"],
        );
        for (name, value) in &fields {
            write(&mut out, &[name, ": ", value, "\r\n"]);
        }
        for (name, value) in &signature {
            write(&mut out, &[name, ": ", value, "\r\n"]);
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&body);
        Ok(out)
    }

    /// The headers but for the signature's.
    fn fields<'a>(
        &'a self,
        url: &'a Url,
        closing: bool,
        body: usize,
    ) -> Vec<(&'a str, Cow<'a, str>)> {
        let given = |wanted: &HeaderName| self.headers.iter().any(|(name, _)| name == wanted);
        let mut fields = vec![("host", Cow::Borrowed(url.authority.as_str()))];
        if !given(&USER_AGENT) {
            fields.push((
                "user-agent",
                concat!("latency/", env!("CARGO_PKG_VERSION")).into(),
            ));
        }
        let headers = self.headers.iter();
        fields.extend(headers.map(|(name, value)| (name.as_str(), value.rendered())));
        if closing {
            fields.push(("connection", "close".into()));
        }
        // A method that means a body says so when there is none (RFC 9110, 8.6).
        if self.body.is_some() || matches!(self.method, Method::POST | Method::PUT | Method::PATCH)
        {
            fields.push(("content-length", body.to_string().into()));
        }
        fields
    }
}

fn write(out: &mut Vec<u8>, texts: &[&str]) {
    texts
        .iter()
        .for_each(|text| out.extend_from_slice(text.as_bytes()));
}

impl fmt::Debug for Body {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Pattern(_) => "Pattern",
            Self::Bytes(_) => "Bytes",
            Self::Made(_) => "Made",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(request: &Request, url: &str) -> String {
        let rendered = request.render(&url.parse().unwrap(), false);
        String::from_utf8(rendered.unwrap()).unwrap()
    }

    fn request(method: &str) -> Request {
        Request::of(method).unwrap()
    }

    #[test]
    fn a_get_is_what_the_url_says() {
        let agent = format!("user-agent: latency/{}\r\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(
            sent(&Request::default(), "http://EXAMPLE.com:81/s3/hits?x=1"),
            format!("GET /s3/hits?x=1 HTTP/1.1\r\nhost: EXAMPLE.com:81\r\n{agent}\r\n")
        );
    }

    #[test]
    fn headers_and_body_are_sent_as_they_are_given() {
        let request = request("PATCH")
            .header("X-Trace", "a {7..7}".parse().unwrap())
            .and_then(|request| request.header("User-Agent", Pattern::text("me")))
            .and_then(|request| request.header("x-trace", Pattern::text("b")))
            .unwrap()
            .body(r#"{"x": {10..10}}"#.parse().unwrap());
        assert_eq!(
            sent(&request, "http://h/"),
            "PATCH / HTTP/1.1\r\nhost: h\r\nx-trace: a 7\r\nuser-agent: me\r\nx-trace: b\r\n\
             content-length: 9\r\n\r\n{\"x\": 10}"
        );
    }

    #[test]
    fn a_length_is_told_where_a_body_is_or_could_be_expected() {
        for (method, told) in [
            ("POST", true),
            ("PUT", true),
            ("GET", false),
            ("DELETE", false),
        ] {
            let text = sent(&request(method), "http://h/");
            assert_eq!(text.contains("content-length: 0\r\n"), told, "{text}");
        }
        let with_body = request("DELETE").body(Pattern::text("{}"));
        assert!(sent(&with_body, "http://h/").contains("content-length: 2\r\n"));
    }

    #[test]
    fn what_can_not_be_sent_is_named() {
        let error = |name: &str, value: &str| {
            let header = Request::default().header(name, Pattern::text(value));
            header.unwrap_err().to_string()
        };
        assert_eq!(error("a b", "c"), "'a b' is not the name of a header");
        assert_eq!(
            error("a", "secret\r\nb: c"),
            "the value of the header a can't be sent"
        );
        for name in ["Host", "content-LENGTH", "Transfer-Encoding"] {
            assert!(
                error(name, "x").contains("follows from URL and body"),
                "{name}"
            );
        }
        for method in ["", "GE T", "CONNECT"] {
            assert!(Request::of(method).is_err(), "{method}");
        }
    }

    #[test]
    fn a_request_that_is_the_same_each_time_is_known_as_such() {
        let url = |text: &str| -> Url { text.parse().unwrap() };
        let plain = request("POST").body(Pattern::text("x"));
        assert!(plain.is_constant(&url("http://h/")));
        assert!(!plain.is_constant(&url("http://h/{1..2}")));
        let random: Pattern = "{1..2}".parse().unwrap();
        assert!(
            !plain
                .clone()
                .body(random.clone())
                .is_constant(&url("http://h/"))
        );
        let header = plain.header("a", random).unwrap();
        assert!(!header.is_constant(&url("http://h/")));
        assert!(!Request::posting("a/b", Bytes::new).is_constant(&url("http://h/")));
    }

    #[derive(Debug)]
    struct Lengths;

    impl Sign for Lengths {
        fn sign(&self, request: &Unsigned<'_>) -> Result<Vec<(String, String)>, String> {
            let Unsigned {
                method,
                url,
                headers,
                body,
            } = request;
            let seen = format!("{method} {url} {headers:?} {}", body.len());
            match url.ends_with('2') {
                true => Err("not this one".to_owned()),
                false => Ok(vec![("authorization".to_owned(), seen)]),
            }
        }
    }

    #[test]
    fn what_is_signed_is_what_is_sent() {
        let request = request("PUT")
            .body("{33..33}".parse().unwrap())
            .header("User-Agent", Pattern::text("me"))
            .unwrap()
            .signed(Arc::new(Lengths));
        let signed = r#"authorization: PUT https://h/1 [("host", "h"), ("user-agent", "me"), ("content-length", "2")] 2"#;
        let text = sent(&request, "https://h/{1..1}");
        assert!(text.contains(&format!("{signed}\r\n\r\n33")), "{text}");
        let refused = request.render(&"https://h/2".parse().unwrap(), false);
        assert_eq!(refused, Err("not this one".to_owned()));
    }
}
