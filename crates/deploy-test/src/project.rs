//! A copy of what `sam deploy` reads: the template, `samconfig.toml`, and the deployment packages.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write as _,
    os::unix::fs::symlink,
    path::Path,
};

use anyhow::Context as _;
use local_stack::ServedFunction;
use tempfile::TempDir;

use crate::gaps::database_proxy;

/// Where the functions are built, and the template's `CodeUri` leads to.
pub(crate) const PACKAGES: &str = "target/lambda";

/// A directory that can be deployed from, and changed, without a change to the repository.
pub(crate) struct Project {
    directory: TempDir,
}

impl Project {
    /// Copies the repository at `root`, for a deployment with these conditions. `packages` is where all functions' packages
    /// are taken from: sam takes those too that a condition leaves out.
    pub(crate) fn copy(
        root: &Path,
        packages: &Path,
        conditions: &BTreeMap<String, bool>,
    ) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("deploy-test-")?;
        for file in ["template.yaml", "samconfig.toml"] {
            fs::copy(root.join(file), directory.path().join(file))
                .with_context(|| format!("{file} can't be copied"))?;
        }
        let template = directory.path().join("template.yaml");
        if let Some(json) = database_proxy::taken_out(local_stack::to_json(&template)?, conditions)
        {
            // JSON is YAML.
            fs::write(&template, json.to_string())?;
        }
        let copies = directory.path().join(PACKAGES);
        fs::create_dir_all(&copies)?;
        for folder in ["certificates", "baselines", "servers"] {
            symlink(root.join(folder), directory.path().join(folder))?;
        }
        let built = packages
            .read_dir()
            .with_context(|| format!("{} is not built", packages.display()))?;
        for package in built {
            let package = package?;
            symlink(package.path(), copies.join(package.file_name()))?;
        }
        Ok(Self { directory })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Gives a function a package of its own that differs from the built one by one byte, which no ELF loader reads.
    pub(crate) fn change(&self, function: &ServedFunction) -> anyhow::Result<()> {
        let package = self.directory().join(PACKAGES).join(&function.name);
        let built = package.canonicalize()?;
        fs::remove_file(&package)?;
        fs::create_dir(&package)?;
        let changed = package.join("bootstrap");
        fs::copy(built.join("bootstrap"), &changed)?;
        File::options()
            .append(true)
            .open(changed)?
            .write_all(b"\n")?;
        Ok(())
    }
}
