//! One line a row, from the median on: what was modelled for a Region, or else what was measured. Never both in one picture.

use std::io::Write;

use quick_xml::escape::escape;

use super::{WIDTH, foot, head};
use crate::{
    columns,
    report::step,
    results::{Column, Results, Value},
};

/// Room for the names.
const LEFT: f64 = 180.0;
/// Room for the longest line's label.
const RIGHT: f64 = 110.0;
const TOP: f64 = 70.0;
const ROW: f64 = 44.0;
const BOTTOM: f64 = 70.0;

/// A row that has latencies.
struct Line {
    name: String,
    p50: f64,
    p99: f64,
    /// Up to where its thin line goes.
    most: f64,
}

/// What is drawn, and what to say of it.
struct Latencies {
    p50: Column,
    p99: Column,
    most: Column,
    decimals: usize,
    legend: &'static str,
}

const MEASURED: Latencies = Latencies {
    p50: columns::P50_MS,
    p99: columns::P99_MS,
    most: columns::P99_9_MS,
    decimals: 2,
    legend: "Milliseconds. Dot: p50. Bar: to p99. Thin line: to p99.9.",
};
const MODELLED: Latencies = Latencies {
    p50: columns::MODELLED_P50_MS,
    p99: columns::MODELLED_P99_MS,
    most: columns::MODELLED_P99_MS,
    decimals: 0,
    legend: "Milliseconds, modelled for the Region, way there and back included. Dot: p50. Bar: to p99.",
};

pub(super) fn draw(results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
    let is_modelled = results.table.columns().contains(&columns::MODELLED_P50_MS);
    let drawn = if is_modelled { MODELLED } else { MEASURED };
    let lines = lines(results, &drawn);
    let longest = lines.iter().map(|line| line.most).fold(0.0, f64::max);
    let step = step(longest);
    let ticks = (longest / step).ceil().max(1.0);
    let x = |ms: f64| LEFT + ms / (ticks * step) * (WIDTH - LEFT - RIGHT);
    let height = TOP + ROW * lines.len() as f64 + BOTTOM;
    let axis = height - BOTTOM;

    head(results, height, file)?;
    writeln!(
        file,
        r##"<text x="16" y="48" fill="#57606a">{legend}</text>"##,
        legend = drawn.legend,
    )?;
    for tick in 0..=ticks as u32 {
        let ms = f64::from(tick) * step;
        writeln!(
            file,
            r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{axis}" stroke="#d0d7de"/><text x="{x:.1}" y="{below}" text-anchor="middle" fill="#57606a">{label}</text>"##,
            x = x(ms),
            below = axis + 18.0,
            label = format!("{ms:.3}")
                .trim_end_matches('0')
                .trim_end_matches('.'),
        )?;
    }
    for (at, line) in lines.iter().enumerate() {
        let y = TOP + ROW * (at as f64 + 0.5);
        writeln!(
            file,
            r##"<text x="{names}" y="{text_y:.1}" text-anchor="end">{name}</text>
<line x1="{p50:.1}" y1="{y:.1}" x2="{most:.1}" y2="{y:.1}" stroke="#0969da" stroke-width="2"/>
<line x1="{p50:.1}" y1="{y:.1}" x2="{p99:.1}" y2="{y:.1}" stroke="#54aeff" stroke-width="10"/>
<circle cx="{p50:.1}" cy="{y:.1}" r="7" fill="#0969da"/>
<text x="{label:.1}" y="{text_y:.1}">p50 {shown:.decimals$} ms</text>"##,
            names = LEFT - 16.0,
            name = escape(&line.name),
            text_y = y + 4.5,
            p50 = x(line.p50),
            p99 = x(line.p99),
            most = x(line.most),
            label = x(line.most) + 12.0,
            shown = line.p50,
            decimals = drawn.decimals,
        )?;
    }
    foot(results, height, file)
}

fn lines(results: &Results, drawn: &Latencies) -> Vec<Line> {
    let milliseconds = |row: &[Value], column: &Column| results.table.number(row, column);
    let line = |row: &Vec<Value>| {
        Some(Line {
            name: row.first()?.shown(0),
            p50: milliseconds(row, &drawn.p50)?,
            p99: milliseconds(row, &drawn.p99)?,
            most: milliseconds(row, &drawn.most)?,
        })
    };
    results.table.rows().iter().filter_map(line).collect()
}
