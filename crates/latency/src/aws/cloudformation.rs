//! What CloudFormation is asked: what a stack has.

use std::collections::BTreeMap;

use http::{Method, Request};
use roxmltree::{Document, Node};

use super::{Aws, Error, Service};

const CLOUDFORMATION: Service = Service {
    name: "CloudFormation",
    id: "CloudFormation",
    prefix: "cloudformation",
};

impl Aws {
    /// The outputs of a stack.
    ///
    /// # Errors
    /// CloudFormation refuses: there is no such stack, or no permission to look at it.
    pub async fn outputs(&self, stack: &str) -> Result<BTreeMap<String, String>, Error> {
        let parameters = [("Action", "DescribeStacks"), ("StackName", stack)];
        let answer = self.query(&parameters).await?;
        let document = parse(&answer)?;
        let outputs = document
            .descendants()
            .filter(|node| node.has_tag_name("OutputKey"))
            .filter_map(|key| {
                let value = text(key.parent()?, "OutputValue")?;
                Some((key.text()?.to_owned(), value.to_owned()))
            });
        Ok(outputs.collect())
    }

    /// The Lambda functions of a stack: their names by logical id.
    ///
    /// # Errors
    /// CloudFormation refuses: there is no such stack, or no permission to look at it.
    pub async fn functions(&self, stack: &str) -> Result<BTreeMap<String, String>, Error> {
        let mut functions = BTreeMap::new();
        let mut next: Option<String> = None;
        loop {
            let mut parameters = vec![("Action", "ListStackResources"), ("StackName", stack)];
            parameters.extend(next.as_deref().map(|token| ("NextToken", token)));
            let answer = self.query(&parameters).await?;
            let document = parse(&answer)?;
            let types = document.descendants().filter(|node| {
                node.has_tag_name("ResourceType") && node.text() == Some("AWS::Lambda::Function")
            });
            functions.extend(types.filter_map(|node| {
                let resource = node.parent()?;
                let id = |name| text(resource, name).map(str::to_owned);
                Some((id("LogicalResourceId")?, id("PhysicalResourceId")?))
            }));
            match text(document.root(), "NextToken") {
                Some(token) => next = Some(token.to_owned()),
                None => return Ok(functions),
            }
        }
    }

    /// A request of CloudFormation's query protocol.
    async fn query(&self, parameters: &[(&str, &str)]) -> Result<String, Error> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Version", "2010-05-15")
            .extend_pairs(parameters)
            .finish();
        let request = Request::builder()
            .method(Method::POST)
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = self
            .send(&CLOUDFORMATION, "/", request, body.into_bytes())
            .await?;
        let body = String::from_utf8_lossy(answer.body()).into_owned();
        if answer.status().is_success() {
            return Ok(body);
        }
        let document = parse(&body);
        let said = |name| {
            let text = text(document.as_ref().ok()?.root(), name)?;
            Some(text.to_owned())
        };
        Err(Error::Refused {
            service: CLOUDFORMATION.name,
            code: said("Code").unwrap_or_else(|| answer.status().to_string()),
            message: said("Message").unwrap_or_else(|| "it does not say why".to_owned()),
        })
    }
}

fn parse(xml: &str) -> Result<Document<'_>, Error> {
    Document::parse(xml).map_err(|error| not_understood(error.to_string()))
}

fn not_understood(reason: String) -> Error {
    Error::NotUnderstood {
        service: CLOUDFORMATION.name,
        reason,
    }
}

/// The text of the first element of this name below `node`.
fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let mut named = node.descendants();
    named.find(|node| node.has_tag_name(name))?.text()
}
