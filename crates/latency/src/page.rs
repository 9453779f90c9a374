//! The page with the button: the files of `web/`, and what they are served with.
//!
//! Besides its files it reads `architectures.json`, which says what there is to call: see [`Architectures`].

mod architectures;

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode, header, request::Parts};
use local_lambda::Route;

pub use architectures::{Architecture, Architectures, Cost, Costs, Figure};

/// A file of the page.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Its path on the server: `/`, or `/page/NAME`. In a bucket it is the object's key, with [`INDEX`] for `/`.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    text: &'static str,
}

/// The key in a bucket of what is served at `/`.
pub const INDEX: &str = "index.html";

/// Where what there is to call is served.
pub const ARCHITECTURES: &str = "/page/architectures.json";

/// All files but what there is to call, which is not the same everywhere.
pub const FILES: [File; 4] = [
    File {
        path: "/",
        content_type: "text/html; charset=utf-8",
        text: include_str!("../../../web/index.html"),
    },
    File {
        path: "/page/page.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("../../../web/page.css"),
    },
    File {
        path: "/page/page.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("../../../web/page.js"),
    },
    File {
        path: "/page/icon.svg",
        content_type: "image/svg+xml",
        text: include_str!("../../../web/icon.svg"),
    },
];

/// Where the page's policy lets its script call: its own origin, and those that are added.
const CONNECT: &str = "connect-src 'self'";

/// What the page may do: nothing but what its own origin serves. The page itself says the same, for where no header can be set.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'";

/// What has an effect in a header only: nobody else may show the page in a frame.
const FRAMES: &str = "; frame-ancestors 'none'";

impl File {
    /// What is served: the file, and in its policy the origins that may be called besides its own.
    #[must_use]
    pub fn body(&self, origins: &[String]) -> String {
        match self.path {
            "/" => self.text.replacen(CONNECT, &connect(origins), 1),
            _ => self.text.to_owned(),
        }
    }
}

fn connect(origins: &[String]) -> String {
    let mut directive = CONNECT.to_owned();
    for origin in origins {
        directive.push(' ');
        directive.push_str(origin);
    }
    directive
}

/// Whether a template leaves the page its paths: none of its routes takes one of them.
#[must_use]
pub fn has_room(routes: &[Route]) -> bool {
    let mut paths = FILES
        .iter()
        .map(|file| file.path)
        .chain(std::iter::once(ARCHITECTURES));
    paths.all(|path| routes.iter().all(|route| !takes(&route.path, path)))
}

/// Whether a route of this path takes requests for `path`.
fn takes(route: &str, path: &str) -> bool {
    if route == "$default" {
        return true;
    }
    let (mut segments, mut wanted) = (route.split('/'), path.split('/'));
    loop {
        match (segments.next(), wanted.next()) {
            (None, None) => return true,
            // Not the empty path: a parameter has a value.
            (Some(segment), Some(rest)) if segment.ends_with("+}") => return !rest.is_empty(),
            (Some(segment), Some(value)) if segment.starts_with('{') => {
                if value.is_empty() {
                    return false;
                }
            }
            (Some(segment), Some(value)) if segment == value => {}
            _ => return false,
        }
    }
}

/// The answer to a request for one of the page's files, if it is one.
#[must_use]
pub fn answer(
    parts: &Parts,
    architectures: impl FnOnce() -> Architectures,
) -> Option<Response<Bytes>> {
    let path = parts.uri.path();
    let file = FILES.iter().find(|file| file.path == path);
    if file.is_none() && path != ARCHITECTURES {
        return None;
    }
    if ![Method::GET, Method::HEAD].contains(&parts.method) {
        let mut refused = Response::new(Bytes::new());
        *refused.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(header::ALLOW, allowed);
        return Some(refused);
    }
    let architectures = architectures();
    let origins = architectures.origins();
    let (body, content_type) = match file {
        Some(file) => (file.body(&origins), file.content_type),
        None => (architectures.to_json(), "application/json"),
    };
    let policy = POLICY.replacen(CONNECT, &connect(&origins), 1) + FRAMES;
    let mut response = Response::new(Bytes::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Origins are URLs of this stack: ASCII. Without a policy of ours the page's own holds.
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    for (name, value) in [
        // Another build may be served on the same port in a moment.
        ("cache-control", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        // Alone in its process, the page has a clock of 5 µs instead of 100 (High Resolution Time, "coarsen time").
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-embedder-policy", "require-corp"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Some(response)
}

#[cfg(test)]
mod tests {
    use http::Request;
    use local_lambda::{Integration, RouteMethod};

    use super::*;

    fn parts(method: Method, path: &str) -> Parts {
        let request = Request::builder().method(method).uri(path).body(());
        request.unwrap().into_parts().0
    }

    fn nothing() -> Architectures {
        Architectures {
            region: "eu-west-2".to_owned(),
            architectures: Vec::new(),
        }
    }

    #[test]
    fn the_page_says_the_policy_that_its_header_says() {
        let index = FILES[0].body(&[]);
        assert!(index.contains(&format!("content=\"{POLICY}\"")), "{index}");
        let answer = answer(&parts(Method::GET, "/"), nothing).unwrap();
        let header = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert_eq!(header, format!("{POLICY}{FRAMES}"));
        assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    }

    #[test]
    fn an_origin_that_is_called_is_in_both_policies_and_no_other() {
        let origin = "http://127.0.0.1:8080";
        let architectures = || Architectures {
            architectures: vec![Architecture::new(
                "counter-server",
                &format!("{origin}/hits"),
            )],
            ..nothing()
        };
        let answer = answer(&parts(Method::GET, "/"), architectures).unwrap();
        let allowed = format!("connect-src 'self' {origin};");
        let header = answer.headers()["content-security-policy"]
            .to_str()
            .unwrap();
        assert!(header.contains(&allowed), "{header}");
        let index = String::from_utf8(answer.body().to_vec()).unwrap();
        assert_eq!(index.matches(&allowed).count(), 1, "{index}");
    }

    #[test]
    fn every_file_that_the_page_names_is_one_of_its_files() {
        let index = FILES[0].body(&[]);
        let named = index.split('"').filter(|part| part.starts_with("page/"));
        let named: Vec<_> = named.collect();
        assert_eq!(named.len(), FILES.len() - 1);
        for name in named {
            assert!(FILES.iter().any(|file| file.path[1..] == *name), "{name}");
        }
    }

    #[test]
    fn what_is_not_the_pages_is_not_answered_and_nothing_is_written() {
        assert!(answer(&parts(Method::GET, "/page/other.js"), nothing).is_none());
        assert!(answer(&parts(Method::GET, "/nowhere"), nothing).is_none());
        let refused = answer(&parts(Method::POST, "/"), nothing).unwrap();
        assert_eq!(refused.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(refused.headers()["allow"], "GET, HEAD");
    }

    #[test]
    fn a_template_with_routes_of_its_own_there_has_no_room() {
        let room = |path: &str| {
            has_room(&[Route {
                method: RouteMethod::Any,
                path: path.to_owned(),
                integration: Integration::Function("f".to_owned()),
            }])
        };
        for taken in ["$default", "/", "/{proxy+}", "/page/{file}", "/{a}/{b}"] {
            assert!(!room(taken), "{taken}");
        }
        for free in [
            "/s3/hits",
            "/{id}",
            "/page",
            "/page/{a}/{b}",
            "/pages/{file}",
        ] {
            assert!(room(free), "{free}");
        }
    }
}
