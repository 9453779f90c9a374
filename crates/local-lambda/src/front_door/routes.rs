//! The route table of an HTTP API.

use std::{collections::BTreeMap, fmt};

use http::Method;

use super::send_message::SendMessage;
use crate::host::Host;

/// One route of an HTTP API.
#[derive(Clone, Debug)]
pub struct Route {
    /// Which methods it takes.
    pub method: RouteMethod,
    /// A path such as `/hits`, `/items/{id}` or `/files/{proxy+}`, or `$default`.
    pub path: String,
    /// What it leads to.
    pub integration: Integration,
}

/// What answers the requests of a route.
#[derive(Clone, Debug)]
pub enum Integration {
    /// The function of this name, which gets the request as an event of payload format 2.0.
    Function(String),
    /// A queue, which gets the request's body as a message.
    SendMessage(SendMessage),
}

/// The method of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteMethod {
    /// `ANY`: every method that has no route of its own on this path.
    Any,
    /// This method.
    Only(Method),
}

impl fmt::Display for RouteMethod {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => out.write_str("ANY"),
            Self::Only(method) => method.fmt(out),
        }
    }
}

impl Route {
    /// The route key as the event bears it: `GET /hits`, `$default`.
    pub fn key(&self) -> String {
        if self.path == DEFAULT {
            DEFAULT.to_owned()
        } else {
            format!("{} {}", self.method, self.path)
        }
    }
}

const DEFAULT: &str = "$default";

/// Why a route table can't be.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path is none, or there is another one that it can't be told from.
    #[error("route {route}: {cause}")]
    Path {
        /// The route's key.
        route: String,
        /// What is wrong with its path.
        cause: String,
    },
    /// The same method and path twice.
    #[error("route {0} is defined twice")]
    DefinedTwice(String),
    /// The route leads nowhere.
    #[error("route {route} leads to function {function}, which does not exist")]
    NoFunction {
        /// The route's key.
        route: String,
        /// The function's name.
        function: String,
    },
}

#[derive(Debug)]
struct Target {
    integration: Integration,
    route_key: String,
}

/// The targets on one path.
#[derive(Debug, Default)]
struct Targets {
    any: Option<Target>,
    only: BTreeMap<String, Target>,
}

#[derive(Debug)]
pub(super) struct Routes {
    paths: matchit::Router<Targets>,
    default: Option<Target>,
}

#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) integration: &'a Integration,
    pub(super) route_key: &'a str,
    pub(super) path_parameters: BTreeMap<&'a str, &'a str>,
}

impl Routes {
    pub(super) fn new(routes: Vec<Route>, host: &Host) -> Result<Self, Error> {
        let mut default = None;
        let mut by_path: BTreeMap<String, Targets> = BTreeMap::new();
        for route in routes {
            let route_key = route.key();
            if let Integration::Function(function) = &route.integration
                && !host.has(function)
            {
                return Err(Error::NoFunction {
                    route: route_key,
                    function: function.clone(),
                });
            }
            let target = Target {
                integration: route.integration,
                route_key: route_key.clone(),
            };
            let before = if route.path == DEFAULT {
                default.replace(target)
            } else {
                let targets = by_path.entry(route.path).or_default();
                match route.method {
                    RouteMethod::Any => targets.any.replace(target),
                    RouteMethod::Only(method) => {
                        targets.only.insert(method.as_str().to_owned(), target)
                    }
                }
            };
            if before.is_some() {
                return Err(Error::DefinedTwice(route_key));
            }
        }
        let mut paths = matchit::Router::new();
        for (path, targets) in by_path {
            if !path.starts_with('/') {
                return Err(Error::Path {
                    route: path,
                    cause: "a path begins with /".to_owned(),
                });
            }
            paths
                .insert(pattern(&path), targets)
                .map_err(|cause| Error::Path {
                    route: path,
                    cause: cause.to_string(),
                })?;
        }
        Ok(Self { paths, default })
    }

