//! The columns of all tables: what each is called in files and for people, and how exactly people see it.

use std::borrow::Cow;

use crate::results::Column;

// What a row is about.
pub(crate) const ARCHITECTURE: Column = Column::new("architecture", "architecture", 0);
pub(crate) const FUNCTION: Column = Column::new("function", "function", 0);
pub(crate) const MEMORY_MB: Column = Column::new("memory_mb", "memory (MB)", 0);
pub(crate) const URL: Column = Column::new("url", "URL", 0);
pub(crate) const CONNECTIONS: Column = Column::new("connections", "connections", 0);
pub(crate) const USERS: Column = Column::new("users", "users", 0);
pub(crate) const RUN: Column = Column::new("run", "run", 0);
pub(crate) const BEST: Column = Column::new("best", "best", 0);
pub(crate) const REQUESTS: Column = Column::new("requests", "requests", 0);
pub(crate) const RECONNECTS: Column = Column::new("reconnects", "reconnects", 0);

// Latencies of the requests that succeeded.
pub(crate) const MEAN_MS: Column = Column::new("mean_ms", "mean (ms)", 3);
/// Median latency.
pub const P50_MS: Column = Column::new("p50_ms", "p50 (ms)", 3);
pub(crate) const P50_LOW_MS: Column = Column::new("p50_low_ms", "p50, 95 % from (ms)", 3);
pub(crate) const P50_HIGH_MS: Column = Column::new("p50_high_ms", "p50, 95 % to (ms)", 3);
pub(crate) const SAME_P50_AS: Column = Column::new("same_p50_as", "p50 not told apart from", 0);
pub(crate) const P95_MS: Column = Column::new("p95_ms", "p95 (ms)", 3);
pub(crate) const P99_MS: Column = Column::new("p99_ms", "p99 (ms)", 3);
pub(crate) const P99_9_MS: Column = Column::new("p99_9_ms", "p99.9 (ms)", 3);
pub(crate) const MAX_MS: Column = Column::new("max_ms", "max (ms)", 3);

// What became of the requests.
pub(crate) const SUCCESS_PERCENT: Column = Column::new("success_percent", "success (%)", 2);
/// Requests that succeeded, per second.
pub const REQUESTS_PER_SECOND: Column = Column::new("requests_per_second", "requests/s", 0);
pub(crate) const TOTAL_SECONDS: Column = Column::new("total_seconds", "total time (s)", 2);
pub(crate) const FAILURES: Column = Column::new("failures", "failures", 0);
pub(crate) const FAILURES_BY_CAUSE: Column =
    Column::new("failures_by_cause", "failures by cause", 0);
pub(crate) const FAILURES_BY_SECOND: Column =
    Column::new("failures_by_second", "failures by second", 0);
pub(crate) const FAILURES_IN_WARM_UP: Column =
    Column::new("failures_in_warm_up", "failures in warm-up", 0);
pub(crate) const BURST_ACKNOWLEDGED: Column =
    Column::new("burst_acknowledged", "hits acknowledged in a burst", 0);
pub(crate) const LOST_HITS: Column = Column::new("lost_hits", "hits lost", 0);
pub(crate) const PEAK_DATABASE_CONNECTIONS: Column =
    Column::new("peak_database_connections", "peak database connections", 0);

// Users with a think time, and what sends their requests.
/// Where a few more or less matter.
pub(crate) const RATE: Column = Column::new("requests_per_second", "requests/s", 2);
pub(crate) const P50_FROM_DUE_MS: Column = Column::new("p50_from_due_ms", "p50 from due (ms)", 3);
pub(crate) const P99_FROM_DUE_MS: Column = Column::new("p99_from_due_ms", "p99 from due (ms)", 3);
/// How late the generator was.
pub const LATE_P99_MS: Column = Column::new("generator_late_p99_ms", "generator late, p99 (ms)", 3);
pub(crate) const LATE_MAX_MS: Column =
    Column::new("generator_late_max_ms", "generator late, max (ms)", 3);
/// The share of the time in which its busiest thread was busy.
pub const GENERATOR_BUSY_PERCENT: Column =
    Column::new("generator_busy_percent", "generator busy (%)", 1);
pub(crate) const GENERATOR_PROCESSES: Column =
    Column::new("generator_processes", "generator processes", 0);
/// Of all its processes together, at most.
pub const GENERATOR_MEMORY_MB: Column =
    Column::new("generator_memory_mb", "generator memory (MB)", 1);
pub(crate) const USERS_STARTED: Column = Column::new("users_started", "users started", 0);
pub(crate) const SPEED: Column = Column::new("speed", "speed", 2);

// What the host, or Lambda, reports.
pub(crate) const INIT_MS: Column = Column::new("init_ms", "init (ms)", 3);
pub(crate) const FIRST_MS: Column = Column::new("first_ms", "first (ms)", 3);
pub(crate) const BILLED_MS: Column = Column::new("billed_ms", "billed (ms)", 3);
pub(crate) const PEAK_MEMORY_MB: Column = Column::new("peak_memory_mb", "peak memory (MB)", 1);
pub(crate) const PACKAGE_MB: Column = Column::new("package_mb", "package, zipped (MB)", 2);
pub(crate) const COLD_STARTS: Column = Column::new("cold_starts", "cold starts", 0);

