//! A thread of its own for the load, so that nothing else delays its clock.

use std::{future::Future, io, pin::Pin};

use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
};

/// Runs what `make` makes on a new thread with a runtime of its own, and waits for it.
///
/// Dropping the returned future ends the work there at its next wait.
///
/// # Errors
/// The operating system gives no thread or no event queue, or the work panicked.
pub async fn on_its_own_thread<T, F>(make: impl FnOnce() -> F + Send + 'static) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let (answer, answered) = oneshot::channel();
    // Goes with this future, and then the other end hears of it.
    let (_wanted, unwanted) = oneshot::channel();
    std::thread::Builder::new()
        .name("load".to_owned())
        .spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = answer.send(Err(error));
                    return;
                }
            };
            let mut done = None;
            run(
                &runtime,
                Box::pin(async { done = Some(make().await) }),
                unwanted,
            );
            if let Some(done) = done {
                // Nobody waits any more: nothing is lost.
                let _ = answer.send(Ok(done));
            }
        })?;
    answered
        .await
        .unwrap_or_else(|_| Err(io::Error::other("the load's thread panicked")))
}

/// Runs the work until it is done or nobody wants it any more.
///
/// Not generic, so that the runtime's own loop is compiled with this crate, as fast as this crate is.
fn run(
    runtime: &Runtime,
    work: Pin<Box<dyn Future<Output = ()> + '_>>,
    unwanted: oneshot::Receiver<()>,
) {
    runtime.block_on(async {
        tokio::select! {
            biased;
            () = work => {}
            _ = unwanted => {}
        }
    });
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread::{self, ThreadId},
        time::Duration,
    };

    use super::*;

    #[tokio::test]
    async fn the_work_runs_on_another_thread() {
        let there: ThreadId = on_its_own_thread(|| async { thread::current().id() })
            .await
            .unwrap();
        assert_ne!(there, thread::current().id());
    }

    #[tokio::test]
    async fn work_nobody_waits_for_is_ended() {
        struct Ended(Arc<AtomicBool>);
        impl Drop for Ended {
            fn drop(&mut self) {
                self.0.store(true, Ordering::SeqCst);
            }
        }
        let ended = Arc::new(AtomicBool::new(false));
        let guard = Ended(Arc::clone(&ended));
        let forever = on_its_own_thread(move || async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        });
        assert!(
            tokio::time::timeout(Duration::from_millis(50), forever)
                .await
                .is_err()
        );
        tokio::time::timeout(Duration::from_secs(10), async {
            while !ended.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await
        .unwrap();
    }

    #[tokio::test]
    async fn a_panic_there_is_an_error_here() {
        let error = on_its_own_thread::<(), _>(|| async { panic!("as the test wants it") })
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "the load's thread panicked");
    }
}
