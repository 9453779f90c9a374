//! What RDS is asked: what a cluster is.

use super::{
    Aws, Error, Service,
    query::{QueryService, parse, text},
};

const RDS: QueryService = QueryService {
    service: Service {
        name: "RDS",
        id: "RDS",
        prefix: "rds",
    },
    version: "2014-10-31",
};

/// A database cluster whose administrator's password RDS keeps in Secrets Manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its ARN.
    pub arn: String,
    /// The ARN of the administrator's secret.
    pub admin_secret_arn: String,
    /// The database that there is from the start.
    pub database: String,
}

impl Aws {
    /// The cluster with this ARN.
    ///
    /// # Errors
    /// RDS refuses: there is no such cluster, or no permission to look at it.
    pub async fn cluster(&self, arn: &str) -> Result<Cluster, Error> {
        let parameters = [
            ("Action", "DescribeDBClusters"),
            ("DBClusterIdentifier", arn),
        ];
        let answer = self.query(&RDS, &parameters).await?;
        let document = parse(&RDS.service, &answer)?;
        let part = |name| {
            let part = text(document.root(), name).map(str::to_owned);
            part.ok_or_else(|| {
                RDS.service
                    .not_understood(format!("a cluster without {name}"))
            })
        };
        Ok(Cluster {
            arn: arn.to_owned(),
            admin_secret_arn: part("SecretArn")?,
            database: part("DatabaseName")?,
        })
    }
}