// The phases of fresh environments.
pub(crate) const INIT_MEAN_MS: Column = Column::new("init_mean_ms", "init duration, mean (ms)", 3);
pub(crate) const INIT_P50_MS: Column = Column::new("init_p50_ms", "init duration, p50 (ms)", 3);
pub(crate) const INIT_MAX_MS: Column = Column::new("init_max_ms", "init duration, max (ms)", 3);
pub(crate) const FIRST_MEAN_MS: Column =
    Column::new("first_mean_ms", "first invocation, mean (ms)", 3);
pub(crate) const FIRST_P50_MS: Column =
    Column::new("first_p50_ms", "first invocation, p50 (ms)", 3);
pub(crate) const FIRST_MAX_MS: Column =
    Column::new("first_max_ms", "first invocation, max (ms)", 3);
pub(crate) const WARM_MEAN_MS: Column =
    Column::new("warm_mean_ms", "warm invocation, mean (ms)", 3);
pub(crate) const WARM_P50_MS: Column = Column::new("warm_p50_ms", "warm invocation, p50 (ms)", 3);
pub(crate) const WARM_MAX_MS: Column = Column::new("warm_max_ms", "warm invocation, max (ms)", 3);

// What it costs.
pub(crate) const USD_PER_MILLION: Column = Column::new("usd_per_million", "cost ($/million)", 2);
pub(crate) const USD_PER_MILLION_WITHOUT_API_CALLS: Column = Column::new(
    "usd_per_million_without_api_calls",
    "cost without AWS calls ($/million)",
    2,
);
/// The same, where less than a cent makes the difference.
pub(crate) const USD_PER_MILLION_IN_MILLS: Column = Column::new(
    "usd_per_million_without_api_calls",
    "cost without AWS calls ($/million)",
    3,
);
pub(crate) const GIGABYTE_SECONDS: Column = Column::new("gigabyte_seconds", "GB-seconds", 2);

// What would be in a Region, for a caller outside of it.
pub(crate) const MODELLED_MEAN_MS: Column =
    Column::new("modelled_mean_ms", "modelled mean (ms)", 0);
pub(crate) const MODELLED_RANGE_MS: Column =
    Column::new("modelled_mean_range_ms", "modelled 90 % range (ms)", 0);
pub(crate) const MODELLED_P50_MS: Column = Column::new("modelled_p50_ms", "modelled p50 (ms)", 0);
pub(crate) const MODELLED_P99_MS: Column = Column::new("modelled_p99_ms", "modelled p99 (ms)", 0);
pub(crate) const MODELLED_BILLED_MS: Column =
    Column::new("modelled_billed_ms", "modelled billed (ms)", 1);
pub(crate) const MODELLED_INIT_MS: Column =
    Column::new("modelled_init_ms", "modelled init (ms)", 0);
pub(crate) const MODELLED_FIRST_MS: Column = Column::new(
    "modelled_first_request_ms",
    "modelled first request (ms)",
    0,
);
pub(crate) const MODELLED_USD_PER_MILLION: Column =
    Column::new("modelled_usd_per_million", "modelled cost ($/million)", 2);
pub(crate) const MODELLED_USD_BY_THE_HOUR: Column = Column::new(
    "modelled_usd_by_the_hour",
    "modelled cost by the hour ($/month)",
    2,
);
/// From how many million calls a month our server is cheaper.
pub(crate) const MODELLED_BREAK_EVEN: Column = Column::new(
    "modelled_break_even_million_calls",
    "server cheaper from (million calls/month)",
    1,
);
/// The same, where less than a cent makes the difference.
pub(crate) const MODELLED_USD_PER_MILLION_IN_MILLS: Column =
    Column::new("modelled_usd_per_million", "modelled cost ($/million)", 3);
pub(crate) const VCPU: Column = Column::new("vcpu", "vCPU", 2);
pub(crate) const MODELLED_DURATION_MS: Column =
    Column::new("modelled_duration_ms", "modelled duration (ms)", 1);
pub(crate) const MODELLED_DURATION_P50_MS: Column =
    Column::new("modelled_duration_p50_ms", "modelled duration, p50 (ms)", 1);
pub(crate) const MODELLED_DURATION_P99_MS: Column =
    Column::new("modelled_duration_p99_ms", "modelled duration, p99 (ms)", 1);
pub(crate) const MODEL_ERROR_PERCENT: Column =
    Column::new("model_error_percent", "model's error (%)", 0);
pub(crate) const MODELLED_MOVED_BY: Column =
    Column::new("modelled_moved_most_by", "moved most by", 0);

