//! What is printed.

use std::{collections::BTreeMap, fmt, fs};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    affinity::Cores,
    control::{Control, MEMORY_GROWN_KIB},
    forwarding::Forwarding,
    options::Options,
    statistics::median,
};

/// All runs of a measurement.
pub(crate) struct Report {
    head: Value,
    forwarding: BTreeMap<u32, Vec<Value>>,
    control: Vec<Value>,
}

/// A row of the table: caption, key of the figure, decimals.
type Row = (&'static str, &'static str, usize);

/// A figure of forwarding and what it has to be.
type ForwardingRow = (Row, Gate);

/// With fewer viewers what the server does once weighs more than what it does for each.
const VIEWERS_FOR_RATIO: u32 = 100;

const FORWARDING: [ForwardingRow; 29] = [
    (
        (
            "server CPU per forwarded packet, µs",
            "cpu_us_per_packet",
            2,
        ),
        Gate::None,
    ),
    (
        (
            "  floor: AES-128-GCM + same socket calls, GSO",
            "floor_gso_us",
            2,
        ),
        Gate::None,
    ),
    (
        (
            "  floor: AES-128-GCM + same calls, without GSO",
            "floor_single_us",
            2,
        ),
        Gate::None,
    ),
    (
        ("  times the floor with GSO", "times_floor", 2),
        Gate::AtMost(2.0),
    ),
    (
        (
            "  AES-128-GCM + GSO, without receiving anything",
            "floor_sending_us",
            2,
        ),
        Gate::None,
    ),
    (("  times that", "times_sending", 2), Gate::None),
    (
        ("  a forwarder on webrtc 0.21, µs", "forwarder_us", 2),
        Gate::None,
    ),
    (("  packets that it lost", "forwarder_lost", 0), Gate::None),
    (("server CPU, % of its core", "cpu_percent", 1), Gate::None),
    (
        (
            "UDP messages for a frame and viewer",
            "messages_per_frame",
            2,
        ),
        Gate::None,
    ),
    (
        ("other work on the server's core, %", "others_percent", 1),
        Gate::None,
    ),
    (
        ("latency publisher to viewer p50, ms", "latency_p50_ms", 2),
        Gate::None,
    ),
    (
        ("latency publisher to viewer p99, ms", "latency_p99_ms", 2),
        Gate::AtMost(3.0),
    ),
    (
        ("processOffer to its answer p50, ms", "answer_p50_ms", 2),
        Gate::None,
    ),
    (
        ("processOffer to its answer p99, ms", "answer_p99_ms", 2),
        Gate::AtMost(10.0),
    ),
    (
        (
            "processOffer to DTLS connected p50, ms",
            "connect_p50_ms",
            1,
        ),
        Gate::None,
    ),
    (
        (
            "processOffer to DTLS connected p95, ms",
            "connect_p95_ms",
            1,
        ),
        Gate::None,
    ),
    (
        ("processOffer to first media p50, ms", "join_p50_ms", 1),
        Gate::None,
    ),
    (
        ("processOffer to first media p95, ms", "join_p95_ms", 1),
        Gate::AtMost(120.0),
    ),
    (
        ("memory per viewer, KiB", "memory_per_viewer_kib", 0),
        Gate::AtMost(244.0),
    ),
    (("memory idle, KiB", "idle_kib", 0), Gate::None),
    (("memory under media, KiB", "media_kib", 0), Gate::None),
    (("memory after release, KiB", "released_kib", 0), Gate::None),
    (
        ("threads beyond cores", "threads_beyond_cores", 0),
        Gate::AtMost(12.0),
    ),
    (("file descriptors", "descriptors", 0), Gate::None),
    (("packets sent by the publisher", "sent", 0), Gate::None),
    (("packets lost, all viewers", "lost", 0), Gate::AtMost(0.0)),
    (
        ("packets repeated, all viewers", "repeated", 0),
        Gate::AtMost(0.0),
    ),
    (
        ("start to accepting connections, ms", "start_ms", 1),
        Gate::None,
    ),
];

/// What a figure has to be.
#[derive(Clone, Copy)]
enum Gate {
    AtLeast(f64),
    AtMost(f64),
    None,
}

impl Gate {
    fn holds(self, figure: f64) -> bool {
        match self {
            Self::AtLeast(limit) => figure >= limit,
            Self::AtMost(limit) => figure <= limit,
            Self::None => true,
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(limit) => write!(f, "≥ {limit}"),
            Self::AtMost(limit) => write!(f, "≤ {limit}"),
            Self::None => Ok(()),
        }
    }
}

