//! A URL that can be called, and what a connection for it is made to.

use std::{fmt, str::FromStr};

use http::{
    Uri,
    uri::{Authority, InvalidUri},
};

use crate::{NotPattern, Pattern};

/// An `http://` or `https://` URL without user name and password. Its path and query may have placeholders: see [`Pattern`].
#[derive(Clone, Debug)]
pub struct Url {
    pub(crate) authority: Authority,
    path: String,
    pattern: Pattern,
    origin: Origin,
}

/// Scheme, host and port of a URL (RFC 6454). Two are equal if connections for them are made to the same place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub(crate) secure: bool,
    /// In small letters; an IPv6 address in its brackets.
    host: String,
    pub(crate) port: u16,
}

/// Something that is not a URL, or not one that can be called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{url}' is not a URL: {reason}")]
pub struct NotUrl {
    /// What was given.
    pub url: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Url {
    /// What a connection for this URL is made to.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Its path and query, as they are written.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path
    }

    /// What is asked for: path and query, with a number in place of each placeholder.
    pub(crate) fn pattern(&self) -> &Pattern {
        &self.pattern
    }
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.origin, self.path)
    }
}

impl FromStr for Url {
    type Err = NotUrl;

    fn from_str(url: &str) -> Result<Self, NotUrl> {
        parse(url).map_err(|reason| NotUrl {
            url: url.to_owned(),
            reason,
        })
    }
}

fn parse(url: &str) -> Result<Url, String> {
    let uri: Uri = url.parse().map_err(|error: InvalidUri| error.to_string())?;
    let secure = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err("it has to start with http:// or https://".to_owned()),
    };
    let authority = uri.authority().ok_or("it has no host")?;
    if authority.as_str().contains('@') {
        return Err("user names and passwords are not sent".to_owned());
    }
    let host = authority.host();
    let port = match authority.as_str().strip_prefix(host) {
        Some("" | ":") => Origin::default_port(secure),
        after => after
            .and_then(|after| after.strip_prefix(':')?.parse().ok())
            .filter(|&port| port > 0)
            .ok_or("its port is not a number from 1 to 65535")?,
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok(Url {
        authority: authority.clone(),
        path: path.to_owned(),
        pattern: path
            .parse()
            .map_err(|error: NotPattern| error.to_string())?,
        origin: Origin {
            secure,
            host: host.to_ascii_lowercase(),
            port,
        },
    })
}

impl Origin {
    /// The host as a resolver and a certificate name it: an IPv6 address without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host.trim_matches(['[', ']'])
    }

    fn default_port(secure: bool) -> u16 {
        if secure { 443 } else { 80 }
    }
}

impl FromStr for Origin {
    type Err = NotUrl;

    /// Reads a URL that is nothing but an origin: `https://example.com` or `http://127.0.0.1:9000`.
    fn from_str(text: &str) -> Result<Self, NotUrl> {
        let url: Url = text.parse()?;
        // The parser makes the path of a URL without one "/".
        if url.path != "/" || text.ends_with('/') {
            return Err(NotUrl {
                url: text.to_owned(),
                reason: "an origin ends with its host or port".to_owned(),
            });
        }
        Ok(url.origin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        write!(out, "{scheme}://{}", self.host)?;
        if self.port != Self::default_port(self.secure) {
            write!(out, ":{}", self.port)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(url: &str) -> String {
        url.parse::<Url>().unwrap_err().to_string()
    }

    fn origin(url: &str) -> String {
        url.parse::<Url>().unwrap().origin().to_string()
    }

    #[test]
    fn what_is_not_a_url_is_named() {
        assert_eq!(
            error("ftp://127.0.0.1/"),
            "'ftp://127.0.0.1/' is not a URL: it has to start with http:// or https://"
        );
        for url in ["127.0.0.1:9000/hits", "http://", "", "http://a b/"] {
            assert!(error(url).contains("is not a URL"), "{url}");
        }
        assert!(error("http://me:secret@127.0.0.1/").contains("user names"));
        for url in [
            "http://127.0.0.1:65536/",
            "http://127.0.0.1:0",
            "https://[::1]:http/",
        ] {
            assert!(error(url).contains("is not a URL"), "{url}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_however_they_are_written() {
        assert_eq!(origin("https://EXAMPLE.com:443/a?b"), "https://example.com");
        assert_eq!(origin("http://example.com:/"), "http://example.com");
        assert_eq!(origin("http://[::1]:9000"), "http://[::1]:9000");
        assert_eq!(
            "http://127.0.0.1:9000".parse::<Origin>().unwrap(),
            *"http://127.0.0.1:9000/hits?x=1"
                .parse::<Url>()
                .unwrap()
                .origin()
        );
    }

    #[test]
    fn a_placeholder_belongs_into_the_path_or_the_query() {
        let url: Url = "http://h/customer/{1..3}?x={4..5}".parse().unwrap();
        assert_eq!(url.path_and_query(), "/customer/{1..3}?x={4..5}");
        assert_eq!(url.to_string(), "http://h/customer/{1..3}?x={4..5}");
        assert!(error("http://h/{3..1}").contains("'{3..1}' is no placeholder"));
        for url in ["http://h{1..3}/", "http://h:{1..3}/", "{1..3}"] {
            assert!(error(url).contains("is not a URL"), "{url}");
        }
    }

    #[test]
    fn an_origin_has_no_path() {
        for text in [
            "https://example.com/",
            "https://example.com/a",
            "https://example.com?a",
        ] {
            let error = text.parse::<Origin>().unwrap_err();
            assert_eq!(
                error.reason, "an origin ends with its host or port",
                "{text}"
            );
        }
    }
}
