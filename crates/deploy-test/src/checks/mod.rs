//! What must be true of a deployed stack, one room a question.

pub(crate) mod agreement;
pub(crate) mod event_sources;
pub(crate) mod invocations;
pub(crate) mod lifecycle;
pub(crate) mod observability;
pub(crate) mod page;
pub(crate) mod roles;
pub(crate) mod routes;
pub(crate) mod secrets;
pub(crate) mod servers;
