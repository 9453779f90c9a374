//! How long requests took: a lane a row, all on one axis, which is logarithmic or not as the reader likes.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{
    axis::{Axis, Mark},
    document::{Document, Latencies},
    page::percent,
};

/// How many steps a lane has from end to end.
const STEPS: usize = 160;
/// What a lane's curve is drawn in, stretched to the room it gets.
const WIDTH: f64 = 1_000.0;
const HEIGHT: f64 = 100.0;
/// A lane with its distance from the one above, in CSS pixels.
const LANE: u32 = 44;
const GAP: u32 = 8;
/// So high is a step with a single request among thousands: an outlier is seen.
const LEAST_HEIGHT: f64 = 4.0;

struct Lane<'a> {
    name: &'a str,
    buckets: &'a [(f64, u64)],
    p50: Option<f64>,
    p99: Option<f64>,
}

/// The picture, if any row has latencies.
pub(super) fn figure(document: &Document) -> Option<Markup> {
    let names = document.names();
    let lanes: Vec<_> = document
        .latencies
        .iter()
        .filter_map(|latencies| lane(document, &names, latencies))
        .collect();
    let times = || {
        lanes
            .iter()
            .flat_map(|lane| lane.buckets.iter().map(|(ms, _)| *ms))
    };
    let logarithmic = Axis::logarithmic(times())?;
    let slowest_p99 = lanes.iter().map(|lane| percentile(lane.buckets, 0.99));
    let linear = Axis::linear(slowest_p99.fold(0.0, f64::max));
    let beyond: u64 = lanes
        .iter()
        .map(|lane| beyond(lane.buckets, &linear))
        .fold(0, u64::saturating_add);
    Some(html! {
        figure #latencies {
            h2 { "Measured: how long requests took" }
            p {
                "Milliseconds. A lane is as high as its most frequent latency; the line in it is p50, and beyond p99 it is pale."
            }
            // A box and the style sheet: the scale changes without the script.
            input #scale type="checkbox" checked;
            label for="scale" { "Logarithmic axis" }
            div .lanes .logarithmic { (drawn(&lanes, &logarithmic)) }
            div .lanes .linear {
                (drawn(&lanes, &linear))
                @if beyond > 0 {
                    p.aside {
                        "The axis ends after the slowest p99: " (beyond)
                        @if beyond == 1 { " request is" } @else { " requests are" }
                        " beyond it."
                    }
                }
            }
        }
    })
}

fn lane<'a>(
    document: &Document,
    names: &'a [String],
    latencies: &'a Latencies,
) -> Option<Lane<'a>> {
    let row = document.rows.get(latencies.row)?;
    let time = |key| row.number(key).filter(|ms| Axis::draws(*ms));
    Some(Lane {
        name: names.get(latencies.row)?,
        buckets: &latencies.buckets,
        p50: time("p50_ms"),
        p99: time("p99_ms"),
    })
}

fn drawn(lanes: &[Lane<'_>], axis: &Axis) -> Markup {
    html! {
        @for lane in lanes {
            div.lane {
                div.name { (lane.name) }
                (curve(lane, axis))
                div.figures {
                    @if let Some(p50) = lane.p50 { span { "p50 " (milliseconds(p50)) } }
                    @if let Some(p99) = lane.p99 { span { "p99 " (milliseconds(p99)) } }
                }
            }
        }
        (ruler(axis))
    }
}

/// The labels under lanes.
pub(super) fn ruler(axis: &Axis) -> Markup {
    html! {
        div.lane.ruler aria-hidden="true" {
            div.name {}
            svg width="100%" height="20" {
                @for Mark { value, label } in axis.marks() {
                    text x=(percent(axis.place(*value))) y="14" text-anchor="middle" { (label) }
                }
            }
            div.figures {}
        }
    }
}

/// The lines through a lane.
pub(super) fn grid(axis: &Axis) -> Markup {
    html! {
        @for Mark { value, .. } in axis.marks() {
            @let x = percent(axis.place(*value));
            line.grid x1=(x) x2=(x) y1="0" y2="100%" {}
        }
    }
}

fn curve(lane: &Lane<'_>, axis: &Axis) -> Markup {
    let steps = steps(lane.buckets, axis);
    let p99_at = lane.p99.map_or(1.0, |p99| axis.place(p99));
    let said = [("p50", lane.p50), ("p99", lane.p99)]
        .into_iter()
        .filter_map(|(what, ms)| Some(format!("{what} {} milliseconds", milliseconds(ms?))))
        .collect::<Vec<_>>()
        .join(", ");
    html! {
        svg width="100%" height=(LANE) role="img" {
            title { (lane.name) ": " (said) }
            (grid(axis))
            svg y=(GAP) width="100%" height=(LANE - GAP) viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
                path.tail d=(path(&steps, p99_at..=1.0)) {}
                path.body d=(path(&steps, 0.0..=p99_at)) {}
            }
            @if let Some(p50) = lane.p50 {
                @let x = percent(axis.place(p50));
                line.median x1=(x) x2=(x) y1=(GAP) y2="100%" {}
            }
            line.floor x1="0" x2="100%" y1="100%" y2="100%" {}
        }
    }
}

