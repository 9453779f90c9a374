//! A running stack: the emulator with the template's resources, and the template's functions behind their front doors.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use backends::{
    memcached::Memcached,
    ministack::{Ministack, REGION},
};
use local_lambda::{
    EventSourceMapping, FrontDoors, Function, Host, HostSettings, Integration, Redirection, Route,
    SendMessage, Unrouted, sqs_client,
};
use region::{Profile, Recorded};

use crate::{
    ApiCall, Database, DatabaseSettings, Error, ServedFunction,
    relay::{Delays, Recorder, Relays, Watch},
    servers::{self, Backends, Server},
    service::{Listeners, Service},
    template::{Databases, Endpoints, QueueRoute, Resolved, STACK_NAME, Sketch},
    way_in::WayIn,
};

/// What to run, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The SAM template.
    pub template: PathBuf,
    /// Values for its parameters, in place of their defaults.
    pub parameters: BTreeMap<String, String>,
    /// The port of 127.0.0.1 (and of `[::1]`, unless it is a free one) to serve on; 0 is a free one.
    pub port: u16,
    /// How functions are hosted.
    pub host: HostSettings,
    /// The ministack program: see [`backends::ministack::find_program`].
    pub ministack: PathBuf,
    /// Where managed runtimes are installed: see [`find_tools`](crate::find_tools).
    pub tools: PathBuf,
    /// Whether the emulator keeps its state over a pause, at a price: see [`Ministack::start_durable`].
    pub durable: bool,
    /// Where its database comes from, if the template has one.
    pub database: DatabaseSettings,
    /// What the way is made to take.
    pub distances: Distances,
}

/// What is made to take longer than it does on this machine.
#[derive(Clone, Debug, Default)]
pub struct Distances {
    /// Calls to backends take what they take in this Region. Those of an event source mapping do not: Lambda makes them.
    pub backends: Option<Profile>,
    /// How far away callers are, there and back.
    pub caller: Option<Duration>,
}

/// A function that is not served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedFunction {
    /// Its local name.
    pub name: String,
    /// Why it is not served, in one line.
    pub reason: String,
}

/// A running stack.
///
/// It runs on the Tokio runtime it was started on. [`stop`](Self::stop) ends it; so does the end of that runtime.
#[derive(Debug)]
pub struct Stack {
    // Before the emulator: whoever calls it ends first.
    mappings: Vec<EventSourceMapping>,
    way_in: WayIn,
    service: Service,
    /// The way to the backends, where it is made to take longer.
    delayed: Option<Relays>,
    ministack: Ministack,
    database: Option<Database>,
    cache: Option<Memcached>,
    served: Vec<ServedFunction>,
    servers: Vec<Server>,
    skipped: Vec<SkippedFunction>,
    functions: Vec<Function>,
    queue_routes: Vec<QueueRoute>,
    unrouted: Unrouted,
    outputs: BTreeMap<String, String>,
    host: HostSettings,
}

