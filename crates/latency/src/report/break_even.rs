//! Break-even: dollars a month over calls a month, both logarithmic, and where a server becomes cheaper than a function.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{
    axis::{Axis, Mark},
    document::Document,
    page::{percent, series},
    table::{Cell, Column, table},
};
use crate::cost::Monthly;

const HEIGHT: f64 = 360.0;
/// The room of the labels under the axis.
const FOOT: f64 = 24.0;
/// What the lines are drawn in, stretched to the room they get.
const WIDTH: f64 = 1_000.0;
/// Points of a line, which is curved where a price by the hour and one by the call meet.
const POINTS: u32 = 60;
/// What is shown at least, in millions of calls a month.
const LEAST_CALLS: [f64; 2] = [0.1, 1_000.0];

/// What a row costs a month.
struct Price<'a> {
    name: &'a str,
    monthly: Monthly,
}

impl Price<'_> {
    fn of(&self, million_calls: f64) -> f64 {
        self.monthly.usd(million_calls)
    }

    /// What costs the same however often it is called.
    fn is_server(&self) -> bool {
        self.monthly.per_million == 0.0
    }
}

/// When a server is cheaper than a function.
#[derive(Debug, PartialEq)]
enum Cheaper {
    Always,
    /// From so many millions of calls a month on.
    From(f64),
}

/// Where `server`, which costs the same however often it is called, becomes cheaper than `function`.
fn break_even(server: &Price<'_>, function: &Price<'_>) -> Cheaper {
    match server.monthly.cheaper_from_millions(function.monthly) {
        Some(calls) if calls > 0.0 => Cheaper::From(calls),
        _ => Cheaper::Always,
    }
}

/// The picture and its table, if prices were modelled.
pub(super) fn figure(document: &Document) -> Option<Markup> {
    if !document.has(&["modelled_usd_per_million", "modelled_usd_by_the_hour"]) {
        return None;
    }
    let names = document.names();
    let prices: Vec<_> = names
        .iter()
        .zip(&document.rows)
        .filter_map(|(name, row)| {
            let price = Price {
                name,
                monthly: Monthly {
                    by_the_hour: row.number("modelled_usd_by_the_hour").unwrap_or_default(),
                    per_million: row.number("modelled_usd_per_million")?,
                },
            };
            // A row that is free has no place among logarithms.
            let is_price = |usd: f64| usd == 0.0 || Axis::draws(usd);
            let is_real =
                is_price(price.monthly.by_the_hour) && is_price(price.monthly.per_million);
            (is_real && price.of(1.0) > 0.0).then_some(price)
        })
        .collect();
    let servers: Vec<_> = prices.iter().filter(|price| price.is_server()).collect();
    let functions = || prices.iter().filter(|price| !price.is_server());
    let crossings: Vec<_> = servers
        .iter()
        .flat_map(|server| functions().map(move |function| (*server, function)))
        .filter_map(|(server, function)| match break_even(server, function) {
            Cheaper::From(calls) if Axis::draws(calls) => Some((server, function, calls)),
            _ => None,
        })
        .collect();
    let calls = crossings.iter().map(|(.., calls)| *calls);
    let x = Axis::logarithmic(calls.chain(LEAST_CALLS))?;
    let ends = prices
        .iter()
        .flat_map(|price| [price.of(x.low()), price.of(x.high())]);
    let y = Axis::logarithmic(ends)?;
    let height = |usd: f64| (1.0 - y.place(usd)) * (HEIGHT - FOOT);
    let line = |price: &Price<'_>| {
        let mut path = String::new();
        for at in 0..=POINTS {
            let place = f64::from(at) / f64::from(POINTS);
            let command = if at == 0 { 'M' } else { 'L' };
            let usd = price.of(x.value(place));
            // Writing to a String does not fail.
            let _ = write!(path, "{command}{:.1} {:.1}", place * WIDTH, height(usd));
        }
        path
    };
    Some(html! {
        figure #break-even {
            h2 #break-even-heading {
                @if servers.is_empty() { "Modelled: dollars a month over calls a month" }
                @else { "Modelled: from how many calls a month is a server cheaper?" }
            }
            p {
                "Up: dollars a month. To the right: millions of calls a month. Both axes are logarithmic."
                @if !servers.is_empty() { " Level lines: servers. Dots: where one becomes cheaper than a function." }
            }
            svg.plot width="100%" height=(HEIGHT) role="img" {
                title { "Dollars a month over calls a month" }
                desc { "The table below has the same numbers." }
                @for Mark { value, label } in y.marks() {
                    @let y = format!("{:.1}", height(*value));
                    line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
                    text.mark x="0" y=(y) dy="-4" { "$" (label) }
                }
                @for Mark { value, label } in x.marks() {
                    @let x = percent(x.place(*value));
                    line.grid x1=(x) x2=(x) y1="0" y2=(HEIGHT - FOOT) {}
                    text.mark x=(x) y=(HEIGHT - 6.0) text-anchor="middle" { (label) }
                }
                svg width="100%" height=(HEIGHT) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
                    @for (at, price) in prices.iter().enumerate() {
                        path.{ "series " (series(at)) } d=(line(price)) { title { (price.name) } }
                    }
                }
                @for (server, function, calls) in &crossings {
                    circle.crossing cx=(percent(x.place(*calls))) cy=(format!("{:.1}", height(server.monthly.by_the_hour))) r="4" {
                        title {
                            (server.name) " is cheaper than " (function.name) " from " (millions(*calls))
                            " million calls a month"
                        }
                    }
                }
            }
            (legend(&prices, &servers))
        }
    })
}

