//! The account that is deployed to: the emulator's APIs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context as _, bail};
use backends::ministack::Ministack;
use http::{Method, Request, Response, StatusCode};
use roxmltree::{Document, Node};
use serde_json::{Value, json};

/// A service that speaks the AWS query protocol, as its signatures name it, and the version of its API.
#[derive(Clone, Copy)]
pub(crate) struct Query(&'static str, &'static str);

pub(crate) const AUTOSCALING: Query = Query("autoscaling", "2011-01-01");
pub(crate) const CLOUDFORMATION: Query = Query("cloudformation", "2010-05-15");
pub(crate) const CLOUDWATCH: Query = Query("monitoring", "2010-08-01");
pub(crate) const EC2: Query = Query("ec2", "2016-11-15");
pub(crate) const ELASTICACHE: Query = Query("elasticache", "2015-02-02");
pub(crate) const ELB: Query = Query("elasticloadbalancing", "2015-12-01");
pub(crate) const IAM: Query = Query("iam", "2010-05-08");
pub(crate) const RDS: Query = Query("rds", "2014-10-31");

/// A service that speaks the AWS JSON protocol, as its signatures name it, and the prefix of its operations.
#[derive(Clone, Copy)]
pub(crate) struct Json(&'static str, &'static str);

pub(crate) const DYNAMODB: Json = Json("dynamodb", "DynamoDB_20120810");
pub(crate) const SECRETS: Json = Json("secretsmanager", "secretsmanager");
pub(crate) const LOGS: Json = Json("logs", "Logs_20140328");
pub(crate) const SQS: Json = Json("sqs", "AmazonSQS");

/// Paths of services that speak REST: the version stands in them.
pub(crate) const FUNCTIONS: &str = "/2015-03-31/functions";
pub(crate) const EVENT_SOURCE_MAPPINGS: &str = "/2015-03-31/event-source-mappings";
pub(crate) const LAYERS: &str = "/2018-10-31/layers";
pub(crate) const APIS: &str = "/v2/apis";

/// What a function answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `Handled` or `Unhandled`, if it failed.
    function_error: Option<String>,
    pub(crate) payload: Value,
}

impl Answer {
    /// What is wrong with it, whichever event it is the answer to: a caller's mistake is answered with a status of 4xx.
    pub(crate) fn complaint(&self) -> Option<String> {
        let status = self.status().unwrap_or_default();
        let failed = self.function_error.is_some() || status >= 500;
        failed.then(|| self.payload.to_string())
    }

    /// The HTTP status, if the event was an HTTP request.
    pub(crate) fn status(&self) -> Option<u64> {
        self.payload["statusCode"].as_u64()
    }

    /// The ids of the records that the partial batch response reports.
    pub(crate) fn failed_records(&self) -> BTreeSet<&str> {
        let failures = self.payload["batchItemFailures"].as_array();
        let ids = failures.into_iter().flatten();
        ids.filter_map(|failure| failure["itemIdentifier"].as_str())
            .collect()
    }
}

/// The names of everything of some types of CloudFormation: what is listed before a deployment and after its deletion.
pub(crate) type Inventory = BTreeMap<&'static str, BTreeSet<String>>;

pub(crate) struct Account {
    ministack: Ministack,
}

impl Account {
    /// An empty one.
    pub(crate) async fn open(root: &Path) -> anyhow::Result<Self> {
        let program = backends::ministack::find_program(root)?;
        Ok(Self {
            ministack: Ministack::start_for_deployment(&program).await?,
        })
    }

    pub(crate) fn endpoint(&self) -> &str {
        self.ministack.endpoint()
    }

    pub(crate) fn ministack(&self) -> &Ministack {
        &self.ministack
    }

    /// Ends it in an orderly way, so that its functions end too.
    pub(crate) async fn close(mut self) -> anyhow::Result<()> {
        self.ministack.suspend().await?;
        Ok(self.ministack.stop().await?)
    }

