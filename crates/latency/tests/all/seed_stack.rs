//! `latency seed --stack`: CloudFormation and Secrets Manager are the emulator's, the database is a MariaDB. What nobody else
//! has is played here: RDS's word for the administrator's secret, and the Data API in front of the database.

use std::{
    path::Path,
    sync::{Arc, Mutex},
};

use backends::mariadb::{MariaDb, Options};
use backends::ministack::Ministack;
use hyper::Response;
use mysql_async::{Conn, OptsBuilder, Row, Value as SqlValue, prelude::Queryable as _};
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::Mutex as AsyncMutex, task::block_in_place};

use crate::{
    command::Outcome,
    deployed::{in_account, outcome},
    fake_lambda::{Call, FakeLambda},
};

const CLUSTER: &str = "arn:aws:rds:eu-west-2:123456789012:cluster:measured";
const ADMIN_SECRET: &str = "arn:aws:secretsmanager:eu-west-2:123456789012:secret:rds!cluster-1";

const TRANSCRIPTIONS: [&str; 2] = ["transcriptions", "--rows=700"];

/// A stack as the template makes it with Database=aurora, and its database.
struct Deployed {
    ministack: Ministack,
    server: MariaDb,
    data_api: FakeLambda,
    statements: Arc<Mutex<Vec<String>>>,
}

