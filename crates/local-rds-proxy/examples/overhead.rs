//! What the proxy costs a query that is cheap for the database: the same connection with it and without, in turns.

use std::time::{Duration, Instant};

use backends::mariadb::{MariaDb, Options};
use local_rds_proxy::{RdsProxy, Settings};
use mysql_async::{Conn, OptsBuilder, prelude::Queryable as _};

const ROUNDS: usize = 20;
const QUERIES: usize = 500;

type Failure = Box<dyn std::error::Error>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let database = MariaDb::start(Options::default()).await?;
    let settings = Settings::new(database.address(), database.user(), database.password());
    let proxy = RdsProxy::start(settings).await?;
    let options = |port| {
        OptsBuilder::default()
            .ip_or_hostname("127.0.0.1")
            .tcp_port(port)
            .user(Some(database.user()))
            .pass(Some(database.password()))
            .db_name(Some(database.database()))
            .prefer_socket(false)
            .max_allowed_packet(Some(1 << 20))
            .wait_timeout(Some(28_800))
    };
    let mut direct = Conn::new(options(database.port())).await?;
    let mut through = Conn::new(options(proxy.address().port())).await?;
    direct
        .query_drop("CREATE TABLE t (id BIGINT PRIMARY KEY, text TEXT)")
        .await?;
    direct
        .query_drop("INSERT INTO t SELECT seq, REPEAT('x', 250) FROM seq_1_to_10000")
        .await?;
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let [direct, through] = [median(&mut direct).await?, median(&mut through).await?];
        println!("direct {direct:?}, through the proxy {through:?}");
        ratios.push(through.as_secs_f64() / direct.as_secs_f64());
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.2}", ratios[ROUNDS / 2]);
    Ok(())
}

async fn median(connection: &mut Conn) -> Result<Duration, Failure> {
    let mut times = Vec::with_capacity(QUERIES);
    for _ in 0..QUERIES {
        let query = format!("SELECT * FROM t WHERE id = {}", fastrand::u32(1..=10_000));
        let since = Instant::now();
        let row: Option<(u64, String)> = connection.query_first(query).await?;
        times.push(since.elapsed());
        row.ok_or("a row is missing")?;
    }
    times.sort_unstable();
    Ok(times[QUERIES / 2])
}
