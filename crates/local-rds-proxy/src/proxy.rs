//! A running proxy: its thread, its port, its clients.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use mysql_common::constants::CapabilityFlags;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    runtime::{Builder, Runtime},
    sync::{oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    Error, Metrics,
    database_connection::{DatabaseConnection, Failure, Greeting, Login},
    handshake::{Handshake, shake_hands},
    metrics::Gauges,
    packet::Wire,
    pool::{Limits, Pool},
    session::{Session, Shared},
    state::State,
};

/// How long a client may take to get in: MySQL's `connect_timeout`.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long commands under way may take when the proxy stops.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How long no client is accepted after the system had no socket for one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A database connection is idle "when there's been no activity on the connection for five minutes" (Amazon RDS User Guide,
/// "RDS Proxy connection considerations").
const IDLE_AFTER: Duration = Duration::from_secs(5 * 60);

/// How many clients may connect at once. One who finds the queue full may wait for a greeting for ever: in MySQL's protocol
/// the server speaks first.
const BACKLOG: u32 = 4096;

/// utf8mb4_general_ci, which every server knows.
const COLLATION: u8 = 45;

/// What a proxy is started with: `ConnectionPoolConfigurationInfo` of a target group, and where the database is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the database is: `HOST:PORT`.
    pub upstream: String,
    /// The database's user, and the clients'. The account has to have `mysql_native_password`.
    pub user: String,
    /// The password, likewise.
    pub password: String,
    /// The port of 127.0.0.1 to listen on; 0 for any that is free.
    pub port: u16,
    /// The share of the database's `max_connections` that the proxy may open, rounded down, but at least one.
    pub max_connections_percent: u32,
    /// The share of `max_connections` that may stay open without use for five minutes.
    pub max_idle_connections_percent: u32,
    /// How long a request may wait for a database connection.
    pub borrow_timeout: Duration,
    /// How long a client may be silent between two commands.
    pub idle_client_timeout: Duration,
}

impl Settings {
    /// With RDS Proxy's defaults: all connections, half of them idle, 120 s to borrow one, 30 min of silence.
    pub fn new(
        upstream: impl Into<String>,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        Self {
            upstream: upstream.into(),
            user: user.into(),
            password: password.into(),
            port: 0,
            max_connections_percent: 100,
            max_idle_connections_percent: 50,
            borrow_timeout: Duration::from_secs(120),
            idle_client_timeout: Duration::from_secs(30 * 60),
        }
    }
}

/// A running proxy, on a thread of its own. Dropping it ends it at once.
#[derive(Debug)]
pub struct RdsProxy {
    address: SocketAddr,
    gauges: Gauges,
    // Dropped before the thread is waited for: that ends it.
    stop: Option<watch::Sender<bool>>,
    ended: oneshot::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl RdsProxy {
    /// Starts a proxy for a database, which has to answer: it says how many connections it takes.
    pub async fn start(settings: Settings) -> Result<Self, Error> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let gauges = Gauges::default();
        let (stop, is_stopping) = watch::channel(false);
        let (ready, started) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("rds-proxy".to_owned());
        let thread = thread.spawn({
            let gauges = gauges.clone();
            move || {
                work(&runtime, settings, gauges, is_stopping, ready);
                // Sessions end, and with them their connections.
                drop(runtime);
                let _ = end.send(());
            }
        })?;
        let address = started.await.unwrap_or(Err(Error::Panicked))?;
        Ok(Self {
            address,
            gauges,
            stop: Some(stop),
            ended,
            thread: Some(thread),
        })
    }

    /// Where it listens: a port of 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How it is doing.
    pub fn metrics(&self) -> Metrics {
        self.gauges.now()
    }

    /// Stops it in an orderly way: commands and transactions under way have five seconds to end, no more are begun.
    pub async fn stop(mut self) -> Result<(), Error> {
        if let Some(stop) = &self.stop {
            stop.send_replace(true);
        }
        (&mut self.ended).await.map_err(|_| Error::Panicked)
    }
}

impl Drop for RdsProxy {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It ends at its next wait. A panic there was told to those who waited for it.
            let _ = thread.join();
        }
    }
}

/// What the proxy's thread does, until it is told to stop or nobody is left to tell it.
fn work(
    runtime: &Runtime,
    settings: Settings,
    gauges: Gauges,
    is_stopping: watch::Receiver<bool>,
    ready: oneshot::Sender<Result<SocketAddr, Error>>,
) {
    let mut abandoned = is_stopping.clone();
    runtime.block_on(async {
        let proxy = async {
            match Listener::open(settings, gauges, is_stopping).await {
                Ok((listener, address)) => {
                    if ready.send(Ok(address)).is_ok() {
                        listener.serve().await;
                    }
                }
                Err(error) => {
                    // Who does not wait for it does not want it.
                    let _ = ready.send(Err(error));
                }
            }
        };
        tokio::select! {
            () = proxy => {}
            // Fails when the proxy is dropped.
            () = async { while abandoned.changed().await.is_ok() {} } => {}
        }
    });
}

