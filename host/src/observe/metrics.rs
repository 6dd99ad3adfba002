//! What is counted and measured, for `/metrics`.
//!
//! Whoever has figures gives them as [`Family`]s; only this file makes text of them, in version
//! 0.0.4 of Prometheus' text format, so that one rule holds for all names and values: a page that
//! a single series makes unreadable is lost as a whole.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet, GaugeValueEncoder, LabelSetEncoder,
    NoLabelSet, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

/// What all names begin with.
const PREFIX: &str = "rivero";
/// Bytes of the value of a label at most.
const VALUE_LIMIT: usize = 256;
/// Bytes of names at most.
const NAME_LIMIT: usize = 128;

/// How the values of a family change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows while the server runs. Its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
}

/// How many of something were how large, since the server started.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// Of all together.
    pub sum: f64,
    /// Upper bounds, which grow, and how many are up to each and above the one before; the last bound is
    /// `f64::MAX`.
    pub buckets: Vec<(f64, u64)>,
}

/// Series of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    name: String,
    help: Cow<'static, str>,
    kind: Kind,
    /// By labels.
    series: BTreeMap<Labels, f64>,
    histograms: BTreeMap<Labels, Histogram>,
}

impl Family {
    /// A family without series. The name is made legal, begins with `rivero_`, and ends in
    /// `_total` if it is that of a counter. `help` is a sentence.
    #[must_use]
    pub fn new(name: &str, kind: Kind, help: impl Into<Cow<'static, str>>) -> Family {
        Family {
            name: family_name(name, kind),
            help: help.into(),
            kind,
            series: BTreeMap::new(),
            histograms: BTreeMap::new(),
        }
    }

    /// A family of histograms, without any.
    #[must_use]
    pub fn of_histograms(name: &str, help: impl Into<Cow<'static, str>>) -> Family {
        Family::new(name, Kind::Gauge, help)
    }

    /// With one series that has no labels.
    #[must_use]
    pub fn of(name: &str, kind: Kind, help: &'static str, value: f64) -> Family {
        let mut family = Family::new(name, kind, help);
        family.add(Labels::default(), value);
        family
    }

    /// Adds a series; one with the same labels is replaced.
    pub fn add(&mut self, labels: Labels, value: f64) {
        self.series.insert(labels, value);
    }

    /// Adds to a family of histograms; one with the same labels is replaced.
    pub fn add_histogram(&mut self, labels: Labels, histogram: Histogram) {
        self.histograms.insert(labels, histogram);
    }

    /// Keeps the series that `is_kept` says of their labels.
    pub fn retain(&mut self, is_kept: impl Fn(&Labels) -> bool) {
        self.series.retain(|labels, _| is_kept(labels));
        self.histograms.retain(|labels, _| is_kept(labels));
    }

    /// Whether it has no series at all.
    fn is_empty(&self) -> bool {
        self.series.is_empty() && self.histograms.is_empty()
    }

    /// The value of a series, if there is one.
    #[must_use]
    pub fn value(&self, labels: &Labels) -> Option<f64> {
        self.series.get(labels).copied()
    }

    /// With prefix and suffix.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How its values change.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// All series.
    pub fn series(&self) -> impl Iterator<Item = (&Labels, f64)> {
        self.series.iter().map(|(labels, value)| (labels, *value))
    }
}

/// The name that a family has on the page.
#[must_use]
pub(crate) fn family_name(name: &str, kind: Kind) -> String {
    let mut legal = legal_name(&format!("{PREFIX}_{name}"));
    if kind == Kind::Counter && !legal.ends_with("_total") {
        legal.push_str("_total");
    }
    legal
}

/// What tells the series of a family apart: legal names and any values.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(BTreeMap<String, String>);

/// Two labels have one name, perhaps only after illegal characters were replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("two of its labels have the name '{0}'")]
pub struct SameName(String);

