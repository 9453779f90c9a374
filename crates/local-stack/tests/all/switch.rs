//! A way to the emulator that can be cut.

use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A port that leads to the emulator while it is on. Off, connections break.
pub(crate) struct Switch {
    url: String,
    emulator: watch::Sender<Option<String>>,
    accepting: JoinHandle<()>,
}

impl Switch {
    /// It is off at first.
    pub(crate) async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (emulator, emulators) = watch::channel(None);
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connect(client, emulators.clone()));
            }
        });
        Self {
            url,
            emulator,
            accepting,
        }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Leads to the emulator at this endpoint from now on.
    pub(crate) fn on(&self, endpoint: &str) {
        let address = endpoint.trim_start_matches("http://").to_owned();
        self.emulator.send_replace(Some(address));
    }

    /// Breaks all connections.
    pub(crate) fn off(&self) {
        self.emulator.send_replace(None);
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn connect(mut client: TcpStream, mut emulators: watch::Receiver<Option<String>>) {
    let Some(emulator) = emulators.borrow_and_update().clone() else {
        return;
    };
    let Ok(mut emulator) = TcpStream::connect(emulator).await else {
        return;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut emulator) => {}
        _ = emulators.changed() => {}
    }
}
