//! A load balancer of the template, as nginx: the same rules, targets in turns, one that is dead left out.
//!
//! Where it is kinder than an Application Load Balancer: a request that a target did not take (its connection is refused), or
//! whose answer it did not begin, goes to the next one, unless its method is not idempotent. The service answers 502. A dead
//! target is found by the requests that it does not take, and tried again once an interval of the health check.

use backends::nginx::Nginx;

use crate::template::{Action, LoadBalancer};

/// Starts it in front of these targets, each `HOST:PORT`.
pub(crate) async fn start(
    balancer: &LoadBalancer,
    targets: &[String],
) -> Result<Nginx, backends::Error> {
    // One worker: each has its own turns, and its own memory of who is dead.
    Nginx::start(1, |port| configuration(balancer, targets, port)).await
}

/// Idle connections are kept for as long as the service keeps them (Elastic Load Balancing, "Application Load Balancer
/// attributes": `idle_timeout.timeout_seconds`), and as many as callers may have at once; connecting takes 10 s at most ("HTTP 504").
fn configuration(balancer: &LoadBalancer, targets: &[String], port: u16) -> String {
    let health = &balancer.health;
    let (failures, interval) = (health.unhealthy_threshold, health.interval.as_secs());
    let targets = targets.iter().map(|target| {
        format!("        server {target} max_fails={failures} fail_timeout={interval}s;\n")
    });
    let targets: String = targets.collect();
    let forward = "            proxy_pass http://targets$request_uri;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto http;
            proxy_set_header X-Forwarded-Port $server_port;
            proxy_connect_timeout 10s; proxy_read_timeout 60s; proxy_send_timeout 60s;
            proxy_next_upstream error;
";
    let mut choices = String::new();
    let mut locations = String::new();
    let mut location = |at: usize, action: &Action| {
        let what = match action {
            Action::Forward => forward.to_owned(),
            Action::FixedResponse {
                status,
                content_type,
                body,
            } => format!(
                "            default_type {}; return {status} {};\n",
                quoted(content_type),
                quoted(body)
            ),
        };
        locations.push_str(&format!(
            "        location = /{at} {{\n            internal;\n{what}        }}\n"
        ));
    };
    for (at, rule) in balancer.rules.iter().enumerate() {
        location(at, &rule.action);
        for path in &rule.paths {
            let path = quoted(&format!("~{}", pattern(path)));
            choices.push_str(&format!("        {path} {at};\n"));
        }
    }
    let default = balancer.rules.len();
    location(default, &balancer.default);
    // Whatever is asked for, the first thing that is done with it is to choose a location.
    format!(
        "    server_tokens off;
    keepalive_timeout 60s; keepalive_requests 1000000000;
    upstream targets {{
{targets}        keepalive 4096; keepalive_requests 1000000000; keepalive_timeout 60s;
    }}
    map $request_uri $action {{
        default {default};
{choices}    }}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        client_max_body_size 0;
        rewrite ^ /$action last;
{locations}    }}"
    )
}

/// A pattern of paths as a regular expression for a request's target: `*` is any number of characters, `?` one, and what
/// follows the path is not looked at.
fn pattern(path: &str) -> String {
    let parts = path.bytes().map(|byte| match byte {
        b'*' => "[^?]*".to_owned(),
        b'?' => "[^?]".to_owned(),
        other => format!("\\x{other:02x}"),
    });
    let parts: String = parts.collect();
    format!("^{parts}(\\x3f|$)")
}

/// A text in nginx's configuration.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_path_and_nothing_else() {
        assert_eq!(pattern("/a?*"), "^\\x2f\\x61[^?][^?]*(\\x3f|$)");
    }

    #[test]
    fn a_text_ends_where_it_ends() {
        assert_eq!(quoted("{\"a\": \"\\\"}"), "\"{\\\"a\\\": \\\"\\\\\\\"}\"");
    }
}
