//! Where callers come in, and how far away they are.

use std::{sync::Arc, time::Duration};

use crate::{
    Error,
    relay::{Delays, Protocol, Relay, Watch},
    service::Listeners,
};

/// The way in. Dropping it closes it to callers who are made to be far away.
#[derive(Debug)]
pub(crate) struct WayIn {
    url: String,
    /// What makes the way longer; none where it is as short as it is.
    _relays: Vec<Relay>,
}

impl WayIn {
    /// For callers so far away, there and back; and what is to be served on. That is what is given, unless they are far away.
    pub(crate) async fn open(
        listeners: Listeners,
        round_trip: Option<Duration>,
    ) -> Result<(Self, Listeners), Error> {
        let url = listeners.url();
        let Some(round_trip) = round_trip else {
            let way_in = Self {
                url,
                _relays: Vec::new(),
            };
            return Ok((way_in, listeners));
        };
        let served = Listeners::bind(0).await?;
        let watch = Arc::new(Watch::delaying(Delays::Caller(round_trip)));
        let upstream = served.address().to_string();
        let relays = listeners.into_sockets().into_iter().map(|socket| {
            Relay::on(socket, &upstream, Protocol::Http, watch.clone())
                .map_err(|cause| Error::Listen { port: 0, cause })
        });
        let way_in = Self {
            url,
            _relays: relays.collect::<Result<_, _>>()?,
        };
        Ok((way_in, served))
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }
}
