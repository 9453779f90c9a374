//! Opens a connection in the init phase, which has a whole core. At 128 MB an invocation has a fourteenth of one, and its
//! first TLS handshake would take most of a second.

use std::{
    future::poll_fn,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        connection::CaptureSmithyConnection,
        interceptors::{
            Intercept, context::BeforeTransmitInterceptorContextRef, dyn_dispatch_hint,
        },
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;
use tokio::{sync::oneshot, task::JoinHandle};

/// An interceptor that sees on which connection a call goes out.
#[derive(Clone, Debug, Default)]
pub struct Connection(Arc<Mutex<Option<CaptureSmithyConnection>>>);

impl Connection {
    fn is_open(&self) -> bool {
        let capture = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        capture
            .as_ref()
            .is_some_and(|capture| capture.get().is_some())
    }
}

#[dyn_dispatch_hint]
impl Intercept for Connection {
    fn name(&self) -> &'static str {
        "Connection"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            config.load::<CaptureSmithyConnection>().cloned();
        Ok(())
    }
}

/// Starts the call that is to have this interceptor, and returns once its connection is open, TLS and all, or it has
/// failed. The answer is not waited for: it comes while the runtime fetches the first event.
pub async fn open<C, F>(call: C) -> JoinHandle<F::Output>
where
    C: FnOnce(Connection) -> F,
    F: Future<Output: Send> + Send + 'static,
{
    let connection = Connection::default();
    let call = call(connection.clone());
    let (open, opened) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        let mut call = pin!(call);
        let mut open = Some(open);
        poll_fn(|context| {
            let answer = call.as_mut().poll(context);
            if answer.is_ready() || connection.is_open() {
                open = None;
            }
            answer
        })
        .await
    });
    // Ends when the other half is dropped.
    let _ = opened.await;
    task
}
