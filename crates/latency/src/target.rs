//! What a URL of the command line leads to.

use std::{sync::Arc, time::Duration};

use load::{NotUrl, Target, Url};

use crate::{BadInput, request::RequestOptions};

/// Called with a GET.
pub(crate) async fn target(url: &str, timeout: Duration) -> Result<Arc<Target>, BadInput> {
    let target = Target::resolve(&self::url(url)?, timeout).await;
    target
        .map(Arc::new)
        .map_err(|error| BadInput(error.to_string()))
}

/// Called as the options say.
pub(crate) async fn called(
    text: &str,
    options: &RequestOptions,
    timeout: Duration,
) -> anyhow::Result<Arc<Target>> {
    let url = url(text)?;
    let request = options.request(&url).await?;
    let target = Target::resolve(&url, timeout).await;
    let target = target.map_err(|error| BadInput(error.to_string()))?;
    Ok(Arc::new(target.sending(request)))
}

pub(crate) fn url(text: &str) -> Result<Url, BadInput> {
    text.parse()
        .map_err(|error: NotUrl| BadInput(error.to_string()))
}
