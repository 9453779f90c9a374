//! Users who come in steps, second by second: how many there are, what they ask for, how long they wait.

use std::{collections::BTreeSet, fmt::Write as _};

use maud::{Markup, html};

use super::{
    axis::{Axis, Mark},
    document::{Document, TimeLine},
    page::percent,
};
use crate::time_line::Moment;

/// Of a panel, and of the room of the labels under the last one, in CSS pixels.
const PANEL: f64 = 96.0;
const GAP: f64 = 26.0;
const FOOT: f64 = 24.0;
/// Of a picture.
pub(crate) const HEIGHT: f64 = 3.0 * (PANEL + GAP) + FOOT;
/// What curves are drawn in, stretched to the room they get.
const WIDTH: f64 = 1_000.0;
/// Marks of a panel: more are a fence.
const MOST_MARKS: usize = 4;

/// The levels of one subject, one after the other.
pub(crate) struct Picture {
    /// What was called, where there were several.
    pub(crate) name: Option<String>,
    /// As wide as the room it gets, and [`HEIGHT`] high.
    pub(crate) svg: Markup,
}

/// A level: how many users it is about, and its moments.
struct Level<'a> {
    label: String,
    moments: &'a [Moment],
}

/// A quantity over time.
struct Curve {
    name: &'static str,
    /// The class of its colour.
    colour: &'static str,
    value: fn(&Moment) -> Option<f64>,
}

/// Curves on one axis.
struct Panel {
    curves: &'static [Curve],
    unit: &'static str,
    is_logarithmic: bool,
}

const PANELS: [Panel; 3] = [
    Panel {
        curves: &[Curve {
            name: "users",
            colour: "colour-7",
            value: |moment| Some(moment.users as f64),
        }],
        unit: "",
        is_logarithmic: false,
    },
    Panel {
        curves: &[
            Curve {
                name: "requests/s",
                colour: "colour-0",
                value: |moment| Some(moment.requests_per_second),
            },
            Curve {
                name: "failures/s",
                colour: "colour-1",
                value: |moment| {
                    (moment.failures_per_second > 0.0).then_some(moment.failures_per_second)
                },
            },
        ],
        unit: "",
        is_logarithmic: false,
    },
    Panel {
        curves: &[
            Curve {
                name: "p50",
                colour: "colour-2",
                value: |moment| moment.p50_ms,
            },
            Curve {
                name: "p99",
                colour: "colour-3",
                value: |moment| moment.p99_ms,
            },
        ],
        unit: " (ms)",
        is_logarithmic: true,
    },
];

/// The pictures, if any row has a time line.
pub(super) fn figure(document: &Document) -> Option<Markup> {
    let pictures = pictures(document);
    if pictures.is_empty() {
        return None;
    }
    Some(html! {
        figure #time-line {
            h2 { "Measured: second by second" }
            p {
                "From left to right: the levels, one after the other, each from its first user to its last answer. The axis of p50 and p99 is logarithmic."
            }
            @for picture in &pictures {
                @if let Some(name) = &picture.name { h3 { (name) } }
                (picture.svg)
            }
        }
    })
}

/// A picture for each subject, in the order in which they were measured first.
pub(crate) fn pictures(document: &Document) -> Vec<Picture> {
    let mut seen = BTreeSet::new();
    let subjects = document
        .time_lines
        .iter()
        .map(|line| subject(document, line));
    let subjects = subjects.filter(|subject| seen.insert(subject.clone()));
    subjects
        .map(|name| {
            let lines = document.time_lines.iter();
            let lines = lines.filter(|line| subject(document, line) == name);
            let levels: Vec<_> = lines.map(|line| level(document, line)).collect();
            Picture {
                svg: picture(name.as_deref(), &levels),
                name,
            }
        })
        .collect()
}

fn subject(document: &Document, line: &TimeLine) -> Option<String> {
    document.column("architecture")?;
    let row = document.rows.get(line.row)?;
    Some(row.value("architecture").shown(0))
}

fn level<'a>(document: &Document, line: &'a TimeLine) -> Level<'a> {
    let users = document
        .rows
        .get(line.row)
        .map(|row| row.value("users").shown(0));
    Level {
        label: format!("{} users", users.unwrap_or_default()),
        moments: &line.moments,
    }
}

