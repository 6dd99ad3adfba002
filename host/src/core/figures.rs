//! What the server measures of itself as a whole.

use rivero_media::{ConversionFigures, Figures};
use rivero_plugin_api::supervise;

use crate::observe::metrics::{Family, Kind, Labels, count};
use crate::observe::{logging, usage};
use crate::registry::Registry;

/// Of the objects.
#[must_use]
pub(super) fn of_registry(registry: &Registry) -> Vec<Family> {
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

/// Of the media plane; conversions have no series before the first one.
#[must_use]
pub(super) fn of_media(figures: &Figures) -> Vec<Family> {
    let conversions = |name, kind, help: &'static str, value: fn(&ConversionFigures) -> f64| {
        let mut family = Family::new(name, kind, help);
        for figures in &figures.conversions {
            let ends = [
                ("input", figures.input.as_str().into()),
                ("output", figures.output.as_str().into()),
            ];
            // The two names differ.
            let labels = Labels::new(ends).unwrap_or_default();
            family.add(labels, value(figures));
        }
        family
    };
    let counter = |name, help, value| conversions(name, Kind::Counter, help, value);
    vec![
        conversions(
            "conversions",
            Kind::Gauge,
            "Conversions that run now.",
            |figures| signed(figures.running),
        ),
        counter(
            "conversions_started_total",
            "Conversions started.",
            |figures| count(figures.started),
        ),
        counter(
            "conversions_failed_total",
            "Conversions that failed.",
            |figures| count(figures.failed),
        ),
        counter(
            "conversion_packets_total",
            "Packets to be converted.",
            |figures| count(figures.packets),
        ),
        counter(
            "conversion_packets_dropped_total",
            "Packets left out because a converter fell behind.",
            |figures| count(figures.packets_dropped),
        ),
        Family::of(
            "frames_left_out_total",
            Kind::Counter,
            "Frames of a shared encoding that weak viewers were not sent.",
            count(figures.frames_left_out),
        ),
    ]
}

fn signed(value: i64) -> f64 {
    count(value.unsigned_abs()).copysign(if value < 0 { -1.0 } else { 1.0 })
}

/// Of the process and its log.
#[must_use]
pub(super) fn of_process() -> Vec<Family> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::Metrics;

    #[test]
    fn conversions_are_told_apart_by_what_goes_in_and_what_comes_out() {
        let nothing = of_media(&Figures::default());
        let series = |families: &[Family]| families.iter().flat_map(Family::series).count();
        assert_eq!(series(&nothing), 1, "frames left out");
        let figures = Figures {
            conversions: vec![ConversionFigures {
                input: "VP8 Frame".into(),
                output: "I420 Raw".into(),
                running: 2,
                ..ConversionFigures::default()
            }],
            frames_left_out: 3,
        };
        let page = Metrics::new(vec![Box::new(move || of_media(&figures))]).page();
        for line in [
            "rivero_conversions{input=\"VP8 Frame\",output=\"I420 Raw\"} 2\n",
            "rivero_frames_left_out_total 3\n",
        ] {
            assert!(page.contains(line), "{page}");
        }
    }
}
