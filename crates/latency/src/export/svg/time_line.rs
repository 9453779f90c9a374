//! Second by second: the pictures that the report has, one below the other.

use std::io::Write;

use quick_xml::escape::escape;

use super::{WIDTH, foot, head};
use crate::{
    export::{Exporter as _, json::Json},
    report::{
        Document,
        time_line::{HEIGHT, pictures},
    },
    results::Results,
};

const TOP: f64 = 40.0;
const NAME: f64 = 28.0;
const BOTTOM: f64 = 40.0;
const MARGIN: f64 = 16.0;

/// What the report's style sheet says of the same.
const STYLE: &str = ".series { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; }
.colour-0 { stroke: #0072b2; } .colour-1 { stroke: #d05800; } .colour-2 { stroke: #00805d; }
.colour-3 { stroke: #b0458a; } .colour-7 { stroke: #6b7280; }
.grid { stroke: #d5dbe1; } .leader { stroke: #8c959f; } .mark { fill: #57606a; font-size: 11px; }";

pub(super) fn draw(results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
    let mut json = Vec::new();
    Json.export(results, &mut json)?;
    let pictures = pictures(&Document::from_json(&json)?);
    let is_named = pictures.iter().any(|picture| picture.name.is_some());
    let name_height = if is_named { NAME } else { 0.0 };
    let height = TOP + pictures.len() as f64 * (name_height + HEIGHT) + BOTTOM;
    head(results, height, file)?;
    writeln!(file, "<style>{STYLE}</style>")?;
    for (at, picture) in pictures.iter().enumerate() {
        let y = TOP + at as f64 * (name_height + HEIGHT);
        if let Some(name) = &picture.name {
            let (y, name) = (y + 14.0, escape(name.as_str()));
            writeln!(
                file,
                r#"<text x="{MARGIN}" y="{y}" font-weight="600">{name}</text>"#
            )?;
        }
        writeln!(
            file,
            r#"<svg x="{MARGIN}" y="{y}" width="{width}" height="{HEIGHT}">{picture}</svg>"#,
            y = y + name_height,
            width = WIDTH - 2.0 * MARGIN,
            picture = picture.svg.0,
        )?;
    }
    foot(results, height, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        circumstances::Circumstances,
        columns,
        export::svg::Svg,
        results::{Row, Table},
        time_line::Moment,
    };

    #[test]
    fn each_subject_has_a_picture_with_all_its_levels() {
        let moment = |second| Moment {
            second,
            users: 7,
            requests_per_second: 3.5,
            failures_per_second: 0.5,
            p50_ms: Some(1.0),
            p99_ms: None,
        };
        let row = |users, name: &str| {
            Row::default()
                .count(columns::USERS, users)
                .text(columns::ARCHITECTURE, name)
                .time_line((1..=3).map(moment).collect())
        };
        let rows = vec![
            row(50, "a & b"),
            row(50, "c"),
            row(100, "a & b"),
            row(100, "c"),
        ];
        let results = Results {
            title: "latency ramp".to_owned(),
            circumstances: Circumstances::made_up(),
            table: Table::new(rows),
            deciding: Vec::new(),
            notes: Vec::new(),
            warnings: Vec::new(),
            failures: 0,
        };
        let mut file = Vec::new();
        Svg.export(&results, &mut file).unwrap();
        let text = String::from_utf8(file).unwrap();
        let picture = roxmltree::Document::parse(&text).unwrap();
        let texts: Vec<_> = picture
            .descendants()
            .filter(|node| node.is_text())
            .filter_map(|node| node.text())
            .collect();
        for told in ["a & b", "c"] {
            assert_eq!(
                texts.iter().filter(|text| **text == told).count(),
                1,
                "{text}"
            );
        }
        for told in ["50 users", "100 users"] {
            assert_eq!(
                texts.iter().filter(|text| **text == told).count(),
                2,
                "{text}"
            );
        }
        assert!(!text.contains("NaN"), "{text}");
    }
}
