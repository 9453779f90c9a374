//! How long calls are made to take.

use std::{
    collections::BTreeSet,
    io,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use region::Profile;

use super::ApiCall;

/// What calls are made to take.
#[derive(Debug)]
pub(crate) enum Delays {
    /// A backend's calls take what they take in a Region. What they take here is part of that.
    Backend {
        profile: Profile,
        unknown: Mutex<BTreeSet<ApiCall>>,
    },
    /// A call takes at least so long, whichever it is.
    Pause { cache: Duration, others: Duration },
    /// A caller is so far away, there and back.
    Caller(Duration),
}

/// When an answer is due.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Due {
    At(Instant),
    /// So long after it has come.
    After(Duration),
}

/// Round trips of a new connection before its first request: TCP's, and that of TLS 1.3 (RFC 8446, figure 1).
const ROUND_TRIPS_TO_CONNECT: u32 = 2;

impl Delays {
    /// Those of a Region's backends.
    pub(crate) fn backend(profile: Profile) -> Self {
        Self::Backend {
            profile,
            unknown: Mutex::default(),
        }
    }

    /// When a call that begins now is to be answered.
    ///
    /// Fails where the profile does not say it; that is remembered.
    pub(crate) fn due(&self, call: &ApiCall, new_connection: bool) -> io::Result<Due> {
        match self {
            Self::Pause { cache, others } => {
                let pause = match call.service.as_str() {
                    "memcached" => cache,
                    _ => others,
                };
                Ok(Due::At(Instant::now() + *pause))
            }
            Self::Caller(round_trip) => Ok(Due::After(match new_connection {
                true => *round_trip * (1 + ROUND_TRIPS_TO_CONNECT),
                false => *round_trip,
            })),
            Self::Backend { profile, unknown } => latency(profile, call, new_connection)
                .map(|latency| Due::At(Instant::now() + latency))
                .map_err(|error| {
                    let mut unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner);
                    unknown.insert(call.clone());
                    io::Error::other(error)
                }),
        }
    }

    /// The calls whose latency is not known. They were not passed on.
    pub(crate) fn unknown(&self) -> Vec<ApiCall> {
        match self {
            Self::Pause { .. } | Self::Caller(_) => Vec::new(),
            Self::Backend { unknown, .. } => {
                let unknown = unknown.lock().unwrap_or_else(PoisonError::into_inner);
                unknown.iter().cloned().collect()
            }
        }
    }
}

fn latency(
    profile: &Profile,
    call: &ApiCall,
    new_connection: bool,
) -> Result<Duration, region::Error> {
    let latency = profile.call(&call.service, &call.operation)?;
    let mut ms = latency.sample(&mut fastrand::Rng::new());
    if new_connection {
        ms += profile.connecting(&call.service, &call.operation)?;
    }
    Ok(Duration::from_secs_f64(ms / 1e3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(operation: &str) -> ApiCall {
        ApiCall {
            service: "dynamodb".to_owned(),
            operation: operation.to_owned(),
        }
    }

    #[test]
    fn a_call_of_which_nothing_is_known_is_an_error_and_remembered() {
        let delays = Delays::backend(Profile::of(region::DEFAULT_REGION).unwrap());
        let now = Instant::now();
        let due = delays.due(&call("UpdateItem"), false).unwrap();
        assert!(matches!(due, Due::At(due) if due > now), "{due:?}");
        assert_eq!(delays.unknown(), []);
        let error = delays.due(&call("ListTables"), false).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the profile of eu-west-2 has no line for 'dynamodb ListTables'"
        );
        assert_eq!(delays.unknown(), [call("ListTables")]);
    }

    #[test]
    fn a_new_connection_takes_a_caller_two_round_trips_more() {
        let round_trip = Duration::from_millis(12);
        let delays = Delays::Caller(round_trip);
        let due = |new| match delays.due(&call("any"), new).unwrap() {
            Due::After(time) => time,
            other => panic!("{other:?} is not after the answer"),
        };
        assert_eq!((due(false), due(true)), (round_trip, round_trip * 3));
    }
}
