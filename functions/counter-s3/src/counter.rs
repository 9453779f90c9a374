//! The counter: one object, compared and swapped.

use std::time::{Duration, Instant};

use aws_sdk_s3::{
    Client,
    config::Builder,
    error::{BoxError, ProvideErrorMetadata, SdkError},
    operation::put_object::PutObjectError,
    primitives::ByteStream,
};
use function_kit::{
    aws::{self, SdkConfig},
    connection,
};
use tokio::{
    sync::Mutex,
    time::{sleep, timeout},
};

use crate::contention::Contention;

/// The object that holds the count as decimal text.
const KEY: &str = "hits";
/// The digits of the largest count, so that no larger object is fetched.
const MAX_DIGITS: i64 = 20;

/// The share of a hit's time in which no try starts any more: one that is cut off may have been written all the same, and
/// then a hit would be counted that got no number.
const TO_FINISH_A_TRY: u32 = 4;

/// The counter in object `hits` of a bucket.
#[derive(Debug)]
pub(crate) struct Counter {
    client: Client,
    bucket: String,
    // Held for a whole hit: two hits of one environment would only get into each other's way.
    memory: Mutex<Memory>,
}

/// What an environment keeps from one hit to the next.
#[derive(Debug, Default)]
struct Memory {
    seen: Option<Seen>,
    contention: Contention,
}

