//! What an architecture costs in a month, over the calls in it.

use std::num::NonZeroU64;

use crate::{
    columns,
    cost::Monthly,
    results::{Column, Row},
};

/// Adds what it costs. `server` is what our own server costs: its break-even is told of everything else.
pub(super) fn beside(
    row: Row,
    monthly: Option<Monthly>,
    calls_per_month: &[NonZeroU64],
    server: Option<Monthly>,
) -> Row {
    let break_even = server
        .zip(monthly)
        .and_then(|(server, it)| server.cheaper_from_millions(it));
    let row = row
        .number(
            columns::MODELLED_USD_PER_MILLION,
            monthly.map(|it| it.per_million),
        )
        .number(
            columns::MODELLED_USD_BY_THE_HOUR,
            monthly.map(|it| it.by_the_hour),
        )
        .number(columns::MODELLED_BREAK_EVEN, break_even);
    calls_per_month.iter().fold(row, |row, calls| {
        let usd = monthly.map(|it| it.usd(calls.get() as f64 / 1e6));
        row.number(columns::modelled_usd_per_month(calls.get()), usd)
    })
}

/// The columns that decide.
pub(super) fn columns(calls_per_month: &[NonZeroU64]) -> Vec<Column> {
    let months = calls_per_month.iter();
    let months = months.map(|calls| columns::modelled_usd_per_month(calls.get()));
    months.chain([columns::MODELLED_BREAK_EVEN]).collect()
}
