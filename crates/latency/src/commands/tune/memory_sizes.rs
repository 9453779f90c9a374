//! Versions of a function that differ in their memory size alone, for as long as they are needed.
//!
//! Lambda publishes what `$LATEST` is, so `$LATEST`, which the function's callers may be served by, has each memory size for
//! a moment. What is changed is written down before Lambda is asked for it, and no such request is cut short: so it is known
//! at any time what there is to put back.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};

use super::{
    patience::{GONE, Patience, asked, has_refused, is_busy},
    subject::{Subject, WITHIN},
};
use crate::{
    aws::{Configuration, Error},
    interrupt::Interrupts,
    output::{Progress, say},
};

/// A version with this memory size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) number: u64,
    pub(super) memory_mb: u32,
}

/// What is changed of a function.
pub(super) struct Changes<'a> {
    pub(super) subject: &'a Subject<'a>,
    /// The memory size that `$LATEST` has of its own.
    pub(super) own_mb: u32,
    /// Those that Lambda was asked to give it since; none once it has its own again.
    pub(super) asked_mb: Vec<u32>,
    /// The versions that were made here.
    pub(super) made: BTreeSet<u64>,
    /// Lambda may have made one and not told its number.
    pub(super) made_unknown: bool,
    /// How a version made here is described: no other version is.
    pub(super) description: String,
    /// The versions that were there before.
    pub(super) before: BTreeSet<u64>,
    /// There is no function any more.
    pub(super) deleted: bool,
    code_sha256: String,
}

/// Has versions with these memory sizes published, uses them, and puts back everything however that went.
pub(super) async fn with_versions<T>(
    subject: &Subject<'_>,
    memory_sizes: &[u32],
    interrupts: &mut Interrupts,
    use_them: impl AsyncFnOnce(&[Version]) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let mut changes = interrupts.during(Changes::none(subject)).await?;
    let used = async {
        let progress = Progress::spinner(&format!(
            "publishing a version of {} for each memory size",
            subject.name
        ));
        let versions = changes.publish_all(memory_sizes, interrupts).await?;
        progress.finish();
        let using = async {
            changes.active(&versions).await?;
            use_them(&versions).await
        };
        interrupts.during(using).await
    };
    let used = used.await;
    if used.is_err() && changes.is_any() {
        say(&format!("putting {} back as it was", subject.name));
    }
    let on_signal = |_| {
        say(&format!(
            "{} is put back first, which ends by itself",
            subject.name
        ));
    };
    let (put_back, signal) = interrupts.despite(changes.put_back(), on_signal).await;
    put_back.ending(subject, used, signal)
}

impl<'a> Changes<'a> {
    /// Nothing is changed yet.
    async fn none(subject: &'a Subject<'a>) -> anyhow::Result<Self> {
        let latest = subject.once(None, Configuration::update).await?;
        let Subject { aws, function, .. } = subject;
        let mut patience = Patience::new(WITHIN);
        let versions = asked(&mut patience, is_busy, async || {
            aws.versions(function).await
        });
        let versions = versions.await?;
        Ok(Self {
            subject,
            own_mb: latest.memory_mb,
            asked_mb: Vec::new(),
            made: BTreeSet::new(),
            made_unknown: false,
            description: format!("made by latency tune {:016x}", fastrand::u64(..)),
            before: versions.iter().filter_map(Configuration::number).collect(),
            deleted: false,
            code_sha256: latest.code_sha256,
        })
    }

    fn is_any(&self) -> bool {
        !self.asked_mb.is_empty() || !self.made.is_empty() || self.made_unknown
    }

