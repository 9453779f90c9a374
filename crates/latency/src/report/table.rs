//! Tables that can be sorted: the script finds each cell's number, with every digit, beside what people see.

use maud::{Markup, html};

use super::{
    document::{Document, Row},
    page::series,
};
use crate::results::Value;

/// Text of so many letters has a line of its own.
const SHORT: usize = 24;

/// A heading and its cells.
pub(super) struct Column {
    pub(super) heading: String,
    pub(super) cells: Vec<Cell>,
}

/// A cell.
#[derive(Clone)]
pub(super) struct Cell {
    text: String,
    /// What it is sorted by, if it is a number.
    number: Option<f64>,
    /// Whether it stands to the right.
    is_numeric: bool,
    /// The line of a picture that it is the name of.
    series: Option<usize>,
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            number: None,
            is_numeric: false,
            series: None,
        }
    }

    /// The name of a line of a picture.
    pub(super) fn series(at: usize, name: &str) -> Self {
        Self {
            series: Some(at),
            ..Self::text(name)
        }
    }

    /// A number in its form for people, or none.
    pub(super) fn number(number: Option<f64>, shown: impl FnOnce(f64) -> String) -> Self {
        Self {
            text: number.map_or_else(|| Value::Missing.shown(0), shown),
            number,
            is_numeric: true,
            series: None,
        }
    }

    fn of(row: &Row, key: &str, decimals: usize) -> Self {
        let value = row.value(key);
        Self {
            text: value.shown(decimals),
            number: row.number(key),
            is_numeric: value.is_numeric(),
            series: None,
        }
    }
}

/// The table of these columns; the first names the rows.
pub(super) fn table(id: &str, group: Option<usize>, columns: &[Column]) -> Markup {
    let height = columns.iter().map(|column| column.cells.len()).max();
    html! {
        div.scroll tabindex="0" role="region" aria-labelledby=(id) {
            table.sortable data-group=[group] aria-labelledby=(id) {
                thead {
                    tr {
                        @for (place, column) in columns.iter().enumerate() {
                            th scope="col" class=[(place > 0 && column.is_numeric()).then_some("number")] { (column.heading) }
                        }
                    }
                }
                tbody {
                    @for at in 0..height.unwrap_or_default() {
                        tr {
                            @for (place, column) in columns.iter().enumerate() {
                                @if let Some(cell) = column.cells.get(at) {
                                    (self::cell(cell, place == 0, column.is_numeric()))
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn cell(cell: &Cell, names_the_row: bool, is_numeric: bool) -> Markup {
    html! {
        @if names_the_row {
            th scope="row" data-value=[cell.number] {
                @if let Some(at) = cell.series {
                    svg.swatch width="24" height="10" aria-hidden="true" {
                        line.{ "series " (series(at)) } x1="0" x2="24" y1="5" y2="5" {}
                    }
                }
                (cell.text)
            }
        } @else {
            td class=[class(cell, is_numeric)] data-value=[cell.number] { (cell.text) }
        }
    }
}

/// How it is laid out: numbers below each other, and no few words below each other.
fn class(cell: &Cell, is_numeric: bool) -> Option<&'static str> {
    match is_numeric {
        true => Some("number"),
        false => (cell.text.chars().count() <= SHORT).then_some("short"),
    }
}

impl Column {
    fn is_numeric(&self) -> bool {
        self.cells.iter().all(|cell| cell.is_numeric)
    }
}

/// Those of these columns in which something stands.
pub(super) fn filled(document: &Document, keys: &[&str]) -> Vec<Column> {
    columns(document, keys, |value| !value.is_empty())
}

/// Those of these columns that say something: where nothing failed, nobody asks how.
pub(super) fn telling(document: &Document, keys: &[&str]) -> Vec<Column> {
    columns(document, keys, |value| {
        !value.is_empty() && *value != Value::Count(0)
    })
}

fn columns(document: &Document, keys: &[&str], tells: impl Fn(&Value) -> bool) -> Vec<Column> {
    let rows = &document.rows;
    let columns = keys.iter().filter_map(|key| document.column(key));
    columns
        .filter(|column| rows.iter().any(|row| tells(row.value(&column.key))))
        .map(|column| Column {
            heading: column.heading.clone(),
            cells: rows
                .iter()
                .map(|row| Cell::of(row, &column.key, column.decimals.into()))
                .collect(),
        })
        .collect()
}
