//! The SAM template: what of it is served locally, with its parameters, conditions and intrinsic functions evaluated.

mod api;
mod conditions;
mod databases;
mod deferred;
mod events;
mod function;
mod globals;
mod intrinsics;
mod load_balancer;
mod outputs;
mod parameters;
mod properties;
mod resources;
mod scope;
mod servers;
mod substitution;
mod value;
mod yaml;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use local_lambda::{Function, SqsEventSource};

use serde_json::json;

pub use self::function::ServedFunction;
pub(crate) use self::{
    api::QueueRoute,
    databases::{ConnectionPool, Databases},
    load_balancer::{Action, LoadBalancer},
    scope::{Endpoints, STACK_NAME},
    servers::{Need, Server},
};
use self::{
    deferred::Deferred,
    function::Definition,
    resources::Resource,
    scope::{Local, Scope},
    value::{Fault, Node},
};
use crate::{Error, SkippedFunction};

/// What is run of a template, the emulator having made its resources.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// In the template's order.
    pub(crate) served: Vec<ServedFunction>,
    /// Those that can't run on this machine.
    pub(crate) skipped: Vec<SkippedFunction>,
    /// The same, as a host takes them.
    pub(crate) functions: Vec<Function>,
    /// The HTTP API's routes that lead to queues.
    pub(crate) queue_routes: Vec<QueueRoute>,
    /// The queues that are polled, each with the local name of the function that gets its messages.
    pub(crate) event_sources: Vec<(String, SqsEventSource)>,
    /// The template's own outputs, as far as they have a value locally.
    pub(crate) outputs: BTreeMap<String, String>,
}

/// A template that was read, with what its resources are, as parameters and conditions have it.
#[derive(Debug)]
pub(crate) struct Sketch {
    path: PathBuf,
    root: Node,
    scope: Scope,
}

/// A template, evaluated but for what only the emulator knows.
#[derive(Debug)]
pub(crate) struct Template {
    path: PathBuf,
    /// In the template's order.
    definitions: Vec<Definition>,
    skipped: Vec<SkippedFunction>,
    queue_routes: Vec<QueueRoute<Deferred>>,
    outputs: Vec<(String, Deferred)>,
    /// The resources that the emulator makes, as CloudFormation wants them.
    state: serde_json::Map<String, serde_json::Value>,
}

impl Sketch {
    /// Reads a template. `given` are values for its parameters.
    pub(crate) fn read(path: &Path, given: &BTreeMap<String, String>) -> Result<Self, Error> {
        let root = parse(path)?;
        let parameters = root.get("Parameters").map_or(&[][..], Node::entries);
        let is_parameter = |name: &String| parameters.iter().any(|(known, _)| known == name);
        if let Some(unknown) = given.keys().find(|name| !is_parameter(name)) {
            return Err(Error::NoSuchParameter {
                template: path.to_owned(),
                parameter: unknown.clone(),
                known: parameters.iter().map(|(name, _)| name.clone()).collect(),
            });
        }
        match sketched(&root, given) {
            Ok(scope) => Ok(Self {
                path: path.to_owned(),
                root,
                scope,
            }),
            Err(fault) => Err(error(path, fault)),
        }
    }

    /// The databases that the template has.
    pub(crate) fn databases(&self) -> Result<Databases, Error> {
        databases::read(&self.root, &self.scope).map_err(|fault| error(&self.path, fault))
    }

    /// Whether the template has a cache.
    pub(crate) fn has_cache(&self) -> bool {
        let mut resources = self.scope.resources.values();
        resources.any(|local| matches!(local, Local::Cache))
    }

    /// The servers of ours that are run beside the functions.
    pub(crate) fn servers(&self) -> Result<Vec<Server>, Error> {
        servers::read(&self.root, &self.scope, &self.path).map_err(|fault| error(&self.path, fault))
    }

    /// Evaluates everything, the resources that are served being there. `tools` is as in [`Settings`](crate::Settings).
    pub(crate) fn evaluate(self, endpoints: Endpoints, tools: &Path) -> Result<Template, Error> {
        let Self {
            path,
            root,
            mut scope,
        } = self;
        scope.endpoints = endpoints;
        Template::evaluate(&path, &root, &scope, tools).map_err(|fault| error(&path, fault))
    }
}

