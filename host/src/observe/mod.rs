//! How operators look into the server: its log, and pages for health checks and metrics.

pub mod logging;
pub mod pages;
