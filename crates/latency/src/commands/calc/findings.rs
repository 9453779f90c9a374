//! What is told of a run.

use std::time::Duration;

use humantime::format_duration;
use load::{Latencies, Measurement, PERCENTILES};
use local_stack::ServedFunction;

use super::Run;
use crate::{
    circumstances::Circumstances,
    cli::Calc,
    columns,
    cost::{Prices, QueueUsage, per_million_messages},
    results::{Column, Group, Results, Row, Table, megabytes},
    warnings,
};

/// What decides whether the queue does.
const DECIDING: &[Column] = &[
    columns::DONE,
    columns::WALL_S,
    columns::FAILURES_BY_CAUSE,
    columns::QUEUE_TO_DONE_P50_MS,
    columns::QUEUE_TO_DONE_P99_MS,
    columns::INVOCATIONS,
    columns::PEAK_CONCURRENCY,
    columns::DEAD_LETTERS,
    columns::PEAK_MEMORY_MB,
    columns::USD_PER_MILLION,
];

impl Run {
    pub(super) fn results(
        &self,
        arguments: &Calc,
        circumstances: Circumstances,
        worker: &ServedFunction,
    ) -> anyhow::Result<Results> {
        let posted = self.posts.latencies.count();
        let longest = arguments.longest.as_secs_f64();
        Ok(Results {
            title: format!("latency calc {} {longest}", arguments.calculations),
            circumstances,
            table: Table::new(vec![self.row(worker)?]),
            notes: notes(arguments),
            deciding: Group::only(DECIDING),
            warnings: self.warnings(),
            // Whatever is not counted, or more often than once.
            failures: self.posts.failures.count() + self.count.done.abs_diff(posted),
        })
    }

    fn row(&self, worker: &ServedFunction) -> anyhow::Result<Row> {
        let latencies = &self.messages.queue_to_done;
        let [p50, p99, p999] = PERCENTILES.map(|percent| latencies.percentile(percent));
        let milliseconds = |time: Option<Duration>| time.map(|time| time.as_secs_f64() * 1e3);
        let reports = self.reports.iter();
        let memory = reports.clone().map(|report| report.max_memory_used_bytes);
        let init: Latencies = reports.filter_map(|report| report.init_duration).collect();
        Ok(Row::default()
            .count(columns::DONE, self.count.done)
            .number(columns::WALL_S, self.elapsed.map(|time| time.as_secs_f64()))
            .number(
                columns::ENQUEUED_PER_SECOND,
                Some(self.posts.requests_per_second()),
            )
            .failures(&self.posts.failures)
            .number(
                columns::QUEUE_TO_DONE_MEAN_MS,
                milliseconds(latencies.mean()),
            )
            .number(columns::QUEUE_TO_DONE_P50_MS, milliseconds(p50))
            .number(columns::QUEUE_TO_DONE_P99_MS, milliseconds(p99))
            .number(columns::QUEUE_TO_DONE_P99_9_MS, milliseconds(p999))
            .number(columns::QUEUE_TO_DONE_MAX_MS, milliseconds(latencies.max()))
            .count(columns::INVOCATIONS, self.mapping.invocations)
            .number(columns::MEAN_BATCH_SIZE, self.mapping.mean_batch_size())
            .count(columns::PEAK_CONCURRENCY, self.mapping.peak_concurrency)
            .count(columns::TRANSACTIONS, self.count.transactions)
            .count(columns::REDELIVERED, self.mapping.redelivered)
            .count(columns::DEAD_LETTERS, self.dead)
            .count(columns::COLD_STARTS, init.count())
            .milliseconds(columns::INIT_MS, init.percentile(50.0))
            .number(columns::PEAK_MEMORY_MB, memory.max().map(megabytes))
            .number(
                columns::GIGABYTE_SECONDS,
                Some(self.gigabyte_seconds(worker)),
            )
            .number(columns::USD_PER_MILLION, self.cost(worker)?))
    }

    fn gigabyte_seconds(&self, worker: &ServedFunction) -> f64 {
        let billed: Duration = self
            .reports
            .iter()
            .map(|report| report.billed_duration)
            .sum();
        billed.as_secs_f64() * f64::from(worker.memory_mb) / 1024.0
    }

    /// For a million calculations like these; none unless all are done.
    fn cost(&self, worker: &ServedFunction) -> anyhow::Result<Option<f64>> {
        if self.elapsed.is_none() {
            return Ok(None);
        }
        let usage = QueueUsage {
            messages: self.count.done,
            polling_calls: self.mapping.receive_calls + self.mapping.delete_calls,
            invocations: self.mapping.invocations,
            architecture: worker.architecture,
            gigabyte_seconds: self.gigabyte_seconds(worker),
            transaction_items: self.count.done + self.count.transactions,
        };
        Ok(per_million_messages(&usage, &Prices::eu_west_2()?)?)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        let posted = self.posts.latencies.count();
        if self.count.done != posted {
            warnings.push(format!(
                "{posted} calculations were enqueued and {} are counted: {} are still in the queue, {} came into the \
                 dead-letter queue",
                self.count.done, self.left, self.dead
            ));
        }
        if (self.reports.len() as u64) < self.mapping.invocations {
            warnings.push(format!(
                "only {} of {} invocations were reported: GB-seconds and cost are too low",
                self.reports.len(),
                self.mapping.invocations
            ));
        }
        let done = Measurement {
            latencies: self.messages.queue_to_done.clone(),
            ..Measurement::default()
        };
        let posts = warnings::of_closed_loop(&self.posts).into_iter();
        let all = posts.chain(warnings::of(&done));
        warnings.extend(all.map(|warning| warning.to_string()));
        warnings
    }
}

fn notes(arguments: &Calc) -> Vec<String> {
    vec![
        format!(
            "{} connections in a closed loop post calculations that take a time at random, up to {}.",
            arguments.connections,
            format_duration(arguments.longest)
        ),
        "wall time: from the first request to the last calculation counted.".to_owned(),
        "queue to done: from when SQS took the message to when the worker sent the transaction that counted it, calculation \
         included; both in whole milliseconds."
            .to_owned(),
        "init: median of the cold starts.".to_owned(),
        "GB-seconds: billed durations, init phases included, times the memory size.".to_owned(),
        "cost: a million such calculations at list prices of eu-west-2, without free tier, logs, data transfer and reads: \
         HTTP API, SQS (one call to send each message, and what the pollers called), Lambda, and two write request units \
         for each item written."
            .to_owned(),
    ]
}
