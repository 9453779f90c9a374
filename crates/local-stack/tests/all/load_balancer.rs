//! Servers behind a load balancer: `counter-server`, each process of which counts for itself, so that an answer tells whose
//! turn it was.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc, time::Duration};

use http::{Request, StatusCode};
use load::{Measurement, Target, Work, closed_loop, on_its_own_thread};
use local_stack::{Server, Settings, Stack};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    ALONE,
    client::Client,
    common::{root, settings, start},
    wait::until,
};

const PROCESSES: usize = 5;

/// As often as a target group may look.
const INTERVAL: Duration = Duration::from_secs(5);

fn template(program: &str, arguments: &str) -> String {
    format!(
        "
Parameters:
  Many: {{Type: Number, Default: {PROCESSES}}}
Metadata:
  Servers:
    many:
      Program: {program}
      BuiltBy: make servers
      Arguments: {arguments}
      Processes: !Ref Many
      TargetGroup: Targets
      HealthPath: /healthz
      Path: /hits
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties: {{CodeUri: one, Runtime: provided.al2023}}
  Listener:
    Type: AWS::ElasticLoadBalancingV2::Listener
    Properties:
      Protocol: HTTP
      DefaultActions:
        - Type: fixed-response
          FixedResponseConfig: {{StatusCode: 404, ContentType: application/json, MessageBody: '{{\"title\": \"Nothing \\ here\"}}'}}
  Rule:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 2
      Conditions: [{{Field: path-pattern, Values: [/hits, /hits/*, /h?x]}}]
      Actions: [{{Type: forward, TargetGroupArn: !Ref Targets}}]
  Before:
    Type: AWS::ElasticLoadBalancingV2::ListenerRule
    Properties:
      ListenerArn: !Ref Listener
      Priority: 1
      Conditions: [{{Field: path-pattern, Values: [/hits/secret]}}]
      Actions: [{{Type: fixed-response, FixedResponseConfig: {{StatusCode: 403, MessageBody: secret}}}}]
  Targets:
    Type: AWS::ElasticLoadBalancingV2::TargetGroup
    Properties: {{HealthCheckIntervalSeconds: {}, UnhealthyThresholdCount: 2}}
",
        INTERVAL.as_secs()
    )
}

fn in_directory(directory: &Path, text: &str) -> Settings {
    let package = directory.join("one");
    fs::create_dir_all(&package).unwrap();
    let built = root().join("target/lambda/empty/bootstrap");
    fs::copy(built, package.join("bootstrap")).unwrap();
    let template = directory.join("template.yaml");
    fs::write(&template, text).unwrap();
    Settings {
        template,
        ..settings()
    }
}

/// Five counters.
async fn counters(directory: &Path) -> Stack {
    let program = root().join("target/servers/counter-server");
    let text = template(
        &program.display().to_string(),
        "[--port, '{port}', --quiet]",
    );
    start(in_directory(directory, &text)).await
}

fn server(stack: &Stack) -> &Server {
    &stack.servers()[0]
}

fn kill(process: u32) {
    let process = Pid::from_raw(process.try_into().unwrap()).unwrap();
    kill_process(process, Signal::KILL).unwrap();
}

/// What so many hits were answered, in order.
async fn hits(stack: &Stack, hits: usize) -> Vec<u64> {
    let url = format!("{}/hits", server(stack).url());
    let client = Client::new();
    let mut counts = Vec::new();
    for _ in 0..hits {
        let (status, count) = client.get(&url).await;
        assert_eq!(status, StatusCode::OK, "{count}");
        counts.push(count.parse().unwrap());
    }
    counts
}

/// Load on so many connections while something is done, and for as long again.
async fn under_load(stack: &Stack, connections: usize, act: impl AsyncFnOnce()) -> Measurement {
    let url = format!("{}/hits", server(stack).url()).parse().unwrap();
    let target = Target::resolve(&url, Duration::from_secs(60))
        .await
        .unwrap();
    let target = Arc::new(target);
    let loaded = tokio::spawn(on_its_own_thread(move || {
        closed_loop(
            target,
            connections,
            Work::For(Duration::from_secs(3)),
            || {},
        )
    }));
    act().await;
    loaded.await.unwrap().unwrap()
}

#[tokio::test]
async fn requests_go_round_the_processes() {
    let directory = tempfile::tempdir().unwrap();
    let stack = counters(directory.path()).await;
    let ids = server(&stack).process_ids();
    assert_eq!(ids.len(), PROCESSES);
    assert_eq!(
        hits(&stack, 2 * PROCESSES).await,
        [[1; PROCESSES], [2; PROCESSES]].concat()
    );
    stack.stop().await.unwrap();
    let exists = |id: &u32| Path::new("/proc").join(id.to_string()).exists();
    assert!(!ids.iter().any(exists));
}

#[tokio::test]
async fn the_rules_of_the_listener_say_who_answers() {
    let directory = tempfile::tempdir().unwrap();
    let stack = counters(directory.path()).await;
    let url = server(&stack).url();
    let client = Client::new();
    let nothing = Some(r#"{"title": "Nothing \ here"}"#);
    let by_a_target = None;
    for (path, expected, answer) in [
        ("/hits", 200, Some("1")),
        ("/hits?a=/b", 200, Some("1")),
        ("/hits/a/b", 404, by_a_target),
        ("/hxx", 404, by_a_target),
        ("/hx", 404, nothing),
        ("/hits/secret", 403, Some("secret")),
        ("/hits/secret?a", 403, Some("secret")),
        ("/", 404, nothing),
        ("/Hits", 404, nothing),
        ("/a?/hits", 404, nothing),
        ("/healthz", 404, nothing),
        ("/fixed", 404, nothing),
    ] {
        let (status, text) = client.get(&format!("{url}{path}")).await;
        assert_eq!(status.as_u16(), expected, "{path}: {text}");
        match answer {
            Some(answer) => assert_eq!(text, answer, "{path}"),
            None => assert_ne!(Some(&*text), nothing, "{path}"),
        }
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn of_five_processes_one_that_is_killed_takes_at_most_its_requests_in_flight_with_it() {
    const CONNECTIONS: usize = 32;
    let _alone = ALONE.lock().await;
    let directory = tempfile::tempdir().unwrap();
    let stack = counters(directory.path()).await;
    let before = server(&stack).process_ids();
    let measured = under_load(&stack, CONNECTIONS, async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        kill(before[2]);
    })
    .await;
    let failed = measured.failures.count();
    assert!(
        failed <= CONNECTIONS as u64,
        "{failed}: {:?}",
        measured.failures
    );
    assert!(measured.latencies.count() > 1_000, "hardly any load");

    // It is back, as another process, and gets its turns again once it has been left out for an interval.
    until("the killed one is back", || {
        server(&stack).process_ids()[2] != before[2]
    })
    .await;
    let after = server(&stack).process_ids();
    assert_eq!([after[0], after[1]], [before[0], before[1]]);
    let anew = async || hits(&stack, PROCESSES).await.into_iter().min().unwrap() < 1_000;
    let since = std::time::Instant::now();
    while !anew().await {
        assert!(since.elapsed() < 12 * INTERVAL, "it gets no requests");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn with_all_of_them_dead_the_answer_is_502_at_once_and_all_come_back() {
    let directory = tempfile::tempdir().unwrap();
    let stack = counters(directory.path()).await;
    let before = server(&stack).process_ids();
    before.iter().for_each(|id| kill(*id));
    let url = format!("{}/hits", server(&stack).url());
    let client = Client::new();
    let mut statuses = BTreeMap::new();
    for _ in 0..PROCESSES {
        let (status, _) = client.get(&url).await;
        *statuses.entry(status.as_u16()).or_insert(0) += 1;
    }
    assert_eq!(statuses, BTreeMap::from([(502, PROCESSES)]));
    let since = std::time::Instant::now();
    while client.get(&url).await.0 != StatusCode::OK {
        assert!(since.elapsed() < 12 * INTERVAL, "nobody comes back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let renewed = || {
        let now = server(&stack).process_ids();
        now.iter().zip(&before).all(|(now, before)| now != before)
    };
    until("all are back", renewed).await;
    stack.stop().await.unwrap();
}

/// Answers with what it was sent, one line a header.
const ECHO: &str = r#"
import http.server, sys
class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"{self.command} {self.path}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Echo).serve_forever()
"#;

#[tokio::test]
async fn a_target_is_told_who_has_called_and_gets_the_path_as_it_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("echo.py"), ECHO).unwrap();
    // Single-threaded: it would wait for its idle connection to the load balancer.
    let text = template("/usr/bin/env", "[python3, '{template}/echo.py', '{port}']")
        .replace(&format!("Default: {PROCESSES}"), "Default: 1");
    let stack = start(in_directory(directory.path(), &text)).await;
    let url = server(&stack).url();
    let request = Request::get(format!("{url}/hits/%2e%2e//a%20b?c=%2F"))
        .header("Host", "example.com")
        .header("X-Forwarded-For", "192.0.2.1");
    let (_, echo) = Client::new().send(request, "").await;
    let port = url.rsplit(':').next().unwrap();
    for line in [
        "GET /hits/%2e%2e//a%20b?c=%2F",
        "Host: example.com",
        "X-Forwarded-For: 192.0.2.1, 127.0.0.1",
        "X-Forwarded-Proto: http",
        &format!("X-Forwarded-Port: {port}"),
    ] {
        assert!(echo.lines().any(|it| it == line), "{line} is not in {echo}");
    }
    stack.stop().await.unwrap();
}

#[tokio::test]
async fn a_fault_of_a_load_balancer_is_named_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let text = template("gone", "[]").replace(
        "path-pattern, Values: [/hits,",
        "host-header, Values: [/hits,",
    );
    let settings = in_directory(directory.path(), &text);
    let expected = format!(
        "{}:30: only conditions on path-pattern are supported locally",
        settings.template.display()
    );
    let Err(error) = Stack::start(settings).await else {
        panic!("it started")
    };
    assert_eq!(error.to_string(), expected);
}
