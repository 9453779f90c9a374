//! One query on an open connection without the function around it: what `make bench` measures the function
//! against.
//!
//! Does that as often as a line on the standard input says and answers with a line of the latencies in nanoseconds.

use std::{
    error::Error,
    io::{Write, stdin, stdout},
    time::Instant,
};

use function_kit::environment::variable;
use mysql_async::{Conn, Opts, OptsBuilder, Row, prelude::Queryable};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut connection = Conn::new(options()?).await?;
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

/// Those with which the driver asks nothing when it connects.
fn options() -> Result<Opts, Box<dyn Error>> {
    let address = variable("DATABASE_HOST")?;
    let (host, port) = address.rsplit_once(':').unwrap_or((&address, "3306"));
    Ok(OptsBuilder::default()
        .ip_or_hostname(host)
        .tcp_port(port.parse()?)
        .db_name(Some(variable("DATABASE_NAME")?))
        .user(Some(variable("DATABASE_USER")?))
        .pass(Some(variable("DATABASE_PASSWORD")?))
        .prefer_socket(false)
        .max_allowed_packet(Some(16 * 1024 * 1024))
        .wait_timeout(Some(28_800))
        .into())
}
