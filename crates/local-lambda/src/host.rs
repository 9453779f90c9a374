//! The host: takes an event to an environment and its answer back, and keeps the books.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot, watch};

use crate::{
    awake::Awake,
    environment::{Environment, Event, InitFailed, Outcome},
    function::Function,
    guardian::Guardian,
    invocation::{FunctionError, Invocation, InvokeError, MAX_PAYLOAD_BYTES, error_payload},
    launch::launch,
    logs::{Log, Logs},
    phase::{Observer, OnPhase},
    placement::Environments,
    report::{Report, Status},
};

/// How often idle environments are looked at.
const RETIREMENT_CHECK: Duration = Duration::from_secs(1);

/// What all functions of a host share.
#[derive(Clone)]
pub struct HostSettings {
    /// Stop the process between invocations, as Lambda does.
    pub freeze: bool,
    /// How long an environment may be idle before it is ended.
    pub idle_timeout: Duration,
    /// Concurrency of all functions together, reserved concurrency included.
    pub concurrency: u32,
    /// Where logs go.
    pub logs: Logs,
    /// Called with the report of each invocation, just after its answer went out.
    pub on_report: Option<OnReport>,
    /// Called when an environment enters a phase.
    pub on_phase: Option<OnPhase>,
}

/// What is called with each report.
pub type OnReport = Arc<dyn Fn(&Report) + Send + Sync>;

impl Default for HostSettings {
    /// Lambda's own: an account's concurrency of 1000 (Lambda quotas), and idle environments kept for five minutes,
    /// which AWS does not promise but is the least that is commonly seen.
    fn default() -> Self {
        Self {
            freeze: false,
            idle_timeout: Duration::from_secs(300),
            concurrency: 1000,
            logs: Logs::default(),
            on_report: None,
            on_phase: None,
        }
    }
}

impl fmt::Debug for HostSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("HostSettings")
            .field("freeze", &self.freeze)
            .field("idle_timeout", &self.idle_timeout)
            .field("concurrency", &self.concurrency)
            .field("logs", &self.logs)
            .finish_non_exhaustive()
    }
}

/// Why a host can't be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The function's program is not there.
    #[error("function {function}: {} is missing", program.display())]
    ProgramMissing {
        /// The function's name.
        function: String,
        /// Where the program should be.
        program: PathBuf,
    },
    /// Two functions bear the same name.
    #[error("function {0} is defined twice")]
    DefinedTwice(String),
    /// The functions reserve more than there is.
    #[error("reserved concurrency {reserved} leaves nothing of the account's {concurrency}")]
    OverReserved {
        /// The sum over all functions.
        reserved: u32,
        /// The account's concurrency.
        concurrency: u32,
    },
    /// The process that cleans up after the host can't be started.
    #[error("sh can't be started: {0}")]
    Guardian(io::Error),
    /// A log could not be opened.
    #[error("the log of function {function} can't be opened: {cause}")]
    Log {
        /// The function's name.
        function: String,
        /// What the system said.
        cause: io::Error,
    },
}

/// A Lambda host with its functions. Clones are the same host.
#[derive(Clone, Debug)]
pub struct Host {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: HostSettings,
    functions: BTreeMap<String, Arc<Hosted>>,
    guardian: Guardian,
    closed: AtomicBool,
    awake: Awake,
    /// How many invocations have begun and are not reported yet.
    unreported: watch::Sender<usize>,
}

#[derive(Debug)]
struct Hosted {
    function: Function,
    environments: Environments,
    log: Log,
}

impl Host {
    /// A host of these functions. Must be called within a Tokio runtime, on which it then runs.
    pub fn new(functions: Vec<Function>, settings: HostSettings) -> Result<Self, Error> {
        let reserved: u32 = functions
            .iter()
            .filter_map(|function| function.reserved_concurrency)
            .sum();
        let unreserved = settings
            .concurrency
            .checked_sub(reserved)
            .filter(|left| *left > 0)
            .ok_or(Error::OverReserved {
                reserved,
                concurrency: settings.concurrency,
            })?;
        let unreserved = Arc::new(Semaphore::new(unreserved as usize));
        let mut hosted = BTreeMap::new();
        for function in functions {
            let name = function.name.clone();
            if !function.program.is_file() {
                return Err(Error::ProgramMissing {
                    function: name,
                    program: function.program,
                });
            }
            let concurrency = function.reserved_concurrency.map_or_else(
                || unreserved.clone(),
                |reserved| Arc::new(Semaphore::new(reserved as usize)),
            );
            let log = Log::open(&settings.logs, &name).map_err(|cause| Error::Log {
                function: name.clone(),
                cause,
            })?;
            let entry = Hosted {
                function,
                environments: Environments::new(concurrency),
                log,
            };
            if hosted.insert(name.clone(), Arc::new(entry)).is_some() {
                return Err(Error::DefinedTwice(name));
            }
        }
        let shared = Arc::new(Shared {
            settings,
            functions: hosted,
            guardian: Guardian::start().map_err(Error::Guardian)?,
            closed: AtomicBool::new(false),
            awake: Awake::new(),
            unreported: watch::Sender::new(0),
        });
        tokio::spawn(retire(Arc::downgrade(&shared)));
        Ok(Self { shared })
    }

