//! The database of a stack that is measured.

use std::path::PathBuf;

use local_stack::{DatabaseSettings, Prepare, conditions, has_database};
use mysql_async::{Conn, Opts, OptsBuilder};
use rds_access::seed::{Cache, CacheError};

use crate::{
    cli::{CUSTOMERS, READINGS_EACH, Template},
    output::Progress,
};

/// Where data directories are kept between runs.
const CACHE: &str = ".cache";

/// Rows of a table as large as the published comparison's.
const MANY: u64 = 1_000_000;

/// Rows that are made within seconds, and are as hard to find.
const FEW: u64 = 100_000;

/// With this condition of the template, servers fill a cache with customers and readings before they listen.
const WITH_READINGS: &str = "WithReadings";

/// What the template's stack needs to have its database: the first time, a table is filled for it.
///
/// # Errors
/// There is no room, or the template can't be read.
pub async fn settings(template: &Template) -> anyhow::Result<DatabaseSettings> {
    let parameters = template.parameters.iter().cloned().collect();
    let mut settings = DatabaseSettings {
        url: template.database.database_url.clone(),
        required: is_ci(),
        ..DatabaseSettings::default()
    };
    if settings.url.is_none() && has_database(&template.template, &parameters)? {
        match data(&Cache::new(CACHE), template.database.rows).await {
            Ok(data) => settings.server.data = Some(data),
            // The stack says what becomes of those who need it.
            Err(CacheError::MariaDb(backends::Error::NotInstalled { .. })) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let holds = conditions(&template.template, &parameters)?;
    if holds.get(WITH_READINGS).copied().unwrap_or_default() {
        settings.prepare = Some(Prepare::with(async |url: String| {
            let options = OptsBuilder::from_opts(Opts::from_url(&url)?).prefer_socket(false);
            let mut connection = Conn::new(options).await?;
            readings::seed::fill(&mut connection, CUSTOMERS, READINGS_EACH, |_| {}).await?;
            Ok(connection.disconnect().await?)
        }));
    }
    Ok(settings)
}

async fn data(cache: &Cache, rows: Option<u64>) -> Result<PathBuf, CacheError> {
    let rows = match rows {
        Some(rows) => rows,
        None if cache.get(MANY)?.is_some() => MANY,
        None => FEW,
    };
    if let Some(data) = cache.get(rows)? {
        return Ok(data);
    }
    let what = format!("filling a database with {rows} transcriptions, once: {CACHE}/");
    let progress = Progress::bar(&what, rows);
    let mut filled = 0;
    let data = cache
        .get_or_fill(rows, |now| {
            progress.advance(now - filled);
            filled = now;
        })
        .await;
    progress.finish();
    data
}

/// Whether this runs where nobody sees what was left out.
fn is_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false")
}
