//! What was changed of a function, put back.

use std::time::Duration;

use super::{
    left::{Left, Told},
    memory_sizes::Changes,
    patience::{GONE, Patience, asked, may_pass},
    subject::Subject,
};
use crate::{
    aws::{Configuration, Error, Phase},
    interrupt::Signal,
    output::say,
};

/// How long to try: for the memory size, and again for the versions.
const WITHIN: Duration = Duration::from_secs(120);

/// How it went.
#[derive(Debug)]
pub(super) struct PutBack {
    left: Vec<Left>,
    /// There is no function any more.
    deleted: bool,
}

/// How `$LATEST` is.
enum Latest {
    AsItWas,
    /// Or it was changed that moment by somebody else.
    InProgress,
    SomebodyElses(u32),
}

impl Changes<'_> {
    /// Gives `$LATEST` its own memory size back, and deletes the versions that were made here.
    pub(super) async fn put_back(&mut self) -> PutBack {
        let mut left = Vec::new();
        left.extend(self.give_memory_size_back().await.err());
        let mut patience = Patience::new(WITHIN);
        left.extend(self.find_what_was_made(&mut patience).await.err());
        while let Some(number) = self.made.pop_first() {
            left.extend(self.delete(number, &mut patience).await.err());
        }
        PutBack {
            left,
            deleted: self.deleted,
        }
    }

    /// Gives `$LATEST` its own memory size back, if it has another one from here.
    pub(super) async fn give_memory_size_back(&mut self) -> Result<(), Left> {
        let own_mb = self.own_mb;
        let Some(&last_mb) = self.asked_mb.last() else {
            return Ok(());
        };
        let mut memory_mb = last_mb;
        let mut patience = Patience::new(WITHIN);
        loop {
            let (reason, again) = match self.step_back(&mut memory_mb).await {
                Ok(Latest::AsItWas) => {
                    self.asked_mb.clear();
                    return Ok(());
                }
                Ok(Latest::SomebodyElses(memory_mb)) => {
                    return Err(Left::SomebodyElses { memory_mb, own_mb });
                }
                Ok(Latest::InProgress) => ("an update is still in progress".to_owned(), true),
                Err(error) if error.code() == Some(GONE) => {
                    self.deleted = true;
                    return Ok(());
                }
                Err(error) => (error.to_string(), may_pass(&error)),
            };
            if !again || !patience.wait().await {
                if memory_mb == own_mb {
                    return Ok(());
                }
                return Err(Left::MemorySize {
                    memory_mb,
                    own_mb,
                    reason,
                });
            }
        }
    }

    /// Looks at `$LATEST`, and asks for its own memory size if it has one of those that were asked for here.
    async fn step_back(&self, memory_mb: &mut u32) -> Result<Latest, Error> {
        let Subject { aws, function, .. } = self.subject;
        let latest = aws.configuration(function, None).await?;
        *memory_mb = latest.memory_mb;
        if latest.update() == Phase::InProgress {
            return Ok(Latest::InProgress);
        }
        if latest.memory_mb == self.own_mb {
            return Ok(Latest::AsItWas);
        }
        if !self.asked_mb.contains(&latest.memory_mb) {
            return Ok(Latest::SomebodyElses(latest.memory_mb));
        }
        let asked = aws.set_memory_size(function, self.own_mb, &latest.revision_id);
        match asked.await {
            Err(error) if error.code() != Some("PreconditionFailedException") => Err(error),
            _ => Ok(Latest::InProgress),
        }
    }

    /// Where Lambda did not tell the number of a version that it may have made, finds it by its description.
    async fn find_what_was_made(&mut self, patience: &mut Patience) -> Result<(), Left> {
        let Subject { aws, function, .. } = self.subject;
        if !self.made_unknown {
            return Ok(());
        }
        let versions = asked(patience, may_pass, async || aws.versions(function).await);
        let versions = match versions.await {
            Err(error) if error.code() != Some(GONE) => {
                return Err(Left::Unknown {
                    description: self.description.clone(),
                    reason: error.to_string(),
                });
            }
            versions => versions.unwrap_or_default(),
        };
        let ours = versions
            .iter()
            .filter(|version| version.description.as_ref() == Some(&self.description))
            .filter_map(Configuration::number)
            .filter(|number| !self.before.contains(number));
        self.made.extend(ours);
        self.made_unknown = false;
        Ok(())
    }

    async fn delete(&self, number: u64, patience: &mut Patience) -> Result<(), Left> {
        let Subject { aws, function, .. } = self.subject;
        let deleted = asked(patience, may_pass, async || {
            aws.delete_version(function, number).await
        });
        match deleted.await {
            Err(error) if error.code() != Some(GONE) => Err(Left::Version {
                number,
                reason: error.to_string(),
            }),
            _ => Ok(()),
        }
    }
}

impl PutBack {
    /// What came of it all: what is left matters more than a signal, and is told together with what went wrong before.
    pub(super) fn ending<T>(
        self,
        subject: &Subject<'_>,
        used: anyhow::Result<T>,
        signal: Option<Signal>,
    ) -> anyhow::Result<T> {
        if !self.left.is_empty() {
            let before = used.err().map(|error| format!("{error:#}"));
            let left = self.left.iter().map(|left| Told(left, subject).to_string());
            let lines: Vec<_> = before.into_iter().chain(left).collect();
            return Err(anyhow::Error::msg(lines.join("\nlatency: ")));
        }
        let name = subject.name;
        let gone = |error: &anyhow::Error| error.downcast_ref().and_then(Error::code) == Some(GONE);
        if self.deleted || used.as_ref().is_err_and(gone) {
            let told =
                format!("function {name} was deleted meanwhile: there is nothing to put back");
            match used {
                Err(error) if !error.is::<Signal>() => return Err(error.context(told)),
                _ => say(&told),
            }
        }
        match (used, signal) {
            (Ok(_), Some(signal)) => Err(signal.into()),
            (used, _) => used,
        }
    }
}