fn picture(name: Option<&str>, levels: &[Level<'_>]) -> Markup {
    let length: usize = levels.iter().map(|level| level.moments.len()).sum();
    let place = |second: usize| second as f64 / length.max(1) as f64;
    let mut begin = 0;
    let begins: Vec<_> = levels
        .iter()
        .map(|level| {
            let at = begin;
            begin += level.moments.len();
            at
        })
        .collect();
    html! {
        svg.plot width="100%" height=(HEIGHT) role="img" {
            title {
                @if let Some(name) = name { (name) ": " }
                "users, requests and failures a second, p50 and p99, second by second"
            }
            @for (at, panel) in PANELS.iter().enumerate() {
                svg y=(at as f64 * (PANEL + GAP) + GAP) width="100%" height=(PANEL) overflow="visible" {
                    (drawn(panel, levels, &begins, length))
                }
            }
            @for (level, begin) in levels.iter().zip(&begins) {
                @let x = percent(place(*begin));
                line.leader x1=(x) x2=(x) y1=(GAP) y2=(HEIGHT - FOOT) {}
                text.mark x=(x) dx="3" y=(HEIGHT - 8.0) { (level.label) }
            }
        }
    }
}

fn drawn(panel: &Panel, levels: &[Level<'_>], begins: &[usize], length: usize) -> Markup {
    let values = || {
        let moments = levels.iter().flat_map(|level| level.moments);
        moments.flat_map(|moment| {
            panel
                .curves
                .iter()
                .filter_map(|curve| (curve.value)(moment))
        })
    };
    let linear = || Axis::linear(values().filter(|it| Axis::draws(*it)).fold(0.0, f64::max));
    let axis = match panel.is_logarithmic {
        true => Axis::logarithmic(values()).unwrap_or_else(linear),
        false => linear(),
    };
    // The words above a panel: no two on each other.
    let names = panel.curves.iter().enumerate();
    html! {
        @for Mark { value, label } in marks(&axis) {
            @let y = percent(1.0 - axis.place(*value));
            line.grid x1="0" x2="100%" y1=(y) y2=(y) {}
            text.mark x="100%" y=(y) dy="-3" text-anchor="end" { (label) }
        }
        svg width="100%" height="100%" viewBox={ "0 0 " (WIDTH) " " (PANEL) } preserveAspectRatio="none" {
            @for curve in panel.curves {
                path class={ "series " (curve.colour) } d=(path(curve, &axis, levels, begins, length)) {}
            }
        }
        @for (at, curve) in names {
            svg x=(at as f64 * 110.0) y="-8" overflow="visible" {
                line class={ "series " (curve.colour) } x1="0" x2="14" y1="-4" y2="-4" {}
                text x="20" y="0" { (curve.name) (panel.unit) }
            }
        }
    }
}

/// A few of an axis's marks, the first one among them.
fn marks(axis: &Axis) -> impl Iterator<Item = &Mark> {
    let marks = axis.marks();
    let every = marks
        .len()
        .saturating_sub(1)
        .div_ceil(MOST_MARKS - 1)
        .max(1);
    marks.iter().step_by(every)
}

/// From moment to moment, with gaps where there is no value and between levels.
fn path(
    curve: &Curve,
    axis: &Axis,
    levels: &[Level<'_>],
    begins: &[usize],
    length: usize,
) -> String {
    let mut path = String::new();
    for (level, begin) in levels.iter().zip(begins) {
        let mut is_drawing = false;
        for (at, moment) in level.moments.iter().enumerate() {
            let Some(value) = (curve.value)(moment).filter(|value| value.is_finite()) else {
                is_drawing = false;
                continue;
            };
            let x = (begin + at) as f64 + 0.5;
            let x = x / length.max(1) as f64 * WIDTH;
            let y = (1.0 - axis.place(value)) * PANEL;
            let pen = if is_drawing { 'L' } else { 'M' };
            // Writing to a String does not fail. A line of no length, which is a dot, where nothing else follows.
            let _ = write!(path, "{pen}{x:.1} {y:.1}");
            if !is_drawing {
                path.push_str("h0");
            }
            is_drawing = true;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(p99: &[Option<f64>]) -> Vec<Moment> {
        let moment = |(at, p99_ms): (usize, &Option<f64>)| Moment {
            second: at as u32 + 1,
            users: 10,
            requests_per_second: 5.0,
            failures_per_second: 0.0,
            p50_ms: Some(1.0),
            p99_ms: *p99_ms,
        };
        p99.iter().enumerate().map(moment).collect()
    }

    #[test]
    fn a_curve_has_a_gap_where_nothing_was_measured_and_between_levels() {
        let [first, second] = [
            moments(&[Some(1.0), None, Some(10.0), Some(100.0)]),
            moments(&[Some(1.0)]),
        ];
        let levels = [&first, &second].map(|moments| Level {
            label: String::new(),
            moments,
        });
        let axis = Axis::logarithmic([1.0, 100.0].into_iter()).unwrap();
        let p99 = &PANELS[2].curves[1];
        assert_eq!(
            path(p99, &axis, &levels, &[0, 4], 5),
            "M100.0 96.0h0M500.0 48.0h0L700.0 0.0M900.0 96.0h0"
        );
    }

    #[test]
    fn a_panel_has_few_marks() {
        for most in [1.0, 7.0, 42.0, 1_500.0, 95_000.0] {
            let axis = Axis::linear(most);
            let count = marks(&axis).count();
            assert!((2..=MOST_MARKS).contains(&count), "{most}: {count}");
        }
    }
}
