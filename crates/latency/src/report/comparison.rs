//! The page of several exports: each row's p50 and p99 over the runs, in the order in which they were measured.

use maud::{Markup, html};

use super::{
    axis::Axis,
    document::{Document, shown},
    latencies::{grid, milliseconds, ruler},
    page::{Content, percent, texts},
    table::{Cell, Column, table},
};

/// A run's line in a lane is so high, in CSS pixels.
const LINE: usize = 16;

/// What one run found of one row.
#[derive(Clone, Copy, Debug)]
struct Found {
    /// Which run, counted from 0.
    run: usize,
    p50: f64,
    /// Where p50 is with 95 % confidence.
    interval: Option<(f64, f64)>,
    p99: Option<f64>,
}

/// A row's name, and what the runs that have it found, the earliest first.
struct Row {
    name: String,
    found: Vec<Found>,
}

/// What the intervals of two runs say.
#[derive(Debug, PartialEq)]
enum Difference {
    Slower,
    Faster,
    NotToldApart,
    /// A run without an interval.
    Unknown,
}

impl Difference {
    fn between(before: &Found, after: &Found) -> Self {
        match (before.interval, after.interval) {
            (Some((_, high)), Some((low, _))) if low > high => Self::Slower,
            (Some((low, _)), Some((_, high))) if high < low => Self::Faster,
            (Some(_), Some(_)) => Self::NotToldApart,
            _ => Self::Unknown,
        }
    }

    fn shown(&self) -> &'static str {
        match self {
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::NotToldApart => "not told apart",
            Self::Unknown => "no interval",
        }
    }
}

pub(super) fn content(documents: &[Document]) -> Content {
    let mut runs: Vec<_> = documents.iter().collect();
    runs.sort_by_key(|document| document.measured_at);
    let rows = rows(&runs);
    let title = match &runs[..] {
        [first, others @ ..] if others.iter().all(|run| run.title == first.title) => {
            format!("{}: {} runs", first.title, runs.len())
        }
        _ => format!("{} runs", runs.len()),
    };
    let body = html! {
        header { h1 { (title) } }
        section {
            h2 #runs { "Runs" }
            (table("runs", None, &runs_columns(&runs)))
        }
        (texts_of(&runs, "warnings", "Warnings", |run| &run.warnings))
        section {
            h2 #comparison { "Measured: p50 and p99 over the runs" }
            @if rows.is_empty() {
                p { "No run has a p50." }
            } @else {
                p {
                    "The run's number stands for its time and machine above. Each change is from the run before that has the row. Slower or faster: the 95 % intervals of both p50 do \
                     not overlap. An interval knows of chance within a run, not of what else differs between runs or machines."
                }
                (table("comparison", Some(0), &columns(&rows)))
            }
        }
        @if let Some(figure) = figure(&rows, runs.len()) { (figure) }
        (texts_of(&runs, "notes", "Notes", |run| &run.notes))
    };
    Content { title, body }
}

/// What the runs say, once where several say the same.
fn texts_of(
    runs: &[&Document],
    id: &str,
    heading: &str,
    of: fn(&Document) -> &Vec<String>,
) -> Markup {
    let mut said: Vec<(&[String], Vec<String>)> = Vec::new();
    for (at, run) in runs.iter().enumerate() {
        let number = (at + 1).to_string();
        match said.iter_mut().find(|(same, _)| same == of(run)) {
            Some((_, numbers)) => numbers.push(number),
            None => said.push((of(run), vec![number])),
        }
    }
    html! {
        @for (said, numbers) in &said {
            @let runs = if numbers.len() == 1 { "run" } else { "runs" };
            (texts(
                &format!("{id}-{}", numbers.join("-")),
                &format!("{heading} of {runs} {}", numbers.join(", ")),
                said,
            ))
        }
    }
}

/// Every name that a run has, in the order of the first run that has it.
fn rows(runs: &[&Document]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (run, document) in runs.iter().enumerate() {
        for (name, row) in document.names().into_iter().zip(&document.rows) {
            let time = |key| row.number(key).filter(|ms| Axis::draws(*ms));
            let Some(p50) = time("p50_ms") else { continue };
            let found = Found {
                run,
                p50,
                interval: time("p50_low_ms").zip(time("p50_high_ms")),
                p99: time("p99_ms"),
            };
            match rows.iter_mut().find(|row| row.name == name) {
                Some(row) => row.found.push(found),
                None => rows.push(Row {
                    name,
                    found: vec![found],
                }),
            }
        }
    }
    rows
}

fn runs_columns(runs: &[&Document]) -> Vec<Column> {
    let column = |heading: &str, cell: &dyn Fn(usize, &Document) -> Cell| Column {
        heading: heading.to_owned(),
        cells: runs
            .iter()
            .enumerate()
            .map(|(at, run)| cell(at, run))
            .collect(),
    };
    vec![
        column("run", &|at, _| {
            Cell::number(Some(at as f64 + 1.0), |run| run.to_string())
        }),
        column("measured at", &|_, run| Cell::text(shown(run.measured_at))),
        column("machine", &|_, run| Cell::text(&run.machine)),
        column("command", &|_, run| Cell::text(&run.command)),
    ]
}

