//! How many of the connections that the database allows are open, and which of them nobody uses any more.
//!
//! The question goes along with a query now and then, as a second statement: it takes no round trip of its own.

use std::time::Duration;

use function_kit::environment::variable;
use tokio::time::Instant;

/// What connections may stay open, from the function's environment variables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// `DATABASE_MAX_UTILISATION`: above this share of the connections that the database allows, in percent, a connection
    /// is not kept. The rest is for those who have none. 80 unless given.
    max_utilisation: u64,
    /// `DATABASE_MAX_IDLE`: above that share, a connection of this account that has been idle for so many seconds is
    /// closed, whoever opened it: its environment is frozen or gone. If it comes back, it opens another. 30 unless given.
    max_idle: u64,
    /// `DATABASE_WATCH_INTERVAL`: how often an environment asks, in seconds. 1 unless given.
    interval: u64,
}

/// A variable is not as it should be.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not a whole number")]
pub(crate) struct NotANumber(&'static str);

impl Limits {
    pub(crate) fn from_environment() -> Result<Self, NotANumber> {
        Ok(Self {
            max_utilisation: number("DATABASE_MAX_UTILISATION", 80)?,
            max_idle: number("DATABASE_MAX_IDLE", 30)?,
            interval: number("DATABASE_WATCH_INTERVAL", 1)?,
        })
    }
}

fn number(name: &'static str, default: u64) -> Result<u64, NotANumber> {
    match variable(name) {
        Ok(number) => number.parse().map_err(|_| NotANumber(name)),
        Err(_) => Ok(default),
    }
}

/// At most so many idle connections are closed at a time: others see them too.
const CLOSED_AT_A_TIME: usize = 8;

/// What the database answers to [`Watch::question`]: connections, connections that the server allows, connections that it
/// allows the account (0: as many as the server), ids of idle connections or NULL.
pub(crate) type Answer = (u64, u64, u64, Option<String>);

/// Watches the utilisation for one environment.
#[derive(Debug)]
pub(crate) struct Watch {
    limits: Limits,
    crowded: bool,
    due: Instant,
}

impl Watch {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            crowded: false,
            due: Instant::now(),
        }
    }

    /// The statement that asks, when it is time to. Without privileges, an account sees its own connections.
    pub(crate) fn question(&self) -> Option<String> {
        (Instant::now() >= self.due).then(|| {
            format!(
                "SELECT COUNT(*), @@max_connections, @@max_user_connections, \
                 GROUP_CONCAT(IF(command = 'Sleep' AND time >= {} AND \
                 user = SUBSTRING_INDEX(USER(), '@', 1), id, NULL) ORDER BY time DESC) \
                 FROM information_schema.processlist",
                self.limits.max_idle
            )
        })
    }

    /// Takes the answer, and returns the ids of the connections to close.
    pub(crate) fn answered(&mut self, (open, server, account, idle): Answer) -> Vec<u64> {
        let allowed = if account == 0 {
            server
        } else {
            server.min(account)
        };
        self.crowded = open * 100 > allowed * self.limits.max_utilisation;
        self.postpone();
        if !self.crowded {
            return Vec::new();
        }
        let idle = idle.unwrap_or_default();
        idle.split(',')
            .map_while(|id| id.parse().ok())
            .take(CLOSED_AT_A_TIME)
            .collect()
    }

    /// The database had no connection to give: it needs no asking.
    pub(crate) fn refused(&mut self) {
        self.crowded = true;
        self.postpone();
    }

    /// Whether so many connections are open that this one should not stay.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded
    }

    /// Environments that started together do not ask together for long.
    fn postpone(&mut self) {
        let interval = Duration::from_secs(self.limits.interval);
        self.due = Instant::now() + interval.mul_f64(0.5 + fastrand::f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        max_utilisation: 80,
        max_idle: 30,
        interval: 1,
    };

    fn watch() -> Watch {
        Watch::new(LIMITS)
    }

    #[test]
    fn above_the_limit_it_is_crowded() {
        let mut watch = watch();
        watch.answered((8, 10, 0, None));
        assert!(!watch.is_crowded());
        watch.answered((9, 10, 0, None));
        assert!(watch.is_crowded());
        watch.answered((8, 10, 0, None));
        assert!(!watch.is_crowded());
    }

    #[test]
    fn an_account_may_have_fewer_than_the_server() {
        let mut watch = watch();
        watch.answered((9, 100, 10, None));
        assert!(watch.is_crowded());
        watch.answered((9, 10, 100, None));
        assert!(watch.is_crowded());
    }

    #[test]
    fn idle_connections_are_closed_where_it_is_crowded_and_a_few_at_a_time() {
        let mut watch = watch();
        let idle = || Some("1,22,333".to_owned());
        assert!(watch.answered((8, 10, 0, idle())).is_empty());
        assert_eq!(watch.answered((9, 10, 0, idle())), [1, 22, 333]);
        let many = (1..100).map(|id| id.to_string()).collect::<Vec<_>>();
        let closed = watch.answered((9, 10, 0, Some(many.join(","))));
        assert_eq!(closed, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_at_once_and_then_at_intervals() {
        let mut watch = watch();
        assert!(watch.question().is_some());
        for _ in 0..10 {
            watch.answered((1, 10, 0, None));
            assert_eq!(watch.question(), None);
            tokio::time::advance(Duration::from_millis(499)).await;
            assert_eq!(watch.question(), None);
            tokio::time::advance(Duration::from_millis(1001)).await;
            assert!(watch.question().is_some());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_a_connection_was_refused_it_is_crowded_until_it_is_asked_again() {
        let mut watch = watch();
        watch.refused();
        assert!(watch.is_crowded());
        assert_eq!(watch.question(), None);
    }
}