/// How many requests fell into each step of the axis. What is beyond its end is in none.
fn steps(buckets: &[(f64, u64)], axis: &Axis) -> [u64; STEPS] {
    let mut steps = [0_u64; STEPS];
    for (ms, count) in buckets {
        if *ms <= axis.high() {
            let at = (axis.place(*ms) * STEPS as f64) as usize;
            let step = &mut steps[at.min(STEPS - 1)];
            *step = step.saturating_add(*count);
        }
    }
    steps
}

fn beyond(buckets: &[(f64, u64)], axis: &Axis) -> u64 {
    let beyond = buckets.iter().filter(|(ms, _)| *ms > axis.high());
    beyond.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// The outline of the steps whose middle is in this part of the axis.
fn path(steps: &[u64; STEPS], part: std::ops::RangeInclusive<f64>) -> String {
    let most = steps.iter().copied().max().unwrap_or_default().max(1) as f64;
    let width = WIDTH / STEPS as f64;
    let mut path = String::new();
    for (at, count) in steps.iter().enumerate() {
        let middle = (at as f64 + 0.5) / STEPS as f64;
        if *count > 0 && part.contains(&middle) {
            let height = (*count as f64 / most * HEIGHT).max(LEAST_HEIGHT);
            let (x, y) = (at as f64 * width, HEIGHT - height);
            // Writing to a String does not fail.
            let _ = write!(path, "M{x:.2} {HEIGHT}V{y:.1}h{width:.2}V{HEIGHT}Z");
        }
    }
    path
}

fn percentile(buckets: &[(f64, u64)], share: f64) -> f64 {
    let total: f64 = buckets.iter().map(|(_, count)| *count as f64).sum();
    let mut counted = 0.0;
    for (ms, count) in buckets {
        counted += *count as f64;
        if counted >= total * share {
            return *ms;
        }
    }
    0.0
}

/// A time with three digits that matter.
pub(super) fn milliseconds(ms: f64) -> String {
    let decimals = match ms {
        ms if ms >= 100.0 => 0,
        ms if ms >= 10.0 => 1,
        ms if ms >= 1.0 => 2,
        _ => 3,
    };
    format!("{ms:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_in_a_step_or_counted_as_beyond() {
        let buckets = [(0.5, 3), (0.9, 4), (1.0, 2), (7.0, 1)];
        let axis = Axis::linear(1.0);
        let steps = steps(&buckets, &axis);
        assert_eq!(steps.iter().sum::<u64>(), 9);
        assert_eq!(steps[STEPS / 2], 3);
        assert_eq!(steps[STEPS - 1], 2);
        assert_eq!(beyond(&buckets, &axis), 1);
        let whole = Axis::logarithmic(buckets.iter().map(|(ms, _)| *ms)).unwrap();
        assert_eq!(self::steps(&buckets, &whole).iter().sum::<u64>(), 10);
    }

    #[test]
    fn a_percentile_is_the_first_latency_that_enough_requests_do_not_exceed() {
        let buckets = [(1.0, 98), (2.0, 1), (3.0, 1)];
        assert_eq!(percentile(&buckets, 0.5), 1.0);
        assert_eq!(percentile(&buckets, 0.99), 2.0);
        assert_eq!(percentile(&[], 0.99), 0.0);
    }

    #[test]
    fn counts_beyond_all_measure_do_not_overflow() {
        let buckets = [(1.0, u64::MAX), (1.0001, u64::MAX), (9.0, u64::MAX)];
        let axis = Axis::linear(2.0);
        assert_eq!(steps(&buckets, &axis).iter().max(), Some(&u64::MAX));
        assert_eq!(beyond(&buckets, &axis), u64::MAX);
    }
}
