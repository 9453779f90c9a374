//! A connection, one query and the end of the connection without the function around them: what `make bench` measures the
//! function against.
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
    let settings = ConnectionSettings::from_environment()?;
    for line in stdin().lines() {
        for _ in 0..line?.trim().parse()? {
            let since = Instant::now();
            let mut connection = settings.connect().await?;
            let _: Option<Row> = connection
                .query_first("SELECT * FROM transcriptions WHERE id = 1")
                .await?;
            connection.disconnect().await?;
            write!(stdout(), "{} ", since.elapsed().as_nanos())?;
        }
        writeln!(stdout())?;
    }
    Ok(())
}
