//! What S3 is asked: to keep an object.

use http::{Method, Request};

use super::{Aws, Error, Service, query::refusal};

const S3: Service = Service {
    name: "S3",
    id: "S3",
    prefix: "s3",
};

impl Aws {
    /// Puts an object into a bucket of this Region, in place of the one that is there. Browsers ask for it anew each time.
    ///
    /// `key` has no character that a URL can't have in its path.
    ///
    /// # Errors
    /// S3 refuses: there is no such bucket, or no permission to write there.
    pub async fn put_object(
        &self,
        bucket: &str,
        key: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), Error> {
        let request = Request::builder()
            .method(Method::PUT)
            .header("content-type", content_type)
            .header("cache-control", "no-cache");
        let path = format!("/{bucket}/{key}");
        let answer = self.send(&S3, &path, request, body).await?;
        match answer.status().is_success() {
            true => Ok(()),
            false => Err(refusal(&S3, &answer)),
        }
    }
}
