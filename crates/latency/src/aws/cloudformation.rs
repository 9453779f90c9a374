//! What CloudFormation is asked: what a stack has.

use std::collections::BTreeMap;

use super::{
    Aws, Error, Service,
    query::{QueryService, parse, text},
};

const CLOUDFORMATION: QueryService = QueryService {
    service: Service {
        name: "CloudFormation",
        id: "CloudFormation",
        prefix: "cloudformation",
    },
    version: "2010-05-15",
};

impl Aws {
    /// The outputs of a stack.
    ///
    /// # Errors
    /// CloudFormation refuses: there is no such stack, or no permission to look at it.
    pub async fn outputs(&self, stack: &str) -> Result<BTreeMap<String, String>, Error> {
        let parameters = [("Action", "DescribeStacks"), ("StackName", stack)];
        let answer = self.query(&CLOUDFORMATION, &parameters).await?;
        let document = parse(&CLOUDFORMATION.service, &answer)?;
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
            let answer = self.query(&CLOUDFORMATION, &parameters).await?;
            let document = parse(&CLOUDFORMATION.service, &answer)?;
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
}
