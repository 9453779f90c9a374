//! How many of the connections that the database allows are open.
//!
//! The question goes along with a query now and then, as further statements: it takes no round trip of its own.

use std::time::Duration;

use environment::variable;
use tokio::time::Instant;

/// What connections may stay open, from the function's environment variables.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// `DATABASE_MAX_UTILISATION`: above this share of the connections that the database allows, in percent, a connection
    /// is not kept. The rest is for those who have none. 80 unless given.
    pub max_utilisation: u64,
    /// `DATABASE_MAX_IDLE`: above that share, a connection of this account that has been idle for so many seconds is
    /// closed, whoever opened it: its environment is frozen or gone. If it comes back, it opens another. 30 unless given.
    pub max_idle: u64,
}

/// A variable is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a whole number")]
pub struct NotANumber(&'static str);

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_utilisation: 80,
            max_idle: 30,
        }
    }
}

impl Limits {
    /// From the environment.
    ///
    /// # Errors
    ///
    /// When a variable is not as it should be.
    pub fn from_environment() -> Result<Self, NotANumber> {
        let default = Self::default();
        Ok(Self {
            max_utilisation: number("DATABASE_MAX_UTILISATION", default.max_utilisation)?,
            max_idle: number("DATABASE_MAX_IDLE", default.max_idle)?,
        })
    }
}

fn number(name: &'static str, default: u64) -> Result<u64, NotANumber> {
    match variable(name) {
        Ok(number) => number.parse().map_err(|_| NotANumber(name)),
        Err(_) => Ok(default),
    }
}

/// Rows of a name and a number; any account may ask. Counting in the process list would take four times as long.
pub(crate) const QUESTION: &str = "SELECT 'max_connections', @@max_connections \
    UNION ALL SELECT 'max_user_connections', @@max_user_connections; \
    SHOW GLOBAL STATUS WHERE variable_name IN \
    ('Threads_connected', 'Connection_errors_max_connections', 'Aborted_connects')";

/// An environment asks after so long for each open connection, so that all together ask about 200 times a second.
const INTERVAL: Duration = Duration::from_millis(5);
/// But not sooner than this: it makes an invocation a tenth of a millisecond longer.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);
/// Where it stays crowded, there are more environments than connections, and each asks half as often as before each time, up
/// to so many times less: the answers would be the same, and the database has better things to do.
const LEAST_OFTEN: u32 = 8;

/// Watches the utilisation for one environment.
#[derive(Debug)]
pub(crate) struct Watch {
    max_utilisation: u64,
    crowded: bool,
    contended: bool,
    refusals: Option<u64>,
    interval: Duration,
    due: Instant,
}

impl Watch {
    /// The first question is due at once.
    pub(crate) fn new(max_utilisation: u64, now: Instant) -> Self {
        Self {
            max_utilisation,
            crowded: false,
            contended: false,
            refusals: None,
            interval: SHORTEST_INTERVAL,
            due: now,
        }
    }

