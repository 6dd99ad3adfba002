//! How operators look into the server: its log, and what is measured. Nothing here knows what the
//! server does; whoever does gives its figures.

pub mod civil_time;
pub mod disks;
pub mod load;
mod log;
pub mod log_files;
pub mod log_levels;
mod log_limit;
mod log_line;
mod log_queue;
pub mod log_tail;
pub mod logging;
pub mod metrics;
pub mod recent;
pub mod standard_error;
pub mod times;
pub mod usage;
pub mod watchdog;
