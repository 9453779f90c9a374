//! The template's databases: whether there is one, and what its proxy may do.

use std::time::Duration;

use super::{
    properties::Properties,
    resources,
    scope::{Local, Scope},
    value::{Fault, Node},
};

const TARGET_GROUP: &str = "AWS::RDS::DBProxyTargetGroup";

/// What a stack needs in the way of databases.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Databases {
    pub(crate) database: bool,
    /// The proxy in front of it, if there is one.
    pub(crate) proxy: Option<ConnectionPool>,
}

/// What a proxy may take of its database's connections: `ConnectionPoolConfigurationInfo` of its target group.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConnectionPool {
    pub(crate) max_connections_percent: u32,
    pub(crate) max_idle_connections_percent: u32,
    pub(crate) borrow_timeout: Duration,
}

impl Default for ConnectionPool {
    /// RDS Proxy's own (CloudFormation, "AWS::RDS::DBProxyTargetGroup ConnectionPoolConfigurationInfoFormat"), for MySQL.
    fn default() -> Self {
        Self {
            max_connections_percent: 100,
            max_idle_connections_percent: 50,
            borrow_timeout: Duration::from_secs(120),
        }
    }
}

/// Looks for databases among the resources that are made.
pub(crate) fn read(root: &Node, scope: &Scope) -> Result<Databases, Fault> {
    let has = |wanted: fn(&Local) -> bool| scope.resources.values().any(wanted);
    let mut databases = Databases {
        database: has(|local| matches!(local, Local::Database)),
        proxy: has(|local| matches!(local, Local::DatabaseProxy)).then(ConnectionPool::default),
    };
    if databases.proxy.is_none() {
        return Ok(databases);
    }
    for resource in resources::read(root)? {
        let is_made = matches!(scope.resources.get(resource.id), Some(Local::Nothing(_)));
        if let Some(pool) = resource.properties.get("ConnectionPoolConfigurationInfo")
            && resource.kind == TARGET_GROUP
            && is_made
        {
            databases.proxy = Some(connection_pool(pool, scope)?);
        }
    }
    Ok(databases)
}

fn connection_pool(node: &Node, scope: &Scope) -> Result<ConnectionPool, Fault> {
    let properties = Properties { node, scope };
    let default = ConnectionPool::default();
    let max_connections_percent = properties
        .whole("MaxConnectionsPercent", 1..=100)?
        .unwrap_or(default.max_connections_percent);
    Ok(ConnectionPool {
        max_connections_percent,
        max_idle_connections_percent: properties
            .whole("MaxIdleConnectionsPercent", 0..=100)?
            .unwrap_or(max_connections_percent / 2),
        borrow_timeout: properties
            .whole("ConnectionBorrowTimeout", 0..=300)?
            .map_or(default.borrow_timeout, |seconds| {
                Duration::from_secs(seconds.into())
            }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{sketched, yaml};

    const TEMPLATE: &str = "
Parameters:
  Database: {Type: String, Default: none}
Conditions:
  New: !Equals [!Ref Database, aurora]
Resources:
  Cluster:
    Type: AWS::RDS::DBCluster
    Condition: New
    Properties: {MasterUsername: x}
  Subnet:
    Type: AWS::EC2::Subnet
    Condition: New
    Properties: {CidrBlock: !Select [0, !Cidr [10.0.0.0/16, 2, 8]], AvailabilityZone: !Select [0, !GetAZs '']}
  Proxy:
    Type: AWS::RDS::DBProxy
    Condition: New
  Targets:
    Type: AWS::RDS::DBProxyTargetGroup
    Condition: New
    Properties:
      ConnectionPoolConfigurationInfo: {MaxConnectionsPercent: 90, ConnectionBorrowTimeout: 5}
";

    fn databases(template: &str, database: &str) -> Databases {
        let given = [("Database".to_owned(), database.to_owned())];
        let root = yaml::parse(template).unwrap();
        let scope = sketched(&root, &given.into()).unwrap();
        read(&root, &scope).unwrap()
    }

    #[test]
    fn a_database_and_its_proxy_are_there_when_their_condition_holds() {
        assert_eq!(databases(TEMPLATE, "none"), Databases::default());
        let expected = Databases {
            database: true,
            proxy: Some(ConnectionPool {
                max_connections_percent: 90,
                max_idle_connections_percent: 45,
                borrow_timeout: Duration::from_secs(5),
            }),
        };
        assert_eq!(databases(TEMPLATE, "aurora"), expected);
    }

    #[test]
    fn a_proxy_without_a_target_group_has_the_defaults_of_rds_proxy() {
        let (without, _) = TEMPLATE.split_once("  Targets:").unwrap();
        let proxy = databases(without, "aurora").proxy.unwrap();
        assert_eq!(proxy, ConnectionPool::default());
    }
}