    /// The most specific route: a path with this method, then with `ANY`, then `$default`.
    pub(super) fn find<'a>(&'a self, method: &Method, path: &'a str) -> Option<Match<'a>> {
        let on_path = self.paths.at(path).ok().and_then(|matched| {
            let targets = matched.value;
            let target = targets.only.get(method.as_str()).or(targets.any.as_ref())?;
            Some((target, matched.params.iter().collect()))
        });
        let (target, path_parameters) = on_path.or_else(|| {
            self.default
                .as_ref()
                .map(|target| (target, BTreeMap::new()))
        })?;
        Some(Match {
            integration: &target.integration,
            route_key: &target.route_key,
            path_parameters,
        })
    }
}

/// API Gateway's `{name+}` in the router's words: `{*name}`.
fn pattern(path: &str) -> String {
    let segment = |segment: &str| match segment
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix("+}"))
    {
        Some(name) => format!("{{*{name}}}"),
        None => segment.to_owned(),
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{function::Function, host::HostSettings};

    fn route(method: RouteMethod, path: &str) -> Route {
        Route {
            method,
            path: path.to_owned(),
            integration: Integration::Function("f".to_owned()),
        }
    }

    fn host() -> Host {
        let function = Function {
            name: "f".to_owned(),
            program: "/bin/true".into(),
            arguments: Vec::new(),
            directory: "/".into(),
            handler: "bootstrap".to_owned(),
            environment: BTreeMap::new(),
            runtime_variables: BTreeMap::new(),
            memory_mb: 128,
            timeout: std::time::Duration::from_secs(3),
            reserved_concurrency: None,
        };
        Host::new(vec![function], HostSettings::default()).unwrap()
    }

    fn key(routes: &Routes, method: Method, path: &str) -> Option<String> {
        routes
            .find(&method, path)
            .map(|found| found.route_key.to_owned())
    }

    #[tokio::test]
    async fn the_most_specific_route_wins() {
        let routes = vec![
            route(RouteMethod::Only(Method::GET), "/items/{id}"),
            route(RouteMethod::Any, "/items/{id}"),
            route(RouteMethod::Only(Method::GET), "/items/all"),
            route(RouteMethod::Any, "/files/{proxy+}"),
            route(RouteMethod::Any, "$default"),
        ];
        let routes = Routes::new(routes, &host()).unwrap();
        assert_eq!(
            key(&routes, Method::GET, "/items/7").as_deref(),
            Some("GET /items/{id}")
        );
        assert_eq!(
            key(&routes, Method::PUT, "/items/7").as_deref(),
            Some("ANY /items/{id}")
        );
        assert_eq!(
            key(&routes, Method::GET, "/items/all").as_deref(),
            Some("GET /items/all")
        );
        assert_eq!(
            key(&routes, Method::GET, "/files/a/b").as_deref(),
            Some("ANY /files/{proxy+}")
        );
        assert_eq!(
            key(&routes, Method::GET, "/nowhere").as_deref(),
            Some("$default")
        );
        let found = routes.find(&Method::GET, "/files/a/b").unwrap();
        assert_eq!(found.path_parameters, BTreeMap::from([("proxy", "a/b")]));
    }

    #[tokio::test]
    async fn without_a_default_route_nothing_else_is_found() {
        let routes = Routes::new(
            vec![route(RouteMethod::Only(Method::GET), "/hits")],
            &host(),
        )
        .unwrap();
        assert_eq!(key(&routes, Method::POST, "/hits"), None);
        assert_eq!(key(&routes, Method::GET, "/hit"), None);
    }

    #[tokio::test]
    async fn a_route_that_can_not_be_is_an_error() {
        let twice = vec![route(RouteMethod::Any, "/a"), route(RouteMethod::Any, "/a")];
        assert_eq!(
            Routes::new(twice, &host()).unwrap_err().to_string(),
            "route ANY /a is defined twice"
        );
        let nowhere = Route {
            integration: Integration::Function("g".to_owned()),
            ..route(RouteMethod::Any, "/a")
        };
        assert_eq!(
            Routes::new(vec![nowhere], &host()).unwrap_err().to_string(),
            "route ANY /a leads to function g, which does not exist"
        );
        let no_path = vec![route(RouteMethod::Any, "a")];
        assert_eq!(
            Routes::new(no_path, &host()).unwrap_err().to_string(),
            "route a: a path begins with /"
        );
    }
}