impl Labels {
    /// Of names and values. Characters that a name must not have become `_`, and so do those of
    /// a value that cannot be shown; what is too long is cut.
    ///
    /// # Errors
    /// When two labels have the same name.
    pub fn new<'l>(
        labels: impl IntoIterator<Item = (&'l str, Cow<'l, str>)>,
    ) -> Result<Labels, SameName> {
        let mut all = BTreeMap::new();
        for (name, value) in labels {
            let name = legal_label_name(name);
            if all.contains_key(&name) {
                return Err(SameName(name));
            }
            let end = value.floor_char_boundary(VALUE_LIMIT);
            let shown = value.get(..end).unwrap_or_default().chars();
            let value = shown.map(|c| if c.is_control() && c != '\n' { '_' } else { c });
            all.insert(name, value.collect());
        }
        Ok(Labels(all))
    }

    /// One label, of a name that is legal.
    #[must_use]
    pub fn one(name: &str, value: &str) -> Labels {
        Labels::new([(name, value.into())]).unwrap_or_default()
    }

    /// The value of one of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `[a-zA-Z_][a-zA-Z0-9_]*`; colons are for the rules of Prometheus' user.
fn legal_name(name: &str) -> String {
    let legal = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' => character,
        _ => '_',
    };
    name.chars().map(legal).take(NAME_LIMIT).collect()
}

/// The same; two underscores at the beginning are for Prometheus itself.
fn legal_label_name(name: &str) -> String {
    let legal = legal_name(name);
    match legal.as_bytes() {
        [b'a'..=b'z' | b'A'..=b'Z', ..] => legal,
        [b'_', b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9', ..] => legal,
        _ => format!("_{}", legal.trim_start_matches('_')),
    }
}

/// Gives families when the page is asked for.
pub type Source = Box<dyn Fn() -> Vec<Family> + Send + Sync>;

/// All figures of a server.
pub struct Metrics {
    registry: Registry,
    sources: Arc<Sources>,
}

impl Metrics {
    /// Of these sources.
    #[must_use]
    pub fn new(sources: Vec<Source>) -> Metrics {
        let sources = Arc::new(Sources(sources));
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Page(sources.clone())));
        Metrics { registry, sources }
    }

    /// The names of all families, also of those that have no series yet and are not on the page.
    #[must_use]
    pub fn names(&self) -> BTreeSet<String> {
        let families = self.sources.0.iter().flat_map(|source| source());
        families.map(|family| family.name).collect()
    }

    /// The page.
    #[must_use]
    pub fn page(&self) -> String {
        let mut page = String::new();
        // Text never fails to grow.
        let _ = text::encode_registry(&mut page, &self.registry);
        // The last bound of a histogram, which the crate writes as the number that it is given.
        page.replace(r#"le="1.7976931348623157e308""#, r#"le="+Inf""#)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

struct Sources(Vec<Source>);

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sources").field(&self.0.len()).finish()
    }
}

/// The sources, as the crate asks them.
#[derive(Debug)]
struct Page(Arc<Sources>);

impl Collector for Page {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let families = self.0.0.iter().flat_map(|source| source());
        // All series of a name have to stand together, whoever gives them.
        let mut by_name: BTreeMap<String, Family> = BTreeMap::new();
        for family in families.filter(|family| !family.is_empty()) {
            match by_name.get_mut(&family.name) {
                Some(first) if first.kind == family.kind => first.join(family),
                Some(_) => {}
                None => drop(by_name.insert(family.name.clone(), family)),
            }
        }
        let mut families = by_name.values();
        families.try_for_each(|family| family.encode(&mut encoder))
    }
}

impl Family {
    /// Takes the series of another one that it has none for.
    fn join(&mut self, other: Family) {
        for (labels, value) in other.series {
            self.series.entry(labels).or_insert(value);
        }
        for (labels, histogram) in other.histograms {
            self.histograms.entry(labels).or_insert(histogram);
        }
    }

    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let kind = match self.kind {
            _ if !self.histograms.is_empty() => MetricType::Histogram,
            Kind::Counter => MetricType::Counter,
            Kind::Gauge => MetricType::Gauge,
        };
        // The crate escapes the values of labels, and help texts not.
        let help = self.help.replace('\\', "\\\\").replace('\n', "\\n");
        let mut descriptor = encoder.encode_descriptor(&self.name, &help, None, kind)?;
        for (labels, value) in &self.series {
            // Counters, too: the crate writes OpenMetrics, where `_total` is no part of the name
            // in the TYPE line, so the readers of 0.0.4 would not find the type of any counter.
            let value = Number(*value);
            match labels.is_empty() {
                true => descriptor.encode_gauge(&value)?,
                false => descriptor.encode_family(labels)?.encode_gauge(&value)?,
            }
        }
        for (labels, Histogram { sum, buckets }) in &self.histograms {
            let count = buckets.iter().map(|(_, count)| count).sum();
            let mut series = descriptor.encode_family(labels)?;
            series.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)?;
        }
        Ok(())
    }
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        use std::fmt::Write as _;
        for (name, value) in &self.0 {
            let mut label = encoder.encode_label();
            let mut key = label.encode_label_key()?;
            key.write_str(name)?;
            let mut text = key.encode_label_value()?;
            text.write_str(value)?;
            text.finish()?;
        }
        Ok(())
    }
}

