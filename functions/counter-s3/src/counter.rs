//! The counter: one object, compared and swapped.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_sdk_s3::{
    Client,
    config::Builder,
    error::{BoxError, ProvideErrorMetadata, SdkError},
    operation::{get_object::GetObjectError, put_object::PutObjectError},
    primitives::ByteStream,
};
use function_kit::aws::{self, SdkConfig};
use tokio::time::{sleep, timeout};

use crate::contention::Contention;

/// The object that holds the count as decimal text.
const KEY: &str = "hits";
/// The digits of the largest count, so that no larger object is fetched.
const MAX_DIGITS: i64 = 20;

/// The counter in object `hits` of a bucket.
#[derive(Debug)]
pub(crate) struct Counter {
    client: Client,
    bucket: String,
    seen: Mutex<Option<Seen>>,
    contention: Mutex<Contention>,
}

/// The object as it was last seen.
#[derive(Debug)]
struct Seen {
    hits: u64,
    /// None when there is no object yet.
    etag: Option<String>,
}

/// Why a hit got no number. It may have been counted all the same: S3 may have written it and the answer got lost.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Heals by itself.
    #[error("S3 is unavailable")]
    Unavailable(#[source] BoxError),
    /// Heals by itself: S3 did not answer in time, or others always wrote first.
    #[error("no time left")]
    OutOfTime,
    /// Needs mending.
    #[error("S3 refused")]
    Refused(#[source] BoxError),
    /// The object is not a count. It is left as it is.
    #[error("the object is not a whole number")]
    NotANumber,
}

impl Counter {
    pub(crate) fn new(config: &SdkConfig, bucket: String) -> Self {
        let config = Builder::from(config)
            // An endpoint of one's own has no host name for every bucket.
            .force_path_style(config.endpoint_url().is_some())
            .build();
        Self {
            client: Client::from_conf(config),
            bucket,
            seen: Mutex::default(),
            contention: Mutex::default(),
        }
    }

    /// Opens the connection to S3 by reading the object, so that the first hit is one write as well. Should another write
    /// come in between, that hit finds out and reads again.
    pub(crate) async fn open_connection(&self) {
        if let Ok(seen) = self.read().await {
            self.remember(seen);
        }
    }

    /// Counts a hit, and returns the count after it.
    ///
    /// A number is never returned twice, and the count is never below the numbers returned. It can be above them: when an
    /// answer of S3 is lost, the write may have been done, and the hit is counted again.
    pub(crate) async fn hit(&self, time_left: Duration) -> Result<u64, Error> {
        timeout(time_left, self.compare_and_swap(time_left))
            .await
            .map_err(|_| Error::OutOfTime)?
    }

    async fn compare_and_swap(&self, time_left: Duration) -> Result<u64, Error> {
        let start = Instant::now();
        // Taken, not copied: a write with an unknown end leaves nothing behind to rely on.
        let mut seen = lock(&self.seen).take();
        loop {
            let window = lock(&self.contention).window(Instant::now());
            if !window.is_zero() {
                // What was seen before the wait is most likely out of date after it: a write would be one for nothing.
                seen = None;
                // The longer a hit has waited the sooner it tries again, so that none runs out of time.
                let patience = 1.0 - start.elapsed().div_duration_f64(time_left).min(1.0);
                sleep(window.mul_f64(fastrand::f64() * patience)).await;
            }
            let current = match seen.take() {
                Some(seen) => seen,
                None => self.read().await?,
            };
            let hits = current.hits.checked_add(1).ok_or(Error::NotANumber)?;
            if let Some(written) = self.write(hits, current.etag).await? {
                lock(&self.contention).won();
                self.remember(written);
                return Ok(hits);
            }
            lock(&self.contention).lost(Instant::now());
        }
    }

    /// The object now: 0 when there is none.
    async fn read(&self) -> Result<Seen, Error> {
        let get = self.client.get_object().bucket(&self.bucket).key(KEY);
        let output = match get.send().await {
            Ok(output) => output,
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => {
                return Ok(Seen {
                    hits: 0,
                    etag: None,
                });
            }
            Err(error) => return Err(failed::<GetObjectError>(error)),
        };
        if output
            .content_length()
            .is_none_or(|length| length > MAX_DIGITS)
        {
            return Err(Error::NotANumber);
        }
        let body = output
            .body
            .collect()
            .await
            .map_err(|error| Error::Unavailable(error.into()))?;
        let hits = str::from_utf8(&body.into_bytes())
            .ok()
            .and_then(|text| text.parse().ok())
            .ok_or(Error::NotANumber)?;
        Ok(Seen {
            hits,
            etag: output.e_tag,
        })
    }

    /// Writes `hits` over the object as it was seen, or as the first one. None when somebody else wrote in between.
    async fn write(&self, hits: u64, etag: Option<String>) -> Result<Option<Seen>, Error> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(KEY)
            .content_type("text/plain")
            .body(ByteStream::from(hits.to_string().into_bytes()));
        let put = match etag {
            Some(etag) => put.if_match(etag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(output) => Ok(Some(Seen {
                hits,
                etag: output.e_tag,
            })),
            Err(error) if written_by_another(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn remember(&self, seen: Seen) {
        *lock(&self.seen) = Some(seen);
    }
}

/// Conditional writes, "Amazon S3 User Guide": 412 when the condition is false, 409 when another write or delete came in
/// between, 404 when the object to match is gone.
fn written_by_another(error: &SdkError<PutObjectError>) -> bool {
    matches!(
        error.code(),
        Some("PreconditionFailed" | "ConditionalRequestConflict" | "NoSuchKey")
    )
}

fn failed<E>(error: SdkError<E>) -> Error
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    if aws::is_transient(&error) {
        Error::Unavailable(error.into())
    } else {
        Error::Refused(error.into())
    }
}

/// A lock is held for a few instructions that do not panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