/// A figure of the control side: its row, what it has to be, and Kurento 7.3's.
type ControlRow = (Row, Gate, &'static str);

const CONTROL: [ControlRow; 9] = [
    (("ping, 1/s", "ping", 0), Gate::AtLeast(50_000.0), "24,000"),
    (
        ("getName, 1/s", "get_name", 0),
        Gate::AtLeast(40_000.0),
        "19,000",
    ),
    (
        ("create + release WebRtcEndpoint, 1/s", "create_release", 0),
        Gate::AtLeast(4_000.0),
        "864",
    ),
    (
        ("memory before, KiB", "memory_before_kib", 0),
        Gate::None,
        "27,000",
    ),
    (
        ("memory right after the load, KiB", "memory_loaded_kib", 0),
        Gate::None,
        "549,000–703,000",
    ),
    (
        ("memory settled, KiB", "memory_after_kib", 0),
        Gate::None,
        "the same",
    ),
    (
        ("  more than before, KiB", "memory_grown_kib", 0),
        Gate::AtMost(MEMORY_GROWN_KIB),
        "522,000–676,000",
    ),
    (
        (
            "start to accepting, modules new to it, ms",
            "start_cold_ms",
            1,
        ),
        Gate::AtMost(100.0),
        "850",
    ),
    (
        ("start to accepting, modules known, ms", "start_warm_ms", 1),
        Gate::AtMost(100.0),
        "60",
    ),
];

impl Report {
    /// Without figures yet.
    pub(crate) fn new(options: &Options, cores: Cores) -> Self {
        let even = options.even();
        let recording = options.capture.map(|capture| format!("{capture:?}"));
        Self {
            head: json!({
                "machine": machine(),
                "cores": cores,
                "runs": options.runs,
                "seconds": options.seconds,
                "join_interval_ms": options.join_interval,
                "spread_ms": options.spread,
                "capture": recording,
                "frame_rate": even.frame_rate,
                "packets_per_frame": even.packets_per_frame,
                "feedback_interval_ms": options.feedback_interval,
                "payload_bytes": even.payload,
                "connections": options.connections,
            }),
            forwarding: BTreeMap::new(),
            control: Vec::new(),
        }
    }

    /// Adds a run with this number of viewers.
    pub(crate) fn add_forwarding(&mut self, viewers: u32, run: Forwarding) {
        self.forwarding.entry(viewers).or_default().push(value(run));
    }

    /// Adds a run of the control side.
    pub(crate) fn add_control(&mut self, run: Control) {
        self.control.push(value(run));
    }

    /// Prints everything, every run included.
    pub(crate) fn print_json(&self) {
        let forwarding = self.forwarding.iter().map(
            |(viewers, runs)| json!({"viewers": viewers, "median": medians(runs), "runs": runs}),
        );
        let mut report = self.head.clone();
        if let Some(report) = report.as_object_mut() {
            report.insert("forwarding".to_owned(), forwarding.collect());
            if !self.control.is_empty() {
                let control = json!({"median": medians(&self.control), "runs": self.control});
                report.insert("control".to_owned(), control);
            }
        }
        println!("{report:#}");
    }

    /// Prints the medians.
    pub(crate) fn print_table(&self) {
        let text = |key: &str| {
            self.head
                .get(key)
                .map_or(String::new(), ToString::to_string)
        };
        println!("{}", text("machine").trim_matches('"'));
        let traffic = match self.head.get("capture").and_then(Value::as_str) {
            Some(codec) => format!("{codec} as Chromium sent it"),
            None => format!(
                "frames of {} packets of {} bytes at {} per second, spread over {} ms",
                text("packets_per_frame"),
                text("payload_bytes"),
                text("frame_rate"),
                text("spread_ms"),
            ),
        };
        println!(
            "median of {} run(s) of {} s; {traffic}; a viewer joins every {} ms and sends feedback \
             every {} ms\n",
            text("runs"),
            text("seconds"),
            text("join_interval_ms"),
            text("feedback_interval_ms"),
        );
        let columns: Vec<_> = self.forwarding.values().map(|runs| medians(runs)).collect();
        let captions: Vec<_> = self.forwarding.keys().map(u32::to_string).collect();
        if !columns.is_empty() {
            print_forwarding(&captions, &columns);
        }
        if !self.control.is_empty() {
            let caption = format!("control, {} connections:", text("connections"));
            print_control(&caption, &medians(&self.control));
        }
    }

    /// The figures that are not what they have to be.
    pub(crate) fn missed(&self) -> Vec<String> {
        let forwarding = self.forwarding.iter().flat_map(|(viewers, runs)| {
            let (figures, viewers) = (medians(runs), *viewers);
            let rows = FORWARDING.iter().filter(move |((_, key, _), _)| {
                *key != "times_floor" || self.weighs_ratio(viewers)
            });
            let missed = rows.filter_map(move |(row, gate)| miss(&figures, row, *gate));
            missed.map(move |line| format!("{viewers} viewers, {line}"))
        });
        let figures = medians(&self.control);
        let control = CONTROL
            .iter()
            .filter_map(|(row, gate, _)| miss(&figures, row, *gate));
        forwarding.chain(control).collect()
    }

    /// Whether the floor with one call per frame is what this load is to be compared with.
    fn weighs_ratio(&self, viewers: u32) -> bool {
        let spread = self.head.get("spread_ms").and_then(Value::as_u64);
        let captured = self.head.get("capture").is_some_and(Value::is_string);
        viewers >= VIEWERS_FOR_RATIO && spread.unwrap_or(0) == 0 && !captured
    }
}

/// What to say of a figure that is not what it has to be.
fn miss(figures: &Map<String, Value>, (caption, key, _): &Row, gate: Gate) -> Option<String> {
    let figure = figures.get(*key)?.as_f64()?;
    let line = || format!("{}: {figure:.2}, wanted {gate}", caption.trim());
    (!gate.holds(figure)).then(line)
}

fn print_control(caption: &str, figures: &Map<String, Value>) {
    println!(
        "\n{caption:<48}{:>10}{:>12}{:>18}",
        "", "wanted", "Kurento 7.3"
    );
    for ((caption, key, decimals), gate, kurento) in &CONTROL {
        let figure = figures
            .get(*key)
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN);
        println!(
            "{caption:<48}{figure:>10.decimals$}{:>12}{kurento:>18}",
            gate.to_string()
        );
    }
}

