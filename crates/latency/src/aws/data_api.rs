//! The RDS Data API: SQL over HTTPS, to a cluster that no network leads to.

use http::{Method, Request};
use serde_json::{Value, json};

use super::{Aws, Cluster, Error, Service};

const DATA_API: Service = Service {
    name: "RDS Data API",
    id: "RDS Data",
    prefix: "rds-data",
};

/// A cluster that is sent SQL as its administrator.
#[derive(Debug)]
pub struct DataApi<'a> {
    aws: &'a Aws,
    cluster: &'a Cluster,
}

impl<'a> DataApi<'a> {
    /// Of this cluster. Nothing is asked yet.
    #[must_use]
    pub fn new(aws: &'a Aws, cluster: &'a Cluster) -> Self {
        Self { aws, cluster }
    }

    /// `ExecuteStatement`
    async fn statement(&self, sql: &str) -> Result<Value, Error> {
        let request = Request::builder()
            .method(Method::POST)
            .header("content-type", "application/json");
        let body = json!({
            "resourceArn": self.cluster.arn,
            "secretArn": self.cluster.admin_secret_arn,
            "database": self.cluster.database,
            "sql": sql,
        });
        let body = body.to_string().into_bytes();
        let answer = self.aws.send(&DATA_API, "/Execute", request, body);
        DATA_API.json(answer.await?)
    }
}

impl seed::Server for DataApi<'_> {
    type Error = Error;

    /// The API takes 65,536 characters (its reference, "ExecuteStatement").
    const LONGEST_STATEMENT: usize = 65_536;

    async fn execute(&mut self, statement: &str) -> Result<(), Error> {
        self.statement(statement).await.map(drop)
    }

    async fn numbers(&mut self, query: &str) -> Result<Vec<Option<u64>>, Error> {
        let answer = self.statement(query).await?;
        let fields = answer["records"][0].as_array().into_iter().flatten();
        Ok(fields.map(|field| field["longValue"].as_u64()).collect())
    }
}
