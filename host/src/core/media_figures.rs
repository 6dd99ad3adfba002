//! What the media plane measures, for `/metrics`.

use rivero_media::{
    ConversionFigures, ESTIMATE_BOUNDS, FORWARDING_BOUNDS, Figures, TrafficFigures,
};

use crate::observe::metrics::{Family, Histogram, Kind, Labels, count};

/// Of the media plane; conversions have no series before the first one.
#[must_use]
pub(super) fn of_media(figures: &Figures) -> Vec<Family> {
    let mut families = of_conversions(figures);
    families.extend(of_traffic(&figures.traffic));
    families.extend(of_estimates(figures));
    families
}

fn of_conversions(figures: &Figures) -> Vec<Family> {
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

/// By direction and codec. Nothing before there was media.
fn of_traffic(traffic: &[TrafficFigures]) -> Vec<Family> {
    let by_direction = |name, help: &'static str, value: fn(&TrafficFigures) -> [u64; 2]| {
        let mut family = Family::new(name, Kind::Counter, help);
        for codec in traffic {
            for (direction, value) in ["in", "out"].into_iter().zip(value(codec)) {
                let labels = [
                    ("direction", direction.into()),
                    ("codec", codec.codec.as_str().into()),
                ];
                family.add(Labels::new(labels).unwrap_or_default(), count(value));
            }
        }
        family
    };
    let mut ages = Family::of_histograms(
        "forwarding_seconds",
        "How long bursts took from the arrival of their first packet until all takers had them.",
    );
    for codec in traffic.iter().filter(|codec| codec.ages != [0; 11]) {
        let bounds = FORWARDING_BOUNDS.into_iter().map(seconds).chain([f64::MAX]);
        let histogram = Histogram {
            sum: seconds(codec.age),
            buckets: bounds.zip(codec.ages).collect(),
        };
        ages.add_histogram(Labels::one("codec", &codec.codec), histogram);
    }
    vec![
        by_direction(
            "media_packets_total",
            "Packets that elements gave out (in) and were given (out).",
            |codec| [codec.packets_in, codec.packets_out],
        ),
        by_direction(
            "media_bytes_total",
            "Bytes that elements gave out (in) and were given (out).",
            |codec| [codec.bytes_in, codec.bytes_out],
        ),
        ages,
    ]
}

fn seconds(nanoseconds: u64) -> f64 {
    count(nanoseconds) / 1e9
}

/// Of links at this moment.
fn of_estimates(figures: &Figures) -> Vec<Family> {
    let mut paths = Family::new(
        "bandwidth_estimates",
        Kind::Gauge,
        "Paths to clients by what they are estimated to carry, up to so many bit/s.",
    );
    for (bound, number) in ESTIMATE_BOUNDS.into_iter().zip(figures.estimates.paths) {
        let bound = match bound {
            u64::MAX => "more".to_owned(),
            bound => bound.to_string(),
        };
        paths.add(Labels::one("up_to", &bound), count(number));
    }
    let sum = Family::of(
        "bandwidth_estimated_bytes_per_second",
        Kind::Gauge,
        "What all paths to clients with an estimate are estimated to carry together.",
        count(figures.estimates.sum) / 8.0,
    );
    let mut transcoded = Family::new(
        "transcoded_links",
        Kind::Gauge,
        "Links whose media is decoded or encoded, by the codec that is sent and the one that is accepted.",
    );
    for pair in &figures.transcoded {
        let labels = [
            ("input", pair.input.as_str().into()),
            ("output", pair.output.as_str().into()),
        ];
        transcoded.add(Labels::new(labels).unwrap_or_default(), count(pair.links));
    }
    vec![paths, sum, transcoded]
}

fn signed(value: i64) -> f64 {
    count(value.unsigned_abs()).copysign(if value < 0 { -1.0 } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::Metrics;

    #[test]
    fn conversions_are_told_apart_by_what_goes_in_and_what_comes_out() {
        let nothing = of_media(&Figures::default());
        let series = |families: &[Family]| families.iter().flat_map(Family::series).count();
        // Frames left out, and the estimates by class and all together.
        assert_eq!(series(&nothing), 8);
        let figures = Figures {
            conversions: vec![ConversionFigures {
                input: "VP8 Frame".into(),
                output: "I420 Raw".into(),
                running: 2,
                ..ConversionFigures::default()
            }],
            frames_left_out: 3,
            traffic: vec![TrafficFigures {
                codec: "VP8".into(),
                packets_out: 7,
                ages: [0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1],
                age: 30_400_000,
                ..TrafficFigures::default()
            }],
            ..Figures::default()
        };
        let page = Metrics::new(vec![Box::new(move || of_media(&figures))]).page();
        for line in [
            "rivero_conversions{input=\"VP8 Frame\",output=\"I420 Raw\"} 2\n",
            "rivero_frames_left_out_total 3\n",
            "rivero_media_packets_total{codec=\"VP8\",direction=\"out\"} 7\n",
            "rivero_forwarding_seconds_sum{codec=\"VP8\"} 0.0304\n",
            "rivero_forwarding_seconds_bucket{le=\"0.00025\",codec=\"VP8\"} 2\n",
            "rivero_forwarding_seconds_bucket{le=\"+Inf\",codec=\"VP8\"} 3\n",
            "rivero_bandwidth_estimates{up_to=\"more\"} 0\n",
        ] {
            assert!(page.contains(line), "{page}");
        }
    }
}
