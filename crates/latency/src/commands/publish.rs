//! `latency publish`: the page, uploaded to a deployed stack.

use super::{deployed, url};
use crate::{
    BadInput, Ending,
    aws::Aws,
    cli::Publish,
    output,
    page::{ARCHITECTURES, Architecture, Architectures, Costs, FILES, INDEX},
};

pub(super) async fn run(arguments: &Publish) -> anyhow::Result<Ending> {
    let stack = &arguments.stack;
    let aws = Aws::load().await?;
    let outputs = aws.outputs(stack).await?;
    let (Some(bucket), Some(page)) = (outputs.get("PageBucket"), outputs.get("PageUrl")) else {
        return Err(BadInput(format!(
            "stack {stack} has no outputs PageBucket and PageUrl: sam deploy --parameter-overrides Page=public"
        ))
        .into());
    };
    let origin = url(page)?.origin().to_string();
    let functions = deployed::functions(&aws, stack).await?;
    let functions = functions.into_iter().map(|function| {
        let url = &function.url;
        match url.origin().to_string() == origin {
            true => Architecture::new(&function.name, url.path_and_query()),
            false => Architecture::new(&function.name, &url.to_string()),
        }
    });
    let architectures = Architectures {
        region: aws.region().to_owned(),
        architectures: functions.collect(),
    };
    let architectures = architectures.with(&Costs::last());

    let origins = architectures.origins();
    let files = FILES
        .iter()
        .map(|file| (key(file.path), file.content_type, file.body(&origins)));
    let last = (
        key(ARCHITECTURES),
        "application/json",
        architectures.to_json(),
    );
    for (key, content_type, body) in files.chain([last]) {
        aws.put_object(bucket, key, content_type, body.into_bytes())
            .await?;
        output::say(&format!("s3://{bucket}/{key}"));
    }
    output::say(&format!("The page is at {page}"));
    Ok(Ending::Done)
}

/// The object's key for a path of the page.
fn key(path: &'static str) -> &'static str {
    match path.strip_prefix('/') {
        Some("") | None => INDEX,
        Some(key) => key,
    }
}