/// A line for each row and run.
fn columns(rows: &[Row]) -> Vec<Column> {
    let lines: Vec<(&str, Option<&Found>, &Found)> = rows
        .iter()
        .flat_map(|row| {
            let before = std::iter::once(None).chain(row.found.iter().map(Some));
            let pairs = before.zip(&row.found);
            pairs.map(|(before, found)| (row.name.as_str(), before, found))
        })
        .collect();
    let column = |heading: &str, cell: &dyn Fn(&str, Option<&Found>, &Found) -> Cell| Column {
        heading: heading.to_owned(),
        cells: lines
            .iter()
            .map(|(name, before, found)| cell(name, *before, found))
            .collect(),
    };
    let ms = |ms| format!("{ms:.3}");
    vec![
        column("row", &|name, _, _| Cell::text(name)),
        column("run", &|_, _, found| {
            Cell::number(Some(found.run as f64 + 1.0), |run| run.to_string())
        }),
        column("p50 (ms)", &|_, _, found| Cell::number(Some(found.p50), ms)),
        column("95 % interval (ms)", &|_, _, found| {
            let interval = found
                .interval
                .map(|(low, high)| format!("{low:.3} to {high:.3}"));
            Cell::text(interval.unwrap_or_default())
        }),
        column("change of p50 (%)", &|_, before, found| {
            change(before.map(|before| before.p50), Some(found.p50))
        }),
        column("told apart", &|_, before, found| {
            let difference = before.map(|before| Difference::between(before, found).shown());
            Cell::text(difference.unwrap_or_default())
        }),
        column("p99 (ms)", &|_, _, found| Cell::number(found.p99, ms)),
        column("change of p99 (%)", &|_, before, found| {
            change(before.and_then(|before| before.p99), found.p99)
        }),
    ]
}

fn change(before: Option<f64>, after: Option<f64>) -> Cell {
    let change = before
        .zip(after)
        .map(|(before, after)| (after / before - 1.0) * 100.0);
    Cell::number(change, |percent| format!("{percent:+.1}"))
}

/// A lane a row, in it a line a run.
fn figure(rows: &[Row], runs: usize) -> Option<Markup> {
    let found = || rows.iter().flat_map(|row| &row.found);
    let times = found().flat_map(|found| {
        let (low, high) = found.interval.unwrap_or((found.p50, found.p50));
        [low, high, found.p50, found.p99.unwrap_or(found.p50)]
    });
    let axis = Axis::logarithmic(times)?;
    let x = |ms: f64| percent(axis.place(ms));
    Some(html! {
        figure #over-runs {
            h2 { "Measured: the same as a picture" }
            p {
                "Milliseconds on a logarithmic axis; in each lane run 1 at the top, run " (runs) " at the bottom. Dot: p50. \
                 Wide line: its 95 % interval. Thin line: up to p99."
            }
            div.lanes {
                @for row in rows {
                    div.lane {
                        div.name { (row.name) }
                        svg width="100%" height=(runs * LINE) role="img" {
                            title {
                                (row.name) ":"
                                @for found in &row.found {
                                    " run " (found.run + 1) " p50 " (milliseconds(found.p50)) " milliseconds;"
                                }
                            }
                            (grid(&axis))
                            @for found in &row.found {
                                @let y = found.run * LINE + LINE / 2;
                                line.reach x1=(x(found.p50)) x2=(x(found.p99.unwrap_or(found.p50))) y1=(y) y2=(y) {}
                                @if let Some((low, high)) = found.interval {
                                    line.interval x1=(x(low)) x2=(x(high)) y1=(y) y2=(y) {}
                                }
                                circle.point cx=(x(found.p50)) cy=(y) r="4" {}
                            }
                            line.grid x1="0" x2="100%" y1="100%" y2="100%" {}
                        }
                        div.figures {
                            @if let [first, .., last] = &row.found[..] {
                                span { (milliseconds(first.p50)) " → " (milliseconds(last.p50)) }
                            }
                        }
                    }
                }
                (ruler(&axis))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(p50: f64, interval: Option<(f64, f64)>) -> Found {
        Found {
            run: 0,
            p50,
            interval,
            p99: None,
        }
    }

    #[test]
    fn runs_are_told_apart_by_intervals_that_do_not_overlap() {
        let before = found(1.0, Some((0.9, 1.1)));
        for (after, difference) in [
            (found(1.3, Some((1.2, 1.4))), Difference::Slower),
            (found(0.7, Some((0.6, 0.8))), Difference::Faster),
            (found(1.2, Some((1.05, 1.3))), Difference::NotToldApart),
            (found(1.2, Some((1.1, 1.3))), Difference::NotToldApart),
            (found(9.0, None), Difference::Unknown),
        ] {
            assert_eq!(
                Difference::between(&before, &after),
                difference,
                "{after:?}"
            );
        }
    }
}
