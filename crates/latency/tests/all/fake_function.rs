//! A function in a stack, with memory size, versions and revisions as Lambda keeps them, and the faults that a test wants.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hyper::{Method, Response};
use serde_json::{Value, json};

use crate::{
    fake_lambda::{Call, FakeLambda},
    stack::LONG,
};

/// What the function is in Lambda, and what was done with it.
pub(crate) struct State {
    pub(crate) memory_mb: u32,
    pub(crate) code: &'static str,
    revision: u64,
    pub(crate) updating: bool,
    /// An update takes until the test ends it.
    pub(crate) slow: bool,
    /// What is asked for next is done, but the answer gets lost.
    pub(crate) loses_answer: bool,
    pub(crate) deleted: bool,
    pub(crate) versions: BTreeMap<u64, Version>,
    next_version: u64,
    /// What its invocations answer.
    pub(crate) status: u16,
    /// The changes that were made, in order.
    pub(crate) changes: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Version {
    memory_mb: u32,
    pub(crate) description: String,
    revision: u64,
    invoked: bool,
}

/// A request, by what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Configuration,
    Update(u32),
    Publish,
    Versions,
    Delete(u64),
    Invoke(u64),
    Other,
}

pub(crate) struct FakeFunction {
    pub(crate) url: String,
    state: Arc<Mutex<State>>,
    lambda: FakeLambda,
}

/// Comes before the answer: it may change the function, or answer in place of it.
pub(crate) trait Fault: Fn(&Asked, &mut State) -> Option<Response<String>> {}
impl<F: Fn(&Asked, &mut State) -> Option<Response<String>>> Fault for F {}

impl FakeFunction {
    /// With 128 MB and no version, and nothing wrong with it.
    pub(crate) async fn sound() -> Self {
        Self::start(|_, _| None).await
    }

