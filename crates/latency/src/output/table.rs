//! Results as a table in the terminal.

use comfy_table::{CellAlignment, LineStyle, Table as Grid, TableStyle};

use crate::results::{Group, Results, Table};

/// The width where there is no terminal to ask, such as in the log of a build.
const DEFAULT_WIDTH: usize = 132;

/// The longest cell: what is longer is told in files.
const LONGEST_CELL: usize = 60;

/// The results as a person reads them, no wider than `width` columns where the cells allow it: the columns that decide, or
/// with `wide` all.
///
/// A single row is shown as a list. In a table, columns that do not fit go to a further block below, under the first
/// column again.
#[must_use]
pub fn rendered(results: &Results, width: usize, wide: bool) -> String {
    let table = &results.table;
    let shown: Vec<Vec<String>> = table
        .rows()
        .iter()
        .map(|row| {
            row.iter()
                .zip(table.columns())
                .map(|(value, column)| shortened(value.shown(column.decimals)))
                .collect()
        })
        .collect();
    let mut text = format!("{}\n", results.title);
    if wide || results.deciding.is_empty() {
        text.push_str(&group(table, &table.filled_columns(), &shown, width));
    } else {
        for Group { heading, columns } in &results.deciding {
            if !heading.is_empty() {
                text.push_str(&format!("\n{heading}\n"));
            }
            let columns = table.telling_columns(columns);
            text.push_str(&group(table, &columns, &shown, width));
        }
    }
    for note in &results.notes {
        text.push_str(&format!("{note}\n"));
    }
    text
}

/// These columns, as a table or as a list.
fn group(table: &Table, columns: &[usize], shown: &[Vec<String>], width: usize) -> String {
    if let [row] = shown {
        return list(table, columns, row);
    }
    let width_of = |at: usize| {
        let heading = heading(&table.columns()[at].heading);
        let cells = shown.iter().map(|row| row[at].as_str());
        let widths = cells
            .chain(heading.lines())
            .map(|cell| cell.chars().count());
        widths.max().unwrap_or_default() + MARGIN
    };
    let blocks = blocks(columns, width, width_of);
    blocks
        .iter()
        .map(|block| grid(table, block, shown))
        .collect()
}

fn shortened(mut cell: String) -> String {
    if let Some((end, _)) = cell.char_indices().nth(LONGEST_CELL) {
        cell.truncate(end);
        cell.push('…');
    }
    cell
}

fn list(table: &Table, columns: &[usize], row: &[String]) -> String {
    let mut grid = Grid::new();
    grid.load_style(STYLE);
    grid.add_rows(
        columns
            .iter()
            .map(|&at| [table.columns()[at].heading.to_string(), row[at].clone()]),
    );
    format!("{grid}\n")
}

