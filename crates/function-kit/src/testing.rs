//! For the tests of functions: recorded and damaged events, the way of an event through `lambda_http` into the handler and
//! back, an emulator with the template's own resources, and a backend that never answers.

pub mod emulator;
mod go_between;
pub mod hit_counter;
mod silent;

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fs,
    future::poll_fn,
    io, iter,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    pin::pin,
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use lambda_http::{
    Adapter, Body, Context, LambdaEvent, Request, Response, Service, request::LambdaRequest,
    service_fn,
};
use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::Index,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::Value;

pub use self::{
    go_between::{Answer, GoBetween},
    silent::SilentBackend,
};

/// As in the template.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(5);

/// The context of an invocation that starts now and may take so long.
pub fn context(timeout: Duration) -> Context {
    let end = SystemTime::now() + timeout;
    let mut context = Context::default();
    context.deadline = end
        .duration_since(UNIX_EPOCH)
        .map_or(0, |end| end.as_millis() as u64);
    context
}

/// The recorded events of a function, `events/<function>/*.json`, by file name.
///
/// # Errors
///
/// When the directory or one of its files cannot be read.
pub fn recorded_events(function: &str) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    fs::read_dir(directory.join(function))?
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, fs::read(entry.path())?))
        })
        .collect()
}

/// What the runtime would answer the event with: the front door's own response format, or a description of the error.
///
/// As in the runtime, an event that cannot be understood does not reach the handler, and a panic is an error.
///
/// # Errors
///
/// When the invocation would end with a function error.
pub async fn answer<H, F>(event: &[u8], handler: H) -> Result<Value, String>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    let event: LambdaRequest = serde_json::from_slice(event).map_err(|error| error.to_string())?;
    let event = LambdaEvent::new(event, context(FUNCTION_TIMEOUT));

    let mut adapter = Adapter::from(service_fn(handler));
    let mut invocation = pin!(async { adapter.call(event).await });
    let outcome = poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| invocation.as_mut().poll(context)))
            .map_or(Poll::Ready(None), |poll| poll.map(Some))
    });
    match outcome.await {
        Some(Ok(response)) => serde_json::to_value(response).map_err(|error| error.to_string()),
        None => Err("panicked".to_owned()),
    }
}

/// The value of a response header, wherever the front door's format has it.
pub fn header<'a>(answer: &'a Value, name: &str) -> Option<&'a str> {
    answer["headers"][name]
        .as_str()
        .or_else(|| answer["multiValueHeaders"][name][0].as_str())
}

/// What becomes of each recorded event of a function, by file name.
///
/// # Errors
///
/// When the events cannot be read, or an invocation would end with a function error.
pub async fn answers<H, F>(function: &str, handler: H) -> Result<BTreeMap<String, Value>, String>
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    let mut answers = BTreeMap::new();
    for (file, event) in recorded_events(function).map_err(|error| error.to_string())? {
        let answer = answer(&event, &handler).await;
        let answer = answer.map_err(|error| format!("{file}: {error}"))?;
        answers.insert(file, answer);
    }
    Ok(answers)
}

/// 512 events as they should not be, made of these: cut short, with bytes or values replaced, or any other JSON.
pub fn damaged(events: impl IntoIterator<Item = Vec<u8>>) -> impl Iterator<Item = Vec<u8>> {
    let damaged = damage(events.into_iter().collect());
    let mut runner = TestRunner::default();
    iter::repeat_with(move || damaged.new_tree(&mut runner))
        .filter_map(|event| Some(event.ok()?.current()))
        .take(512)
}

/// Feeds a function's recorded events to its handler, damaged: each is answered with one of these statuses, or is an error of
/// the invocation.
///
/// # Panics
///
/// When one gets another answer, or the recorded events cannot be read.
pub async fn assert_damaged_events_do_no_harm<H, F>(function: &str, statuses: &[u64], handler: H)
where
    H: Fn(Request) -> F,
    F: Future<Output = Result<Response<Body>, Infallible>> + Send,
{
    let events = recorded_events(function);
    let events = events.unwrap_or_else(|error| panic!("{function}: {error}"));
    for event in damaged(events.into_values()) {
        if let Ok(answer) = answer(&event, &handler).await {
            let status = answer["statusCode"].as_u64();
            assert!(
                status.is_some_and(|status| statuses.contains(&status)),
                "{status:?}: {}",
                String::from_utf8_lossy(&event)
            );
        }
    }
}

fn damage(events: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let event = (0..events.len()).prop_map(move |index| events[index].clone());
    prop_oneof![
        (event.clone(), any::<Index>()).prop_map(|(mut event, at)| {
            event.truncate(at.index(event.len()));
            event
        }),
        (event.clone(), vec((any::<Index>(), any::<u8>()), 1..8)).prop_map(
            |(mut event, changes)| {
                for (at, byte) in changes {
                    let at = at.index(event.len());
                    event[at] = byte;
                }
                event
            }
        ),
        (event, any::<Index>(), json()).prop_map(|(event, at, value)| {
            let mut event = serde_json::from_slice(&event).unwrap_or_default();
            let mut places = Vec::new();
            leaves(&event, String::new(), &mut places);
            if let Some(place) = event.pointer_mut(&places[at.index(places.len())]) {
                *place = value;
            }
            event.to_string().into_bytes()
        }),
        json().prop_map(|value| value.to_string().into_bytes()),
    ]
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

/// The JSON pointers (RFC 6901) of all values that hold no others.
fn leaves(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                leaves(member, format!("{at}/{name}"), places);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                leaves(item, format!("{at}/{index}"), places);
            }
        }
        _ => places.push(at),
    }
}
