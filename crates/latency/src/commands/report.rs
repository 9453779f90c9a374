//! `latency report`: the page of JSON exports, made again or compared.

use std::iter::once;

use anyhow::Context as _;

use crate::{
    BadInput, Ending,
    cli::Report,
    export::Exports,
    output,
    report::{page, read},
    whole_file,
};

pub(super) fn run(arguments: &Report) -> anyhow::Result<Ending> {
    let Report { exports, out } = arguments;
    let page_only = Exports {
        html: Some(out.clone()),
        ..Exports::default()
    };
    page_only.check()?;
    let documents = exports.iter().map(|path| read(path));
    let documents = documents.collect::<Result<Vec<_>, BadInput>>()?;
    let page = page(&documents);
    whole_file::write(out, |file| Ok(file.write_all(page.as_bytes())?))
        .with_context(|| format!("{} can't be written", out.display()))?;
    output::written(once(out));
    Ok(Ending::Done)
}
