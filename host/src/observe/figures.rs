//! What the server measures of itself as a whole.

use rivero_plugin_api::supervise;

use super::logging;
use super::metrics::{Family, Kind, Labels, count};
use crate::core::usage;
use crate::registry::Registry;

/// Of the objects.
#[must_use]
pub fn of_registry(registry: &Registry) -> Vec<Family> {
    let gauge = |name, help, value: usize| Family::of(name, Kind::Gauge, help, count(value as u64));
    vec![
        gauge(
            "objects",
            "Objects, the server manager excepted.",
            registry.object_count(),
        ),
        gauge("pipelines", "Media pipelines.", registry.pipelines().len()),
        gauge(
            "sessions",
            "Sessions that hold objects.",
            registry.session_count(),
        ),
    ]
}

/// Of the process and its log.
#[must_use]
pub fn of_process() -> Vec<Family> {
    let resident = count(usage::memory_kib()) * 1024.0;
    let cpu = usage::cpu_time().as_secs_f64();
    let counter = |name, help, value| Family::of(name, Kind::Counter, help, value);
    let mut panics = Family::new(
        "panics_total",
        Kind::Counter,
        "Panics that were contained, by place.",
    );
    for (place, number) in supervise::panics() {
        panics.add(Labels::one("place", &place), count(number));
    }
    vec![
        panics,
        Family::of("resident_bytes", Kind::Gauge, "Resident memory.", resident),
        counter("cpu_seconds_total", "CPU time used.", cpu),
        counter(
            "log_lines_lost_total",
            "Lines of the log that could not be written in time.",
            count(logging::lost_lines()),
        ),
        counter(
            "log_lines_suppressed_total",
            "Lines of the log beyond what one place in the program may write.",
            count(logging::suppressed_lines()),
        ),
    ]
}
