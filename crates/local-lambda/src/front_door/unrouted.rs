//! What answers where the API has no route.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{Response, request::Parts};

type Answer = dyn Fn(&Parts) -> Option<Response<Bytes>> + Send + Sync;

/// What answers the requests that no route takes, in place of the API's 404: nothing, until it is given.
///
/// Clones are the same. Requests that a route takes never come here.
#[derive(Clone, Default)]
pub struct Unrouted(Arc<OnceLock<Box<Answer>>>);

impl Unrouted {
    /// Has these requests answered from now on, but for those where `answer` has none. What was given first stays.
    ///
    /// It is called on the server's thread and must not block it for long.
    pub fn answer_with(
        &self,
        answer: impl Fn(&Parts) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) {
        self.0.get_or_init(|| Box::new(answer));
    }

    pub(super) fn answer(&self, parts: &Parts) -> Option<Response<Bytes>> {
        self.0.get()?(parts)
    }
}

impl fmt::Debug for Unrouted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Unrouted")
            .field(&self.0.get().is_some())
            .finish()
    }
}