/// What so many calls a month cost, with what is paid by the hour.
pub(crate) fn modelled_usd_per_month(calls: u64) -> Column {
    Column {
        key: Cow::Owned(format!("modelled_usd_per_month_{calls}_calls")),
        heading: Cow::Owned(format!("modelled $/month, {} calls", in_millions(calls))),
        decimals: 2,
    }
}

fn in_millions(calls: u64) -> String {
    match calls % 1_000_000 {
        0 => format!("{} million", calls / 1_000_000),
        _ => calls.to_string(),
    }
}

// The model beside what others measured.
pub(crate) const WHAT: Column = Column::new("what", "what", 0);
pub(crate) const PUBLISHED: Column = Column::new("published", "published", 0);
pub(crate) const MODELLED: Column = Column::new("modelled", "modelled", 0);
pub(crate) const MODELLED_TO_PUBLISHED: Column =
    Column::new("modelled_to_published", "modelled ÷ published", 2);
pub(crate) const SOURCE: Column = Column::new("source", "source", 0);

// What others measured.
pub(crate) const PUBLISHED_USD_PER_MILLION: Column =
    Column::new("published_usd_per_million", "published cost ($/million)", 2);
pub(crate) const PUBLISHED_USD_PER_MONTH: Column =
    Column::new("published_usd_per_month", "published cost ($/month)", 2);
pub(crate) const PUBLISHED_MEAN_MS: Column =
    Column::new("published_mean_ms", "published mean (ms)", 0);
pub(crate) const PUBLISHED_MEDIAN_MS: Column =
    Column::new("published_median_ms", "published median (ms)", 0);
pub(crate) const PUBLISHED_REQUESTS: Column =
    Column::new("published_requests", "published requests", 0);
pub(crate) const PUBLISHED_FAILURES: Column =
    Column::new("published_failures", "published failures", 0);
pub(crate) const PUBLISHED_INIT_MS: Column =
    Column::new("published_init_ms", "published init (ms)", 1);
pub(crate) const PUBLISHED_AS: Column = Column::new("published_as", "published as", 0);

// Calculations through the queue.
pub(crate) const DONE: Column = Column::new("done", "done", 0);
/// From the first request of a run to the last calculation counted.
pub const WALL_S: Column = Column::new("wall_s", "wall time (s)", 2);
pub(crate) const ENQUEUED_PER_SECOND: Column = Column::new("enqueued_per_second", "enqueued/s", 0);
pub(crate) const QUEUE_TO_DONE_MEAN_MS: Column =
    Column::new("queue_to_done_mean_ms", "queue to done, mean (ms)", 0);
pub(crate) const QUEUE_TO_DONE_P50_MS: Column =
    Column::new("queue_to_done_p50_ms", "queue to done, p50 (ms)", 0);
pub(crate) const QUEUE_TO_DONE_P99_MS: Column =
    Column::new("queue_to_done_p99_ms", "queue to done, p99 (ms)", 0);
pub(crate) const QUEUE_TO_DONE_P99_9_MS: Column =
    Column::new("queue_to_done_p99_9_ms", "queue to done, p99.9 (ms)", 0);
pub(crate) const QUEUE_TO_DONE_MAX_MS: Column =
    Column::new("queue_to_done_max_ms", "queue to done, max (ms)", 0);
pub(crate) const INVOCATIONS: Column = Column::new("invocations", "invocations", 0);
pub(crate) const MEAN_BATCH_SIZE: Column = Column::new("mean_batch_size", "mean batch size", 1);
pub(crate) const PEAK_CONCURRENCY: Column = Column::new("peak_concurrency", "peak concurrency", 0);
pub(crate) const TRANSACTIONS: Column =
    Column::new("transactions", "transactions to count them", 0);
pub(crate) const REDELIVERED: Column = Column::new("redelivered", "redelivered", 0);
pub(crate) const DEAD_LETTERS: Column = Column::new("dead_letters", "in the dead-letter queue", 0);

// An open load.
pub(crate) const SECOND: Column = Column::new("second", "second", 0);
pub(crate) const WANTED_PER_SECOND: Column = Column::new("wanted_per_second", "wanted/s", 0);
pub(crate) const ANSWERED_PER_SECOND: Column = Column::new("answered_per_second", "answered/s", 0);
pub(crate) const BEHIND: Column = Column::new("behind", "behind", 0);
pub(crate) const SENT_P50_MS: Column =
    Column::new("from_sent_p50_ms", "p50 from when sent (ms)", 3);
pub(crate) const SENT_P99_MS: Column =
    Column::new("from_sent_p99_ms", "p99 from when sent (ms)", 3);
pub(crate) const SENT_P99_9_MS: Column =
    Column::new("from_sent_p99_9_ms", "p99.9 from when sent (ms)", 3);
pub(crate) const SENT_MAX_MS: Column =
    Column::new("from_sent_max_ms", "max from when sent (ms)", 3);

// What the numbers of a row can't say.
pub(crate) const REMARK: Column = Column::new("remark", "remark", 0);