    pub(crate) async fn query(
        &self,
        service: Query,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> anyhow::Result<String> {
        query(&self.ministack, service, action, parameters).await
    }

    pub(crate) async fn json(
        &self,
        Json(service, prefix): Json,
        operation: &str,
        input: Value,
    ) -> anyhow::Result<Value> {
        let request = Request::post("/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("{prefix}.{operation}"));
        let answer = self
            .ministack
            .request(service, request, input.to_string())
            .await?;
        from_json(&successful(answer, operation)?)
    }

    /// Of Lambda or API Gateway. No input is no body.
    pub(crate) async fn rest(
        &self,
        method: Method,
        path: &str,
        input: Option<Value>,
    ) -> anyhow::Result<Value> {
        let service = if path.starts_with(APIS) {
            "apigateway"
        } else {
            "lambda"
        };
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json");
        let body = input.map_or_else(String::new, |input| input.to_string());
        let answer = self.ministack.request(service, request, body).await?;
        from_json(&successful(answer, path)?)
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.rest(Method::GET, path, None).await
    }

    /// As in Lambda's `EventSourceMappingConfiguration`.
    pub(crate) async fn event_source_mappings(&self) -> anyhow::Result<Vec<Value>> {
        let listed = self.get(&format!("{EVENT_SOURCE_MAPPINGS}/")).await?;
        let mappings = listed["EventSourceMappings"].as_array();
        Ok(mappings.cloned().unwrap_or_default())
    }

    pub(crate) async fn s3(&self, method: Method, path: &str) -> anyhow::Result<String> {
        let request = Request::builder().method(method).uri(path);
        let answer = self.ministack.request("s3", request, "").await?;
        successful(answer, path)
    }

    /// What is at an address that an API has given, as far as it is text.
    pub(crate) async fn download(&self, url: &str) -> anyhow::Result<String> {
        let (_, rest) = url.split_once("://").context("an address is a URL")?;
        let path = rest.find('/').map_or("/", |at| &rest[at..]);
        let answer = self
            .ministack
            .request("lambda", Request::get(path), "")
            .await?;
        successful(answer, path)
    }

    /// Invokes a function and waits for its answer.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> anyhow::Result<Answer> {
        let request = Request::post(format!("{FUNCTIONS}/{function}/invocations"));
        let answer = self
            .ministack
            .request("lambda", request, event.to_string())
            .await?;
        let function_error = answer
            .headers()
            .get("x-amz-function-error")
            .map(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let payload = successful(answer, "Invoke")?;
        Ok(Answer {
            function_error,
            payload: from_json(&payload)?,
        })
    }

    /// A request to an HTTP API: the status of its answer, and the body.
    pub(crate) async fn call_api(
        &self,
        api: &str,
        request: http::request::Builder,
        body: String,
    ) -> anyhow::Result<(StatusCode, String)> {
        let (_, port) = self
            .endpoint()
            .rsplit_once(':')
            .context("the endpoint has a port")?;
        let request = request.header("host", format!("{api}.execute-api.localhost:{port}"));
        let answer = self.ministack.request("execute-api", request, body).await?;
        Ok((answer.status(), answer.into_body()))
    }

    /// The names of the objects in a bucket.
    pub(crate) async fn objects(&self, bucket: &str) -> anyhow::Result<Vec<String>> {
        let listed = self
            .s3(Method::GET, &format!("/{bucket}?list-type=2"))
            .await?;
        texts(&listed, "Key")
    }

    /// All that a deployment could leave behind.
    pub(crate) async fn inventory(&self) -> anyhow::Result<Inventory> {
        let mut inventory = Inventory::new();
        let everything: &[(&str, &str)] = &[];
        for (kind, service, action, parameters, name) in [
            (
                "AWS::CloudFormation::Stack",
                CLOUDFORMATION,
                "DescribeStacks",
                everything,
                "StackName",
            ),
            ("AWS::IAM::Role", IAM, "ListRoles", everything, "RoleName"),
            (
                "AWS::IAM::ManagedPolicy",
                IAM,
                "ListPolicies",
                // Without AWS's own.
                &[("Scope", "Local")],
                "PolicyName",
            ),
            (
                "AWS::CloudWatch::Dashboard",
                CLOUDWATCH,
                "ListDashboards",
                everything,
                "DashboardName",
            ),
            (
                "AWS::CloudWatch::Alarm",
                CLOUDWATCH,
                "DescribeAlarms",
                everything,
                "AlarmName",
            ),
            ("AWS::EC2::VPC", EC2, "DescribeVpcs", everything, "vpcId"),
            (
                "AWS::EC2::Subnet",
                EC2,
                "DescribeSubnets",
                everything,
                "subnetId",
            ),
            (
                "AWS::EC2::SecurityGroup",
                EC2,
                "DescribeSecurityGroups",
                everything,
                "groupId",
            ),
            (
                "AWS::EC2::InternetGateway",
                EC2,
                "DescribeInternetGateways",
                everything,
                "internetGatewayId",
            ),
            (
                "AWS::EC2::RouteTable",
                EC2,
                "DescribeRouteTables",
                everything,
                "routeTableId",
            ),
            (
                "AWS::EC2::LaunchTemplate",
                EC2,
                "DescribeLaunchTemplates",
                everything,
                "launchTemplateId",
            ),
            (
                "AWS::AutoScaling::AutoScalingGroup",
                AUTOSCALING,
                "DescribeAutoScalingGroups",
                everything,
                "AutoScalingGroupName",
            ),
            (
                "AWS::IAM::InstanceProfile",
                IAM,
                "ListInstanceProfiles",
                everything,
                "InstanceProfileName",
            ),
            (
                "AWS::ElasticLoadBalancingV2::LoadBalancer",
                ELB,
                "DescribeLoadBalancers",
                everything,
                "LoadBalancerArn",
            ),
            (
                "AWS::ElasticLoadBalancingV2::TargetGroup",
                ELB,
                "DescribeTargetGroups",
                everything,
                "TargetGroupArn",
            ),
            (
                "AWS::ElastiCache::CacheCluster",
                ELASTICACHE,
                "DescribeCacheClusters",
                everything,
                "CacheClusterId",
            ),
            (
                "AWS::ElastiCache::SubnetGroup",
                ELASTICACHE,
                "DescribeCacheSubnetGroups",
                everything,
                "CacheSubnetGroupName",
            ),
            (
                "AWS::RDS::DBCluster",
                RDS,
                "DescribeDBClusters",
                everything,
                "DBClusterIdentifier",
            ),
            (
                "AWS::RDS::DBInstance",
                RDS,
                "DescribeDBInstances",
                everything,
                "DBInstanceIdentifier",
            ),
            (
                "AWS::RDS::DBSubnetGroup",
                RDS,
                "DescribeDBSubnetGroups",
                everything,
                "DBSubnetGroupName",
            ),
            (
                "AWS::RDS::DBParameterGroup",
                RDS,
                "DescribeDBParameterGroups",
                everything,
                "DBParameterGroupName",
            ),
            (
                "AWS::RDS::DBClusterParameterGroup",
                RDS,
                "DescribeDBClusterParameterGroups",
                everything,
                "DBClusterParameterGroupName",
            ),
        ] {
            let listed = self.query(service, action, parameters).await?;
            inventory.insert(kind, texts(&listed, name)?.into_iter().collect());
        }
        for (kind, service, operation, list, name) in [
            (
                "AWS::DynamoDB::Table",
                DYNAMODB,
                "ListTables",
                "TableNames",
                None,
            ),
            ("AWS::SQS::Queue", SQS, "ListQueues", "QueueUrls", None),
            (
                "AWS::Logs::LogGroup",
                LOGS,
                "DescribeLogGroups",
                "logGroups",
                Some("logGroupName"),
            ),
            (
                "AWS::SecretsManager::Secret",
                SECRETS,
                "ListSecrets",
                "SecretList",
                Some("Name"),
            ),
        ] {
            let listed = self.json(service, operation, json!({})).await?;
            inventory.insert(kind, names(&listed[list], name));
        }
        for (kind, path, list, name) in [
            (
                "AWS::Lambda::Function",
                FUNCTIONS,
                "Functions",
                "FunctionName",
            ),
            (
                "AWS::Lambda::EventSourceMapping",
                EVENT_SOURCE_MAPPINGS,
                "EventSourceMappings",
                "UUID",
            ),
            ("AWS::ApiGatewayV2::Api", APIS, "items", "apiId"),
            ("AWS::Lambda::LayerVersion", LAYERS, "Layers", "LayerName"),
        ] {
            let listed = self.get(&format!("{path}/")).await?;
            inventory.insert(kind, names(&listed[list], Some(name)));
        }
        let buckets = texts(&self.s3(Method::GET, "/").await?, "Name")?;
        inventory.insert("AWS::S3::Bucket", buckets.into_iter().collect());
        Ok(inventory)
    }
}

/// As [`Account::query`], of any emulator.
pub(crate) async fn query(
    ministack: &Ministack,
    Query(service, version): Query,
    action: &str,
    parameters: &[(&str, &str)],
) -> anyhow::Result<String> {
    let head = [("Action", action), ("Version", version)];
    let answer = ministack
        .query(service, &[&head, parameters].concat())
        .await?;
    successful(answer, action)
}

fn successful(answer: Response<String>, operation: &str) -> anyhow::Result<String> {
    if !answer.status().is_success() {
        bail!("{operation}: {}: {}", answer.status(), answer.body());
    }
    Ok(answer.into_body())
}

fn from_json(text: &str) -> anyhow::Result<Value> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).with_context(|| format!("no JSON: {text}"))
}

fn names(list: &Value, name: Option<&str>) -> BTreeSet<String> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| name.map_or(item, |name| &item[name]).as_str())
        .map(str::to_owned)
        .collect()
}

/// The texts of all elements of this name.
pub(crate) fn texts(xml: &str, name: &str) -> anyhow::Result<Vec<String>> {
    Ok(Document::parse(xml)?
        .descendants()
        .filter(|node| node.has_tag_name(name))
        .map(|node| node.text().unwrap_or_default().to_owned())
        .collect())
}

/// The texts of these elements in each element that has the first of them for a child.
pub(crate) fn members<const N: usize>(
    xml: &str,
    names: [&str; N],
) -> anyhow::Result<Vec<[String; N]>> {
    let document = Document::parse(xml)?;
    let text = |parent: Node<'_, '_>, name: &str| {
        parent
            .children()
            .find(|node| node.has_tag_name(name))
            .and_then(|node| node.text())
            .unwrap_or_default()
            .to_owned()
    };
    Ok(document
        .descendants()
        .filter(|node| {
            names
                .first()
                .is_some_and(|first| node.children().any(|child| child.has_tag_name(*first)))
        })
        .map(|parent| names.map(|name| text(parent, name)))
        .collect())
}
