//! Over memory sizes: what an invocation takes and what it costs, two curves with an axis each, as users of AWS Lambda
//! Power Tuning know them.

use std::io::Write;

use quick_xml::escape::escape;

use super::{WIDTH, foot, head};
use crate::{
    columns,
    results::{Column, Results, Value},
};

const HEIGHT: f64 = 420.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 90.0;
const TOP: f64 = 80.0;
const BOTTOM: f64 = 80.0;
/// Marks on each axis.
const MARKS: u32 = 5;

/// What is drawn, the first of each that the table has: measured before modelled.
const DURATIONS: [Column; 2] = [columns::MEAN_MS, columns::MODELLED_DURATION_MS];
const COSTS: [Column; 2] = [
    columns::USD_PER_MILLION_IN_MILLS,
    columns::MODELLED_USD_PER_MILLION_IN_MILLS,
];

struct Curve {
    name: &'static str,
    colour: &'static str,
    /// None where there is nothing to draw.
    values: Vec<Option<f64>>,
    decimals: usize,
}

pub(super) fn draw(results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
    let sizes = names(results);
    let duration = curve(results, &DURATIONS, "duration (ms)", "#cf222e", 1);
    let cost = curve(results, &COSTS, "cost ($/million)", "#0969da", 3);
    let step = (WIDTH - LEFT - RIGHT) / sizes.len().max(2).saturating_sub(1) as f64;
    let x = |at: usize| LEFT + step * at as f64;
    let axis = HEIGHT - BOTTOM;
    head(results, HEIGHT, file)?;
    writeln!(
        file,
        r##"<line x1="{LEFT}" y1="{axis}" x2="{right}" y2="{axis}" stroke="#8c959f"/>"##,
        right = WIDTH - RIGHT,
    )?;
    for (at, size) in sizes.iter().enumerate() {
        writeln!(
            file,
            r##"<text x="{x:.1}" y="{y}" text-anchor="middle" fill="#57606a">{size} MB</text>"##,
            x = x(at),
            y = axis + 20.0,
        )?;
    }
    for (at, remark) in remarks(results) {
        writeln!(
            file,
            r##"<text x="{x:.1}" y="{y}" text-anchor="middle" font-size="11">{remark}</text>"##,
            x = x(at),
            y = axis + 38.0,
            remark = escape(&remark),
        )?;
    }
    axis_and_line(file, &duration, x, &Axis::LEFT)?;
    axis_and_line(file, &cost, x, &Axis::RIGHT)?;
    foot(results, HEIGHT, file)
}

/// Where an axis has its marks and its name, and to which side of that place they reach.
struct Axis {
    marks: f64,
    marks_anchor: &'static str,
    name: f64,
    name_anchor: &'static str,
}

impl Axis {
    const LEFT: Self = Self {
        marks: LEFT - 8.0,
        marks_anchor: "end",
        name: 16.0,
        name_anchor: "start",
    };
    const RIGHT: Self = Self {
        marks: WIDTH - RIGHT + 8.0,
        marks_anchor: "start",
        name: WIDTH - 16.0,
        name_anchor: "end",
    };
}

/// A curve with its axis, which begins at 0.
fn axis_and_line(
    file: &mut dyn Write,
    curve: &Curve,
    x: impl Fn(usize) -> f64,
    Axis {
        marks,
        marks_anchor,
        name: name_x,
        name_anchor,
    }: &Axis,
) -> anyhow::Result<()> {
    let Curve {
        name,
        colour,
        values,
        decimals,
    } = curve;
    let most = values.iter().flatten().copied().fold(0.0, f64::max);
    let most = if most > 0.0 { most } else { 1.0 };
    let y = |value: f64| HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM);
    writeln!(
        file,
        r##"<text x="{name_x}" y="{TOP_OF_NAME}" text-anchor="{name_anchor}" fill="{colour}">{name}</text>"##,
    )?;
    for mark in 0..=MARKS {
        let value = most * f64::from(mark) / f64::from(MARKS);
        writeln!(
            file,
            r##"<text x="{marks}" y="{y:.1}" text-anchor="{marks_anchor}" fill="{colour}" font-size="11">{value:.decimals$}</text>"##,
            y = y(value) + 4.0,
        )?;
    }
    let points = values.iter().enumerate();
    let points = points.filter_map(|(at, value)| Some((x(at), y((*value)?))));
    let points: Vec<_> = points.collect();
    let line: Vec<_> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    writeln!(
        file,
        r##"<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>"##,
        line = line.join(" "),
    )?;
    for (x, y) in points {
        writeln!(
            file,
            r##"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}"/>"##
        )?;
    }
    Ok(())
}

/// Above the highest mark.
const TOP_OF_NAME: f64 = TOP - 20.0;

fn curve(
    results: &Results,
    columns: &[Column],
    name: &'static str,
    colour: &'static str,
    decimals: usize,
) -> Curve {
    let table = &results.table;
    let column = columns
        .iter()
        .find(|column| table.columns().contains(column));
    let value = |row: &Vec<Value>| table.number(row, column?);
    Curve {
        name,
        colour,
        values: table.rows().iter().map(value).collect(),
        decimals,
    }
}

fn names(results: &Results) -> Vec<String> {
    let rows = results.table.rows().iter();
    rows.filter_map(|row| Some(row.first()?.shown(0))).collect()
}

fn remarks(results: &Results) -> Vec<(usize, String)> {
    let table = &results.table;
    let rows = table.rows().iter().enumerate();
    rows.filter_map(|(at, row)| Some((at, table.value(row, &columns::REMARK)?.shown(0))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        circumstances::Circumstances,
        export::{Exporter as _, svg::Svg},
        results::{Row, Table},
    };

    fn picture(sizes: &[(u64, Option<f64>, f64)]) -> String {
        let rows = sizes.iter().map(|(memory, duration, cost)| {
            Row::default()
                .count(columns::MEMORY_MB, *memory)
                .number(columns::MODELLED_DURATION_MS, *duration)
                .number(columns::MODELLED_USD_PER_MILLION_IN_MILLS, Some(*cost))
                .text(columns::REMARK, "cheapest & best")
        });
        let results = Results {
            title: "latency tune f".to_owned(),
            circumstances: Circumstances::made_up(),
            table: Table::new(rows.collect()),
            deciding: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            failures: 0,
        };
        let mut file = Vec::new();
        Svg.export(&results, &mut file).unwrap();
        String::from_utf8(file).unwrap()
    }

    #[test]
    fn both_curves_have_a_point_for_each_memory_size() {
        let picture = picture(&[(128, Some(20.0), 1.4), (256, Some(10.0), 1.4)]);
        assert_eq!(picture.matches("<circle").count(), 4);
        assert_eq!(picture.matches("<polyline").count(), 2);
        assert!(picture.contains(">256 MB</text>"), "{picture}");
        assert!(picture.contains("cheapest &amp; best"), "{picture}");
    }

    #[test]
    fn what_was_not_measured_has_no_point() {
        let picture = picture(&[(128, None, 1.4)]);
        assert_eq!(picture.matches("<circle").count(), 1);
        assert!(!picture.contains("NaN"), "{picture}");
    }
}