impl Stack {
    /// Starts everything and waits until requests are answered. If it fails, nothing is left running.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let listeners = Listeners::bind(settings.port).await?;
        let sketch = Sketch::read(&settings.template, &settings.parameters)?;
        let described = sketch.servers()?;
        let database = database(&sketch.databases()?, settings.database).await?;
        let cache = cache(sketch.has_cache()).await?;
        let template = sketch.evaluate(
            Endpoints {
                api: listeners.url(),
                database: database.as_ref().map(|it| it.address().to_owned()),
                database_proxy: database
                    .as_ref()
                    .and_then(Database::proxy)
                    .map(|proxy| proxy.address().to_string()),
                cache: cache.as_ref().map(Memcached::address),
            },
            &settings.tools,
        )?;
        let ministack = match settings.durable {
            true => Ministack::start_durable(&settings.ministack).await?,
            false => Ministack::start(&settings.ministack).await?,
        };
        let outputs = match template.to_cloudformation() {
            Some(resources) => ministack.deploy(STACK_NAME, &resources).await?,
            None => BTreeMap::new(),
        };
        let mut access = backends::ministack::variables(ministack.endpoint()).to_vec();
        access.extend(database.iter().flat_map(Database::variables));
        let Resolved {
            served,
            skipped,
            functions,
            queue_routes,
            event_sources,
            outputs,
        } = template.resolve(&outputs, &access)?;
        let backends = Backends {
            database: database.as_ref(),
            cache: cache.as_ref(),
        };
        let (servers, skipped_servers) =
            servers::start(&settings.template, described, &backends).await?;
        let delayed = match settings.distances.backends {
            None => None,
            Some(profile) => {
                let watch = Watch::delaying(Delays::backend(profile));
                Some(relays(&ministack, database.as_ref(), cache.as_ref(), watch).await?)
            }
        };
        let mut hosted = functions.clone();
        let mut endpoint = ministack.endpoint().to_owned();
        if let Some(relays) = &delayed {
            relays.redirect(&mut hosted);
            endpoint = relays.endpoint();
        }
        let host = Host::new(hosted, settings.host.clone())?;
        let doors = doors(&served, &queue_routes, &endpoint);
        let unrouted = doors.unrouted.clone();
        let (way_in, listeners) = WayIn::open(listeners, settings.distances.caller).await?;
        let service = Service::open(listeners, host.clone(), doors).await?;
        let sqs = sqs_client(ministack.endpoint(), REGION);
        let mut mappings = Vec::new();
        for (function, source) in event_sources {
            let (host, sqs) = (host.clone(), sqs.clone());
            mappings.push(EventSourceMapping::start(host, &function, source, sqs).await?);
        }
        Ok(Self {
            mappings,
            way_in,
            service,
            delayed,
            ministack,
            database,
            cache,
            served,
            servers,
            skipped: skipped.into_iter().chain(skipped_servers).collect(),
            functions,
            queue_routes,
            unrouted,
            outputs,
            host: settings.host,
        })
    }

    /// Where everything is served: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.way_in.url()
    }

    /// The calls to backends that were not passed on, since nobody knows how long they take in the Region.
    pub fn undelayed(&self) -> Vec<ApiCall> {
        let watch = self.delayed.as_ref().map(Relays::watch);
        let delays = watch.and_then(Watch::delays);
        delays.map(Delays::unknown).unwrap_or_default()
    }

    /// The functions, in the template's order.
    pub fn functions(&self) -> &[ServedFunction] {
        &self.served
    }

    /// The servers of ours that run beside the functions, in the template's order. The stack's distances and its
    /// [`metered`](Self::metered) twin leave them out.
    pub fn servers(&self) -> &[Server] {
        &self.servers
    }

    /// The functions and servers of the template that are not served, in the template's order.
    pub fn skipped(&self) -> &[SkippedFunction] {
        &self.skipped
    }

    /// The routes of the HTTP API.
    pub fn routes(&self) -> Vec<Route> {
        doors(&self.served, &self.queue_routes, self.ministack.endpoint()).routes
    }

    /// What answers where the template has no route: to be given.
    pub fn unrouted(&self) -> &Unrouted {
        &self.unrouted
    }

    /// The host of the functions.
    pub fn host(&self) -> &Host {
        self.service.host()
    }

    /// The template's outputs, but for those that have no value locally.
    pub fn outputs(&self) -> &BTreeMap<String, String> {
        &self.outputs
    }

    /// The event source mappings of the functions, those that are enabled.
    pub fn event_source_mappings(&self) -> &[EventSourceMapping] {
        &self.mappings
    }

    /// The variables of the function of this local name, with those that lead to the emulator.
    pub fn environment(&self, function: &str) -> Option<&BTreeMap<String, String>> {
        let mut functions = self.functions.iter();
        let found = functions.find(|known| known.name == function)?;
        Some(&found.environment)
    }

    /// The emulator.
    pub fn ministack(&self) -> &Ministack {
        &self.ministack
    }

    /// The emulator, to suspend and resume it.
    pub fn ministack_mut(&mut self) -> &mut Ministack {
        &mut self.ministack
    }

    /// The database, if the template has one and it could be had.
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// The database, to kill and restart its server.
    pub fn database_mut(&mut self) -> Option<&mut Database> {
        self.database.as_mut()
    }

    /// The cache, if the template has one and it could be had.
    pub fn cache(&self) -> Option<&Memcached> {
        self.cache.as_ref()
    }

    /// The cache, to kill and restart it.
    pub fn cache_mut(&mut self) -> Option<&mut Memcached> {
        self.cache.as_mut()
    }

    /// The same functions once more, on a port of their own, with their calls to backends counted, and those of the HTTP
    /// API, and what their environments do recorded. No reports are made of them: counting takes time.
    ///
    /// A call takes some milliseconds at least, and otherwise what it takes here. Queues' messages go to these functions for
    /// as long as they run. What polling takes is not counted here: see [`EventSourceMapping::metrics`].
    pub async fn metered(&self) -> Result<Metered, Error> {
        let listeners = Listeners::bind(0).await?;
        let recorder = Arc::new(Recorder::default());
        let watch = Watch::recording(recorder.clone());
        let (database, cache) = (self.database.as_ref(), self.cache.as_ref());
        let relays = relays(&self.ministack, database, cache, watch).await?;
        let mut functions = self.functions.clone();
        relays.redirect(&mut functions);
        let observer = recorder.clone();
        let settings = HostSettings {
            on_report: None,
            on_phase: Some(Arc::new(move |change| observer.change(change))),
            ..self.host.clone()
        };
        let host = Host::new(functions, settings)?;
        let doors = doors(&self.served, &self.queue_routes, &relays.endpoint());
        let service = Service::open(listeners, host.clone(), doors).await?;
        let mappings = self.mappings.iter();
        Ok(Metered {
            redirections: mappings
                .map(|mapping| mapping.redirect(host.clone()))
                .collect(),
            service,
            relays,
            recorder,
        })
    }

    /// Ends everything: first the polling of queues, then the doors, then the environments, then the backends.
    pub async fn stop(self) -> Result<(), Error> {
        for mapping in self.mappings {
            mapping.stop().await;
        }
        drop(self.way_in);
        self.service.close().await?;
        servers::stop(self.servers).await?;
        self.ministack.stop().await?;
        if let Some(database) = self.database {
            database.stop().await?;
        }
        if let Some(cache) = self.cache {
            cache.stop().await?;
        }
        Ok(())
    }
}

