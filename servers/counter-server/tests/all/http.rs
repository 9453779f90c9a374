//! What is answered.

use load::testing::kills::hit;

use crate::client::{ask, connect, start};

#[test]
fn hits_are_counted_on_one_connection_and_on_others() {
    let server = start(&[]);
    let mut stream = connect(&server);
    assert_eq!(hit(&mut stream).unwrap(), 1);
    assert_eq!(hit(&mut stream).unwrap(), 2);
    assert_eq!(hit(&mut connect(&server)).unwrap(), 3);
}

#[test]
fn the_count_is_text_that_nobody_keeps() {
    let answer = ask(&start(&[]), "GET", "/hits?a=b");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("content-type: text/plain\r\n"), "{answer}");
    assert!(answer.contains("cache-control: no-store\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n1"), "{answer}");
}

#[test]
fn other_methods_are_not_allowed_and_do_not_count() {
    let server = start(&[]);
    for method in ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"] {
        let answer = ask(&server, method, "/hits");
        assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
        assert!(answer.contains("\r\nallow: GET\r\n"), "{answer}");
        assert!(
            answer.contains("content-type: application/problem+json\r\n"),
            "{answer}"
        );
    }
    assert_eq!(hit(&mut connect(&server)).unwrap(), 1);
}

#[test]
fn other_paths_are_not_found() {
    let server = start(&[]);
    for path in ["/", "/hit", "/hits/", "//hits", "/hits/1", "/%68its"] {
        let answer = ask(&server, "GET", path);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
        assert!(answer.contains(r#""status":404"#), "{path}: {answer}");
    }
}

#[test]
fn health_is_answered_without_counting() {
    let server = start(&[]);
    let answer = ask(&server, "GET", "/healthz");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(ask(&server, "HEAD", "/healthz").starts_with("HTTP/1.1 200 "));
    assert!(ask(&server, "POST", "/healthz").starts_with("HTTP/1.1 405 "));
    assert_eq!(hit(&mut connect(&server)).unwrap(), 1);
}