    /// A version of each memory size. `$LATEST` has its own again.
    async fn publish_all(
        &mut self,
        memory_sizes: &[u32],
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<Vec<Version>> {
        let mut versions = Vec::new();
        for &memory_mb in memory_sizes {
            let latest = interrupts.during(self.latest()).await?;
            let latest = if latest.memory_mb == memory_mb {
                latest
            } else {
                self.set(memory_mb, &latest, interrupts).await?;
                interrupts.during(self.latest()).await?
            };
            let number = self.publish(&latest, interrupts).await?;
            versions.push(Version { number, memory_mb });
        }
        self.put_memory_size_back(interrupts).await?;
        Ok(versions)
    }

    /// `$LATEST`, once no update is in progress and as it was left here.
    async fn latest(&self) -> anyhow::Result<Configuration> {
        let latest = self.subject.once(None, Configuration::update).await?;
        let expected_mb = self.asked_mb.last().copied().unwrap_or(self.own_mb);
        ensure!(
            latest.memory_mb == expected_mb,
            "somebody else gave function {} {} MB meanwhile",
            self.subject.name,
            latest.memory_mb
        );
        ensure!(
            latest.code_sha256 == self.code_sha256,
            "somebody else gave function {} other code meanwhile",
            self.subject.name
        );
        Ok(latest)
    }

    async fn set(
        &mut self,
        memory_mb: u32,
        latest: &Configuration,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<()> {
        let Subject { aws, function, .. } = self.subject;
        self.asked_mb.push(memory_mb);
        let answer = patiently(interrupts, async || {
            aws.set_memory_size(function, memory_mb, &latest.revision_id)
                .await
        })
        .await;
        if answer.as_ref().is_err_and(is_refusal) {
            self.asked_mb.pop();
        }
        answer.map_err(|error| self.explained(error))
    }

    async fn publish(
        &mut self,
        latest: &Configuration,
        interrupts: &mut Interrupts,
    ) -> anyhow::Result<u64> {
        let Subject { aws, function, .. } = self.subject;
        self.made_unknown = true;
        let answer = patiently(interrupts, async || {
            aws.publish_version(function, &latest.revision_id, &self.description)
                .await
        })
        .await;
        self.made_unknown = answer.as_ref().is_err_and(|error| !is_refusal(error));
        let version = answer.map_err(|error| self.explained(error))?;
        let number = version
            .number()
            .context("Lambda published a version without a number")?;
        // Where nothing has changed since the last version, Lambda answers with that one.
        if !self.before.contains(&number) {
            self.made.insert(number);
        }
        ensure!(
            version.memory_mb == latest.memory_mb,
            "somebody else gave function {} {} MB meanwhile",
            self.subject.name,
            version.memory_mb
        );
        Ok(number)
    }

    async fn put_memory_size_back(&mut self, interrupts: &mut Interrupts) -> anyhow::Result<()> {
        let name = self.subject.name;
        let on_signal = |_| say(&format!("{name} gets its memory size back first"));
        let (given, signal) = interrupts
            .despite(self.give_memory_size_back(), on_signal)
            .await;
        if let Some(signal) = signal {
            return Err(signal.into());
        }
        given.map_err(|_| anyhow::anyhow!("function {name} did not get its memory size back"))
    }

    /// Waits until the versions can be invoked.
    async fn active(&self, versions: &[Version]) -> anyhow::Result<()> {
        for version in versions {
            let number = Some(version.number);
            self.subject.once(number, Configuration::activation).await?;
        }
        Ok(())
    }

    fn explained(&self, error: anyhow::Error) -> anyhow::Error {
        let name = self.subject.name;
        match error.downcast_ref().and_then(Error::code) {
            Some("PreconditionFailedException") => {
                error.context(format!("somebody else changed function {name} meanwhile"))
            }
            Some(code) if code != GONE && !self.is_any() => {
                error.context(format!("nothing of function {name} was changed"))
            }
            _ => error,
        }
    }
}

/// Asks for a change until Lambda is not too busy for it. Only the time between is cut short: a change that nobody waits for
/// may still be made.
async fn patiently<T>(
    interrupts: &mut Interrupts,
    ask: impl AsyncFn() -> Result<T, Error>,
) -> anyhow::Result<T> {
    let mut patience = Patience::new(WITHIN);
    loop {
        match ask().await {
            Err(error) if is_busy(&error) => {
                let waited = interrupts.during(async { Ok(patience.wait().await) });
                if !waited.await? {
                    return Err(error.into());
                }
            }
            answer => return Ok(answer?),
        }
    }
}

fn is_refusal(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(has_refused)
}
