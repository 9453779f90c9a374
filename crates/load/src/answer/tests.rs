use proptest::{collection::vec, prelude::*};

use super::*;

const PLAIN: Expected = Expected {
    head_only: false,
    keep_body: true,
};

/// What comes of an answer that arrives in these pieces, after which the connection is closed, and what was left of them.
fn read<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    expected: Expected,
) -> Result<(Answer, Vec<u8>), Failure> {
    let mut reader = Reader::new(expected);
    let mut pieces = pieces.into_iter();
    while let Some(piece) = pieces.next() {
        if let Some(used) = reader.take(piece)? {
            let mut left = piece[used..].to_vec();
            left.extend(pieces.flatten());
            return Ok((reader.answer(), left));
        }
    }
    reader.end()?;
    Ok((reader.answer(), Vec::new()))
}

/// The same of an answer that arrives in one piece, and byte by byte.
fn whole(text: &str) -> Result<(Answer, Vec<u8>), Failure> {
    let at_once = read([text.as_bytes()], PLAIN);
    assert_eq!(read(text.as_bytes().chunks(1), PLAIN), at_once, "{text}");
    at_once
}

fn body(text: &str) -> String {
    let (answer, left) = whole(text).unwrap();
    assert_eq!(left, b"", "{text}");
    String::from_utf8(answer.body).unwrap()
}

fn keeps_open(text: &str) -> bool {
    whole(text).unwrap().0.keeps_open
}

#[test]
fn a_body_is_as_long_as_its_head_says() {
    let (answer, left) = whole("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n42").unwrap();
    assert_eq!((answer.status, answer.keeps_open), (404, true));
    assert_eq!((answer.body, left), (b"42".to_vec(), vec![]));
    assert_eq!(body("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"), "");
    assert_eq!(
        body("HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\nx"),
        "x"
    );
}

#[test]
fn what_comes_behind_an_answer_is_told_apart() {
    let (answer, left) = whole("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42HTTP/1.1 2").unwrap();
    assert_eq!((&*answer.body, &*left), (&b"42"[..], &b"HTTP/1.1 2"[..]));
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\nmore";
    assert_eq!(whole(chunked).unwrap().1, b"more");
}

#[test]
fn chunks_are_read_whatever_stands_between_them() {
    let chunked =
        |chunks: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{chunks}");
    for chunks in [
        "2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n",
        "0005\r\nabcde\r\n000\r\n\r\n",
        "5;a=\"b\"\r\nabcde\r\n0;last\r\n\r\n",
        "5 \r\nabcde\r\n0\r\nx-sum: 1\r\nx-other: 2\r\n\r\n",
    ] {
        assert_eq!(body(&chunked(chunks)), "abcde", "{chunks}");
    }
    for chunks in [
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "5\nabcde\n0\n\n",
        "2\r\nabc\r\n0\r\n\r\n",
        "2\r\nab0\r\n\r\n",
        "10000000000000000\r\n",
        "0\r\n\n",
    ] {
        assert_eq!(
            whole(&chunked(chunks)),
            Err(Failure::BadResponse),
            "{chunks}"
        );
    }
    for endless in [
        "5;".to_owned() + &"x".repeat(9000),
        "0\r\n".to_owned() + &"a: b\r\n".repeat(3000),
    ] {
        assert_eq!(whole(&chunked(&endless)), Err(Failure::BadResponse));
    }
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    let text = "HTTP/1.0 200 OK\r\n\r\nall of this";
    assert_eq!(body(text), "all of this");
    assert!(!keeps_open(text));
    // Whatever gzip makes of it, it is not in chunks.
    let text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nall";
    assert_eq!(body(text), "all");
    assert!(!keeps_open(text));
}

#[test]
fn some_answers_have_no_body_whatever_their_heads_say() {
    for status in ["204 No Content", "304 Not Modified"] {
        let text = format!("HTTP/1.1 {status}\r\ncontent-length: 7\r\n\r\n");
        assert_eq!(body(&text), "");
        assert!(keeps_open(&text));
    }
    let head_only = Expected {
        head_only: true,
        ..PLAIN
    };
    for header in ["content-length: 7", "transfer-encoding: chunked", "a: b"] {
        let text = format!("HTTP/1.1 200 OK\r\n{header}\r\n\r\n");
        let (answer, _) = read([text.as_bytes()], head_only).unwrap();
        assert!(answer.body.is_empty() && answer.keeps_open, "{header}");
    }
}

#[test]
fn what_only_says_that_an_answer_is_to_come_is_passed_over() {
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\nx";
    let (answer, left) = whole(text).unwrap();
    assert_eq!(
        (answer.status, &*answer.body, left),
        (201, &b"x"[..], vec![])
    );
    let nothing_else = "HTTP/1.1 100 Continue\r\n\r\n";
    assert_eq!(whole(nothing_else), Err(Failure::Closed));
    let unasked = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    assert_eq!(whole(unasked), Err(Failure::BadResponse));
}

#[test]
fn a_server_says_whether_the_connection_is_kept() {
    let says = |version: &str, header: &str| {
        keeps_open(&format!(
            "HTTP/{version} 200 OK\r\n{header}\r\ncontent-length: 0\r\n\r\n"
        ))
    };
    assert!(says("1.1", "a: b") && says("1.1", "connection: keep-alive"));
    assert!(!says("1.1", "Connection: Close") && !says("1.1", "connection: x, close"));
    assert!(!says("1.0", "a: b") && says("1.0", "connection: Keep-Alive"));
    assert!(!keeps_open(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n\r\n0\r\n\r\n"
    ));
}

