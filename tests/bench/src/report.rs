//! What is printed.

use std::{collections::BTreeMap, fs};

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{
    affinity::Cores, control::Control, forwarding::Forwarding, options::Options, statistics::median,
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

const CONTROL: [Row; 5] = [
    ("ping, 1/s", "ping", 0),
    ("getName, 1/s", "get_name", 0),
    ("create + release WebRtcEndpoint, 1/s", "create_release", 0),
    ("memory before, KiB", "memory_before_kib", 0),
    ("memory after, KiB", "memory_after_kib", 0),
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
        print_rows("1 publisher, viewers:", &captions, &FORWARDING, &columns);
        if !self.control.is_empty() {
            let caption = format!("control, {} connections:", text("connections"));
            println!();
            print_rows(
                &caption,
                &[String::new()],
                &CONTROL,
                &[medians(&self.control)],
            );
        }
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

    #[test]
    fn every_row_has_a_figure() {
        let control = Control {
            ping: 1.0,
            get_name: 1.0,
            create_release: 1.0,
            memory_before_kib: 1.0,
            memory_after_kib: 1.0,
        };
        let control = value(control);
        assert!(CONTROL.iter().all(|(_, key, _)| control.get(key).is_some()));
    }
}