fn grid(table: &Table, block: &[usize], shown: &[Vec<String>]) -> String {
    let mut grid = Grid::new();
    grid.load_style(STYLE);
    grid.set_header(
        block
            .iter()
            .map(|&at| heading(&table.columns()[at].heading)),
    );
    grid.add_rows(
        shown
            .iter()
            .map(|row| block.iter().map(|&at| row[at].clone())),
    );
    for (column, &at) in grid.column_iter_mut().zip(block) {
        if table.rows().iter().all(|row| row[at].is_numeric()) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    format!("{grid}\n")
}

const LINE: LineStyle = LineStyle::none().fill('─').junction('─');
const STYLE: TableStyle = TableStyle::new()
    .top_border(LINE)
    .header_separator(LINE)
    .bottom_border(LINE);

/// Room around a cell and between two.
const MARGIN: usize = 3;

/// One word below the other, so that numbers stand close together.
fn heading(heading: &str) -> String {
    heading.replace(' ', "\n")
}

/// Groups of columns that fit into the width; each begins with the first column.
fn blocks(columns: &[usize], width: usize, width_of: impl Fn(usize) -> usize) -> Vec<Vec<usize>> {
    let Some((&first, rest)) = columns.split_first() else {
        return Vec::new();
    };
    let mut blocks = vec![vec![first]];
    let mut used = width_of(first);
    for &column in rest {
        let needed = width_of(column);
        match blocks.last_mut() {
            Some(block) if block.len() == 1 || used + needed <= width => {
                block.push(column);
                used += needed;
            }
            _ => {
                blocks.push(vec![first, column]);
                used = width_of(first) + needed;
            }
        }
    }
    blocks
}

/// The width of the terminal that the standard output is.
pub(super) fn terminal_width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|&columns| columns > 0)
        .unwrap_or(DEFAULT_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circumstances::Circumstances;
    use crate::results::{Column, Row};

    const NAME: Column = Column::new("name", "name", 0);
    const TIME: Column = Column::new("time_ms", "time (ms)", 2);
    const REMARK: Column = Column::new("remark", "remark", 0);
    const COUNT: Column = Column::new("count", "count", 0);

    fn results(rows: usize) -> Results {
        let row = |name: &str, number: f64| {
            Row::default()
                .text(NAME, name)
                .number(TIME, Some(number))
                .text(REMARK, "")
                .count(COUNT, 7)
        };
        Results {
            title: "latency test".to_owned(),
            circumstances: Circumstances::made_up(),
            table: Table::new([row("one", 1.0), row("two", 22.5)][..rows].to_vec()),
            deciding: Vec::new(),
            notes: vec!["a note".to_owned()],
            warnings: Vec::new(),
            failures: 0,
        }
    }

    #[test]
    fn what_decides_fits_a_terminal_and_a_long_cell_is_cut() {
        let row = |name: &str| {
            Row::default()
                .text(NAME, name)
                .number(TIME, Some(1.0))
                .text(REMARK, "x".repeat(500))
                .count(COUNT, 0)
        };
        let results = Results {
            table: Table::new(vec![row("one"), row("two")]),
            deciding: Group::only(&[NAME, TIME, COUNT]),
            ..results(2)
        };
        // A count of nothing tells nothing.
        let text = rendered(&results, 80, false);
        assert!(text.contains("time") && !text.contains("count"), "{text}");
        let wide = rendered(&results, 80, true);
        assert!(wide.contains(&format!("{}…", "x".repeat(60))), "{wide}");
        assert!(
            wide.lines().all(|line| line.chars().count() <= 80),
            "{wide}"
        );
    }

    #[test]
    fn each_group_is_a_table_under_its_heading() {
        let deciding = [("here", &[NAME, TIME]), ("there", &[NAME, COUNT])];
        let deciding = deciding.map(|(heading, columns)| Group {
            heading: heading.to_owned(),
            columns: columns.to_vec(),
        });
        let results = Results {
            deciding: deciding.to_vec(),
            ..results(2)
        };
        let text = rendered(&results, 80, false);
        let (here, there) = text.split_once("\nthere\n").unwrap();
        assert!(
            here.contains("\nhere\n") && here.contains("22.50"),
            "{text}"
        );
        assert!(!here.contains("count") && there.contains("count"), "{text}");
        assert!(
            there.contains(" two ") && !there.contains("22.50"),
            "{text}"
        );
    }

    #[test]
    fn numbers_are_right_below_each_other_and_empty_columns_left_out() {
        let text = rendered(&results(2), 80, true);
        assert!(text.contains(" one     1.00"), "{text}");
        assert!(text.contains(" two    22.50"), "{text}");
        assert!(!text.contains("remark"), "{text}");
        assert!(text.ends_with("a note\n"), "{text}");
    }

    #[test]
    fn a_single_row_is_a_list() {
        let text = rendered(&results(1), 80, true);
        assert!(
            text.contains(" name        one  \n time (ms)   1.00 \n"),
            "{text}"
        );
    }

    #[test]
    fn columns_that_do_not_fit_go_below_under_the_first_column_again() {
        let text = rendered(&results(2), 14, true);
        assert_eq!(text.matches(" one ").count(), 2, "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 14),
            "{text}"
        );
    }
}
