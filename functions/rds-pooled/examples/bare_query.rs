//! One query on an open connection without the function around it: what `make bench` measures the function against.
//!
//! Does that as often as a line on the standard input says and answers with a line of the latencies in nanoseconds.

use std::{
    error::Error,
    io::{Write, stdin, stdout},
    time::Instant,
};

use mysql_async::{Row, prelude::Queryable};
use rds_access::ConnectionSettings;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut connection = ConnectionSettings::from_environment()?.connect().await?;
    for line in stdin().lines() {
        for _ in 0..line?.trim().parse()? {
            let since = Instant::now();
            let _: Option<Row> = connection
                .query_first("SELECT * FROM transcriptions WHERE id = 1")
                .await?;
            write!(stdout(), "{} ", since.elapsed().as_nanos())?;
        }
        writeln!(stdout())?;
    }
    Ok(())
}
