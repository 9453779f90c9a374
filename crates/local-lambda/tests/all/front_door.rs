//! The front doors over real connections: status codes, headers and bodies as API Gateway and Lambda give them.

use std::path::Path;

use backends::ministack::{Ministack, REGION};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use local_lambda::{
    FrontDoors, Function, Host, HostSettings, Integration, Route, RouteMethod, SendMessage,
    Unrouted, serve, sqs_client,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::common::{function, until};

const INVOKE: &str = "/2015-03-31/functions/f/invocations";
const SIX_MEGABYTES: usize = 6 * 1024 * 1024;

struct Doors {
    url: String,
    host: Host,
    client: Client<HttpConnector, Full<Bytes>>,
    unrouted: Unrouted,
    close: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl Doors {
    async fn open(function: Function) -> Self {
        let route = Route {
            method: RouteMethod::Only(Method::POST),
            path: "/items/{id}".to_owned(),
            integration: Integration::Function("f".to_owned()),
        };
        Self::with_route(function, route).await
    }

    async fn with_route(function: Function, route: Route) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let host = Host::new(vec![function], HostSettings::default()).unwrap();
        let unrouted = Unrouted::default();
        let doors = FrontDoors {
            routes: vec![route],
            function_urls: vec!["f".to_owned()],
            unrouted: unrouted.clone(),
        };
        let (close, closed) = oneshot::channel::<()>();
        let served = tokio::spawn({
            let host = host.clone();
            async move {
                serve(listener, host, doors, async { drop(closed.await) })
                    .await
                    .unwrap();
            }
        });
        Self {
            url,
            host,
            client: Client::builder(TokioExecutor::new()).build_http(),
            unrouted,
            close,
            served,
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self
            .client
            .request(request.body(Full::new(body.into())).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(
            Method::POST,
            path,
            &[("content-type", "application/json")],
            body.to_string(),
        )
        .await
    }
}

#[tokio::test]
async fn a_route_leads_to_its_function_with_payload_format_2() {
    let doors = Doors::open(function("f")).await;
    let answer = doors
        .send(
            Method::POST,
            "/items/7?q=1",
            &[("content-type", "text/plain")],
            "hello",
        )
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    let event = &answer.json()["event"];
    assert_eq!(event["routeKey"], "POST /items/{id}");
    assert_eq!(event["pathParameters"], json!({ "id": "7" }));
    assert_eq!(event["queryStringParameters"], json!({ "q": "1" }));
    assert_eq!(event["body"], "hello");
}

#[tokio::test]
async fn a_function_url_leads_to_its_function_on_every_path_and_method() {
    let doors = Doors::open(function("f")).await;
    for (path, raw_path) in [("/lambda-url/f", "/"), ("/lambda-url/f/a/b", "/a/b")] {
        let answer = doors.send(Method::DELETE, path, &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.json()["event"]["rawPath"], raw_path);
        assert_eq!(answer.json()["event"]["routeKey"], "$default");
    }
    assert_eq!(
        doors
            .send(Method::GET, "/lambda-url/other/", &[], "")
            .await
            .status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn what_has_no_route_is_not_found() {
    let doors = Doors::open(function("f")).await;
    for (method, path) in [
        (Method::GET, "/items/7"),
        (Method::POST, "/items"),
        (Method::POST, "/items/7/8"),
    ] {
        let answer = doors.send(method, path, &[], "").await;
        assert_eq!(
            (answer.status, answer.json()),
            (StatusCode::NOT_FOUND, json!({ "message": "Not Found" }))
        );
    }
}

#[tokio::test]
async fn the_invoke_api_passes_payloads_and_says_what_is_an_error() {
    let doors = Doors::open(function("f")).await;
    let answer = doors.post(INVOKE, json!({ "echo": [1, 2] })).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["event"]["echo"], json!([1, 2]));
    assert!(!answer.headers.contains_key("x-amz-function-error"));
    assert!(answer.headers.contains_key("x-amzn-requestid"));
    let failed = doors.post(INVOKE, json!({ "error": "Oops" })).await;
    assert_eq!(
        failed.status,
        StatusCode::OK,
        "the invocation succeeded, the function did not"
    );
    assert_eq!(failed.headers["x-amz-function-error"], "Unhandled");
    assert_eq!(failed.json()["errorType"], "Oops");
    assert_eq!(
        doors.send(Method::POST, INVOKE, &[], "").await.status,
        StatusCode::OK,
        "an empty payload is {{}}"
    );
}

#[tokio::test]
async fn what_the_invoke_api_refuses_it_refuses_in_lambdas_words() {
    let doors = Doors::open(function("f")).await;
    let refused = async |path: &str, headers: &[(&str, &str)], body: Vec<u8>| {
        let answer = doors.send(Method::POST, path, headers, body).await;
        (
            answer.status.as_u16(),
            answer.headers["x-amzn-errortype"]
                .to_str()
                .unwrap()
                .to_owned(),
        )
    };
    let event = [("x-amz-invocation-type", "Event")];
    let other = "/2015-03-31/functions/g/invocations";
    assert_eq!(
        refused(other, &[], b"{}".to_vec()).await,
        (404, "ResourceNotFoundException".to_owned())
    );
    assert_eq!(
        refused(other, &event, b"{}".to_vec()).await,
        (404, "ResourceNotFoundException".to_owned())
    );
    assert_eq!(
        refused(INVOKE, &[], b"{not json".to_vec()).await,
        (400, "InvalidRequestContentException".to_owned())
    );
    let unknown = [("x-amz-invocation-type", "Later")];
    assert_eq!(
        refused(INVOKE, &unknown, b"{}".to_vec()).await,
        (400, "InvalidParameterValueException".to_owned())
    );
    let too_large = (413, "RequestTooLargeException".to_owned());
    assert_eq!(
        refused(INVOKE, &[], vec![b' '; SIX_MEGABYTES + 1]).await,
        too_large
    );
    let string = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
    assert_eq!(
        refused(INVOKE, &event, string(1024 * 1024 + 1)).await,
        too_large
    );
}

#[tokio::test]
async fn an_asynchronous_invocation_is_accepted_at_once_and_carried_out() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("done");
    let doors = Doors::open(function("f")).await;
    let event = json!({ "sleep": 0.2, "end": marker });
    let answer = doors
        .send(
            Method::POST,
            INVOKE,
            &[("x-amz-invocation-type", "Event")],
            event.to_string(),
        )
        .await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert!(!marker.exists(), "nobody waited for it");
    until("the event was carried out", || marker.exists()).await;
}

#[tokio::test]
async fn a_dry_run_runs_nothing() {
    let doors = Doors::open(function("f")).await;
    let answer = doors
        .send(
            Method::POST,
            INVOKE,
            &[("x-amz-invocation-type", "DryRun")],
            "{}",
        )
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(doors.host.process_ids("f"), Vec::<u32>::new());
}

#[tokio::test]
async fn a_crash_answers_502_and_the_next_call_gets_a_fresh_environment() {
    let mut doomed = function("f");
    doomed
        .environment
        .insert("INIT".to_owned(), "exit".to_owned());
    let doors = Doors::open(doomed).await;
    for path in ["/items/7", "/lambda-url/f/"] {
        let answer = doors.post(path, json!({})).await;
        assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
        assert_eq!(answer.json(), json!({ "message": "Internal Server Error" }));
    }
    let doors = Doors::open(function("f")).await;
    assert_eq!(
        doors.post(INVOKE, json!({ "exit": 1 })).await.json()["errorType"],
        "Runtime.ExitError"
    );
    assert_eq!(
        doors.post("/items/7", json!({})).await.status,
        StatusCode::OK
    );
}

#[tokio::test]
async fn throttling_is_429_at_lambda_and_503_at_the_http_api() {
    let doors = Doors::open(Function {
        reserved_concurrency: Some(1),
        ..function("f")
    })
    .await;
    let host = doors.host.clone();
    let busy = tokio::spawn(async move {
        host.invoke("f", json!({ "sleep": 2 }).to_string().into())
            .await
    });
    until("the environment is busy", || {
        !doors.host.process_ids("f").is_empty()
    })
    .await;
    let invoke = doors.post(INVOKE, json!({})).await;
    assert_eq!(invoke.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        invoke.headers["x-amzn-errortype"],
        "TooManyRequestsException"
    );
    assert_eq!(
        doors.post("/lambda-url/f/", json!({})).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
    let http_api = doors.post("/items/7", json!({})).await;
    assert_eq!(http_api.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(http_api.json(), json!({ "message": "Service Unavailable" }));
    busy.await.unwrap().unwrap();
}

#[tokio::test]
async fn bodies_up_to_six_megabytes_go_through_and_larger_ones_are_413() {
    let doors = Doors::open(function("f")).await;
    let text = [("content-type", "text/plain")];
    let fits = doors
        .send(
            Method::POST,
            "/items/7",
            &text,
            vec![b'x'; SIX_MEGABYTES - 100_000],
        )
        .await;
    assert_eq!(fits.status, StatusCode::OK);
    for path in ["/items/7", "/lambda-url/f/"] {
        let answer = doors
            .send(Method::POST, path, &text, vec![b'x'; SIX_MEGABYTES + 1])
            .await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    // The event is larger than the body: base64 makes four bytes of three.
    let image = doors
        .send(
            Method::POST,
            "/items/7",
            &[("content-type", "image/png")],
            vec![0; SIX_MEGABYTES - 1],
        )
        .await;
    assert_eq!(image.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn what_no_route_takes_can_be_answered_and_nothing_else() {
    let doors = Doors::open(function("f")).await;
    let get = async |path: &str| doors.send(Method::GET, path, &[], "").await;
    assert_eq!(get("/").await.status, StatusCode::NOT_FOUND);
    doors.unrouted.answer_with(|parts| {
        (parts.uri.path() != "/nowhere").then(|| Response::new(Bytes::from_static(b"page")))
    });
    assert_eq!(get("/").await.body, "page");
    // The route is for POST: a GET of its path is not routed.
    assert_eq!(get("/items/7").await.body, "page");
    let routed = doors.post("/items/7", json!({})).await;
    assert_eq!(routed.json()["event"]["rawPath"], "/items/7");
    let missing = get("/nowhere").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(missing.json(), json!({ "message": "Not Found" }));
    // No function of this URL: that is Lambda's to answer.
    let no_url = get("/lambda-url/g/").await;
    assert_eq!(no_url.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn closing_the_doors_lets_an_open_request_finish() {
    let directory = tempfile::tempdir().unwrap();
    let begun = directory.path().join("begun");
    let doors = Doors::open(function("f")).await;
    let (client, uri) = (doors.client.clone(), format!("{}{INVOKE}", doors.url));
    let event = json!({ "begin": begun, "sleep": 0.5 }).to_string();
    let open = tokio::spawn(async move {
        let request = Request::post(uri)
            .body(Full::new(Bytes::from(event)))
            .unwrap();
        client.request(request).await.unwrap().status()
    });
    until("the function has the event", || begun.exists()).await;
    doors.close.send(()).unwrap();
    doors.served.await.unwrap();
    assert_eq!(open.await.unwrap(), StatusCode::OK);
}

#[tokio::test]
async fn a_route_can_put_its_requests_on_a_queue_and_answers_as_sqs_does() {
    let program = backends::ministack::find_program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut emulator = Ministack::start_durable(&program).await.unwrap();
    let sqs = sqs_client(emulator.endpoint(), REGION);
    let queue_url = sqs.create_queue().queue_name("items").send().await;
    let queue_url = queue_url.unwrap().queue_url.unwrap();
    let route = Route {
        method: RouteMethod::Only(Method::POST),
        path: "/items".to_owned(),
        integration: Integration::SendMessage(SendMessage {
            sqs: sqs.clone(),
            queue_url: queue_url.clone(),
        }),
    };
    let doors = Doors::with_route(function("f"), route).await;
    let post = async |body: &[u8]| {
        let json = [("content-type", "application/json")];
        let answer = doors
            .send(Method::POST, "/items", &json, body.to_vec())
            .await;
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let kind = answer.headers["content-type"].to_str().unwrap().to_owned();
        (answer.status.as_u16(), kind, text)
    };

    let (status, kind, body) = post("{\"x\": 1.5} \u{e9}".as_bytes()).await;
    assert_eq!((status, kind.as_str()), (200, "text/xml"), "{body}");
    let received = sqs.receive_message().queue_url(&queue_url).send().await;
    let received = received.unwrap().messages.unwrap();
    assert_eq!(received[0].body(), Some("{\"x\": 1.5} \u{e9}"));
    let expected = format!(
        "<?xml version=\"1.0\"?><SendMessageResponse xmlns=\"http://queue.amazonaws.com/doc/2012-11-05/\">\
         <SendMessageResult><MessageId>{}</MessageId><MD5OfMessageBody>{}</MD5OfMessageBody></SendMessageResult>\
         <ResponseMetadata><RequestId>",
        received[0].message_id().unwrap(),
        received[0].md5_of_body().unwrap()
    );
    assert!(body.starts_with(&expected), "{body}");
    assert!(
        body.ends_with("</RequestId></ResponseMetadata></SendMessageResponse>"),
        "{body}"
    );

    assert_eq!(
        post(b"").await,
        (
            400,
            "application/json".to_owned(),
            r#"{"message":"Bad Request"}"#.to_owned()
        )
    );
    let too_large = vec![b'x'; 1024 * 1024 + 1];
    for (refused, code) in [
        (b"\xff".as_slice(), "InvalidMessageContents"),
        (b"bell: \x07", "InvalidMessageContents"),
        (&too_large, "InvalidParameterValue"),
    ] {
        let (status, kind, body) = post(refused).await;
        assert_eq!((status, kind.as_str()), (400, "text/xml"), "{body}");
        let error = format!("<Error><Type>Sender</Type><Code>{code}</Code><Message>");
        assert!(body.contains(&error), "{body}");
    }
    for (method, path) in [(Method::GET, "/items"), (Method::POST, "/items/7")] {
        assert_eq!(
            doors.send(method, path, &[], "{}").await.status,
            StatusCode::NOT_FOUND
        );
    }

    emulator.suspend().await.unwrap();
    assert_eq!(
        post(b"{}").await,
        (
            503,
            "application/json".to_owned(),
            r#"{"message":"Service Unavailable"}"#.to_owned()
        )
    );
    emulator.resume().await.unwrap();
    assert_eq!(post(b"{}").await.0, 200);
    sqs.delete_queue()
        .queue_url(&queue_url)
        .send()
        .await
        .unwrap();
    let (status, _, body) = post(b"{}").await;
    assert_eq!(status, 400);
    assert!(
        body.contains("<Code>AWS.SimpleQueueService.NonExistentQueue</Code>"),
        "{body}"
    );
}