/// A stack's functions with their calls to backends counted, and what they do recorded.
#[derive(Debug)]
pub struct Metered {
    redirections: Vec<Redirection>,
    service: Service,
    relays: Relays,
    recorder: Arc<Recorder>,
}

impl Metered {
    /// Where everything is served: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.service.url()
    }

    /// The host of the functions.
    pub fn host(&self) -> &Host {
        self.service.host()
    }

    /// The calls so far, of the API and of all functions together. Failed attempts count, as they do on the bill.
    pub fn calls(&self) -> BTreeMap<ApiCall, u64> {
        self.relays.watch().calls()
    }

    /// What was recorded of a function since the last time. Invocations that overlapped are not in it.
    pub fn take_recorded(&self, function: &str) -> Recorded {
        self.recorder.take(function)
    }

    /// Ends the doors and the environments.
    pub async fn stop(self) -> Result<(), Error> {
        drop(self.redirections);
        self.service.close().await
    }
}

async fn relays(
    ministack: &Ministack,
    database: Option<&Database>,
    cache: Option<&Memcached>,
    watch: Watch,
) -> Result<Relays, Error> {
    Relays::start(ministack, database, cache, watch)
        .await
        .map_err(no_relay)
}

fn no_relay(cause: std::io::Error) -> Error {
    Error::Listen { port: 0, cause }
}

/// The database, if one is needed. Where there is no MariaDB there is none, if that is no error.
async fn database(
    needed: &Databases,
    settings: DatabaseSettings,
) -> Result<Option<Database>, Error> {
    if !needed.database {
        return Ok(None);
    }
    let mut database = match settings.url {
        Some(url) => Database::at(&url)?,
        None => match Database::start(settings.server).await {
            Ok(database) => database,
            Err(backends::Error::NotInstalled { .. }) if !settings.required => return Ok(None),
            Err(error) => return Err(error.into()),
        },
    };
    if let (Some(prepare), Some(_)) = (&settings.prepare, database.server()) {
        prepare.run(&database).await?;
    }
    if let Some(pool) = &needed.proxy {
        database.start_proxy(pool).await?;
    }
    Ok(Some(database))
}

/// The cache, if one is needed and memcached is installed.
async fn cache(needed: bool) -> Result<Option<Memcached>, Error> {
    if !needed {
        return Ok(None);
    }
    match Memcached::start().await {
        Ok(cache) => Ok(Some(cache)),
        Err(backends::Error::NotInstalled { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The doors of these functions and queues, the queues being at this endpoint.
fn doors(functions: &[ServedFunction], queue_routes: &[QueueRoute], endpoint: &str) -> FrontDoors {
    let to_functions = functions
        .iter()
        .flat_map(|function| function.routes.clone());
    let sqs = sqs_client(endpoint, REGION);
    let to_queues = queue_routes.iter().map(|route| Route {
        method: route.method.clone(),
        path: route.path.clone(),
        integration: Integration::SendMessage(SendMessage {
            sqs: sqs.clone(),
            queue_url: route.queue_url.clone(),
        }),
    });
    FrontDoors {
        routes: to_functions.chain(to_queues).collect(),
        function_urls: functions
            .iter()
            .filter(|function| function.function_url)
            .map(|function| function.name.clone())
            .collect(),
        unrouted: Unrouted::default(),
    }
}
