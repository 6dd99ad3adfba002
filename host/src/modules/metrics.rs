//! What modules count and measure, for `/metrics`.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

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

/// The label whose value is a codec, of those that the host tells apart.
const CODEC: &str = "codec";
/// The label whose value is the id of an object: such a series ends with the object.
const OBJECT: &str = "object";
/// An object may measure before it is known, from its constructor on; so the age counts as well.
const GRACE: Duration = Duration::from_secs(2);

/// Stands for a loaded library, whose series end with it.
pub(super) type Writer = Arc<()>;

/// The series of all modules.
#[derive(Default)]
pub(super) struct Metrics(Mutex<State>);

#[derive(Default)]
struct State {
    families: BTreeMap<String, Measured>,
    series: usize,
    /// Families of which a series was refused, each told once.
    told: HashSet<String>,
}

/// A family, and who writes its series.
struct Measured {
    family: Family,
    writers: BTreeMap<Labels, (Weak<()>, Instant)>,
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
    ///
    /// Peers name codecs: `codec` says what one is called, so that they do not make series without end.
    pub(super) fn record(
        &self,
        (module, writer): (&str, &Writer),
        kind: Kind,
        (name, labels): (&str, &str),
        value: f64,
        codec: impl FnOnce(&str) -> String,
    ) {
        let name = format!("{module}_{name}");
        let labels = parse_labels(labels, codec);
        let mut state = self.0.lock();
        let Err(refusal) = state.record((module, writer), kind, &name, labels, value) else {
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
        let state = self.0.lock();
        let families = state.families.values();
        families.map(|measured| measured.family.clone()).collect()
    }

    /// Ends the series of libraries that are gone, and of objects that `lives` does not know.
    pub(super) fn tidy(&self, lives: &dyn Fn(&str) -> bool) {
        let mut state = self.0.lock();
        for Measured { family, writers } in state.families.values_mut() {
            writers.retain(|labels, (writer, since)| {
                let is_over = |id| since.elapsed() > GRACE && !lives(id);
                writer.strong_count() > 0 && !labels.get(OBJECT).is_some_and(is_over)
            });
            family.retain(|labels| writers.contains_key(labels));
        }
        state
            .families
            .retain(|_, measured| !measured.writers.is_empty());
        let series = state
            .families
            .values()
            .map(|measured| measured.writers.len());
        state.series = series.sum();
    }
}

impl State {
    fn record(
        &mut self,
        (module, writer): (&str, &Writer),
        kind: Kind,
        name: &str,
        labels: Result<Labels, Refusal>,
        value: f64,
    ) -> Result<(), Refusal> {
        if !value.is_finite() && kind == Kind::Gauge {
            return Err(Refusal::Value(value));
        }
        if kind == Kind::Counter && !(value.is_finite() && value >= 0.0) {
            return Err(Refusal::Amount(value));
        }
        let labels = labels?;
        let full = family_name(name, kind);
        let is_full = self.series >= LIMIT;
        let Measured { family, writers } = match self.families.get_mut(&full) {
            Some(measured) if measured.family.kind() != kind => return Err(Refusal::Kind),
            Some(measured) => measured,
            None if is_full => return Err(Refusal::TooMany),
            None => {
                let what = match kind {
                    Kind::Counter => "Counter",
                    Kind::Gauge => "Gauge",
                };
                let help = format!("{what} of module {module}.");
                let new = Measured {
                    family: Family::new(name, kind, help),
                    writers: BTreeMap::new(),
                };
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
        // Whoever writes last: an upgraded module goes on with the series of the one before.
        match writers.get_mut(&labels) {
            Some((last, _)) if last.as_ptr() == Arc::as_ptr(writer) => {}
            Some((last, _)) => *last = Arc::downgrade(writer),
            None => drop(writers.insert(labels.clone(), (Arc::downgrade(writer), Instant::now()))),
        }
        family.add(labels, value);
        Ok(())
    }
}

fn parse_labels(text: &str, codec: impl FnOnce(&str) -> String) -> Result<Labels, Refusal> {
    if text.len() > MAX_LABEL_TEXT {
        return Err(Refusal::Labels);
    }
    let mut labels: Map<String, Value> = serde_json::from_str(text).map_err(|_| Refusal::Labels)?;
    if let Some(Value::String(name)) = labels.get_mut(CODEC) {
        *name = codec(name);
    }
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

    /// A module that measures something.
    struct Module<'m>(&'m Metrics, Writer);

    impl Module<'_> {
        fn count(&self, name: &str, labels: &str, amount: f64) {
            self.record(Kind::Counter, name, labels, amount);
        }

        fn gauge(&self, name: &str, labels: &str, value: f64) {
            self.record(Kind::Gauge, name, labels, value);
        }

        fn record(&self, kind: Kind, name: &str, labels: &str, value: f64) {
            let codec = |name: &str| if name == "VP8" { name } else { "other" }.to_owned();
            let Self(metrics, writer) = self;
            metrics.record(("m", writer), kind, (name, labels), value, codec);
        }
    }

