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

const FORWARDING: [Row; 21] = [
    (
        "server CPU per forwarded packet, µs",
        "cpu_us_per_packet",
        2,
    ),
    (
        "  floor: AES-128-GCM + one GSO call per frame",
        "floor_gso_us",
        2,
    ),
    (
        "  floor: AES-128-GCM + one call per packet",
        "floor_single_us",
        2,
    ),
    ("server CPU, % of its core", "cpu_percent", 1),
    ("other work on the server's core, %", "others_percent", 1),
    ("latency publisher to viewer p50, ms", "latency_p50_ms", 2),
    ("latency publisher to viewer p99, ms", "latency_p99_ms", 2),
    (
        "processOffer to DTLS connected p50, ms",
        "connect_p50_ms",
        1,
    ),
    (
        "processOffer to DTLS connected p95, ms",
        "connect_p95_ms",
        1,
    ),
    ("processOffer to first media p50, ms", "join_p50_ms", 1),
    ("processOffer to first media p95, ms", "join_p95_ms", 1),
    ("memory per viewer, KiB", "memory_per_viewer_kib", 0),
    ("memory idle, KiB", "idle_kib", 0),
    ("memory under media, KiB", "media_kib", 0),
    ("memory after release, KiB", "released_kib", 0),
    ("threads", "threads", 0),
    ("file descriptors", "descriptors", 0),
    ("packets sent by the publisher", "sent", 0),
    ("packets lost, all viewers", "lost", 0),
    ("packets repeated, all viewers", "repeated", 0),
    ("start to accepting connections, ms", "start_ms", 1),
];

/// What a figure of the control side has to be.
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
        let traffic = options.traffic();
        Self {
            head: json!({
                "machine": machine(),
                "cores": cores,
                "runs": options.runs,
                "seconds": options.seconds,
                "join_interval_ms": options.join_interval,
                "spread_ms": options.spread,
                "frame_rate": traffic.frame_rate,
                "packets_per_frame": traffic.packets_per_frame,
                "payload_bytes": traffic.payload,
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
        println!(
            "median of {} run(s) of {} s; frames of {} packets of {} bytes at {} per second, \
             spread over {} ms; a viewer joins every {} ms\n",
            text("runs"),
            text("seconds"),
            text("packets_per_frame"),
            text("payload_bytes"),
            text("frame_rate"),
            text("spread_ms"),
            text("join_interval_ms"),
        );
        let columns: Vec<_> = self.forwarding.values().map(|runs| medians(runs)).collect();
        let captions: Vec<_> = self.forwarding.keys().map(u32::to_string).collect();
        if !columns.is_empty() {
            print_rows("1 publisher, viewers:", &captions, &FORWARDING, &columns);
        }
        if !self.control.is_empty() {
            let caption = format!("control, {} connections:", text("connections"));
            print_control(&caption, &medians(&self.control));
        }
    }

    /// The figures that are not what they have to be.
    pub(crate) fn missed(&self) -> Vec<String> {
        let medians = medians(&self.control);
        let missed = CONTROL.iter().filter_map(|((caption, key, _), gate, _)| {
            let figure = medians.get(*key)?.as_f64()?;
            let line = || format!("{}: {figure:.1}, wanted {gate}", caption.trim());
            (!gate.holds(figure)).then(line)
        });
        missed.collect()
    }
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

fn print_rows(caption: &str, captions: &[String], rows: &[Row], columns: &[Map<String, Value>]) {
    print!("{caption:<48}");
    captions.iter().for_each(|caption| print!("{caption:>10}"));
    println!();
    for (caption, key, decimals) in rows {
        print!("{caption:<48}");
        for column in columns {
            match column.get(*key).and_then(Value::as_f64) {
                Some(figure) => print!("{figure:>10.decimals$}"),
                None => print!("{:>10}", "-"),
            }
        }
        println!();
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

    #[test]
    fn a_figure_that_is_not_good_enough_is_named() {
        let mut report = Report {
            head: Value::Null,
            forwarding: BTreeMap::new(),
            control: Vec::new(),
        };
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
                .any(|line| line.starts_with("getName, 1/s: 39999.0, wanted ≥ 40000"))
        );
    }
}