fn value(run: impl Serialize) -> Value {
    serde_json::to_value(run).unwrap_or(Value::Null)
}

/// The median of each figure; those that were not measured are missing.
fn medians(runs: &[Value]) -> Map<String, Value> {
    let figures = runs
        .first()
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let figures = figures.filter_map(|(key, _)| {
        let values: Vec<f64> = runs
            .iter()
            .filter_map(|run| run.get(key)?.as_f64())
            .collect();
        (!values.is_empty()).then(|| (key.clone(), json!(median(values))))
    });
    figures.collect()
}

fn print_forwarding(captions: &[String], columns: &[Map<String, Value>]) {
    print!("{:<48}", "1 publisher, viewers:");
    captions.iter().for_each(|caption| print!("{caption:>10}"));
    println!("{:>12}", "wanted");
    for ((caption, key, decimals), gate) in &FORWARDING {
        print!("{caption:<48}");
        for column in columns {
            match column.get(*key).and_then(Value::as_f64) {
                Some(figure) => print!("{figure:>10.decimals$}"),
                None => print!("{:>10}", "-"),
            }
        }
        println!("{:>12}", gate.to_string());
    }
}

/// Processor, number of cores, kernel.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let processors = read("/proc/cpuinfo");
    let names = || {
        processors
            .lines()
            .filter_map(|line| line.strip_prefix("model name"))
    };
    let name = names().next().unwrap_or("unknown processor");
    let kernel = read("/proc/sys/kernel/osrelease");
    let (name, count) = (name.trim_matches([' ', '\t', ':']), names().count());
    format!("{name}, {count} cores, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_are_taken_of_each_figure() {
        let runs = [
            json!({"a": 1.0, "b": null}),
            json!({"a": 5.0, "b": null}),
            json!({"a": 2.0, "b": null}),
        ];
        let medians = medians(&runs);
        assert_eq!(medians.get("a"), Some(&json!(2.0)));
        assert_eq!(medians.get("b"), None);
    }

    fn control() -> Control {
        Control {
            ping: 60_000.0,
            get_name: 60_000.0,
            create_release: 5_000.0,
            memory_before_kib: 1.0,
            memory_loaded_kib: 1.0,
            memory_after_kib: 1.0,
            memory_grown_kib: 0.0,
            start_cold_ms: 50.0,
            start_warm_ms: 10.0,
        }
    }

    #[test]
    fn every_row_has_a_figure() {
        let control = value(control());
        assert!(
            CONTROL
                .iter()
                .all(|((_, key, _), ..)| control.get(key).is_some())
        );
    }

    fn report(forwarding: BTreeMap<u32, Vec<Value>>) -> Report {
        Report {
            head: json!({"spread_ms": 0}),
            forwarding,
            control: Vec::new(),
        }
    }

    #[test]
    fn forwarding_too_far_above_its_floor_is_named_where_the_viewers_weigh_enough() {
        let runs = |times: f64| vec![json!({"times_floor": times, "lost": 0.0})];
        assert!(report([(100, runs(2.0))].into()).missed().is_empty());
        assert!(report([(10, runs(2.1))].into()).missed().is_empty());
        let missed = report([(100, runs(2.1)), (40, vec![json!({"lost": 1.0})])].into()).missed();
        assert_eq!(
            missed,
            [
                "40 viewers, packets lost, all viewers: 1.00, wanted ≤ 0",
                "100 viewers, times the floor with GSO: 2.10, wanted ≤ 2",
            ]
        );
    }

    #[test]
    fn a_figure_that_is_not_good_enough_is_named() {
        let mut report = report(BTreeMap::new());
        assert!(report.missed().is_empty(), "nothing was measured");
        report.add_control(control());
        assert!(report.missed().is_empty());
        report.control.clear();
        report.add_control(Control {
            get_name: 39_999.0,
            start_cold_ms: 101.0,
            ..control()
        });
        let missed = report.missed();
        assert_eq!(missed.len(), 2, "{missed:?}");
        assert!(
            missed
                .iter()
                .any(|line| line.starts_with("getName, 1/s: 39999.00, wanted ≥ 40000"))
        );
    }
}
