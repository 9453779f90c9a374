//! What names stand for, and what intrinsic functions make of it. What hangs on a resource that the emulator makes stays a
//! call, for its CloudFormation to answer; everything else is evaluated here.

use std::collections::BTreeMap;

use backends::ministack::{ACCOUNT_ID, REGION};
use local_lambda::API_ID;

use super::{
    intrinsics::Intrinsic,
    value::{Fault, Node, Value},
};

/// The name of the stack in the emulator: `AWS::StackName`.
pub(crate) const STACK_NAME: &str = "local";

/// What a resource is locally.
#[derive(Debug)]
pub(crate) enum Local {
    /// Made in the emulator.
    State,
    /// A function of this name.
    Function(String),
    /// An HTTP API: all of them are served on the stack's own port.
    HttpApi,
    /// A database: all of them are the same server.
    Database,
    /// A proxy in front of that server.
    DatabaseProxy,
    /// A memcached: all of them are the same.
    Cache,
    /// Of a type that has no local counterpart.
    Nothing(String),
    /// Not made, because its condition is false.
    Off,
}

/// What names stand for.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(crate) parameters: BTreeMap<String, Value>,
    pub(crate) conditions: BTreeMap<String, bool>,
    pub(crate) resources: BTreeMap<String, Local>,
    pub(crate) endpoints: Endpoints,
}

/// Where those resources are that are served, not made in the emulator.
#[derive(Clone, Debug, Default)]
pub(crate) struct Endpoints {
    /// HTTP APIs: `http://127.0.0.1:PORT`.
    pub(crate) api: String,
    /// The database, `HOST:PORT`, if there is one.
    pub(crate) database: Option<String>,
    /// The proxy in front of it.
    pub(crate) database_proxy: Option<String>,
    /// The cache.
    pub(crate) cache: Option<String>,
}

impl Scope {
    /// Evaluates a value; `None` is `AWS::NoValue`.
    pub(crate) fn evaluate(&self, node: &Node) -> Result<Option<Node>, Fault> {
        let value = match &node.value {
            Value::List(items) => Value::List(self.all(items)?),
            Value::Map(entries) => {
                let mut kept = Vec::new();
                for (key, value) in entries {
                    if let Some(value) = self.evaluate(value)? {
                        kept.push((key.clone(), value));
                    }
                }
                Value::Map(kept)
            }
            Value::Call(intrinsic, argument) => return self.call(*intrinsic, argument),
            plain => plain.clone(),
        };
        Ok(Some(Node {
            line: node.line,
            value,
        }))
    }

    fn all(&self, items: &[Node]) -> Result<Vec<Node>, Fault> {
        let evaluated = items.iter().map(|item| self.evaluate(item));
        Ok(evaluated
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect())
    }

    fn call(&self, intrinsic: Intrinsic, argument: &Node) -> Result<Option<Node>, Fault> {
        let some = |value| {
            Ok(Some(Node {
                line: argument.line,
                value,
            }))
        };
        match intrinsic {
            Intrinsic::Ref => match argument.as_str() {
                Some("AWS::NoValue") => Ok(None),
                Some(name) => some(self.reference(argument, name)?),
                None => Err(argument.fault("Ref takes a name")),
            },
            Intrinsic::GetAtt => {
                let (resource, attribute) = self.attribute_name(argument)?;
                some(self.attribute(argument, &resource, &attribute)?)
            }
            Intrinsic::Sub => some(self.substitute(argument)?),
            Intrinsic::Join => {
                let malformed = || argument.fault("Fn::Join takes a separator and a list");
                let [separator, parts] = argument.items() else {
                    return Err(malformed());
                };
                let separator = separator.as_str().ok_or_else(malformed)?;
                let parts = self.evaluate(parts)?.ok_or_else(malformed)?;
                some(join(argument, separator, parts.items().to_vec())?)
            }
            Intrinsic::If => {
                let [condition, yes, no] = argument.items() else {
                    return Err(argument.fault("Fn::If takes a condition and two values"));
                };
                let name = condition
                    .as_str()
                    .ok_or_else(|| condition.fault("Fn::If takes the name of a condition"))?;
                self.evaluate(if self.condition(condition, name)? {
                    yes
                } else {
                    no
                })
            }
            Intrinsic::Equals
            | Intrinsic::And
            | Intrinsic::Or
            | Intrinsic::Not
            | Intrinsic::Condition => {
                let name = intrinsic.name();
                Err(argument.fault(format!("{name} has its place in Conditions only")))
            }
            // Networks, rules, roles and virtual machines are made of them, and there are none here.
            Intrinsic::Cidr
            | Intrinsic::GetAzs
            | Intrinsic::Select
            | Intrinsic::Split
            | Intrinsic::EachMemberEquals
            | Intrinsic::Base64 => {
                let name = intrinsic.name();
                Err(argument.fault(format!("{name} is not supported locally")))
            }
        }
    }