#[derive(Debug)]
struct Listener {
    listener: TcpListener,
    client: Arc<Client>,
}

/// What a client is served with.
#[derive(Debug)]
struct Client {
    login: Login,
    greeting: Greeting,
    shared: Arc<Shared>,
}

impl Listener {
    async fn open(
        settings: Settings,
        gauges: Gauges,
        is_stopping: watch::Receiver<bool>,
    ) -> Result<(Self, SocketAddr), Error> {
        let login = Login {
            address: settings.upstream,
            user: settings.user,
            password: settings.password,
        };
        let (greeting, max_connections, max_allowed_packet) =
            ask(&login).await.map_err(|failure| Error::NoDatabase {
                address: login.address.clone(),
                cause: failure.to_string(),
            })?;
        let share = |percent: u32| max_connections * percent as usize / 100;
        let limits = Limits {
            connections: share(settings.max_connections_percent).max(1),
            idle_connections: share(settings.max_idle_connections_percent),
            idle_after: IDLE_AFTER,
            borrow_timeout: settings.borrow_timeout,
        };
        gauges.change(|metrics| metrics.max_database_connections_allowed = limits.connections);
        let listener = listen(settings.port)?;
        let address = listener.local_addr()?;
        let shared = Shared {
            pool: Arc::new(Pool::new(login.clone(), limits, gauges.clone())),
            gauges,
            idle_client_timeout: settings.idle_client_timeout,
            max_allowed_packet,
            is_stopping,
        };
        let client = Client {
            login,
            greeting,
            shared: Arc::new(shared),
        };
        let listener = Self {
            listener,
            client: Arc::new(client),
        };
        Ok((listener, address))
    }

    async fn serve(self) {
        let Self { listener, client } = self;
        let pool = Arc::clone(&client.shared.pool);
        let mut is_stopping = client.shared.is_stopping.clone();
        let mut clients = JoinSet::new();
        let accepting = async {
            for id in 1.. {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        // Reaps those that are gone.
                        while clients.try_join_next().is_some() {}
                        clients.spawn(Arc::clone(&client).serve(stream, id));
                    }
                    // No socket left for it: it waits in the queue.
                    Err(_) => sleep(ACCEPT_PAUSE).await,
                }
            }
        };
        tokio::select! {
            () = accepting => {}
            () = pool.retire() => {}
            _ = is_stopping.wait_for(|is_stopping| *is_stopping) => {}
        }
        drop(listener);
        let ending = async { while clients.join_next().await.is_some() {} };
        // Those that did not end in time are aborted as the set is dropped.
        let _ = timeout(STOP_LIMIT, ending).await;
        drop(clients);
        pool.close().await;
    }
}

impl Client {
    async fn serve(self: Arc<Self>, stream: TcpStream, id: u32) {
        let gauges = &self.shared.gauges;
        let _counted = gauges.count(|metrics| &mut metrics.client_connections);
        let Ok(mut wire) = Wire::new(stream) else {
            return;
        };
        let hands = shake_hands(&mut wire, &self.greeting, &self.login, id);
        match timeout(HANDSHAKE_LIMIT, hands).await {
            Ok(Ok(Handshake::Accepted(state))) => {
                gauges.change(|metrics| metrics.client_connections_setup_succeeded += 1);
                Session::new(wire, Arc::clone(&self.shared), state)
                    .run()
                    .await;
            }
            Ok(Ok(Handshake::Denied)) => {
                gauges.change(|metrics| metrics.client_connections_setup_failed_auth += 1);
            }
            // It went away, or speaks another language.
            Ok(Err(_)) | Err(_) => {}
        }
    }
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(BACKLOG)
}

/// What the proxy has to know of its database: how it greets, how many connections it takes, and how long a packet.
async fn ask(login: &Login) -> Result<(Greeting, usize, usize), Failure> {
    const QUESTION: &str = "SELECT @@max_connections, @@max_allowed_packet";
    let state = State {
        capabilities: CapabilityFlags::CLIENT_PROTOCOL_41,
        collation: COLLATION,
        database: None,
    };
    let (mut connection, greeting) = DatabaseConnection::connect(login, &state).await?;
    let numbers = connection.numbers(QUESTION).await?;
    connection.close().await;
    match numbers[..] {
        [max_connections, max_allowed_packet] => {
            Ok((greeting, max_connections, max_allowed_packet))
        }
        _ => Err(io::Error::from(io::ErrorKind::InvalidData).into()),
    }
}
