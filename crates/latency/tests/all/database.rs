//! The commands that need a database: MariaDB, and the functions that read it (`cargo lambda build --release`).

use std::{fs, time::Duration};

use backends::mariadb::{MariaDb, Options};
use mysql_async::prelude::Queryable as _;
use serde_json::Value;
use tokio::time::timeout;

use crate::{
    command::{Outcome, json},
    stack::{LONG, finished, in_its_session},
};

/// With it, the template has a database and the functions that read it.
const DATABASE: &str = "--parameter=Database=aurora";

const FUNCTIONS: [&str; 3] = ["rds-direct", "rds-pooled", "rds-proxy"];

/// The command without what the surroundings of the tests say of a database.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let mut command = in_its_session(arguments);
    command.env_remove("CI").env_remove("DATABASE_URL");
    command.envs(variables.iter().copied());
    finished(command.spawn().unwrap()).await
}

#[tokio::test]
async fn a_sweep_calls_every_function_at_every_number_of_connections() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("sweep.json");
    let outcome = run(
        &[
            "burst",
            DATABASE,
            "--function=rds-pooled",
            "--function=rds-proxy",
            "--connections=2,12",
            "--amount=300",
            "--warm-up=1s",
            "--runs=1",
            "--export-json",
            file.to_str().unwrap(),
        ],
        &[],
    )
    .await;
    outcome.assert_code(0);
    let json = json(&file);
    let rows = json["rows"].as_array().unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                row["connections"].as_u64().unwrap(),
                row["function"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            (2, "rds-pooled"),
            (2, "rds-proxy"),
            (12, "rds-pooled"),
            (12, "rds-proxy")
        ]
    );
    for row in rows {
        assert_eq!(row["success_percent"], 100.0, "{row}");
        assert!(row["total_seconds"].as_f64().unwrap() > 0.0, "{row}");
        let peak = row["peak_database_connections"].as_f64().unwrap();
        let connections = row["connections"].as_f64().unwrap();
        // One of another level would be one too many.
        assert!(peak >= 1.0 && peak <= connections, "{row}");
    }
}

#[tokio::test]
async fn without_mariadb_a_comparison_skips_what_needs_it_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let compare = [
        "compare",
        "--burst=0",
        DATABASE,
        "-n=20",
        "--starts=1",
        "--out",
        out.to_str().unwrap(),
    ];
    let outcome = run(&compare, &[("MARIADBD", "")]).await;
    outcome.assert_code(0);
    let json = json(&out.join("compare.json"));
    let rows = json["rows"].as_array().unwrap();
    let skipped = |row: &&Value| row["remark"] != "";
    assert_eq!(rows.iter().filter(skipped).count(), 3, "{json}");
    for row in rows.iter().filter(|row| !skipped(row)) {
        assert!(row["p50_ms"].as_f64().unwrap() > 0.0, "{row}");
    }
    for (row, name) in rows.iter().filter(skipped).zip(FUNCTIONS) {
        assert_eq!(row["architecture"], name);
        assert!(
            row["p50_ms"].is_null() && row["failures"].is_null(),
            "{row}"
        );
        let remark = row["remark"].as_str().unwrap();
        assert!(
            remark.starts_with("skipped: MariaDB is not installed: install "),
            "{remark}"
        );
    }
    let markdown = fs::read_to_string(out.join("compare.md")).unwrap();
    assert!(markdown.contains("skipped: "), "{markdown}");
    assert!(out.join("compare.svg").is_file());

    let outcome = run(&compare, &[("MARIADBD", ""), ("CI", "true")]).await;
    outcome.assert_code(1);
    assert!(
        outcome.stderr.contains("latency: MariaDB is not installed"),
        "{}",
        outcome.stderr
    );
}

#[tokio::test]
async fn a_server_that_runs_already_is_filled_and_used() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let url = server.url();
    let seed = ["seed", "transcriptions", "--rows=3000"];
    let first = run(&seed, &[("DATABASE_URL", &url)]).await;
    first.assert_code(0);
    assert!(
        first.stdout.contains("rows 1 to 3000: 3000 written"),
        "{}",
        first.stdout
    );
    let again = run(&seed, &[("DATABASE_URL", &url)]).await;
    again.assert_code(0);
    assert!(
        again.stdout.contains("rows 1 to 3000: 0 written"),
        "{}",
        again.stdout
    );

    let mut administration = server.administration().await.unwrap();
    administration.forget_most_connections().await.unwrap();
    let cold = ["cold", "rds-proxy", "-n=1", DATABASE];
    let outcome = run(&cold, &[("DATABASE_URL", &url)]).await;
    outcome.assert_code(0);
    assert!(administration.most_connections().await.unwrap() > 0);

    let wrong = run(
        &[
            "seed",
            "transcriptions",
            "--database=postgres://user:secret@h/d",
        ],
        &[],
    )
    .await;
    wrong.assert_code(2);
    assert!(!wrong.stderr.contains("secret"), "{}", wrong.stderr);
}

#[tokio::test]
async fn readings_go_on_where_a_killed_run_left_them() {
    let server = MariaDb::start(Options::default()).await.unwrap();
    let url = server.url();
    let mut administration = server.administration().await.unwrap();
    let connection = administration.connection();
    let seed = ["seed", "readings", "--customers=30000", "--database", &url];
    let mut killed = in_its_session(&seed).spawn().unwrap();
    let readings = "SELECT COUNT(*) FROM Readings";
    let some = async {
        // Until the table is made, there is none to count in.
        while !matches!(
            connection.query_first::<u64, _>(readings).await,
            Ok(Some(1..))
        ) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, some).await.unwrap();
    killed.kill().await.unwrap();
    let left: Option<u64> = connection.query_first(readings).await.unwrap();
    let left = left.unwrap();
    assert!((1..300_000).contains(&left), "{left}");

    let outcome = run(&seed, &[]).await;
    outcome.assert_code(0);
    let said = "Customers has the rows 1 to 30000, Readings 10 of each: ";
    let written = outcome.stdout.strip_prefix(said).unwrap();
    let written: u64 = written.split(' ').next().unwrap().parse().unwrap();
    // A statement that was under way when its client was killed may still be executed.
    assert!(written <= 300_000 - left && written > 0, "{written} {left}");
    let count: Option<u64> = connection.query_first(readings).await.unwrap();
    assert_eq!(count, Some(300_000));

    let again = run(&seed, &[]).await;
    again.assert_code(0);
    assert!(
        again.stdout.contains(": 0 written") && again.stdout.contains("330000 were there"),
        "{}",
        again.stdout
    );
}

#[tokio::test]
async fn what_no_table_takes_is_refused_before_a_server_is_asked() {
    for (arguments, told) in [
        (
            &["readings", "--rows=7"][..],
            "--rows is for transcriptions",
        ),
        (&["transcriptions", "--customers=7"], "are for readings"),
        (&["readings", "--customers=1000001"], "10000000 readings"),
        (&["readings", "--readings-each=95761"], "the year 9999"),
    ] {
        // Nobody listens there.
        let server = "--database=mysql://u:p@127.0.0.1:9/d";
        let outcome = run(&[&["seed", server], arguments].concat(), &[]).await;
        outcome.assert_code(2);
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    }
}