/// The object as it was last seen.
#[derive(Debug, Default)]
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
    /// Does not heal by itself.
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
            memory: Mutex::default(),
        }
    }

    /// Opens the connection to S3 by reading the object, so that the first hit is one write as well. Should another write
    /// come in between, that hit finds out and reads again.
    pub(crate) async fn open_connection(&self) {
        let read = connection::open(self.read()).await;
        self.memory.lock().await.seen = read.and_then(Result::ok);
    }

    /// Counts a hit, and returns the count after it.
    ///
    /// A number is never returned twice, and the count is never below the numbers returned. It can be above them: when an
    /// answer of S3 is lost or too late, the write may have been done all the same.
    pub(crate) async fn hit(&self, time_left: Duration) -> Result<u64, Error> {
        timeout(time_left, self.compare_and_swap(time_left))
            .await
            .map_err(|_| Error::OutOfTime)?
    }

    async fn compare_and_swap(&self, time_left: Duration) -> Result<u64, Error> {
        let start = Instant::now();
        let to_start_a_try = time_left - time_left / TO_FINISH_A_TRY;
        let Memory { seen, contention } = &mut *self.memory.lock().await;
        loop {
            let left = to_start_a_try.saturating_sub(start.elapsed());
            if left.is_zero() {
                return Err(Error::OutOfTime);
            }
            if let Some(pause) = contention.pause(Instant::now(), left, to_start_a_try) {
                // What was seen before the pause is most likely out of date after it: a write would be one for nothing.
                *seen = None;
                sleep(pause).await;
            }
            let tried = Instant::now();
            // Taken, not copied: a write that ends in an unknown way leaves nothing behind to rely on.
            let current = match seen.take() {
                Some(seen) => seen,
                None => self.read().await?,
            };
            let hits = current.hits.checked_add(1).ok_or(Error::NotANumber)?;
            if let Some(written) = self.write(hits, current.etag).await? {
                contention.won();
                *seen = Some(written);
                return Ok(hits);
            }
            contention.lost(Instant::now(), tried.elapsed());
        }
    }

    /// The object as it is now: 0 when there is none.
    async fn read(&self) -> Result<Seen, Error> {
        let get = self.client.get_object().bucket(&self.bucket).key(KEY);
        let output = match get.send().await {
            Ok(output) => output,
            Err(SdkError::ServiceError(error)) if error.err().is_no_such_key() => {
                return Ok(Seen::default());
            }
            Err(error) => return Err(failed(error)),
        };
        let length = output.content_length();
        if length.is_none_or(|length| length > MAX_DIGITS) {
            return Err(Error::NotANumber);
        }
        let body = output.body.collect().await;
        let body = body.map_err(|error| Error::Unavailable(error.into()))?;
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
            .body(ByteStream::from(hits.to_string().into_bytes()))
            .set_if_none_match(etag.is_none().then(|| "*".to_owned()))
            .set_if_match(etag);
        match put.send().await {
            Ok(output) => Ok(Some(Seen {
                hits,
                etag: output.e_tag,
            })),
            Err(error) if written_by_another(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

/// Conditional writes, "Amazon S3 User Guide": 412 when the condition is false, 409 when another write or delete came in
/// between, 404 when the object to match is gone. The other 409, `OperationAborted`, is of an operation that was in progress
/// ("Error responses", Amazon S3 API Reference): try again.
fn written_by_another(error: &SdkError<PutObjectError>) -> bool {
    matches!(
        error.code(),
        Some(
            "PreconditionFailed" | "ConditionalRequestConflict" | "OperationAborted" | "NoSuchKey"
        )
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

#[cfg(test)]
pub(crate) mod fixture {
    //! The template's bucket, one for each test.

    use function_kit::testing::emulator::{self, Ministack};

    use super::*;

    pub(crate) struct EmulatedBucket {
        pub(crate) counter: Counter,
        pub(crate) endpoint: String,
    }

    impl EmulatedBucket {
        /// In the emulator that the tests share.
        pub(crate) async fn new() -> Self {
            Self::within(emulator::shared().await.unwrap()).await
        }

        pub(crate) async fn within(emulator: &Ministack) -> Self {
            let bucket = emulator::make(emulator, "Bucket").await.unwrap();
            let endpoint = emulator.endpoint().to_owned();
            let counter = counter(&endpoint, &bucket);
            Self { counter, endpoint }
        }

        /// A counter of another execution environment.
        pub(crate) fn another(&self) -> Counter {
            counter(&self.endpoint, &self.counter.bucket)
        }

        /// Writes the object, as somebody else might.
        pub(crate) async fn put(&self, text: &'static str) {
            self.counter
                .client
                .put_object()
                .bucket(&self.counter.bucket)
                .key(KEY)
                .body(ByteStream::from_static(text.as_bytes()))
                .send()
                .await
                .unwrap();
        }

        /// The text of the object.
        pub(crate) async fn text(&self) -> String {
            let object = self
                .counter
                .client
                .get_object()
                .bucket(&self.counter.bucket)
                .key(KEY)
                .send()
                .await
                .unwrap();
            let bytes = object.body.collect().await.unwrap().into_bytes();
            String::from_utf8(bytes.to_vec()).unwrap()
        }

        /// Removes the object.
        pub(crate) async fn delete(&self) {
            self.counter
                .client
                .delete_object()
                .bucket(&self.counter.bucket)
                .key(KEY)
                .send()
                .await
                .unwrap();
        }
    }

    pub(crate) fn counter(endpoint: &str, bucket: &str) -> Counter {
        let config = emulator::config(endpoint).unwrap();
        Counter::new(&config, bucket.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use function_kit::testing::{Answer, GoBetween, SilentBackend};
    use tokio::task::JoinSet;

    use super::{
        fixture::{self, EmulatedBucket},
        *,
    };

    /// What a function timeout of five seconds leaves.
    const TIME: Duration = Duration::from_millis(4500);

    #[tokio::test]
    async fn a_missing_object_counts_as_zero() {
        let bucket = EmulatedBucket::new().await;
        for expected in 1..=3 {
            assert_eq!(bucket.counter.hit(TIME).await.unwrap(), expected);
        }
        assert_eq!(bucket.text().await, "3");
    }

    #[tokio::test]
    async fn the_first_hit_uses_what_the_init_phase_read() {
        let bucket = EmulatedBucket::new().await;
        bucket.put("41").await;
        bucket.counter.open_connection().await;
        let memory = bucket.counter.memory.lock().await;
        assert!(memory.seen.as_ref().is_some_and(|seen| seen.hits == 41));
        drop(memory);
        bucket.counter.open_connection().await;
        assert_eq!(bucket.counter.hit(TIME).await.unwrap(), 42);
    }

    #[tokio::test]
    async fn a_write_since_the_last_hit_is_noticed() {
        let bucket = EmulatedBucket::new().await;
        let another = bucket.another();
        assert_eq!(bucket.counter.hit(TIME).await.unwrap(), 1);
        assert_eq!(another.hit(TIME).await.unwrap(), 2);
        assert_eq!(bucket.counter.hit(TIME).await.unwrap(), 3);
        bucket.delete().await;
        assert_eq!(bucket.counter.hit(TIME).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_operation_that_s3_aborted_is_tried_again() {
        let bucket = EmulatedBucket::new().await;
        let body = "<Error><Code>OperationAborted</Code></Error>".to_owned();
        let way = GoBetween::start(&bucket.endpoint, vec![Answer::Instead(409, body)]).await;
        let way = way.unwrap();
        let counter = fixture::counter(way.endpoint(), &bucket.counter.bucket);
        counter.memory.lock().await.seen = Some(Seen {
            hits: 0,
            etag: None,
        });
        assert_eq!(counter.hit(TIME).await.unwrap(), 1);
        assert_eq!(way.requests(), 3, "refused, read, written");
    }

    #[tokio::test]
    async fn an_object_that_is_not_a_number_is_left_alone() {
        let bucket = EmulatedBucket::new().await;
        for text in [
            "many",
            "",
            "-1",
            "1.5",
            "12\n",
            "123456789012345678901",
            "18446744073709551615",
        ] {
            bucket.put(text).await;
            let error = bucket.counter.hit(TIME).await.unwrap_err();
            assert!(matches!(error, Error::NotANumber), "{text:?}: {error:?}");
            assert_eq!(bucket.text().await, text);
        }
    }

    #[tokio::test]
    async fn a_missing_bucket_is_refused() {
        let bucket = EmulatedBucket::new().await;
        let mut counter = bucket.another();
        counter.bucket = "no-such-bucket".to_owned();
        let error = counter.hit(TIME).await.unwrap_err();
        assert!(matches!(error, Error::Refused(_)), "{error:?}");
    }

    #[tokio::test]
    async fn no_time_left_is_out_of_time() {
        let bucket = EmulatedBucket::new().await;
        assert_eq!(bucket.counter.hit(TIME).await.unwrap(), 1);
        let error = bucket.counter.hit(Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, Error::OutOfTime), "{error:?}");
        assert_eq!(bucket.counter.hit(TIME).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn hits_from_many_environments_at_the_same_time_are_counted_exactly() {
        let bucket = EmulatedBucket::new().await;
        let mut environments = JoinSet::new();
        for _ in 0..16 {
            let counter = bucket.another();
            environments.spawn(async move {
                let mut hits = Vec::new();
                for _ in 0..20 {
                    hits.push(counter.hit(TIME).await.unwrap());
                }
                hits
            });
        }
        let hits: Vec<u64> = environments
            .join_all()
            .await
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(hits.len(), 16 * 20);
        let distinct: BTreeSet<u64> = hits.into_iter().collect();
        assert_eq!(distinct, (1..=16 * 20).collect());
    }

    #[tokio::test]
    async fn a_backend_that_never_answers_is_given_up_in_time_and_what_was_written_is_unknown() {
        let silent = SilentBackend::start().unwrap();
        let counter = fixture::counter(&silent.endpoint().unwrap(), "counter");
        counter.memory.lock().await.seen = Some(Seen {
            hits: 41,
            etag: None,
        });
        let time = Duration::from_millis(300);
        let hit = timeout(TIME, counter.hit(time)).await;
        let error = hit.expect("given up in time").unwrap_err();
        assert!(matches!(error, Error::OutOfTime), "{error:?}");
        assert!(counter.memory.lock().await.seen.is_none());
    }
}
