//! A copy of what `sam deploy` reads: the template, `samconfig.toml`, and the deployment packages.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use local_stack::ServedFunction;
use tempfile::TempDir;

/// A directory that can be deployed from, and changed, without a change to the repository.
pub(crate) struct Project {
    directory: TempDir,
}

impl Project {
    /// Copies the repository at `root`. `packages` is where the functions' packages are taken from.
    pub(crate) fn copy(
        root: &Path,
        packages: &Path,
        functions: &[ServedFunction],
    ) -> anyhow::Result<Self> {
        let directory = TempDir::with_prefix("deploy-test-")?;
        for file in ["template.yaml", "samconfig.toml"] {
            fs::copy(root.join(file), directory.path().join(file))
                .with_context(|| format!("{file} can't be copied"))?;
        }
        let project = Self { directory };
        for function in functions {
            let package = project.package(function)?;
            let built = packages.join(&function.name);
            built
                .metadata()
                .with_context(|| format!("{} is not built", built.display()))?;
            fs::create_dir_all(package.parent().context("a package has a directory")?)?;
            symlink(built, package)?;
        }
        Ok(project)
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Gives a function a package of its own that differs from the built one by one byte, which no ELF loader reads.
    pub(crate) fn change(&self, function: &ServedFunction) -> anyhow::Result<()> {
        let package = self.package(function)?;
        let program = fs::read(package.join("bootstrap"))?;
        fs::remove_file(&package)?;
        fs::create_dir(&package)?;
        let changed = package.join("bootstrap");
        fs::write(&changed, [&program[..], b"\n"].concat())?;
        make_executable(&changed)?;
        Ok(())
    }

    /// Where the template's `CodeUri` leads to in this copy.
    fn package(&self, function: &ServedFunction) -> anyhow::Result<PathBuf> {
        let name = Path::new("target/lambda").join(&function.name);
        anyhow::ensure!(
            function.directory.ends_with(&name),
            "{} does not lie in target/lambda/{}",
            function.logical_id,
            function.name
        );
        Ok(self.directory().join(name))
    }
}

fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}