    /// Whether a condition holds.
    pub(crate) fn condition(&self, at: &Node, name: &str) -> Result<bool, Fault> {
        self.conditions
            .get(name)
            .copied()
            .ok_or_else(|| at.fault(format!("there is no condition {name}")))
    }

    fn reference(&self, at: &Node, name: &str) -> Result<Value, Fault> {
        if let Some(pseudo) = name.strip_prefix("AWS::") {
            return Ok(Value::String(match pseudo {
                "AccountId" => ACCOUNT_ID.to_owned(),
                "Partition" => "aws".to_owned(),
                "Region" => REGION.to_owned(),
                "StackName" => STACK_NAME.to_owned(),
                "URLSuffix" => "amazonaws.com".to_owned(),
                _ => return Err(at.fault(format!("{name} has no value locally"))),
            }));
        }
        if let Some(value) = self.parameters.get(name) {
            return Ok(value.clone());
        }
        match self.resources.get(name) {
            Some(Local::State) => Ok(Value::Call(
                Intrinsic::Ref,
                Box::new(Node::string(at.line, name)),
            )),
            Some(Local::Function(function)) => Ok(Value::String(function.clone())),
            Some(Local::HttpApi) => Ok(Value::String(API_ID.to_owned())),
            Some(Local::Database | Local::DatabaseProxy | Local::Cache) => {
                Ok(Value::String(STACK_NAME.to_owned()))
            }
            other => Err(no_value(at, name, other)),
        }
    }

    /// `Fn::GetAtt` takes `Table.Arn` as well as `[Table, Arn]`.
    fn attribute_name(&self, argument: &Node) -> Result<(String, String), Fault> {
        let split = |text: &str| {
            let (resource, attribute) = text.split_once('.')?;
            Some((resource.to_owned(), attribute.to_owned()))
        };
        let pair = match &argument.value {
            Value::String(text) => split(text),
            Value::List(_) => match self.all(argument.items())?.as_slice() {
                [resource, attribute] => resource.text().zip(attribute.text()),
                _ => None,
            },
            _ => None,
        };
        pair.ok_or_else(|| argument.fault("Fn::GetAtt takes a resource and an attribute"))
    }

