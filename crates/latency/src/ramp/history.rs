//! The time line as CSV with the columns of Locust 2.47's `_stats_history.csv`, so that what reads that reads this.
//!
//! As Locust's `--csv-full-history`: percentiles and rates are those of the last ten seconds. Each level is a run of its own:
//! its totals begin anew. Times are milliseconds, not rounded to whole ones.

use std::{
    io::Write,
    time::{Duration, UNIX_EPOCH},
};

use load::Moment;

use super::Found;

/// The header.
pub const HISTORY_COLUMNS: [&str; 24] = [
    "Timestamp",
    "User Count",
    "Type",
    "Name",
    "Requests/s",
    "Failures/s",
    "50%",
    "66%",
    "75%",
    "80%",
    "90%",
    "95%",
    "98%",
    "99%",
    "99.9%",
    "99.99%",
    "100%",
    "Total Request Count",
    "Total Failure Count",
    "Total Median Response Time",
    "Total Average Response Time",
    "Total Min Response Time",
    "Total Max Response Time",
    "Total Average Content Size",
];

/// What Locust writes where there is nothing.
const NOTHING: &str = "N/A";

/// Writes what was found, one level after the other.
///
/// # Errors
/// It can't be written.
pub fn write(found: &[Found], file: &mut dyn Write) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(file);
    writer.write_record(HISTORY_COLUMNS)?;
    for found in found {
        let began = found.level.began_at.duration_since(UNIX_EPOCH)?.as_secs();
        for moment in found.level.moments(found.window()) {
            writer.write_record(record(began, found.name.as_deref(), &moment))?;
        }
    }
    Ok(writer.flush()?)
}

fn record(began: u64, name: Option<&str>, moment: &Moment) -> Vec<String> {
    // What Locust calls the line of all URLs together, which has no method.
    let name = name.unwrap_or("Aggregated");
    let total = &moment.total.latencies;
    let mut record = vec![
        (began + moment.second).to_string(),
        moment.users.to_string(),
        String::new(),
        name.to_owned(),
        format!("{:.6}", moment.requests_per_second),
        format!("{:.6}", moment.failures_per_second),
    ];
    let percentiles = HISTORY_COLUMNS
        .iter()
        .filter_map(|name| name.strip_suffix('%'));
    let percentiles = percentiles.filter_map(|percent| percent.parse().ok());
    record.extend(percentiles.map(|percent| milliseconds(moment.latencies.percentile(percent))));
    record.extend([
        moment.total.requests().to_string(),
        moment.total.failures.to_string(),
        milliseconds(total.percentile(50.0)),
        milliseconds(total.mean()),
        milliseconds(total.percentile(0.0)),
        milliseconds(total.percentile(100.0)),
        // Bodies are read and not counted.
        NOTHING.to_owned(),
    ]);
    record
}

fn milliseconds(time: Option<Duration>) -> String {
    match time {
        Some(time) => format!("{:.3}", time.as_secs_f64() * 1e3),
        None => NOTHING.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ramp::tests::found;

    fn written(found: &[Found]) -> String {
        let mut file = Vec::new();
        write(found, &mut file).unwrap();
        String::from_utf8(file).unwrap()
    }

    #[test]
    fn the_header_is_that_of_locust() {
        // The first line of a `_stats_history.csv` of Locust 2.47.0.
        let theirs = "Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,\
                      Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,\
                      Total Min Response Time,Total Max Response Time,Total Average Content Size\n";
        assert_eq!(written(&[]), theirs);
    }

    #[test]
    fn each_second_of_each_level_is_a_row_and_totals_begin_anew() {
        let text = written(&[found(10), found(20)]);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        let column = |name: &str| HISTORY_COLUMNS.iter().position(|it| *it == name).unwrap();
        let cells = |name: &str| {
            rows.iter()
                .map(|row| row[column(name)].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(cells("User Count"), ["10", "10", "20", "20"]);
        assert_eq!(cells("Timestamp"), ["1001", "1002", "1001", "1002"]);
        assert_eq!(cells("Name")[0], "Aggregated");
        assert_eq!(cells("Total Request Count"), ["10", "21", "20", "41"]);
        assert_eq!(cells("Total Failure Count"), ["0", "1", "0", "1"]);
        assert_eq!(cells("Failures/s")[1], "0.500000");
        assert_eq!(cells("Total Average Response Time")[0], "10.000");
        let median: f64 = cells("50%")[0].parse().unwrap();
        assert!((median / 10.0 - 1.0).abs() < 0.01, "{median}");
    }

    #[test]
    fn a_second_without_an_answer_has_no_percentile() {
        let mut nothing = found(1);
        nothing
            .level
            .seconds
            .iter_mut()
            .for_each(|second| *second = load::Happened::default());
        let text = written(&[nothing]);
        let row = text.lines().nth(1).unwrap();
        assert!(
            row.starts_with("1001,0,,Aggregated,0.000000,0.000000,N/A,N/A,"),
            "{row}"
        );
    }

    #[test]
    fn with_several_subjects_each_row_says_which() {
        let mut named = found(1);
        named.name = Some("readings".to_owned());
        assert!(written(&[named]).contains(",,readings,"));
    }
}
