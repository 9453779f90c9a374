//! The counter's one call without the function around it: what `make bench` measures the function against.
//!
//! Makes as many calls as a line on the standard input says and answers with a line of their latencies in nanoseconds.

use std::{
    error::Error,
    io::{Write, stdin, stdout},
    time::Instant,
};

use aws_sdk_s3::{Client, config::Builder, primitives::ByteStream};
use function_kit::{aws, environment::variable};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = aws::config()?;
    let path_style = config.endpoint_url().is_some();
    let config = Builder::from(&config).force_path_style(path_style).build();
    let client = Client::from_conf(config);
    let bucket = variable("BUCKET_NAME")?;
    for line in stdin().lines() {
        for _ in 0..line?.trim().parse()? {
            let since = Instant::now();
            client
                .put_object()
                .bucket(&bucket)
                .key("bare")
                .content_type("text/plain")
                .body(ByteStream::from_static(b"1"))
                .send()
                .await?;
            write!(stdout(), "{} ", since.elapsed().as_nanos())?;
        }
        writeln!(stdout())?;
    }
    Ok(())
}
