//! `latency seed`: tables filled with what the functions read, on any server, or in a deployed stack's database, which also
//! gets the functions' accounts.

use std::time::Instant;

use mysql_async::{Conn, Opts, OptsBuilder};
use seed::Server;

use crate::{
    BadInput, Ending,
    aws::{Aws, DataApi},
    cli::{Rows, Seed},
    output::Progress,
};

pub(super) async fn run(arguments: &Seed) -> anyhow::Result<Ending> {
    let rows = arguments.rows()?;
    // Before anybody is asked for anything.
    rows.number()?;
    match (&arguments.stack, &arguments.database) {
        (Some(stack), _) => of_stack(stack, rows).await?,
        (None, Some(url)) => at_url(url, rows).await?,
        // The command line demands one of them.
        (None, None) => {}
    }
    Ok(Ending::Done)
}

async fn at_url(url: &str, rows: Rows) -> anyhow::Result<()> {
    let options = Opts::from_url(url)
        // The URL has a password in it: it is not repeated.
        .map_err(|error| BadInput(format!("the database's URL can't be understood: {error}")))?;
    let options = OptsBuilder::from_opts(options).prefer_socket(false);
    let mut connection = Conn::new(options).await?;
    fill(&mut connection, rows).await?;
    Ok(connection.disconnect().await?)
}

async fn of_stack(stack: &str, rows: Rows) -> anyhow::Result<()> {
    let aws = Aws::load().await?;
    let outputs = aws.outputs(stack).await?;
    let output = |name| {
        outputs.get(name).ok_or_else(|| {
            BadInput(format!(
                "stack {stack} has no database of its own (no output {name}): deploy it with Database=aurora"
            ))
        })
    };
    let cluster = aws.cluster(output("DatabaseClusterArn")?).await?;
    let proxy = aws.login(output("DatabaseProxySecretArn")?).await?;
    let mut server = DataApi::new(&aws, &cluster);
    let progress = Progress::spinner("making the functions' accounts");
    let user = account(output("DatabaseUser")?);
    let proxy_user = account(&proxy.username);
    let password = literal(&proxy.password);
    let database = cluster.database.replace('`', "``");
    for statement in [
        format!(
            "CREATE USER IF NOT EXISTS {user} IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'"
        ),
        format!("CREATE USER IF NOT EXISTS {proxy_user} IDENTIFIED BY {password}"),
        // Where there was such a user, the secret may be a new one.
        format!("ALTER USER {proxy_user} IDENTIFIED BY {password}"),
        format!("GRANT SELECT ON `{database}`.* TO {user}, {proxy_user}"),
    ] {
        server.execute(&statement).await?;
    }
    progress.finish();
    println!("{user} and {proxy_user} may read {database}");
    fill(&mut server, rows).await
}

async fn fill<S>(server: &mut S, rows: Rows) -> anyhow::Result<()>
where
    S: Server<Error: std::error::Error + Send + Sync + 'static>,
{
    let number = rows.number()?;
    let progress = Progress::bar(&format!("filling {}", rows.wanted()), number);
    let since = Instant::now();
    let mut filled = 0;
    let on_rows = |now| {
        progress.advance(now - filled);
        filled = now;
    };
    let written = match rows {
        Rows::Transcriptions(rows) => {
            let written = rds_access::seed::fill(server, rows, on_rows).await;
            written.map_err(anyhow::Error::from)
        }
        Rows::Readings { customers, each } => {
            let written = readings::seed::fill(server, customers, each, on_rows).await;
            written.map_err(anyhow::Error::from)
        }
    };
    progress.finish();
    let written = written?;
    println!(
        "{}: {written} written in {:.1} s, {} were there",
        rows.there(),
        since.elapsed().as_secs_f64(),
        number - written
    );
    Ok(())
}

impl Rows {
    /// How many rows they are in all tables.
    fn number(self) -> Result<u64, BadInput> {
        match self {
            Self::Transcriptions(rows) => Ok(rows),
            Self::Readings { customers, each } => readings::seed::rows(customers, each)
                .map_err(|too_many| BadInput(too_many.to_string())),
        }
    }

    /// What is to be, for a message.
    fn wanted(self) -> String {
        match self {
            Self::Transcriptions(rows) => format!("transcriptions up to {rows} rows"),
            Self::Readings { customers, each } => {
                format!("Customers up to {customers} rows, and Readings with {each} of each")
            }
        }
    }

    /// What there is, for a message.
    fn there(self) -> String {
        match self {
            Self::Transcriptions(rows) => format!("transcriptions has the rows 1 to {rows}"),
            Self::Readings { customers, each } => {
                format!("Customers has the rows 1 to {customers}, Readings {each} of each")
            }
        }
    }
}

/// A user who may come from anywhere.
fn account(user: &str) -> String {
    format!("{}@'%'", literal(user))
}

/// A string in SQL.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_get_out_of_its_quotes() {
        assert_eq!(account("o'reilly"), "'o''reilly'@'%'");
        assert_eq!(literal(r"a\' OR 1"), r"'a\\'' OR 1'");
    }
}