/// What names stand for, but for where things are served.
fn sketched(root: &Node, given: &BTreeMap<String, String>) -> Result<Scope, Fault> {
    if let Some(transform) = root.get("Transform")
        && transform.as_str() != Some("AWS::Serverless-2016-10-31")
    {
        return Err(
            transform.fault("only the transform AWS::Serverless-2016-10-31 is supported locally")
        );
    }
    substitution::check(root)?;
    let mut scope = Scope {
        parameters: parameters::values(root.get("Parameters"), given)?,
        ..Scope::default()
    };
    scope.conditions = conditions::values(root.get("Conditions"), &scope)?;
    scope.resources = locals(&resources::read(root)?, &scope)?;
    Ok(scope)
}

impl Template {
    fn evaluate(path: &Path, root: &Node, scope: &Scope, tools: &Path) -> Result<Self, Fault> {
        let directory = path.parent().unwrap_or(Path::new(""));
        let mut definitions = Vec::new();
        let mut skipped = Vec::new();
        let mut queue_routes = Vec::new();
        let mut state = serde_json::Map::new();
        for resource in resources::read(root)? {
            match scope.resources.get(resource.id) {
                Some(Local::Function(name)) => {
                    match Definition::read(&resource, name, scope, directory, tools) {
                        Ok(definition) => definitions.push(definition),
                        Err(fault) if fault.skips => skipped.push(SkippedFunction {
                            name: name.clone(),
                            reason: fault.message,
                        }),
                        Err(fault) => return Err(fault),
                    }
                }
                Some(Local::HttpApi) => queue_routes.extend(api::routes(&resource, scope)?),
                Some(Local::State) => {
                    state.insert(resource.id.to_owned(), resource.to_cloudformation(scope)?);
                }
                _ => {}
            }
        }
        if definitions.is_empty() && skipped.is_empty() {
            return Err(root.fault("the template has no AWS::Serverless::Function"));
        }
        Ok(Self {
            path: path.to_owned(),
            definitions,
            skipped,
            queue_routes,
            outputs: outputs::values(root.get("Outputs"), scope),
            state,
        })
    }

    /// What the emulator's CloudFormation has to make, and to evaluate: [`resolve`](Self::resolve) needs its outputs.
    /// `None` if there is nothing to make.
    pub(crate) fn to_cloudformation(&self) -> Option<serde_json::Value> {
        if self.state.is_empty() {
            return None;
        }
        let outputs: serde_json::Map<_, _> = self
            .deferred()
            .filter_map(Deferred::output)
            .map(|(name, value)| (name.to_owned(), json!({ "Value": value })))
            .collect();
        Some(json!({ "Resources": self.state, "Outputs": outputs }))
    }

    fn deferred(&self) -> impl Iterator<Item = &Deferred> {
        self.definitions
            .iter()
            .flat_map(Definition::deferred)
            .chain(self.queue_routes.iter().map(|route| &route.queue_url))
            .chain(self.outputs.iter().map(|(_, value)| value))
    }

