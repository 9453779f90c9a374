//! The AWS query protocol: parameters as a form, answers in XML.

use bytes::Bytes;
use http::{Method, Request, Response};
use roxmltree::{Document, Node};

use super::{Aws, Error, Service};

/// A service that speaks it, and the version of its API.
pub(super) struct QueryService {
    pub(super) service: Service,
    pub(super) version: &'static str,
}

impl Aws {
    /// What the service answers to these parameters, the action among them.
    pub(super) async fn query(
        &self,
        QueryService { service, version }: &QueryService,
        parameters: &[(&str, &str)],
    ) -> Result<String, Error> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("Version", version)
            .extend_pairs(parameters)
            .finish();
        let request = Request::builder()
            .method(Method::POST)
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = self.send(service, "/", request, body.into_bytes()).await?;
        match answer.status().is_success() {
            true => Ok(String::from_utf8_lossy(answer.body()).into_owned()),
            false => Err(refusal(service, &answer)),
        }
    }
}

/// A refusal in XML.
pub(super) fn refusal(service: &Service, answer: &Response<Bytes>) -> Error {
    let body = String::from_utf8_lossy(answer.body());
    let document = parse(service, &body);
    let said = |name| {
        let text = text(document.as_ref().ok()?.root(), name)?;
        Some(text.to_owned())
    };
    Error::Refused {
        service: service.name,
        code: said("Code").unwrap_or_else(|| answer.status().to_string()),
        message: said("Message").unwrap_or_else(|| "it does not say why".to_owned()),
    }
}

pub(super) fn parse<'a>(service: &Service, xml: &'a str) -> Result<Document<'a>, Error> {
    Document::parse(xml).map_err(|error| service.not_understood(error.to_string()))
}

/// The text of the first element of this name below `node`.
pub(super) fn text<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    let mut named = node.descendants();
    named.find(|node| node.has_tag_name(name))?.text()
}
