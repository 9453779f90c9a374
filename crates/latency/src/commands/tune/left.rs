//! What could not be put back, in the words of whoever has to mend it.

use std::fmt;

use super::subject::Subject;

/// What is not as it was.
#[derive(Debug)]
pub(super) enum Left {
    /// `$LATEST` has a memory size that it was given here.
    MemorySize {
        memory_mb: u32,
        own_mb: u32,
        reason: String,
    },
    /// `$LATEST` has one that it was given by somebody else, who may have a reason.
    SomebodyElses { memory_mb: u32, own_mb: u32 },
    /// A version that was made here.
    Version { number: u64, reason: String },
    /// Versions that may have been made here.
    Unknown { description: String, reason: String },
}

/// What is left of this function, with the command that mends it.
pub(super) struct Told<'a>(pub(super) &'a Left, pub(super) &'a Subject<'a>);

impl fmt::Display for Told<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(left, subject) = self;
        let name = subject.name;
        let command = |action: &str| {
            let (function, region) = (subject.function, subject.aws.region());
            format!("aws lambda {action} --region {region} --function-name {function}")
        };
        match left {
            Left::MemorySize {
                memory_mb,
                own_mb,
                reason,
            } => write!(
                out,
                "function {name} is left with {memory_mb} MB ({reason}); put it back: {} --memory-size {own_mb}",
                command("update-function-configuration")
            ),
            Left::SomebodyElses { memory_mb, own_mb } => write!(
                out,
                "function {name} has {memory_mb} MB, which somebody else gave it meanwhile: it keeps them; before it had {own_mb}"
            ),
            Left::Version { number, reason } => write!(
                out,
                "version {number} of function {name} is left ({reason}); delete it: {} --qualifier {number}",
                command("delete-function")
            ),
            Left::Unknown {
                description,
                reason,
            } => write!(
                out,
                "a version of function {name} may be left, with the description \"{description}\" ({reason}); look for it: {}",
                command("list-versions-by-function")
            ),
        }
    }
}