impl Deployed {
    async fn start() -> Self {
        let program =
            backends::ministack::find_program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let ministack = Ministack::start(&program).await.unwrap();
        let template = json!({
            "Resources": { "Secret": {
                "Type": "AWS::SecretsManager::Secret",
                "Properties": { "SecretString": r#"{"username":"proxy_reader","password":"it's secret"}"# },
            } },
            "Outputs": {
                "DatabaseClusterArn": { "Value": CLUSTER },
                "DatabaseUser": { "Value": "reader" },
                "DatabaseProxySecretArn": { "Value": { "Ref": "Secret" } },
            },
        });
        ministack.deploy("measured", &template).await.unwrap();

        let server = MariaDb::start(Options::default()).await.unwrap();
        let options = mysql_async::Opts::from_url(&server.url()).unwrap();
        let options = OptsBuilder::from_opts(options).prefer_socket(false);
        let connection = Arc::new(AsyncMutex::new(Conn::new(options).await.unwrap()));
        let statements: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = statements.clone();
        let data_api = FakeLambda::start(move |call| {
            if call.path != "/Execute" {
                return described();
            }
            let sql = call.event["sql"].as_str().unwrap().to_owned();
            assert_asks_as_administrator(call);
            heard.lock().unwrap().push(sql.clone());
            let connection = connection.clone();
            block_in_place(|| Handle::current().block_on(executed(connection, &sql)))
        })
        .await;
        Self {
            ministack,
            server,
            data_api,
            statements,
        }
    }

    async fn seed(&self, rows: &[&str]) -> Outcome {
        let mut command = in_account(&[&["seed", "--stack=measured"], rows].concat());
        command
            .env_remove("DATABASE_URL")
            .env("AWS_ENDPOINT_URL", self.ministack.endpoint())
            .env("AWS_ENDPOINT_URL_RDS", &self.data_api.url)
            .env("AWS_ENDPOINT_URL_RDS_DATA", &self.data_api.url);
        outcome(&mut command).await
    }

    fn heard(&self) -> Vec<String> {
        std::mem::take(&mut self.statements.lock().unwrap())
    }
}

/// What RDS answers to DescribeDBClusters (its API reference, shortened).
fn described() -> Response<String> {
    Response::new(format!(
        "<DescribeDBClustersResponse><DescribeDBClustersResult><DBClusters><DBCluster>\
         <DBClusterArn>{CLUSTER}</DBClusterArn><DatabaseName>calls</DatabaseName>\
         <MasterUserSecret><SecretArn>{ADMIN_SECRET}</SecretArn><SecretStatus>active</SecretStatus></MasterUserSecret>\
         </DBCluster></DBClusters></DescribeDBClustersResult></DescribeDBClustersResponse>"
    ))
}

fn assert_asks_as_administrator(call: &Call) {
    assert_eq!(call.event["resourceArn"], CLUSTER);
    assert_eq!(call.event["secretArn"], ADMIN_SECRET);
    assert_eq!(call.event["database"], "calls");
    let signature = call.headers["authorization"].to_str().unwrap();
    assert!(signature.contains("/eu-west-2/rds-data/aws4_request"));
}

/// As the Data API answers. The accounts are not made: MariaDB has no IAM, and this user may make none.
async fn executed(connection: Arc<AsyncMutex<Conn>>, sql: &str) -> Response<String> {
    if ["CREATE USER", "ALTER USER", "GRANT"]
        .iter()
        .any(|it| sql.starts_with(it))
    {
        return Response::new(json!({ "numberOfRecordsUpdated": 0 }).to_string());
    }
    match connection.lock().await.query::<Row, _>(sql).await {
        Ok(rows) => {
            let records: Vec<Value> = rows.into_iter().map(record).collect();
            Response::new(json!({ "records": records }).to_string())
        }
        Err(error) => Response::builder()
            .status(400)
            .header("x-amzn-errortype", "DatabaseErrorException")
            .body(json!({ "message": error.to_string() }).to_string())
            .unwrap(),
    }
}

fn record(row: Row) -> Value {
    let field = |value| match value {
        SqlValue::NULL => json!({ "isNull": true }),
        SqlValue::Bytes(text) => {
            let text = String::from_utf8(text).unwrap();
            json!({ "longValue": text.parse::<u64>().unwrap() })
        }
        other => panic!("the text protocol has no {other:?}"),
    };
    row.unwrap().into_iter().map(field).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stacks_database_gets_its_accounts_and_its_rows() {
    let deployed = Deployed::start().await;
    let first = deployed.seed(&TRANSCRIPTIONS).await;
    first.assert_code(0);
    let heard = deployed.heard();
    assert_eq!(
        heard[..4],
        [
            "CREATE USER IF NOT EXISTS 'reader'@'%' IDENTIFIED WITH AWSAuthenticationPlugin AS 'RDS'",
            "CREATE USER IF NOT EXISTS 'proxy_reader'@'%' IDENTIFIED BY 'it''s secret'",
            "ALTER USER 'proxy_reader'@'%' IDENTIFIED BY 'it''s secret'",
            "GRANT SELECT ON `calls`.* TO 'reader'@'%', 'proxy_reader'@'%'",
        ]
    );
    let inserts = heard.iter().filter(|sql| sql.starts_with("INSERT"));
    let longest = inserts.clone().map(String::len).max().unwrap();
    // The API's limit, which 700 rows do not keep.
    assert!(longest <= 65_536 && inserts.count() > 1, "{longest}");
    let said = "transcriptions has the rows 1 to 700: 700 written";
    assert!(first.stdout.contains(said), "{}", first.stdout);
    assert!(!format!("{}{}", first.stdout, first.stderr).contains("secret"));

    let again = deployed.seed(&TRANSCRIPTIONS).await;
    again.assert_code(0);
    assert!(
        deployed
            .heard()
            .iter()
            .all(|sql| !sql.starts_with("INSERT"))
    );

    let mut administration = deployed.server.administration().await.unwrap();
    let connection = administration.connection();
    let drop = "ALTER TABLE transcriptions DROP COLUMN summary";
    connection.query_drop(drop).await.unwrap();
    let refused = deployed.seed(&TRANSCRIPTIONS).await;
    refused.assert_code(1);
    let said = "latency: RDS Data API refuses: ";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("Unknown column"),
        "{}",
        refused.stderr
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stacks_database_gets_customers_and_readings() {
    let deployed = Deployed::start().await;
    let readings = ["readings", "--customers=150"];
    let first = deployed.seed(&readings).await;
    first.assert_code(0);
    let said = "Customers has the rows 1 to 150, Readings 10 of each: 1650 written";
    assert!(first.stdout.contains(said), "{}", first.stdout);
    let heard = deployed.heard();
    let count = |start: &str| heard.iter().filter(|sql| sql.starts_with(start)).count();
    assert_eq!(count("GRANT SELECT ON `calls`.* TO 'reader'@'%'"), 1);
    assert_eq!(
        (
            count("INSERT INTO Customers"),
            count("INSERT INTO Readings")
        ),
        (1, 2)
    );

    let again = deployed.seed(&readings).await;
    again.assert_code(0);
    assert!(again.stdout.contains(": 0 written"), "{}", again.stdout);
}

#[tokio::test]
async fn a_stack_without_a_database_is_told_how_to_get_one() {
    let program = backends::ministack::find_program(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    let ministack = Ministack::start(&program).await.unwrap();
    let template = json!({ "Resources": { "Queue": { "Type": "AWS::SQS::Queue" } } });
    ministack.deploy("bare", &template).await.unwrap();
    let mut command = in_account(&["seed", "transcriptions", "--stack", "bare"]);
    let outcome = outcome(command.env("AWS_ENDPOINT_URL", ministack.endpoint())).await;
    outcome.assert_code(2);
    assert!(
        outcome.stderr.contains("deploy it with Database=aurora"),
        "{}",
        outcome.stderr
    );
}
