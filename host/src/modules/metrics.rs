//! What modules count and measure, for `/metrics`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

use serde_json::{Map, Value};

/// Series kept; further ones are left out, so that a module cannot fill the memory.
const LIMIT: usize = 4096;

/// How a value joins those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Is added to them.
    Counter,
    /// Takes their place.
    Gauge,
}

/// The series of all modules.
#[derive(Default)]
pub(super) struct Metrics(Mutex<BTreeMap<(String, String), (Kind, f64)>>);

impl Metrics {
    /// Takes a value of a module. `labels`: JSON object of strings.
    pub(super) fn record(&self, module: &str, kind: Kind, name: &str, labels: &str, value: f64) {
        let series = (full_name(module, name), label_set(labels));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= LIMIT && !all.contains_key(&series) {
            return;
        }
        let (_, current) = all.entry(series).or_insert((kind, 0.0));
        *current = if kind == Kind::Counter {
            *current + value
        } else {
            value
        };
    }

    /// In the text format of Prometheus.
    pub(super) fn text(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut out, mut former) = (String::new(), "");
        for ((name, labels), (kind, value)) in all.iter() {
            if name != former {
                let kind = if *kind == Kind::Counter {
                    "counter"
                } else {
                    "gauge"
                };
                let _ = writeln!(out, "# TYPE {name} {kind}");
                former = name;
            }
            let _ = writeln!(out, "{name}{labels} {value}");
        }
        out
    }
}

fn full_name(module: &str, name: &str) -> String {
    let legal = |character: char| {
        if character.is_ascii_alphanumeric() {
            character
        } else {
            '_'
        }
    };
    format!("rivero_{module}_{name}")
        .chars()
        .map(legal)
        .collect()
}

fn label_set(labels: &str) -> String {
    let labels: Map<String, Value> = serde_json::from_str(labels).unwrap_or_default();
    if labels.is_empty() {
        return String::new();
    }
    // A JSON string has the escapes that the format asks for.
    let pairs: Vec<String> = labels
        .iter()
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={}", Value::from(text.as_str())),
            other => format!("{name}=\"{other}\""),
        })
        .collect();
    format!("{{{}}}", pairs.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_add_up_and_gauges_are_replaced() {
        let metrics = Metrics::default();
        for value in [2.0, 3.0] {
            metrics.record(
                "kurento",
                Kind::Counter,
                "packets lost",
                r#"{"shard":"1"}"#,
                value,
            );
            metrics.record("kurento", Kind::Gauge, "peers", "{}", value);
        }
        assert_eq!(
            metrics.text(),
            "# TYPE rivero_kurento_packets_lost counter\n\
             rivero_kurento_packets_lost{shard=\"1\"} 5\n\
             # TYPE rivero_kurento_peers gauge\n\
             rivero_kurento_peers 3\n"
        );
    }

    #[test]
    fn series_are_bounded() {
        let metrics = Metrics::default();
        (0..LIMIT + 10).for_each(|n| {
            metrics.record("m", Kind::Gauge, &format!("g{n}"), "{}", 1.0);
        });
        assert_eq!(metrics.0.lock().unwrap().len(), LIMIT);
    }
}