#[test]
fn an_answer_that_ends_too_soon_is_no_answer() {
    for text in [
        "",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n42",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n",
    ] {
        assert_eq!(whole(text), Err(Failure::Closed), "{text}");
    }
}

#[test]
fn what_is_not_http_or_contradicts_itself_is_a_bad_response() {
    for text in [
        "220 mail.example\r\n",
        "HTTP/2 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 099 Odd\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 2\r\n\r\nxx",
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551616\r\n\r\n",
    ] {
        assert_eq!(whole(text), Err(Failure::BadResponse), "{text}");
    }
}

#[test]
fn a_head_has_an_end() {
    let many = "HTTP/1.1 200 OK\r\n".to_owned() + &"a: b\r\n".repeat(200) + "\r\n";
    assert_eq!(read([many.as_bytes()], PLAIN), Err(Failure::BadResponse));
    let long = "HTTP/1.1 200 OK\r\na: ".to_owned() + &"b".repeat(70_000);
    for size in [1000, 100_000] {
        let pieces = long.as_bytes().chunks(size);
        assert_eq!(read(pieces, PLAIN), Err(Failure::BadResponse));
    }
}

#[test]
fn of_a_long_body_the_beginning_is_kept_and_only_where_it_matters() {
    let long = "x".repeat(100_000);
    let text = format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{long}");
    let (answer, _) = read(text.as_bytes().chunks(1000), PLAIN).unwrap();
    assert_eq!(answer.body.len(), LONGEST_BODY);
    let (answer, _) = read([text.as_bytes()], Expected::default()).unwrap();
    assert_eq!(answer.body.capacity(), 0);
}

#[test]
fn a_problem_has_a_detail() {
    let problem = |kind: &str, body: &str| {
        let text = format!(
            "HTTP/1.1 503 x\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        read([text.as_bytes()], Expected::default())
            .unwrap()
            .0
            .detail
    };
    let kind = "application/problem+json; charset=utf-8";
    assert_eq!(
        problem(kind, r#"{"detail": "full"}"#).as_deref(),
        Some("full")
    );
    assert_eq!(problem("application/json", r#"{"detail": "full"}"#), None);
    for body in ["", "{", "{}", r#"{"detail": 5}"#, "\u{fffd}"] {
        assert_eq!(problem(kind, body), None);
    }
    let long = format!(r#"{{"detail": "{}"}}"#, "é".repeat(500));
    assert_eq!(problem(kind, &long), Some("é".repeat(LONGEST_DETAIL)));
}

/// An answer as a server may write it, and what it means.
fn answers() -> impl Strategy<Value = (Vec<u8>, u16, Vec<u8>)> {
    let body = vec(any::<u8>(), 0..300);
    (
        200..600_u16,
        body,
        vec(1..40_usize, 1..8),
        any::<[bool; 3]>(),
    )
        .prop_map(|(status, body, sizes, [informed, chunked, trailer])| {
            let status = if matches!(status, 204 | 304) {
                200
            } else {
                status
            };
            let mut text = String::new();
            if informed {
                text += "HTTP/1.1 100 Continue\r\n\r\n";
            }
            text += &format!("HTTP/1.1 {status} As it is\r\nx: y\r\n");
            let mut bytes = text.into_bytes();
            if chunked {
                bytes.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                let mut rest = &body[..];
                for size in sizes.iter().cycle() {
                    let (chunk, after) = rest.split_at((*size).min(rest.len()));
                    if chunk.is_empty() {
                        break;
                    }
                    bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                    bytes.extend(chunk);
                    bytes.extend(b"\r\n");
                    rest = after;
                }
                bytes.extend(b"0\r\n");
                if trailer {
                    bytes.extend(b"sum: 0\r\n");
                }
                bytes.extend(b"\r\n");
            } else {
                bytes.extend(format!("Content-Length: {}\r\n\r\n", body.len()).into_bytes());
                bytes.extend(&body);
            }
            (bytes, status, body)
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn an_answer_is_the_same_however_it_is_cut(
        (bytes, status, body) in answers(),
        sizes in vec(1..80_usize, 1..10),
        behind in vec(any::<u8>(), 0..20),
    ) {
        let all = [&bytes[..], &behind].concat();
        let mut pieces = Vec::new();
        let mut rest = &all[..];
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        let (answer, left) = read(pieces, PLAIN).unwrap();
        prop_assert_eq!(answer.status, status);
        prop_assert_eq!(answer.body, body);
        prop_assert_eq!(left, behind);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_closed_and_never_complete(
        (bytes, ..) in answers(),
        kept in 0.0..1.0_f64,
    ) {
        let kept = (bytes.len() as f64 * kept) as usize;
        prop_assert_eq!(read([&bytes[..kept]], PLAIN), Err(Failure::Closed));
    }

    #[test]
    fn whatever_comes_is_an_answer_or_a_failure(noise in vec(any::<u8>(), 0..200), sound in 0..60_usize) {
        let start = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n";
        let bytes = [&start[..sound.min(start.len())], &noise].concat();
        let at_once = read([&bytes[..]], PLAIN);
        let in_bytes = read(bytes.chunks(1), PLAIN);
        prop_assert_eq!(at_once, in_bytes);
    }
}
