//! The profile of a Region: what Lambda and its backends take there, each figure with its source and its range.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{bandwidth::Limits, distribution::Distribution};

/// Where the published results were measured.
pub const DEFAULT_REGION: &str = "eu-west-2";

const PROFILES: [(&str, &str); 1] = [(
    DEFAULT_REGION,
    include_str!("../data/profile-eu-west-2.csv"),
)];

/// The service that is spoken to without TLS.
pub(crate) const CACHE: &str = "memcached";

/// One figure of a profile.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Parameter {
    /// Its name: that of a call is its service and operation, such as `dynamodb UpdateItem`.
    pub name: String,
    /// Its unit.
    pub unit: String,
    /// The best single estimate; of a latency the median.
    pub value: f64,
    /// The 99th percentile of a latency that varies from call to call.
    pub p99: Option<f64>,
    /// What it may be at least: nine in ten times it is between the two.
    pub low: f64,
    /// What it may be at most.
    pub high: f64,
    /// Where it was read, and what was measured there.
    pub source: String,
    /// When that was measured or published: year, month, and day where it is known.
    pub date: String,
}

/// What is known of a Region.
#[derive(Clone, Debug)]
pub struct Profile {
    region: String,
    parameters: BTreeMap<String, Parameter>,
}

/// Why something is not known.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no profile.
    #[error("there is no profile of Region '{region}', but of {known}")]
    UnknownRegion {
        /// The Region asked for.
        region: String,
        /// Those that there are.
        known: String,
    },
    /// The profile does not say it.
    #[error("the profile of {region} has no line for '{name}'")]
    Missing {
        /// The Region.
        region: String,
        /// The parameter's name.
        name: String,
    },
    /// The data file is broken.
    #[error("the profile of {region} is broken: {cause}")]
    Broken {
        /// The Region.
        region: String,
        /// What is wrong.
        cause: csv::Error,
    },
    /// A figure makes no sense.
    #[error(
        "the profile of {region} is broken: '{name}' is not between its bounds, or not above 0"
    )]
    Nonsense {
        /// The Region.
        region: String,
        /// The parameter's name.
        name: String,
    },
    /// Nothing was recorded.
    #[error("no invocation was recorded: nothing to model")]
    NothingRecorded,
}

impl Parameter {
    fn makes_sense(&self) -> bool {
        let tail = self.p99.unwrap_or(self.value);
        let ascending = 0.0 < self.low && self.low <= self.value && self.value <= self.high;
        ascending && self.high.is_finite() && self.value <= tail && tail.is_finite()
    }
}

impl Profile {
    /// The profile of a Region.
    ///
    /// # Errors
    /// There is none, or its data file is broken.
    pub fn of(region: &str) -> Result<Self, Error> {
        let (_, text) = PROFILES
            .iter()
            .find(|(name, _)| *name == region)
            .ok_or_else(|| Error::UnknownRegion {
                region: region.to_owned(),
                known: PROFILES.map(|(name, _)| name).join(", "),
            })?;
        Self::read(region, text)
    }

    /// A profile from CSV of one's own, with the columns that [`Parameter`] has.
    ///
    /// # Errors
    /// It can't be understood.
    pub fn read(region: &str, text: &str) -> Result<Self, Error> {
        let mut parameters = BTreeMap::new();
        for parameter in csv::Reader::from_reader(text.as_bytes()).deserialize() {
            let parameter: Parameter = parameter.map_err(|cause| Error::Broken {
                region: region.to_owned(),
                cause,
            })?;
            if !parameter.makes_sense() {
                return Err(Error::Nonsense {
                    region: region.to_owned(),
                    name: parameter.name,
                });
            }
            parameters.insert(parameter.name.clone(), parameter);
        }
        Ok(Self {
            region: region.to_owned(),
            parameters,
        })
    }

