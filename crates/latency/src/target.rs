//! What a URL of the command line leads to.

use std::{sync::Arc, time::Duration};

use load::{NotUrl, Target, Url};

use crate::{BadInput, request::RequestOptions};

/// Called with a GET.
pub(crate) async fn target(text: &str, timeout: Duration) -> Result<Arc<Target>, BadInput> {
    resolved(&url(text)?, timeout).await.map(Arc::new)
}

/// Called as the options say.
pub(crate) async fn called(
    text: &str,
    options: &RequestOptions,
    timeout: Duration,
) -> anyhow::Result<Arc<Target>> {
    let url = url(text)?;
    let request = options.request(&url).await?;
    Ok(Arc::new(resolved(&url, timeout).await?.sending(request)))
}

async fn resolved(url: &Url, timeout: Duration) -> Result<Target, BadInput> {
    let target = Target::resolve(url, timeout).await;
    target.map_err(|error| BadInput(error.to_string()))
}

pub(crate) fn url(text: &str) -> Result<Url, BadInput> {
    text.parse()
        .map_err(|error: NotUrl| BadInput(error.to_string()))
}
