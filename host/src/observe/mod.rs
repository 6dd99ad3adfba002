//! How operators look into the server: its log, and pages for health checks and metrics.

pub mod civil_time;
pub mod figures;
mod log;
pub mod log_files;
mod log_limit;
mod log_line;
mod log_queue;
pub mod logging;
pub mod metrics;
pub mod pages;
pub mod standard_error;
