//! What modules count and measure, for `/metrics`.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use serde_json::{Map, Value};

use crate::observe::metrics::{Family, Kind, Labels, SameName, family_name};

/// Series kept; further ones are left out, so that a module cannot fill the memory.
const LIMIT: usize = 4096;
/// Labels of a series at most.
const MAX_LABELS: usize = 16;
/// Bytes of the labels' JSON at most.
const MAX_LABEL_TEXT: usize = 16 << 10;
/// Refusals that are told; further ones are not, however many names a module thinks of.
const MAX_WARNINGS: usize = 256;

/// The series of all modules.
#[derive(Default)]
pub(super) struct Metrics(Mutex<State>);

#[derive(Default)]
struct State {
    families: BTreeMap<String, Family>,
    series: usize,
    /// Families of which a series was refused, each told once.
    told: HashSet<String>,
}

/// Why a value is not taken.
#[derive(Debug, thiserror::Error, PartialEq)]
enum Refusal {
    #[error("{0} is no amount to count: it should be finite and not negative")]
    Amount(f64),
    #[error("{0} is no value: it should be finite")]
    Value(f64),
    #[error("its labels are no JSON object of at most {MAX_LABELS} texts")]
    Labels,
    #[error(transparent)]
    SameName(#[from] SameName),
    #[error("another metric of this name is of another kind")]
    Kind,
    #[error("modules have {LIMIT} series already")]
    TooMany,
}

impl Metrics {
    /// Takes a value of a module: counters are added to, gauges set. `labels`: JSON object of
    /// texts. What is refused is told once for each name.
    pub(super) fn record(&self, module: &str, kind: Kind, name: &str, labels: &str, value: f64) {
        let name = format!("{module}_{name}");
        let mut state = self.0.lock();
        let Err(refusal) = state.record(module, kind, &name, labels, value) else {
            return;
        };
        let full = family_name(&name, kind);
        let is_news = state.told.len() < MAX_WARNINGS && state.told.insert(full.clone());
        drop(state);
        if is_news {
            tracing::warn!(
                module,
                metric = full,
                "a value of a metric is refused: {refusal}"
            );
        }
    }

    /// All of them.
    pub(super) fn families(&self) -> Vec<Family> {
        self.0.lock().families.values().cloned().collect()
    }
}

impl State {
    fn record(
        &mut self,
        module: &str,
        kind: Kind,
        name: &str,
        labels: &str,
        value: f64,
    ) -> Result<(), Refusal> {
        if !value.is_finite() && kind == Kind::Gauge {
            return Err(Refusal::Value(value));
        }
        if kind == Kind::Counter && !(value.is_finite() && value >= 0.0) {
            return Err(Refusal::Amount(value));
        }
        let labels = parse_labels(labels)?;
        let full = family_name(name, kind);
        let is_full = self.series >= LIMIT;
        let family = match self.families.get_mut(&full) {
            Some(family) if family.kind() != kind => return Err(Refusal::Kind),
            Some(family) => family,
            None if is_full => return Err(Refusal::TooMany),
            None => {
                let what = match kind {
                    Kind::Counter => "Counter",
                    Kind::Gauge => "Gauge",
                };
                let help = format!("{what} of module {module}.");
                let new = Family::new(name, kind, help);
                self.families.entry(full).or_insert(new)
            }
        };
        let value = match (family.value(&labels), kind) {
            (None, _) if is_full => return Err(Refusal::TooMany),
            (None, _) => {
                self.series += 1;
                value
            }
            (Some(former), Kind::Counter) => {
                let sum = former + value;
                if !sum.is_finite() {
                    return Err(Refusal::Amount(value));
                }
                sum
            }
            (Some(_), Kind::Gauge) => value,
        };
        family.add(labels, value);
        Ok(())
    }
}

fn parse_labels(text: &str) -> Result<Labels, Refusal> {
    if text.len() > MAX_LABEL_TEXT {
        return Err(Refusal::Labels);
    }
    let labels: Map<String, Value> = serde_json::from_str(text).map_err(|_| Refusal::Labels)?;
    if labels.len() > MAX_LABELS {
        return Err(Refusal::Labels);
    }
    let pairs = labels.iter().map(|(name, value)| {
        let value = match value {
            Value::String(text) => text.as_str().into(),
            other => other.to_string().into(),
        };
        (name.as_str(), value)
    });
    Ok(Labels::new(pairs)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics;

    fn page(metrics: &Metrics) -> String {
        let families = metrics.families();
        metrics::Metrics::new(vec![Box::new(move || families.clone())]).page()
    }

    #[test]
    fn counters_add_up_and_gauges_are_replaced() {
        let metrics = Metrics::default();
        for value in [2.0, 3.0] {
            let labels = r#"{"shard":"1"}"#;
            metrics.record("kurento", Kind::Counter, "packets lost", labels, value);
            metrics.record("kurento", Kind::Gauge, "peers", "{}", value);
        }
        assert_eq!(
            page(&metrics),
            "# HELP rivero_kurento_packets_lost_total Counter of module kurento.\n\
             # TYPE rivero_kurento_packets_lost_total counter\n\
             rivero_kurento_packets_lost_total{shard=\"1\"} 5\n\
             # HELP rivero_kurento_peers Gauge of module kurento.\n\
             # TYPE rivero_kurento_peers gauge\n\
             rivero_kurento_peers 3\n"
        );
    }

    #[test]
    fn what_would_break_the_page_is_refused() {
        let metrics = Metrics::default();
        let refused = |kind, labels: &str, value| {
            let mut state = metrics.0.lock();
            state.record("m", kind, "m_x", labels, value).unwrap_err()
        };
        for amount in [-1.0, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(
                refused(Kind::Counter, "{}", amount),
                Refusal::Amount(amount)
            );
        }
        assert!(matches!(
            refused(Kind::Counter, "{}", f64::NAN),
            Refusal::Amount(_)
        ));
        assert!(matches!(
            refused(Kind::Gauge, "{}", f64::NAN),
            Refusal::Value(_)
        ));
        let many = serde_json::to_string(&BTreeMap::from_iter((0..17).map(|n| (n, "x")))).unwrap();
        for labels in ["", "[1]", "{", many.as_str()] {
            assert_eq!(refused(Kind::Gauge, labels, 1.0), Refusal::Labels);
        }
        let twice = refused(Kind::Gauge, r#"{"a b":"1","a_b":"2"}"#, 1.0);
        assert!(matches!(twice, Refusal::SameName(_)));
        metrics.record("m", Kind::Counter, "x", r#"{"a b":"\"\n"}"#, f64::MAX);
        metrics.record("m", Kind::Counter, "x", r#"{"a b":"\"\n"}"#, f64::MAX);
        metrics.record("m", Kind::Gauge, "x_total", "{}", 1.0);
        let text = page(&metrics);
        assert!(
            text.contains("\nrivero_m_x_total{a_b=\"\\\"\\n\"} 1"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 3, "{text}");
    }

    #[test]
    fn series_are_bounded_and_those_that_are_there_go_on() {
        let metrics = Metrics::default();
        for n in 0..LIMIT + 10 {
            metrics.record("m", Kind::Gauge, &format!("g{n}"), "{}", 1.0);
        }
        metrics.record("m", Kind::Gauge, "g0", "{}", 2.0);
        metrics.record("m", Kind::Gauge, "g0", r#"{"a":"b"}"#, 2.0);
        assert_eq!(metrics.0.lock().series, LIMIT);
        assert!(metrics.0.lock().told.len() <= MAX_WARNINGS);
        assert!(page(&metrics).contains("\nrivero_m_g0 2\n"));
    }
}