    /// Whether it is time for the question. If it is, it is not again until the interval is over: should the question itself
    /// fail, the next attempt goes without it.
    pub(crate) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = now >= self.due;
        if is_due {
            self.postpone(now);
        }
        is_due
    }

    /// Takes the answer to the question. It is crowded where more than the share are open, or where somebody was refused
    /// since the last answer.
    pub(crate) fn answered(&mut self, answer: &[(String, u64)], now: Instant) {
        let number = |name: &str| {
            let row = answer.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
            row.map_or(0, |(_, number)| *number)
        };
        let open = number("Threads_connected");
        let mut refusals = number("Connection_errors_max_connections");
        // An account with a limit of its own is refused when it is reached, which is not counted apart from other failures.
        if number("max_user_connections") > 0 {
            refusals += number("Aborted_connects");
        }
        self.contended = self.refusals.is_some_and(|last| refusals > last);
        self.refusals = Some(refusals);
        self.crowded =
            self.contended || open * 100 > number("max_connections") * self.max_utilisation;
        let interval = INTERVAL.saturating_mul(u32::try_from(open).unwrap_or(u32::MAX));
        let interval = interval.max(SHORTEST_INTERVAL);
        self.interval = match self.crowded {
            true => (self.interval * 2).clamp(interval, interval * LEAST_OFTEN),
            false => interval,
        };
        self.postpone(now);
    }

    /// The database had no connection to give: it needs no asking.
    pub(crate) fn refused(&mut self, now: Instant) {
        self.contended = true;
        self.crowded = true;
        self.postpone(now);
    }

    /// Whether so many connections are open that this one should not stay.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Whether there are so many that somebody was refused.
    pub(crate) fn is_contended(&self) -> bool {
        self.contended
    }

    /// Environments that started together do not ask together for long.
    fn postpone(&mut self, now: Instant) {
        self.due = now + self.interval.mul_f64(0.5 + fastrand::f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> Watch {
        Watch::new(80, Instant::now())
    }

    fn answer(
        open: u64,
        allowed: u64,
        account: u64,
        refused: u64,
        aborted: u64,
    ) -> Vec<(String, u64)> {
        vec![
            ("max_connections".into(), allowed),
            ("max_user_connections".into(), account),
            ("Aborted_connects".into(), aborted),
            ("Connection_errors_max_connections".into(), refused),
            ("Threads_connected".into(), open),
        ]
    }

    #[test]
    fn above_the_share_it_is_crowded() {
        let mut watch = watch();
        for (open, crowded) in [(8, false), (9, true), (8, false)] {
            watch.answered(&answer(open, 10, 0, 0, 0), Instant::now());
            assert_eq!(watch.is_crowded(), crowded, "{open} of 10");
            assert!(!watch.is_contended(), "{open} of 10");
        }
    }

    #[test]
    fn where_somebody_was_refused_it_is_crowded_until_nobody_is() {
        let mut watch = watch();
        for (refused, crowded) in [(7, false), (8, true), (8, false)] {
            watch.answered(&answer(1, 10, 0, refused, 0), Instant::now());
            assert_eq!(watch.is_crowded(), crowded, "{refused} refused");
            assert_eq!(watch.is_contended(), crowded, "{refused} refused");
        }
    }

    #[test]
    fn an_account_with_a_limit_is_refused_in_another_way() {
        for (account, crowded) in [(0, false), (5, true)] {
            let mut watch = watch();
            watch.answered(&answer(1, 10, account, 0, 3), Instant::now());
            watch.answered(&answer(1, 10, account, 0, 4), Instant::now());
            assert_eq!(watch.is_crowded(), crowded, "limit {account}");
        }
    }

    #[test]
    fn it_is_asked_at_once_and_then_the_less_often_the_more_connections_there_are() {
        let now = Instant::now();
        let mut watch = Watch::new(80, now);
        assert!(watch.is_due(now));
        assert!(!watch.is_due(now));
        for (open, interval) in [(1, 100), (20, 100), (170, 850), (1000, 5000)] {
            watch.answered(&answer(open, 10_000, 0, 0, 0), now);
            let early = now + Duration::from_millis(interval / 2 - 1);
            assert!(!watch.is_due(early), "{open}");
            let late = now + Duration::from_millis(interval / 2 * 3);
            assert!(watch.is_due(late), "{open}");
        }
    }

    #[test]
    fn where_it_stays_crowded_it_is_asked_half_as_often_each_time_up_to_a_point() {
        let mut watch = watch();
        for (open, interval) in [
            (160, 800),
            (160, 1600),
            (160, 3200),
            (160, 6400),
            (160, 6400),
            (100, 500),
            (160, 1000),
        ] {
            watch.answered(&answer(open, 170, 0, 0, 0), Instant::now());
            assert_eq!(watch.interval, Duration::from_millis(interval));
        }
    }

    #[test]
    fn where_a_connection_was_refused_it_is_crowded_until_it_is_asked_again() {
        let now = Instant::now();
        let mut watch = watch();
        watch.refused(now);
        assert!(watch.is_crowded() && !watch.is_due(now));
        let later = now + Duration::from_millis(150);
        assert!(watch.is_crowded() && watch.is_due(later));
    }
}