    /// The Region's name.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// All parameters, by name.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        self.parameters.values()
    }

    /// A parameter.
    ///
    /// # Errors
    /// The profile has no such line.
    pub fn parameter(&self, name: &str) -> Result<&Parameter, Error> {
        self.parameters.get(name).ok_or_else(|| Error::Missing {
            region: self.region.clone(),
            name: name.to_owned(),
        })
    }

    /// The value of a parameter, in its unit.
    ///
    /// # Errors
    /// The profile has no such line.
    pub fn value(&self, name: &str) -> Result<f64, Error> {
        Ok(self.parameter(name)?.value)
    }

    /// How a latency is distributed, in milliseconds.
    ///
    /// # Errors
    /// The profile has no such line.
    pub fn latency(&self, name: &str) -> Result<Distribution, Error> {
        let parameter = self.parameter(name)?;
        Ok(match parameter.p99 {
            Some(p99) => Distribution::new(parameter.value, p99),
            None => Distribution::constant(parameter.value),
        })
    }

    /// How the latency of a call to a backend is distributed, in milliseconds.
    ///
    /// # Errors
    /// The profile has no line for this operation: its latency is never taken to be nothing.
    pub fn call(&self, service: &str, operation: &str) -> Result<Distribution, Error> {
        self.latency(&format!("{service} {operation}"))
    }

    /// What a new connection takes before its first call, in milliseconds. That of a database is an operation of its own,
    /// `Connect`; that of a cache is one round trip, as is a `Get`, since TCP needs no more and there is no TLS.
    ///
    /// # Errors
    /// The profile has no such line.
    pub fn connecting(&self, service: &str, operation: &str) -> Result<f64, Error> {
        match (service, operation) {
            (_, "Connect") => Ok(0.0),
            (CACHE, _) => self.value("memcached Get"),
            _ => self.value("opening a connection"),
        }
    }

    /// The same profile but for this parameter; its 99th percentile moves in proportion.
    #[must_use]
    pub fn with(mut self, name: &str, value: f64) -> Self {
        if let Some(parameter) = self.parameters.get_mut(name) {
            parameter.p99 = parameter.p99.map(|p99| p99 / parameter.value * value);
            parameter.value = value;
        }
        self
    }

    /// The processor that goes with a memory size.
    ///
    /// # Errors
    /// The profile lacks a line that this takes.
    pub fn limits(&self, memory_mb: u32) -> Result<Limits, Error> {
        let period = self.value("CPU period")?;
        let share = f64::from(memory_mb) / self.value("memory of one vCPU")?;
        Ok(Limits {
            period,
            quota: period * share,
            cores: self.cores(memory_mb)?,
        })
    }

    /// The processor of the init phase: a whole core, whatever the memory size is.
    ///
    /// # Errors
    /// The profile lacks a line that this takes.
    pub(crate) fn init_limits(&self, memory_mb: u32) -> Result<Limits, Error> {
        let limits = self.limits(memory_mb)?;
        let share = self.value("CPU share of the init phase")?;
        Ok(Limits {
            quota: limits.quota.max(limits.period * share),
            ..limits
        })
    }

    /// How many vCPU a function sees.
    ///
    /// # Errors
    /// The profile lacks a line that this takes.
    pub fn cores(&self, memory_mb: u32) -> Result<f64, Error> {
        let mut cores = 2.0;
        for more in 3..=6 {
            if f64::from(memory_mb) > self.value(&format!("memory below {more} vCPU"))? {
                cores = f64::from(more);
            }
        }
        Ok(cores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile::of(DEFAULT_REGION).unwrap()
    }

    #[test]
    fn every_figure_has_a_range_a_source_and_a_date() {
        for parameter in profile().parameters() {
            assert!(
                ["ms", "MB", "core"].contains(&&*parameter.unit),
                "{parameter:?}"
            );
            assert!(parameter.source.len() > 30, "{parameter:?}");
            let date: Vec<_> = parameter.date.split('-').map(str::len).collect();
            assert!([4, 2, 2].starts_with(&date), "{parameter:?}");
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        let error = Profile::of("mars-north-1").unwrap_err().to_string();
        assert_eq!(
            error,
            "there is no profile of Region 'mars-north-1', but of eu-west-2"
        );
        let error = profile().call("s3", "RestoreObject").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the profile of eu-west-2 has no line for 's3 RestoreObject'"
        );
    }

    #[test]
    fn a_figure_that_makes_no_sense_is_named() {
        for line in ["0,,0,1", "2,,3,4", "2,,1,inf", "2,1,1,3", "NaN,,1,2"] {
            let text =
                format!("name,unit,value,p99,low,high,source,date\nCPU period,ms,{line},x,2026\n");
            let error = Profile::read("test", &text).unwrap_err().to_string();
            assert!(
                error.contains("'CPU period' is not between"),
                "{line}: {error}"
            );
        }
        let error = Profile::read("test", "name,unit\nx,ms\n").unwrap_err();
        assert!(error.to_string().contains("is broken"), "{error}");
    }

    #[test]
    fn the_processor_goes_with_the_memory() {
        let profile = profile();
        let limits = profile.limits(1769).unwrap();
        assert_eq!((limits.quota, limits.cores), (limits.period, 2.0));
        assert_eq!(
            profile.init_limits(128).unwrap().quota,
            profile.limits(1769).unwrap().quota
        );
        assert_eq!(profile.cores(3008).unwrap(), 2.0);
        assert_eq!(profile.cores(3009).unwrap(), 3.0);
        assert_eq!(profile.cores(10_240).unwrap(), 6.0);
    }

    #[test]
    fn a_changed_parameter_takes_its_tail_along() {
        let name = "dynamodb UpdateItem";
        let before = profile().parameter(name).unwrap().clone();
        let after = profile().with(name, before.value * 2.0);
        let after = after.parameter(name).unwrap();
        assert_eq!(after.p99, before.p99.map(|p99| p99 * 2.0));
    }
}