    /// With 128 MB, no version, and this fault.
    pub(crate) async fn start(fault: impl Fault + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(State {
            memory_mb: 128,
            code: "hash",
            revision: 1,
            updating: false,
            slow: false,
            loses_answer: false,
            deleted: false,
            versions: BTreeMap::new(),
            next_version: 1,
            status: 200,
            changes: Vec::new(),
        }));
        let lambda = FakeLambda::start({
            let state = state.clone();
            move |call| {
                if call.path == "/" {
                    return cloudformation(&call.body);
                }
                let mut state = state.lock().unwrap();
                let asked = asked(call);
                let answer =
                    fault(&asked, &mut state).unwrap_or_else(|| state.answer(&asked, &call.event));
                match std::mem::take(&mut state.loses_answer) {
                    true => refused(500, "ServiceException"),
                    false => answer,
                }
            }
        })
        .await;
        Self {
            url: lambda.url.clone(),
            state,
            lambda,
        }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.lambda.calls()
    }

    /// Waits until this is so.
    pub(crate) async fn until(&self, so: impl Fn(&State) -> bool) {
        let waited = tokio::time::timeout(LONG, async {
            while !so(&self.state()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        waited.await.expect("it comes to that in time");
    }
}

/// A stack with two functions: only the one named `counter` in Lambda is there.
fn cloudformation(body: &str) -> Response<String> {
    let member = |fields: &[(&str, &str)]| {
        let fields = fields
            .iter()
            .map(|(name, value)| format!("<{name}>{value}</{name}>"));
        format!("<member>{}</member>", fields.collect::<String>())
    };
    let url = "https://a1b2c3d4e5.execute-api.eu-west-2.amazonaws.com/hits";
    let function = |logical: &str, physical: &str| {
        member(&[
            ("LogicalResourceId", logical),
            ("PhysicalResourceId", physical),
            ("ResourceType", "AWS::Lambda::Function"),
        ])
    };
    let members = match body.contains("Action=ListStackResources") {
        true => function("CounterDynamodb", "counter") + &function("Empty", "other"),
        false => {
            let output = |key| member(&[("OutputKey", key), ("OutputValue", url)]);
            output("CounterDynamodbUrl") + &output("EmptyUrl")
        }
    };
    Response::new(format!("<Response>{members}</Response>"))
}

fn asked(call: &Call) -> Asked {
    let of_function = call.path.strip_prefix("/2015-03-31/functions/counter");
    let version = || call.query.strip_prefix("Qualifier=")?.parse().ok();
    match (of_function, &call.method) {
        (Some("/configuration"), &Method::GET) => Asked::Configuration,
        (Some("/configuration"), &Method::PUT) => {
            Asked::Update(call.event["MemorySize"].as_u64().unwrap() as u32)
        }
        (Some("/versions"), &Method::POST) => Asked::Publish,
        (Some("/versions"), &Method::GET) => Asked::Versions,
        (Some("/invocations"), _) => version().map_or(Asked::Other, Asked::Invoke),
        (Some(""), &Method::DELETE) => version().map_or(Asked::Other, Asked::Delete),
        _ => Asked::Other,
    }
}

/// As Lambda refuses.
pub(crate) fn refused(status: u16, code: &str) -> Response<String> {
    Response::builder()
        .status(status)
        .header("x-amzn-errortype", code)
        .body(json!({ "Message": "no" }).to_string())
        .unwrap()
}

pub(crate) fn throttled() -> Response<String> {
    refused(429, "TooManyRequestsException")
}

pub(crate) fn denied() -> Response<String> {
    refused(403, "AccessDeniedException")
}

impl State {
    /// As somebody else changes it.
    pub(crate) fn changed_by_somebody_else(&mut self, memory_mb: u32) {
        self.memory_mb = memory_mb;
        self.revision += 1;
    }

    /// As somebody else publishes it.
    pub(crate) fn published_by_somebody_else(&mut self) {
        self.publish("release 7");
    }

    /// Does what Lambda does, and answers as it does.
    pub(crate) fn answer(&mut self, asked: &Asked, body: &Value) -> Response<String> {
        let revision = body["RevisionId"].as_str();
        let same_revision = revision.is_none_or(|id| id == self.revision.to_string());
        match asked {
            _ if self.deleted => refused(404, "ResourceNotFoundException"),
            Asked::Update(_) | Asked::Publish if self.updating => {
                refused(409, "ResourceConflictException")
            }
            Asked::Update(_) | Asked::Publish if !same_revision => {
                refused(412, "PreconditionFailedException")
            }
            Asked::Configuration => json_of(&self.latest()),
            Asked::Update(memory_mb) => {
                self.memory_mb = *memory_mb;
                self.revision += 1;
                self.updating = self.slow;
                self.changes.push(format!("{memory_mb} MB"));
                json_of(&self.latest())
            }
            Asked::Publish => {
                let number = self.publish(body["Description"].as_str().unwrap());
                json_of(&self.version(number))
            }
            Asked::Versions => {
                let numbers: Vec<_> = self.versions.keys().copied().collect();
                let versions = numbers.into_iter().map(|number| self.version(number));
                let all: Vec<_> = std::iter::once(self.latest()).chain(versions).collect();
                json_of(&json!({ "Versions": all }))
            }
            Asked::Delete(number) => match self.versions.remove(number) {
                Some(_) => Response::builder().status(204).body(String::new()).unwrap(),
                None => refused(404, "ResourceNotFoundException"),
            },
            Asked::Invoke(number) => self.invoke(*number),
            Asked::Other => refused(400, "InvalidParameterValueException"),
        }
    }

    fn publish(&mut self, description: &str) -> u64 {
        let last = self.versions.last_key_value();
        if let Some((number, version)) = last
            && version.revision == self.revision
        {
            return *number;
        }
        let number = self.next_version;
        self.next_version += 1;
        let version = Version {
            memory_mb: self.memory_mb,
            description: description.to_owned(),
            revision: self.revision,
            invoked: false,
        };
        self.versions.insert(number, version);
        self.changes.push(format!("version {number}"));
        number
    }

    fn latest(&self) -> Value {
        json!({
            "Version": "$LATEST",
            "MemorySize": self.memory_mb,
            "RevisionId": self.revision.to_string(),
            "CodeSha256": self.code,
            "Architectures": ["arm64"],
            "State": "Active",
            "LastUpdateStatus": if self.updating { "InProgress" } else { "Successful" },
        })
    }

    fn version(&self, number: u64) -> Value {
        let version = &self.versions[&number];
        json!({
            "Version": number.to_string(),
            "Description": version.description,
            "MemorySize": version.memory_mb,
            "RevisionId": format!("of-{number}"),
            "CodeSha256": "hash",
            "State": "Active",
        })
    }

    /// Twice the memory takes half the time.
    fn invoke(&mut self, number: u64) -> Response<String> {
        let Some(version) = self.versions.get_mut(&number) else {
            return refused(404, "ResourceNotFoundException");
        };
        let init = match version.invoked {
            true => "",
            false => "Init Duration: 15.50 ms\t",
        };
        version.invoked = true;
        let memory_mb = version.memory_mb;
        let duration = 1280 / memory_mb;
        let log = format!(
            "REPORT RequestId: 1\tDuration: {duration}.00 ms\tBilled Duration: {duration} ms\tMemory Size: {memory_mb} MB\t\
             Max Memory Used: 21 MB\t{init}\n"
        );
        Response::builder()
            .header("x-amz-log-result", BASE64.encode(log))
            .body(json!({ "statusCode": self.status }).to_string())
            .unwrap()
    }
}

fn json_of(value: &Value) -> Response<String> {
    Response::new(value.to_string())
}