/// A value without a point where it is a whole number.
#[derive(Debug, Clone, Copy)]
struct Number(f64);

impl EncodeGaugeValue for Number {
    fn encode(&self, encoder: &mut GaugeValueEncoder<'_>) -> fmt::Result {
        /// Up to here all whole numbers are floats.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
            return (self.0 as i64).encode(encoder);
        }
        self.0.encode(encoder)
    }
}

/// A count as a value: exact below 2^53.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "metrics are floats; counts stay far below 2^53"
)]
pub fn count(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(families: Vec<Family>) -> String {
        Metrics::new(vec![Box::new(move || families.clone())]).page()
    }

    #[test]
    fn a_histogram_has_buckets_that_include_the_smaller_ones() {
        let mut took = Family::of_histograms("took_seconds", "Took.");
        let histogram = Histogram {
            sum: 3.5,
            buckets: vec![(0.1, 2), (1.0, 0), (f64::MAX, 1)],
        };
        took.add_histogram(Labels::one("module", "a"), histogram);
        assert_eq!(
            page(vec![took]),
            "# HELP rivero_took_seconds Took.\n\
             # TYPE rivero_took_seconds histogram\n\
             rivero_took_seconds_sum{module=\"a\"} 3.5\n\
             rivero_took_seconds_count{module=\"a\"} 3\n\
             rivero_took_seconds_bucket{le=\"0.1\",module=\"a\"} 2\n\
             rivero_took_seconds_bucket{le=\"1.0\",module=\"a\"} 2\n\
             rivero_took_seconds_bucket{le=\"+Inf\",module=\"a\"} 3\n"
        );
    }

    #[test]
    fn families_stand_together_with_help_and_type() {
        let mut served = Family::new("served", Kind::Counter, "Served.");
        served.add(Labels::one("by", "b"), 2.5);
        served.add(Labels::one("by", "a"), 1.0);
        let sessions = Family::of("sessions", Kind::Gauge, "Sessions \\ of\nnow.", -3.0);
        let mut more = Family::new("served_total", Kind::Counter, "Ignored.");
        more.add(Labels::one("by", "c"), 1e300);
        let wrong = Family::of("served_total", Kind::Gauge, "", 1.0);
        let none = Family::new("none", Kind::Gauge, "No series.");
        assert_eq!(
            page(vec![served, sessions, more, wrong, none]),
            "# HELP rivero_served_total Served.\n\
             # TYPE rivero_served_total counter\n\
             rivero_served_total{by=\"a\"} 1\n\
             rivero_served_total{by=\"b\"} 2.5\n\
             rivero_served_total{by=\"c\"} 1e300\n\
             # HELP rivero_sessions Sessions \\\\ of\\nnow.\n\
             # TYPE rivero_sessions gauge\n\
             rivero_sessions -3\n"
        );
    }

    #[test]
    fn names_are_made_legal_and_values_escaped() {
        let mut family = Family::new("odd näme-1", Kind::Gauge, "Odd.");
        let labels = [
            ("a b", "1 \"quoted\" \\ back\nbreak\0\u{1b}".into()),
            ("9", "2".into()),
            ("__name__", "3".into()),
            ("", "4".into()),
        ];
        family.add(Labels::new(labels).unwrap(), 1.0);
        let page = page(vec![family]);
        assert_eq!(
            page.lines().last().unwrap(),
            "rivero_odd_n_me_1{_=\"4\",_9=\"2\",_name__=\"3\",\
             a_b=\"1 \\\"quoted\\\" \\\\ back\\nbreak__\"} 1"
        );
    }

    #[test]
    fn labels_of_one_name_are_refused_and_long_ones_cut() {
        let twice = Labels::new([("a b", "".into()), ("a-b", "".into())]);
        assert_eq!(twice, Err(SameName("a_b".to_owned())));
        let long = "é".repeat(1 << 20);
        let Labels(all) = Labels::new([(long.as_str(), long.as_str().into())]).unwrap();
        let (name, value) = all.first_key_value().unwrap();
        assert!(name.len() <= NAME_LIMIT && value.len() == VALUE_LIMIT);
    }
}