    /// With what the emulator's CloudFormation put out.
    ///
    /// `access` are the variables that lead to local backends: they count more than the template's.
    pub(crate) fn resolve(
        self,
        outputs: &BTreeMap<String, String>,
        access: &[(&'static str, String)],
    ) -> Result<Resolved, Error> {
        let path = self.path.clone();
        self.resolved(outputs, access)
            .map_err(|fault| error(&path, fault))
    }

    fn resolved(
        self,
        outputs: &BTreeMap<String, String>,
        access: &[(&'static str, String)],
    ) -> Result<Resolved, Fault> {
        let mut resolved = Resolved {
            served: Vec::new(),
            skipped: self.skipped,
            functions: Vec::new(),
            queue_routes: Vec::new(),
            event_sources: Vec::new(),
            outputs: BTreeMap::new(),
        };
        for definition in self.definitions {
            resolved
                .functions
                .push(definition.function(outputs, access)?);
            for queue in &definition.queues {
                let function = definition.served.name.clone();
                resolved
                    .event_sources
                    .push((function, queue.source(outputs)?));
            }
            resolved.served.push(definition.served);
        }
        for route in &self.queue_routes {
            resolved.queue_routes.push(route.resolve(outputs)?);
        }
        for (name, value) in self.outputs {
            let value = value.resolve(&name, outputs)?;
            resolved.outputs.insert(name, value);
        }
        Ok(resolved)
    }
}

/// A template as JSON, its intrinsic functions in their long form and nothing evaluated.
pub fn to_json(template: &Path) -> Result<serde_json::Value, Error> {
    Ok(parse(template)?.to_json())
}

/// Which conditions of a template hold. `given` are values for its parameters, as in [`Settings`](crate::Settings).
pub fn conditions(
    template: &Path,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, bool>, Error> {
    let root = parse(template)?;
    parameters::values(root.get("Parameters"), given)
        .and_then(|parameters| {
            let scope = Scope {
                parameters,
                ..Scope::default()
            };
            conditions::values(root.get("Conditions"), &scope)
        })
        .map_err(|fault| error(template, fault))
}

/// Values for a template's parameters that bring a function which `given` leaves out, such as `Database=existing`. Only
/// parameters with a list of allowed values are tried, one at a time.
pub fn parameters_that_bring(
    template: &Path,
    function: &str,
    given: &BTreeMap<String, String>,
) -> Result<Vec<String>, Error> {
    let root = parse(template)?;
    let mut bringing = Vec::new();
    for (name, parameter) in root.get("Parameters").map_or(&[][..], Node::entries) {
        let allowed = parameter.get("AllowedValues").map_or(&[][..], Node::items);
        for value in allowed.iter().filter_map(Node::text) {
            let mut tried = given.clone();
            tried.insert(name.clone(), value.clone());
            // Values that make no sense with the given ones bring nothing.
            let brings = sketched(&root, &tried).is_ok_and(|scope| {
                let mut locals = scope.resources.values();
                locals.any(|local| matches!(local, Local::Function(name) if name == function))
            });
            if brings {
                bringing.push(format!("{name}={value}"));
            }
        }
    }
    Ok(bringing)
}

/// Whether a template has a database. `given` are values for its parameters, as in [`Settings`](crate::Settings).
pub fn has_database(template: &Path, given: &BTreeMap<String, String>) -> Result<bool, Error> {
    Ok(Sketch::read(template, given)?.databases()?.database)
}

fn parse(template: &Path) -> Result<Node, Error> {
    let text = std::fs::read_to_string(template).map_err(|cause| Error::Unreadable {
        template: template.to_owned(),
        cause,
    })?;
    yaml::parse(&text).map_err(|fault| error(template, fault))
}

fn error(template: &Path, fault: Fault) -> Error {
    Error::Template {
        template: template.to_owned(),
        line: fault.line,
        message: fault.message,
    }
}

/// What each resource is locally.
fn locals(resources: &[Resource<'_>], scope: &Scope) -> Result<BTreeMap<String, Local>, Fault> {
    let mut locals = BTreeMap::new();
    let mut functions = BTreeMap::new();
    for resource in resources {
        let local = resource.local(scope)?;
        if let Local::Function(name) = &local
            && let Some(other) = functions.insert(name.clone(), resource.id)
        {
            return Err(resource.node.fault(format!(
                "{} and {other} are both called {name}, after their CodeUri",
                resource.id
            )));
        }
        locals.insert(resource.id.to_owned(), local);
    }
    Ok(locals)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A directory with a template and packages for these functions.
    fn directory(template: &str, functions: &[&str]) -> TempDir {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("template.yaml"), template).unwrap();
        for function in functions {
            let package = directory.path().join("target/lambda").join(function);
            std::fs::create_dir_all(&package).unwrap();
            std::fs::write(package.join("bootstrap"), "").unwrap();
        }
        directory
    }

    fn load(directory: &TempDir, given: &[(&str, &str)]) -> Result<Template, Error> {
        let given = given
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let template = directory.path().join("template.yaml");
        Sketch::read(&template, &given.collect())?
            .evaluate(endpoints(), &directory.path().join(".tools"))
    }

    fn endpoints() -> Endpoints {
        Endpoints {
            api: "http://127.0.0.1:9000".to_owned(),
            database: Some("127.0.0.1:3306".to_owned()),
            database_proxy: Some("127.0.0.1:3307".to_owned()),
            cache: Some("127.0.0.1:11211".to_owned()),
        }
    }

    /// The error's text, from the template's name on.
    fn failure(template: &str, given: &[(&str, &str)]) -> String {
        let directory = directory(template, &["one"]);
        let error = load(&directory, given).unwrap_err().to_string();
        let name = error.find("template.yaml").unwrap();
        assert!(!error.contains('\n'), "{error}");
        error[name..].to_owned()
    }

    const SMALL: &str = "
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: test}
Conditions:
  Live: !Equals [!Ref Stage, live]
Globals:
  Function:
    Runtime: provided.al2023
    Environment: {Variables: {STAGE: !Ref Stage, SIZE: 7}}
Resources:
  One:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: target/lambda/one/
      Environment:
        Variables:
          TABLE_NAME: !Ref Table
          QUEUES: !Sub '${Queue.Arn},${Stage}'
          EXTRA: !If [Live, !Ref Extra, none]
  Extra:
    Type: AWS::S3::Bucket
    Condition: Live
  Table:
    Type: AWS::DynamoDB::Table
    DependsOn: [Queue, Extra]
    Properties: {TableName: !Sub '${Stage}-hits'}
  Queue:
    Type: AWS::SQS::Queue
";

    /// This repository's template, with every function in it.
    fn this_repository() -> Template {
        let text = include_str!("../../../template.yaml");
        let functions: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("CodeUri: target/lambda/"))
            .map(|name| name.trim_end_matches('/'))
            .collect();
        let given = [("Database", "aurora"), ("Readings", "all")];
        load(&directory(text, &functions), &given).unwrap()
    }

    #[test]
    fn cargo_lambda_watch_has_every_route_of_a_function() {
        let manifest = include_str!("../../../Cargo.toml");
        for definition in &this_repository().definitions {
            let name = &definition.served.name;
            for route in &definition.served.routes {
                let line = format!("\"{}\" = \"{name}\"", route.path);
                assert!(
                    manifest.lines().any(|known| known == line),
                    "[workspace.metadata.lambda.watch.router] in Cargo.toml needs the line {line}"
                );
            }
        }
    }

    #[test]
    fn every_function_with_a_route_has_an_output_with_a_url_to_call() {
        let template = this_repository();
        for definition in &template.definitions {
            if !definition.served.routes.is_empty() {
                let output = format!("{}Url", definition.served.logical_id);
                assert!(
                    template.outputs.iter().any(|(name, _)| *name == output),
                    "template.yaml needs the output {output}: latency compare reads it"
                );
            }
        }
    }

    #[test]
    fn the_parameters_that_bring_a_function_are_found() {
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../template.yaml");
        let bring =
            |function| parameters_that_bring(&template, function, &BTreeMap::new()).unwrap();
        assert_eq!(
            bring("rds-direct"),
            ["Database=existing", "Database=aurora"]
        );
        assert_eq!(bring("rds-paper"), [""; 0]);
    }

    #[test]
    fn the_template_of_this_repository_is_understood() {
        let text = include_str!("../../../template.yaml");
        let functions: Vec<&str> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("CodeUri: target/lambda/"))
            .map(|name| name.trim_end_matches('/'))
            .collect();
        let directory = directory(text, &functions);
        let template = load(
            &directory,
            &[
                ("Architecture", "arm64"),
                ("Database", "aurora"),
                ("MemorySize", "256"),
                ("Readings", "all"),
            ],
        )
        .unwrap();
        let names: Vec<&str> = template
            .definitions
            .iter()
            .map(|definition| definition.served.name.as_str())
            .collect();
        assert_eq!(names, functions);
        let definition = |name: &str| {
            let mut definitions = template.definitions.iter();
            definitions.find(|definition| definition.served.name == name)
        };
        let counter = &definition("counter-dynamodb").unwrap().served;
        assert_eq!(counter.logical_id, "CounterDynamodb");
        assert_eq!(counter.architecture, region::Architecture::Arm64);
        assert_eq!(counter.memory_mb, 256);
        assert_eq!(counter.timeout.as_secs(), 5);
        assert_eq!(counter.routes[0].key(), "ANY /dynamodb/hits");
        assert!(counter.function_url);
        assert!(!definition("empty").unwrap().served.function_url);
        assert_eq!(definition("calc-worker").unwrap().queues.len(), 1);
        assert_eq!(template.queue_routes[0].path, "/calc");
        assert_eq!(
            counter.directory,
            directory.path().join("target/lambda/counter-dynamodb")
        );
    }

    #[test]
    fn the_emulator_gets_the_state_and_what_hangs_on_it() {
        let directory = directory(SMALL, &["one"]);
        let resources = |stage| {
            let template = load(&directory, &[("Stage", stage)]).unwrap();
            template.to_cloudformation().unwrap()
        };
        assert_eq!(
            resources("test"),
            json!({
                "Resources": {
                    "Table": {
                        "Type": "AWS::DynamoDB::Table",
                        "Properties": { "TableName": "test-hits" },
                        "DependsOn": ["Queue"],
                    },
                    "Queue": { "Type": "AWS::SQS::Queue", "Properties": {} },
                },
                "Outputs": {
                    "OneVariable2": { "Value": { "Ref": "Table" } },
                    "OneVariable3": { "Value": { "Fn::Join": [
                        "",
                        ["", { "Fn::GetAtt": ["Queue", "Arn"] }, ",", "test", ""],
                    ] } },
                },
            })
        );
        assert_eq!(
            resources("live")["Resources"]["Extra"]["Type"],
            "AWS::S3::Bucket"
        );
    }

    #[test]
    fn a_function_gets_its_variables_and_those_that_lead_to_the_emulator() {
        let directory = directory(SMALL, &["one"]);
        let template = load(&directory, &[]).unwrap();
        let outputs = BTreeMap::from([
            ("OneVariable2".to_owned(), "local-Table-1".to_owned()),
            ("OneVariable3".to_owned(), "arn,test".to_owned()),
        ]);
        let access = [
            ("AWS_REGION", "eu-west-2".to_owned()),
            ("SIZE", "0".to_owned()),
        ];
        let functions = template.resolve(&outputs, &access).unwrap().functions;
        let variable = |name: &str| functions[0].environment[name].as_str();
        assert_eq!(variable("STAGE"), "test");
        assert_eq!(variable("SIZE"), "0");
        assert_eq!(variable("TABLE_NAME"), "local-Table-1");
        assert_eq!(variable("QUEUES"), "arn,test");
        assert_eq!(variable("EXTRA"), "none");
        assert_eq!(variable("AWS_REGION"), "eu-west-2");
        assert_eq!(functions[0].timeout.as_secs(), 3);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let with = |from: &str, to: &str| {
            assert!(SMALL.contains(from), "{from}");
            failure(&SMALL.replace(from, to), &[])
        };
        for (from, to, expected) in [
            (
                "!Ref Table",
                "!Ref Tabel",
                "18: there is no parameter or resource Tabel",
            ),
            (
                "!Ref Table",
                "!Select [0, [a]]",
                "18: Fn::Select is not supported locally",
            ),
            (
                "!Ref Table",
                "[a]",
                "18: variable TABLE_NAME is not a string",
            ),
            (
                "provided.al2023",
                "cobol85",
                "9: runtime cobol85 is not supported locally",
            ),
            (
                "target/lambda/one/",
                "target/lambda/two/",
                "15: target/lambda/two/bootstrap is missing: run `cargo lambda build --release`, for a baseline `make baselines`",
            ),
            (
                "target/lambda/one/",
                "target/lambda/one/\n      Timeout: 901",
                "16: Timeout must be a whole number from 1 to 900",
            ),
            (
                "target/lambda/one/",
                "target/lambda/one/\n      Architectures: [z80]",
                "16: Architectures must be [x86_64] or [arm64]",
            ),
            (
                "      CodeUri: target/lambda/one/\n",
                "",
                "12: One has no CodeUri",
            ),
            (
                "AWS::Serverless-2016-10-31",
                "AWS::Include",
                "2: only the transform AWS::Serverless-2016-10-31 is supported locally",
            ),
            (
                "Condition: Live",
                "Condition: Alive",
                "23: there is no condition Alive",
            ),
            (
                "Queue:\n    Type: AWS::SQS::Queue",
                "Two:\n    Type: AWS::Serverless::Function\n    Properties: {CodeUri: other/one}",
                "28: Two and One are both called one, after their CodeUri",
            ),
            (
                "    Type: AWS::SQS::Queue",
                "    Kind: x",
                "28: resource Queue has no type",
            ),
        ] {
            assert_eq!(with(from, to), format!("template.yaml:{expected}"));
        }
    }

    #[test]
    fn a_template_without_a_function_is_no_use() {
        for template in ["Resources: {}", "[]", "Description: a"] {
            assert_eq!(
                failure(template, &[]),
                "template.yaml:1: the template has no AWS::Serverless::Function"
            );
        }
    }

    #[test]
    fn a_type_that_is_not_known_locally_is_left_out_as_long_as_no_function_needs_it() {
        let with =
            |kind: &str| SMALL.replace("    Type: AWS::SQS::Queue", &format!("    Type: {kind}"));
        let unneeded = with("AWS::SNS::Topic").replace("${Queue.Arn}", "none");
        let template = load(&directory(&unneeded, &["one"]), &[]).unwrap();
        let made = template.to_cloudformation().unwrap();
        assert!(made["Resources"].get("Queue").is_none(), "{made}");
        assert_eq!(
            failure(&with("AWS::SNS::Topic"), &[]),
            "template.yaml:19: Queue (AWS::SNS::Topic) does not exist locally"
        );
    }

    #[test]
    fn a_function_whose_database_is_not_there_is_left_out() {
        let text = SMALL.replace("!Ref Table", "!GetAtt Database.Endpoint.Address")
            + "
  Database: {Type: AWS::RDS::DBCluster}
  Two: {Type: AWS::Serverless::Function, Properties: {CodeUri: target/lambda/two}}
";
        let directory = directory(&text, &["one", "two"]);
        let names = |endpoints| {
            let path = directory.path().join("template.yaml");
            let sketch = Sketch::read(&path, &BTreeMap::new()).unwrap();
            assert!(sketch.databases().unwrap().database);
            let template = sketch.evaluate(endpoints, Path::new("")).unwrap();
            let served = template.definitions.into_iter();
            let served: Vec<_> = served.map(|definition| definition.served.name).collect();
            let skipped = template
                .skipped
                .into_iter()
                .map(|it| it.name)
                .collect::<Vec<_>>();
            (served, skipped)
        };
        let both = vec!["one".to_owned(), "two".to_owned()];
        assert_eq!(names(endpoints()), (both, vec![]));
        let none = Endpoints::default();
        assert_eq!(
            names(none),
            (vec!["two".to_owned()], vec!["one".to_owned()])
        );
    }

    #[test]
    fn what_only_a_deployment_needs_is_not_looked_at() {
        let deployed = SMALL.replace(
            "      CodeUri: target/lambda/one/\n",
            "      CodeUri: target/lambda/one/
      Role: !GetAtt Role.Arn
      Tracing: !If [Live, Active, !Ref AWS::NoValue]
      LoggingConfig: {LogGroup: !Ref LogGroup}
",
        ) + "
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: !Ref Nothing}}
  LogGroup: {Type: AWS::Logs::LogGroup}
  Alarm: {Type: AWS::CloudWatch::Alarm, Properties: {AlarmActions: [!Ref Topic]}}
  Topic: {Type: AWS::SNS::Topic}
";
        load(&directory(&deployed, &["one"]), &[]).unwrap();
    }

    #[test]
    fn an_unknown_parameter_is_told_from_the_known_ones() {
        assert_eq!(
            failure(SMALL, &[("Stag", "live")]),
            "template.yaml has no parameter Stag; it has Stage"
        );
    }

    #[test]
    fn a_template_can_be_looked_at_without_its_functions() {
        let directory = directory(SMALL, &[]);
        let path = directory.path().join("template.yaml");
        let template = to_json(&path).unwrap();
        assert_eq!(
            template["Conditions"]["Live"],
            json!({ "Fn::Equals": [{ "Ref": "Stage" }, "live"] })
        );
        let holds = |stage: &str| {
            let given = BTreeMap::from([("Stage".to_owned(), stage.to_owned())]);
            conditions(&path, &given).unwrap()["Live"]
        };
        assert!(holds("live") && !holds("test"));
    }

    #[test]
    fn a_missing_template_is_named() {
        let error = Sketch::read(Path::new("/nowhere/template.yaml"), &BTreeMap::new());
        assert_eq!(
            error.unwrap_err().to_string(),
            "/nowhere/template.yaml can't be read: No such file or directory (os error 2)"
        );
    }
}
