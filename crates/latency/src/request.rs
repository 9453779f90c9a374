//! Which request is sent: the options of every command that calls a URL.

use std::path::PathBuf;

use clap::Args;

/// The request that is sent to a URL: a GET without a body, unless these say otherwise.
///
/// Method aside, each may have placeholders: see [`load::Pattern`].
#[derive(Args, Clone, Debug, Default)]
pub struct RequestOptions {
    /// The method [default: GET, or POST with a body]
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// A header; may be given again for another
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// The body. {A..B} in it, in a header or in the URL is a whole number from A to B, new for each request
    #[arg(short, long, value_name = "BODY", conflicts_with = "data_file")]
    pub data: Option<String>,
    /// A file with the body
    #[arg(long, value_name = "FILE")]
    pub data_file: Option<PathBuf>,
    /// Sign requests as AWS wants it (Signature Version 4): SERVICE:REGION, or what a function URL or an API's URL names
    #[arg(long, value_name = "SERVICE:REGION", num_args = 0..=1)]
    pub sigv4: Option<Option<String>>,
}
