//! `latency seed`: a table filled with what the functions read, on any server.

use std::time::Instant;

use mysql_async::{Conn, Opts, OptsBuilder};

use crate::{
    BadInput, Ending,
    cli::{Seed, Table},
    output::Progress,
};

pub(super) async fn run(arguments: &Seed) -> anyhow::Result<Ending> {
    let Seed { rows, .. } = *arguments;
    let Table::Transcriptions = arguments.table;
    let options = Opts::from_url(&arguments.database)
        // The URL has a password in it: it is not repeated.
        .map_err(|error| BadInput(format!("the database's URL can't be understood: {error}")))?;
    let options = OptsBuilder::from_opts(options).prefer_socket(false);
    let mut connection = Conn::new(options).await?;
    let progress = Progress::bar(&format!("filling transcriptions up to {rows} rows"), rows);
    let since = Instant::now();
    let mut filled = 0;
    let written = seed::fill(&mut connection, rows, |now| {
        progress.advance(now - filled);
        filled = now;
    })
    .await;
    progress.finish();
    let written = written?;
    connection.disconnect().await?;
    println!(
        "transcriptions has the rows 1 to {rows}: {written} written in {:.1} s, {} were there",
        since.elapsed().as_secs_f64(),
        rows - written
    );
    Ok(Ending::Done)
}