    /// Invokes a function and waits for its answer (`RequestResponse`).
    ///
    /// The invocation runs to its end even if the returned future is dropped, as on Lambda when a client goes away.
    pub async fn invoke(&self, function: &str, payload: Bytes) -> Result<Invocation, InvokeError> {
        if payload.len() > MAX_PAYLOAD_BYTES {
            return Err(InvokeError::TooLarge {
                limit: MAX_PAYLOAD_BYTES,
            });
        }
        let hosted = self
            .shared
            .functions
            .get(function)
            .ok_or_else(|| InvokeError::NotFound(function.to_owned()))?
            .clone();
        let shared = self.shared.clone();
        let (reply, answer) = oneshot::channel();
        shared.unreported.send_modify(|count| *count += 1);
        tokio::spawn(async move {
            shared.awake.stir();
            match shared.invoke(&hosted, payload).await {
                Ok(finished) => {
                    // A caller that has gone wants no answer.
                    let _ = reply.send(Ok(finished.invocation.clone()));
                    // Lets the answer go out first: the books can wait, the caller can't.
                    tokio::task::yield_now().await;
                    shared.report(&hosted, &finished);
                    shared.awake.stir();
                }
                Err(error) => drop(reply.send(Err(error))),
            }
            shared.unreported.send_modify(|count| *count -= 1);
        });
        answer
            .await
            .unwrap_or_else(|_| Err(InvokeError::Service("the invocation broke off".to_owned())))
    }

    /// Waits until every invocation that has begun is over and reported, those whose caller has gone too.
    pub async fn settled(&self) {
        // The sender lives as long as `self`.
        let _ = self
            .shared
            .unreported
            .subscribe()
            .wait_for(|count| *count == 0)
            .await;
    }

    /// Whether there is such a function.
    pub fn has(&self, function: &str) -> bool {
        self.shared.functions.contains_key(function)
    }

    /// How long an invocation of this function may take, if there is such a function.
    pub(crate) fn timeout(&self, function: &str) -> Option<Duration> {
        let hosted = self.shared.functions.get(function)?;
        Some(hosted.function.timeout)
    }

    /// Ends the idle environments of a function, so that its next invocation is a cold start.
    pub async fn retire_idle(&self, function: &str) {
        if let Some(hosted) = self.shared.functions.get(function) {
            end(hosted.environments.take_retired(Duration::ZERO)).await;
        }
    }

    /// The process ids of a function's environments.
    pub fn process_ids(&self, function: &str) -> Vec<u32> {
        self.shared
            .functions
            .get(function)
            .map(|hosted| hosted.environments.process_ids())
            .unwrap_or_default()
    }

    /// Ends every environment and waits until all are gone. Later invocations are refused.
    pub async fn shutdown(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        for hosted in self.shared.functions.values() {
            end(hosted.environments.take_all()).await;
        }
    }
}

async fn end(environments: Vec<Arc<Environment>>) {
    for environment in environments {
        environment.end().await;
    }
}

/// Ends environments that have been idle for too long, until the host is gone.
async fn retire(host: std::sync::Weak<Shared>) {
    loop {
        tokio::time::sleep(RETIREMENT_CHECK).await;
        let Some(shared) = host.upgrade() else { return };
        for hosted in shared.functions.values() {
            end(hosted
                .environments
                .take_retired(shared.settings.idle_timeout))
            .await;
        }
    }
}

/// An invocation that is over.
struct Finished {
    invocation: Invocation,
    status: Status,
    duration: Duration,
    init_duration: Option<Duration>,
    environment: Arc<Environment>,
}

