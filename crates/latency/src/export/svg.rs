//! SVG: pictures of a table. What has a time line is drawn over time, what is about memory sizes is two curves; any other is a line a row.

mod latencies;
mod memory;
mod time_line;

use std::io::Write;

use quick_xml::escape::escape;

use super::Exporter;
use crate::{columns, results::Results};

pub(super) struct Svg;

const WIDTH: f64 = 800.0;

impl Exporter for Svg {
    fn export(&self, results: &Results, file: &mut dyn Write) -> anyhow::Result<()> {
        if results.table.time_lines().next().is_some() {
            return time_line::draw(results, file);
        }
        match results.table.columns().first() == Some(&columns::MEMORY_MB) {
            true => memory::draw(results, file),
            false => latencies::draw(results, file),
        }
    }
}

/// The beginning of a picture that is so high, with its title.
fn head(results: &Results, height: f64, file: &mut dyn Write) -> anyhow::Result<()> {
    writeln!(
        file,
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13" fill="#24292f">
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="16" y="28" font-size="16" font-weight="600">{title}</text>"##,
        title = escape(&results.title),
    )?;
    Ok(())
}

/// Its end.
fn foot(results: &Results, height: f64, file: &mut dyn Write) -> anyhow::Result<()> {
    let measured_at = humantime::format_rfc3339_seconds(results.circumstances.measured_at);
    writeln!(
        file,
        r##"<text x="16" y="{y}" font-size="11" fill="#57606a">Made at {measured_at}.</text>
</svg>"##,
        y = height - 14.0,
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_break_the_picture() {
        assert_eq!(escape("a < b & c"), "a &lt; b &amp; c");
    }
}
