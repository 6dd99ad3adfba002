//! Pictures laid over each other.

pub(crate) mod layout;
pub(crate) mod paint;