/// What each line is, with the numbers it is drawn from.
fn legend(prices: &[Price<'_>], servers: &[&Price<'_>]) -> Markup {
    let usd = |usd: f64| format!("{usd:.2}");
    let numbers = |of: fn(&Price<'_>) -> f64| {
        prices
            .iter()
            .map(|price| Cell::number(Some(of(price)), usd))
            .collect()
    };
    let mut columns = vec![
        Column {
            heading: "architecture".to_owned(),
            cells: prices
                .iter()
                .enumerate()
                .map(|(at, price)| Cell::series(at, price.name))
                .collect(),
        },
        Column {
            heading: "used or not ($/month)".to_owned(),
            cells: numbers(|price| price.monthly.by_the_hour),
        },
        Column {
            heading: "calls ($/million)".to_owned(),
            cells: numbers(|price| price.monthly.per_million),
        },
    ];
    columns.extend(servers.iter().map(|server| {
        Column {
            heading: format!("{} is cheaper from (million calls/month)", server.name),
            cells: prices
                .iter()
                .map(|price| match price.is_server() {
                    true => Cell::number(None, millions),
                    false => match break_even(server, price) {
                        Cheaper::Always => Cell::number(Some(0.0), |_| "always".to_owned()),
                        Cheaper::From(calls) => Cell::number(Some(calls), millions),
                    },
                })
                .collect(),
        }
    }));
    table("break-even-heading", None, &columns)
}

/// Millions of calls, with three digits that matter.
fn millions(calls: f64) -> String {
    super::latencies::milliseconds(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(by_the_hour: f64, per_million: f64) -> Price<'static> {
        Price {
            name: "",
            monthly: Monthly {
                by_the_hour,
                per_million,
            },
        }
    }

    #[test]
    fn a_server_is_cheaper_once_the_calls_cost_what_it_does() {
        // $10 a month against $2.50 a million: at 4 million calls both cost $10.
        let (server, function) = (price(10.0, 0.0), price(0.0, 2.5));
        assert_eq!(break_even(&server, &function), Cheaper::From(4.0));
        assert_eq!(server.of(4.0), function.of(4.0));
        // A function whose database costs $6 a month has $4 left for calls.
        assert_eq!(break_even(&server, &price(6.0, 2.0)), Cheaper::From(2.0));
    }

    #[test]
    fn a_server_is_always_cheaper_than_a_database_that_costs_more() {
        assert_eq!(
            break_even(&price(10.0, 0.0), &price(10.0, 1.0)),
            Cheaper::Always
        );
    }
}
