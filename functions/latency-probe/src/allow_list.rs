//! What may be called. Guards everybody else, and the Runtime API, against whoever may invoke the function.

use std::str::FromStr;

use load::{NotUrl, Origin, Url};

/// Origins, each with its scheme and its port.
#[derive(Debug)]
pub(crate) struct AllowList(Vec<Origin>);

/// A list that is none. Ends the init phase.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("ALLOWED_ORIGINS: {0}")]
    NotOrigin(#[from] NotUrl),
    #[error("ALLOWED_ORIGINS names no origin")]
    Empty,
}

impl AllowList {
    pub(crate) fn allows(&self, url: &Url) -> bool {
        self.0.contains(url.origin())
    }
}

impl FromStr for AllowList {
    type Err = Error;

    /// Reads `https://a.example,http://127.0.0.1:9000`. Empty entries are left out: a template may join nothing to its own.
    fn from_str(list: &str) -> Result<Self, Error> {
        let entries = list.split(',').map(str::trim);
        let origins = entries
            .filter(|entry| !entry.is_empty())
            .map(str::parse)
            .collect::<Result<Vec<_>, _>>()?;
        match origins.is_empty() {
            true => Err(Error::Empty),
            false => Ok(Self(origins)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API: &str = "https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com";

    fn allows(list: &str, url: &str) -> bool {
        let list: AllowList = list.parse().unwrap();
        url.parse().is_ok_and(|url| list.allows(&url))
    }

    #[test]
    fn any_path_of_an_allowed_origin_is_allowed() {
        let list = format!("{API}, http://127.0.0.1:9000,");
        for url in [
            API,
            &format!("{API}/dynamodb/hits?x=1"),
            &format!("{API}:443/"),
            &API.replace("a1b2c3d4e5", "A1B2C3D4E5"),
            "http://127.0.0.1:9000/empty",
        ] {
            assert!(allows(&list, url), "{url}");
        }
    }

    #[test]
    fn nothing_else_is() {
        let list = format!("{API},http://127.0.0.1:9000");
        for url in [
            // Another scheme, port or host.
            &API.replace("https", "http"),
            &format!("{API}:8443/"),
            "http://127.0.0.1/",
            "https://127.0.0.1:9000/",
            // The Runtime API and the metadata services.
            "http://127.0.0.1:9001/2018-06-01/runtime/invocation/next",
            "http://169.254.169.254/latest/meta-data/",
            "http://169.254.170.2/",
            // Other names of an allowed host.
            "http://localhost:9000/",
            "http://[::1]:9000/",
            "http://127.1:9000/",
            "http://2130706433:9000/",
            "http://0x7f000001:9000/",
            "http://0:9000/",
            // Hosts that look like an allowed one.
            &format!("{API}.evil.example/"),
            &format!("{API}@evil.example/"),
            &format!("https://evil.example/{API}"),
            &format!("https://evil.example?{API}"),
            &format!("https://evil.example#{API}"),
            &format!("https://evil.example\\@{}", &API["https://".len()..]),
            &API.replace("https://", "https://evil."),
            &format!("{API}./"),
            "https://amazonaws.com/",
            "http://127.0.0.1:9000@evil.example/",
            "http://me@127.0.0.1:9000/",
            "http://127.0.0.1:90000/",
            "http://127.0.0.1%3a9000/",
            "//127.0.0.1:9000/",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!allows(&list, url), "{url}");
        }
    }

    #[test]
    fn a_list_that_is_none_is_told() {
        let error = |list: &str| list.parse::<AllowList>().unwrap_err().to_string();
        assert_eq!(
            error("https://a.example,https://b.example/"),
            "ALLOWED_ORIGINS: 'https://b.example/' is not a URL: an origin ends with its host or port"
        );
        assert!(error("*").contains("'*' is not a URL"));
        assert_eq!(error(" , "), "ALLOWED_ORIGINS names no origin");
    }
}