impl Shared {
    async fn invoke(&self, hosted: &Hosted, payload: Bytes) -> Result<Finished, InvokeError> {
        let _permit = hosted.environments.admit().ok_or(InvokeError::Throttled)?;
        let request_id = uuid::Uuid::new_v4().to_string();
        let timeout = hosted.function.timeout;
        let mut init_duration = None;
        let mut started = false;
        loop {
            let environment = match hosted.environments.take_idle() {
                Some(environment) => environment,
                None => match self.start(hosted, &request_id).await? {
                    Ok((environment, duration)) => {
                        init_duration = Some(duration);
                        environment
                    }
                    Err(init_failed) => return Ok(init_failed),
                },
            };
            if !std::mem::replace(&mut started, true) {
                let line = format_args!("START RequestId: {request_id} Version: $LATEST");
                hosted.log.line(line);
            }
            let Some(outcome) =
                environment.assign(event(&hosted.function, &request_id, payload.clone()))
            else {
                continue;
            };
            let (status, duration, invocation) = match tokio::time::timeout(timeout, outcome).await
            {
                Ok(Ok(Outcome::NotDelivered) | Err(_)) => continue,
                Ok(Ok(Outcome::Answered {
                    payload,
                    function_error,
                    duration,
                })) => {
                    hosted.environments.idle(environment.clone());
                    let status = if function_error.is_some() {
                        Status::Error
                    } else {
                        Status::Success
                    };
                    (
                        status,
                        duration,
                        Invocation {
                            request_id,
                            payload,
                            function_error,
                        },
                    )
                }
                Ok(Ok(Outcome::Ended { how, duration })) => {
                    let message = format!("Runtime exited with error: {how}");
                    (
                        Status::Crash,
                        duration,
                        failed(request_id, "Runtime.ExitError", &message),
                    )
                }
                Err(_elapsed) => {
                    // Read before the process goes: afterwards there is nothing to read.
                    environment.peak_memory_bytes();
                    environment.end().await;
                    let message =
                        format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
                    (
                        Status::Timeout,
                        timeout,
                        failed(request_id, "Sandbox.Timedout", &message),
                    )
                }
            };
            return Ok(Finished {
                invocation,
                status,
                duration,
                init_duration,
                environment,
            });
        }
    }

    /// A new environment and the duration of its init phase, or the invocation that ended with that phase.
    async fn start(
        &self,
        hosted: &Hosted,
        request_id: &str,
    ) -> Result<Result<(Arc<Environment>, Duration), Finished>, InvokeError> {
        let function = &hosted.function;
        let observer = self.settings.on_phase.clone().map(|on_phase| Observer {
            function: function.name.clone(),
            on_phase,
        });
        let freeze = self.settings.freeze;
        let started = launch(&self.guardian, function, &hosted.log, freeze, observer).await;
        let (environment, init) = started.map_err(|error| {
            let message = format!("{} can't be started: {error}", function.program.display());
            let line = format!("RequestId: {request_id} Error: {message}");
            hosted.log.line(line);
            InvokeError::Service(message)
        })?;
        hosted.environments.started(environment.clone());
        if self.closed.load(Ordering::SeqCst) {
            environment.end().await;
            return Err(InvokeError::Service("the host is shutting down".to_owned()));
        }
        Ok(match environment.initialised(init, request_id).await {
            Ok(init_duration) => Ok((environment, init_duration)),
            Err(InitFailed { payload, duration }) => Err(Finished {
                invocation: Invocation {
                    request_id: request_id.to_owned(),
                    payload,
                    function_error: Some(FunctionError::Unhandled),
                },
                status: Status::Crash,
                duration: Duration::ZERO,
                init_duration: Some(duration),
                environment,
            }),
        })
    }

    fn report(&self, hosted: &Hosted, finished: &Finished) {
        let report = Report {
            function: hosted.function.name.clone(),
            request_id: finished.invocation.request_id.clone(),
            duration: finished.duration,
            billed_duration: Report::billed(finished.duration, finished.init_duration),
            memory_mb: hosted.function.memory_mb,
            max_memory_used_bytes: finished.environment.peak_memory_bytes(),
            init_duration: finished.init_duration,
            status: finished.status,
        };
        hosted
            .log
            .line(format_args!("END RequestId: {}", report.request_id));
        hosted.log.line(&report);
        if let Some(on_report) = &self.settings.on_report {
            on_report(&report);
        }
    }
}

fn event(function: &Function, request_id: &str, payload: Bytes) -> Event {
    let now = SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    // X-Ray's form: version, seconds in hexadecimal, 96 random bits (X-Ray developer guide, "Trace ID format").
    let random = request_id.replace('-', "");
    Event {
        request_id: request_id.to_owned(),
        payload,
        deadline: now + function.timeout,
        trace_id: format!(
            "Root=1-{seconds:08x}-{};Parent={};Sampled=0",
            &random[..24],
            &random[16..]
        ),
        function_arn: format!(
            "arn:aws:lambda:eu-west-2:123456789012:function:{}",
            function.name
        ),
    }
}

fn failed(request_id: String, error_type: &str, message: &str) -> Invocation {
    let payload = error_payload(&request_id, error_type, message);
    Invocation {
        request_id,
        payload,
        function_error: Some(FunctionError::Unhandled),
    }
}