    fn attribute(&self, at: &Node, resource: &str, attribute: &str) -> Result<Value, Fault> {
        match self.resources.get(resource) {
            Some(Local::State) => {
                let pair = [resource, attribute].map(|text| Node::string(at.line, text));
                let argument = Node {
                    line: at.line,
                    value: Value::List(pair.into()),
                };
                Ok(Value::Call(Intrinsic::GetAtt, Box::new(argument)))
            }
            Some(Local::Function(name)) if attribute == "Arn" => Ok(Value::String(format!(
                "arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{name}"
            ))),
            Some(Local::HttpApi) if attribute == "ApiEndpoint" => {
                Ok(Value::String(self.endpoints.api.clone()))
            }
            Some(Local::HttpApi) if attribute == "ApiId" => Ok(Value::String(API_ID.to_owned())),
            Some(Local::Database) => {
                let database = self.endpoints.database.as_deref();
                match attribute {
                    "Endpoint.Address" | "ReadEndpoint.Address" => database_endpoint(at, database),
                    "Endpoint.Port" => {
                        database_endpoint(at, database.map(|it| host_and_port(it).1))
                    }
                    _ => Err(no_attribute(at, resource, attribute)),
                }
            }
            Some(Local::DatabaseProxy) if attribute == "Endpoint" => {
                database_endpoint(at, self.endpoints.database_proxy.as_deref())
            }
            Some(Local::Cache) => {
                let cache = self.endpoints.cache.as_deref().map(host_and_port);
                match attribute {
                    "ConfigurationEndpoint.Address" => cache_endpoint(at, cache.map(|it| it.0)),
                    "ConfigurationEndpoint.Port" => cache_endpoint(at, cache.map(|it| it.1)),
                    _ => Err(no_attribute(at, resource, attribute)),
                }
            }
            Some(Local::Function(_) | Local::HttpApi | Local::DatabaseProxy) => {
                Err(no_attribute(at, resource, attribute))
            }
            other => Err(no_value(at, resource, other)),
        }
    }

    /// `Fn::Sub` takes a text, and if need be a map of further names.
    fn substitute(&self, argument: &Node) -> Result<Value, Fault> {
        let (text, names) = match argument.items() {
            [] => (argument, None),
            [text, names] => (text, Some(names)),
            _ => return Err(argument.fault("Fn::Sub takes a text and a map of names")),
        };
        let mut rest = text
            .as_str()
            .ok_or_else(|| argument.fault("Fn::Sub takes a text"))?;
        let mut parts = Vec::new();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| argument.fault("${ without its }"))?;
            parts.push(Node::string(argument.line, before));
            parts.push(match name.strip_prefix('!') {
                Some(literal) => Node::string(argument.line, format!("${{{literal}}}")),
                None => self.named(argument, name.trim(), names)?,
            });
            rest = after;
        }
        parts.push(Node::string(argument.line, rest));
        join(argument, "", parts)
    }

    /// What `${name}` stands for.
    fn named(&self, at: &Node, name: &str, names: Option<&Node>) -> Result<Node, Fault> {
        if let Some(node) = names.and_then(|names| names.get(name)) {
            return self
                .evaluate(node)?
                .ok_or_else(|| node.fault(format!("{name} has no value")));
        }
        let value = match name.split_once('.') {
            Some((resource, attribute)) => self.attribute(at, resource, attribute)?,
            None => self.reference(at, name)?,
        };
        Ok(Node {
            line: at.line,
            value,
        })
    }
}

/// Joins evaluated parts: to a string, unless one of them is still a call.
fn join(at: &Node, separator: &str, parts: Vec<Node>) -> Result<Value, Fault> {
    let texts: Option<Vec<String>> = parts.iter().map(Node::text).collect();
    if let Some(texts) = texts {
        return Ok(Value::String(texts.join(separator)));
    }
    if let Some(part) = parts
        .iter()
        .find(|part| part.text().is_none() && !matches!(part.value, Value::Call(..)))
    {
        return Err(part.fault("only strings can be joined"));
    }
    let parts = Node {
        line: at.line,
        value: Value::List(parts),
    };
    let argument = Node {
        line: at.line,
        value: Value::List(vec![Node::string(at.line, separator), parts]),
    };
    Ok(Value::Call(Intrinsic::Join, Box::new(argument)))
}

fn no_attribute(at: &Node, resource: &str, attribute: &str) -> Fault {
    at.fault(format!("{resource}.{attribute} has no value locally"))
}

/// Of `HOST:PORT`.
fn host_and_port(address: &str) -> (&str, &str) {
    address.rsplit_once(':').unwrap_or((address, ""))
}

