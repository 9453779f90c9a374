//! Measurements as JSON, so that one machine measures and another one shows it, with nothing lost in between.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize, de, ser};

use crate::{Failure, Failures, Latencies};

/// Latencies on their way. The histogram has neither their exact sum nor their exact maximum.
#[derive(Deserialize, Serialize)]
struct Encoded {
    /// HdrHistogram's own format, "V2 compressed" in base64 as in its logs: any HdrHistogram reads it. In nanoseconds.
    histogram: String,
    total_ns: u64,
    longest_ns: u64,
}

impl Serialize for Latencies {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.histogram, &mut bytes)
            .map_err(ser::Error::custom)?;
        let encoded = Encoded {
            histogram: BASE64.encode(bytes),
            total_ns: whole_nanoseconds(self.total),
            longest_ns: whole_nanoseconds(self.longest),
        };
        encoded.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = Encoded::deserialize(deserializer)?;
        let bytes = BASE64
            .decode(encoded.histogram)
            .map_err(de::Error::custom)?;
        let histogram = Deserializer::new()
            .deserialize::<u64, _>(&mut &*bytes)
            .map_err(|error| de::Error::custom(format_args!("no histogram: {error:?}")))?;
        let mut latencies = Self::new();
        // Into our own bounds: others can't be merged with it.
        latencies
            .histogram
            .add(&histogram)
            .map_err(de::Error::custom)?;
        latencies.total = Duration::from_nanos(encoded.total_ns);
        latencies.longest = Duration::from_nanos(encoded.longest_ns);
        Ok(latencies)
    }
}

/// Failures of one kind in one second.
#[derive(Deserialize, Serialize)]
struct Failed {
    second: u64,
    cause: Failure,
    count: u64,
}

impl Serialize for Failures {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.by_second().map(|(second, cause, count)| Failed {
            second,
            cause,
            count,
        }))
    }
}

impl<'de> Deserialize<'de> for Failures {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut failures = Self::default();
        for failed in Vec::<Failed>::deserialize(deserializer)? {
            failures.add(failed.second, failed.cause, failed.count);
        }
        Ok(failures)
    }
}

/// Durations as whole nanoseconds.
pub(crate) mod nanoseconds {
    use super::*;

    pub(crate) fn serialize<S: ser::Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(whole_nanoseconds(*duration))
    }

    pub(crate) fn deserialize<'de, D: de::Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_nanos)
    }
}

fn whole_nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Measurement, PERCENTILES};

    #[test]
    fn a_measurement_comes_back_as_it_was() {
        let mut measurement = Measurement {
            latencies: (1..=10_000).map(Duration::from_micros).collect(),
            reconnects: 3,
            elapsed: Duration::new(50, 7),
            client_cpu: Duration::from_millis(900),
            ..Measurement::default()
        };
        measurement.failures.record(0, Failure::Status(503));
        measurement.failures.record(49, Failure::TimedOut);
        let text = serde_json::to_string(&measurement).unwrap();
        // 10,000 latencies, each a value of its own: far below the 6 MB of a Lambda payload.
        assert!(text.len() < 8_000, "{}", text.len());

        let back: Measurement = serde_json::from_str(&text).unwrap();
        assert_eq!(back.latencies.count(), 10_000);
        assert_eq!(back.latencies.mean(), measurement.latencies.mean());
        assert_eq!(back.latencies.max(), measurement.latencies.max());
        for percent in PERCENTILES {
            let [there, here] = [&measurement, &back].map(|one| one.latencies.percentile(percent));
            assert_eq!(there, here);
        }
        assert_eq!(back.failures, measurement.failures);
        assert_eq!(back.reconnects, 3);
        assert_eq!(back.elapsed, measurement.elapsed);
        assert_eq!(back.client_cpu, measurement.client_cpu);
    }

    #[test]
    fn nothing_comes_back_as_nothing() {
        let text = serde_json::to_string(&Measurement::default()).unwrap();
        let back: Measurement = serde_json::from_str(&text).unwrap();
        assert_eq!(back.requests(), 0);
        assert_eq!(back.latencies.mean(), None);
    }

    #[test]
    fn the_histogram_is_hdrhistograms_own_format() {
        let latencies: Latencies = [Duration::from_millis(1)].into_iter().collect();
        let json = serde_json::to_value(&latencies).unwrap();
        // What each line of an HdrHistogram log begins with: the cookie of "V2 compressed", 0x1c849304, in base64.
        let histogram = json["histogram"].as_str().unwrap();
        assert!(histogram.starts_with("HISTFAAA"), "{histogram}");
        assert_eq!(json["total_ns"], 1_000_000);
    }

    #[test]
    fn what_is_no_histogram_is_an_error() {
        for histogram in ["", "!", "AAAA", "HISTFAAA"] {
            let json = json!({ "histogram": histogram, "total_ns": 0, "longest_ns": 0 });
            assert!(
                serde_json::from_value::<Latencies>(json).is_err(),
                "{histogram}"
            );
        }
    }
}
