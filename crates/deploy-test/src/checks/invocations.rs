//! Every function answers every event that was recorded for it.

use std::path::Path;

use anyhow::bail;
use local_stack::ServedFunction;

use crate::{account::Account, deployed::Deployed, fixtures, log::say};

pub(crate) async fn check(
    account: &Account,
    deployed: &Deployed,
    functions: &[ServedFunction],
    root: &Path,
) -> anyhow::Result<()> {
    for function in functions {
        let id = &deployed.function(&function.logical_id)?.physical_id;
        let fixtures = fixtures::of(root, &function.name)?;
        for fixture in &fixtures {
            let answer = account.invoke(id, &fixture.event).await?;
            if let Some(complaint) = answer.complaint() {
                bail!("{} fails with {}: {complaint}", function.name, fixture.case);
            }
        }
        say!(
            "{} answers each of its {} events",
            function.name,
            fixtures.len()
        );
    }
    Ok(())
}
