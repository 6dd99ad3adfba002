//! How operators look into the server: its log, and pages for health checks and metrics.

pub mod civil_time;
pub mod log_files;
pub mod logging;
pub mod pages;