    #[test]
    fn codecs_that_peers_think_of_are_one_series() {
        let metrics = Metrics::default();
        let module = Module(&metrics, Writer::default());
        for codec in ["VP8", "X-1", "X-2"] {
            let labels = format!(r#"{{"codec":"{codec}"}}"#);
            module.count("lost", &labels, 1.0);
        }
        let text = page(&metrics);
        assert!(
            text.contains("rivero_m_lost_total{codec=\"VP8\"} 1\n"),
            "{text}"
        );
        assert!(
            text.contains("rivero_m_lost_total{codec=\"other\"} 2\n"),
            "{text}"
        );
    }

    fn page(metrics: &Metrics) -> String {
        let families = metrics.families();
        metrics::Metrics::new(vec![Box::new(move || families.clone())]).page()
    }

    #[test]
    fn counters_add_up_and_gauges_are_replaced() {
        let metrics = Metrics::default();
        let module = Module(&metrics, Writer::default());
        for value in [2.0, 3.0] {
            let labels = r#"{"shard":"1"}"#;
            module.count("packets lost", labels, value);
            module.gauge("peers", "{}", value);
        }
        assert_eq!(
            page(&metrics),
            "# HELP rivero_m_packets_lost_total Counter of module m.\n\
             # TYPE rivero_m_packets_lost_total counter\n\
             rivero_m_packets_lost_total{shard=\"1\"} 5\n\
             # HELP rivero_m_peers Gauge of module m.\n\
             # TYPE rivero_m_peers gauge\n\
             rivero_m_peers 3\n"
        );
    }

    #[test]
    fn series_end_with_their_library_and_with_their_object() {
        let metrics = Metrics::default();
        let old = Module(&metrics, Writer::default());
        let new = Module(&metrics, Writer::default());
        old.count("gone", "{}", 1.0);
        old.count("kept", "{}", 1.0);
        new.count("kept", "{}", 1.0);
        new.count("bytes", r#"{"object":"1"}"#, 1.0);
        new.count("bytes", r#"{"object":"2"}"#, 1.0);
        drop(old);
        let is_first = |id: &str| id == "1";
        metrics.tidy(&is_first);
        let text = page(&metrics);
        assert!(!text.contains("gone"), "{text}");
        assert!(text.contains("rivero_m_kept_total 2\n"), "{text}");
        assert!(
            text.contains("object=\"2\""),
            "it may be about to be made: {text}"
        );
        for measured in metrics.0.lock().families.values_mut() {
            for (_, since) in measured.writers.values_mut() {
                *since = since.checked_sub(GRACE * 2).unwrap();
            }
        }
        metrics.tidy(&is_first);
        let text = page(&metrics);
        assert!(
            text.contains("object=\"1\"") && !text.contains("object=\"2\""),
            "{text}"
        );
        assert_eq!(metrics.0.lock().series, 2);
    }

    #[test]
    fn what_would_break_the_page_is_refused() {
        let metrics = Metrics::default();
        let module = Module(&metrics, Writer::default());
        let refused = |kind, labels: &str, value| {
            let mut state = metrics.0.lock();
            let labels = parse_labels(labels, str::to_owned);
            let from = ("m", &module.1);
            state.record(from, kind, "m_x", labels, value).unwrap_err()
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
        module.count("x", r#"{"a b":"\"\n"}"#, f64::MAX);
        module.count("x", r#"{"a b":"\"\n"}"#, f64::MAX);
        module.gauge("x_total", "{}", 1.0);
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
        let module = Module(&metrics, Writer::default());
        for n in 0..LIMIT + 10 {
            module.gauge(&format!("g{n}"), "{}", 1.0);
        }
        module.gauge("g0", "{}", 2.0);
        module.gauge("g0", r#"{"a":"b"}"#, 2.0);
        assert_eq!(metrics.0.lock().series, LIMIT);
        assert!(metrics.0.lock().told.len() <= MAX_WARNINGS);
        assert!(page(&metrics).contains("\nrivero_m_g0 2\n"));
    }
}