fn database_endpoint(at: &Node, part: Option<&str>) -> Result<Value, Fault> {
    endpoint(at, part, backends::mariadb::not_installed)
}

fn cache_endpoint(at: &Node, part: Option<&str>) -> Result<Value, Fault> {
    endpoint(at, part, backends::memcached::not_installed)
}

fn endpoint(
    at: &Node,
    part: Option<&str>,
    not_installed: fn() -> backends::Error,
) -> Result<Value, Fault> {
    part.map(|part| Value::String(part.to_owned()))
        .ok_or_else(|| Fault::skip(at.line, not_installed().to_string()))
}

fn no_value(at: &Node, name: &str, resource: Option<&Local>) -> Fault {
    at.fault(match resource {
        Some(Local::Off) => format!("{name} is not made: its condition is false"),
        Some(Local::Nothing(kind)) => format!("{name} ({kind}) does not exist locally"),
        _ => format!("there is no parameter or resource {name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::yaml;

    fn scope() -> Scope {
        let local = |name: &str, local| (name.to_owned(), local);
        Scope {
            parameters: BTreeMap::from([
                ("Size".to_owned(), Value::Number(128.into())),
                ("Name".to_owned(), Value::String("hits".to_owned())),
            ]),
            conditions: BTreeMap::from([("Live".to_owned(), true), ("Test".to_owned(), false)]),
            resources: BTreeMap::from([
                local("Table", Local::State),
                local("Worker", Local::Function("calc-worker".to_owned())),
                local("Api", Local::HttpApi),
                local("Database", Local::Database),
                local("Proxy", Local::DatabaseProxy),
                local("Cache", Local::Cache),
                local("Topic", Local::Nothing("AWS::SNS::Topic".to_owned())),
                local("Extra", Local::Off),
            ]),
            endpoints: Endpoints {
                api: "http://127.0.0.1:9000".to_owned(),
                database: Some("127.0.0.1:3306".to_owned()),
                database_proxy: Some("127.0.0.1:3307".to_owned()),
                cache: Some("127.0.0.1:11211".to_owned()),
            },
        }
    }

    fn evaluated(text: &str) -> String {
        let node = scope().evaluate(&yaml::parse(text).unwrap()).unwrap();
        node.unwrap().to_json().to_string()
    }

    fn fault(text: &str) -> String {
        let fault = scope().evaluate(&yaml::parse(text).unwrap()).unwrap_err();
        format!("{}: {}", fault.line, fault.message)
    }

    #[test]
    fn a_reference_to_a_parameter_is_its_value() {
        assert_eq!(evaluated("!Ref Size"), "128");
        assert_eq!(
            evaluated("!Sub 'a-${Size}-${ Name }-${!Size}'"),
            r#""a-128-hits-${Size}""#
        );
        assert_eq!(
            evaluated("!Sub ['${A}/${Name}', {A: !Ref AWS::Region}]"),
            r#""eu-west-2/hits""#
        );
    }

    #[test]
    fn pseudo_parameters_have_local_values() {
        assert_eq!(
            evaluated(
                "!Sub '${AWS::Partition} ${AWS::AccountId} ${AWS::StackName} ${AWS::URLSuffix}'"
            ),
            r#""aws 123456789012 local amazonaws.com""#
        );
        assert_eq!(
            fault("!Ref AWS::StackId"),
            "1: AWS::StackId has no value locally"
        );
    }

    #[test]
    fn what_hangs_on_the_emulator_stays_a_call() {
        assert_eq!(evaluated("!Ref Table"), r#"{"Ref":"Table"}"#);
        assert_eq!(
            evaluated("!GetAtt Table.Arn"),
            r#"{"Fn::GetAtt":["Table","Arn"]}"#
        );
        assert_eq!(
            evaluated("!Sub '${Table.Arn}/${Name}'"),
            r#"{"Fn::Join":["",["",{"Fn::GetAtt":["Table","Arn"]},"/","hits",""]]}"#
        );
        assert_eq!(
            evaluated("!Join ['-', [!Ref Table, !Ref Size]]"),
            r#"{"Fn::Join":["-",[{"Ref":"Table"},128]]}"#
        );
    }

    #[test]
    fn a_function_has_its_local_name() {
        assert_eq!(evaluated("!Ref Worker"), r#""calc-worker""#);
        assert_eq!(
            evaluated("!GetAtt [Worker, Arn]"),
            r#""arn:aws:lambda:eu-west-2:123456789012:function:calc-worker""#
        );
    }

    #[test]
    fn an_http_api_has_its_local_address() {
        assert_eq!(
            evaluated("!Sub ${Api.ApiEndpoint}/hits"),
            r#""http://127.0.0.1:9000/hits""#
        );
        assert_eq!(
            evaluated("!Join [',', [!GetAtt Api.ApiEndpoint, !Ref Table]]"),
            r#"{"Fn::Join":[",",["http://127.0.0.1:9000",{"Ref":"Table"}]]}"#
        );
        assert_eq!(
            evaluated("[!Ref Api, !GetAtt Api.ApiId]"),
            r#"["local","local"]"#
        );
    }

    #[test]
    fn databases_proxies_and_caches_have_their_local_addresses() {
        assert_eq!(
            evaluated("[!GetAtt Database.Endpoint.Address, !GetAtt [Database, Endpoint.Port]]"),
            r#"["127.0.0.1:3306","3306"]"#
        );
        assert_eq!(
            evaluated("!Sub '${Proxy.Endpoint} ${Database}'"),
            r#""127.0.0.1:3307 local""#
        );
        assert_eq!(
            evaluated(
                "!Sub '${Cache.ConfigurationEndpoint.Address}:${Cache.ConfigurationEndpoint.Port} ${Cache}'"
            ),
            r#""127.0.0.1:11211 local""#
        );
        assert_eq!(
            fault("!GetAtt Proxy.Arn"),
            "1: Proxy.Arn has no value locally"
        );
    }

    #[test]
    fn the_value_that_a_condition_chooses_is_the_only_one_evaluated() {
        assert_eq!(evaluated("!If [Live, a, !Ref Nowhere]"), r#""a""#);
        assert_eq!(
            evaluated("[!If [Test, a, !Ref AWS::NoValue], b]"),
            r#"["b"]"#
        );
        assert_eq!(evaluated("{A: !Ref AWS::NoValue, B: 1}"), r#"{"B":1}"#);
        assert_eq!(fault("!If [Maybe, a, b]"), "1: there is no condition Maybe");
    }

    #[test]
    fn what_has_no_value_is_named_with_its_line() {
        for (text, expected) in [
            (
                "A: 1\nB: !Ref Tabel",
                "2: there is no parameter or resource Tabel",
            ),
            (
                "!Sub '${Tabel.Arn}'",
                "1: there is no parameter or resource Tabel",
            ),
            (
                "!Ref Topic",
                "1: Topic (AWS::SNS::Topic) does not exist locally",
            ),
            ("!GetAtt Api.Stage", "1: Api.Stage has no value locally"),
            ("!Ref Extra", "1: Extra is not made: its condition is false"),
            (
                "!GetAtt Worker.Version",
                "1: Worker.Version has no value locally",
            ),
            (
                "!GetAtt Table",
                "1: Fn::GetAtt takes a resource and an attribute",
            ),
            ("!Sub '${Size'", "1: ${ without its }"),
            (
                "!Equals [a, b]",
                "1: Fn::Equals has its place in Conditions only",
            ),
            ("!Join [',', [[a]]]", "1: only strings can be joined"),
            ("!Ref [a]", "1: Ref takes a name"),
        ] {
            assert_eq!(fault(text), expected);
        }
    }
}
