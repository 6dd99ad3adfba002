//! How many conversions run, and what becomes of the media in them: for `/metrics`.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use rivero_plugin_api::Conversion;

use crate::observe::metrics::{Family, Kind, Labels, count};

/// The counters of all conversions of one kind.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) running: AtomicI64,
    pub(super) started: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Packets that came in.
    pub(super) taken: AtomicU64,
    /// Packets left out because the converter fell behind.
    pub(super) dropped: AtomicU64,
}

/// All counters by input and output, which modules name: their number is bounded by
/// that of the conversions installed.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<(String, String), Arc<Counters>>>);

impl Ledger {
    pub(super) fn counters(&self, conversion: &Conversion) -> Arc<Counters> {
        let end = |(encoding, packaging): &(String, _)| format!("{encoding} {packaging:?}");
        let key = (end(&conversion.input), end(&conversion.output));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_default().clone()
    }

    /// As metrics; without series before the first conversion.
    pub(crate) fn families(&self) -> Vec<Family> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let family = |name: &str, kind, help: &'static str, value: fn(&Counters) -> f64| {
            let mut family = Family::new(name, kind, help);
            for ((input, output), counters) in all.iter() {
                let labels = [
                    ("input", input.as_str().into()),
                    ("output", output.as_str().into()),
                ];
                // The two names differ.
                let labels = Labels::new(labels).unwrap_or_default();
                family.add(labels, value(counters));
            }
            family
        };
        let counter = |name, help, value| family(name, Kind::Counter, help, value);
        vec![
            family(
                "conversions",
                Kind::Gauge,
                "Conversions that run now.",
                |c| {
                    let running = c.running.load(Relaxed);
                    count(running.unsigned_abs()).copysign(if running < 0 { -1.0 } else { 1.0 })
                },
            ),
            counter("conversions_started_total", "Conversions started.", |c| {
                count(c.started.load(Relaxed))
            }),
            counter(
                "conversions_failed_total",
                "Conversions that failed.",
                |c| count(c.failed.load(Relaxed)),
            ),
            counter(
                "conversion_packets_total",
                "Packets to be converted.",
                |c| count(c.taken.load(Relaxed)),
            ),
            counter(
                "conversion_packets_dropped_total",
                "Packets left out because a converter fell behind.",
                |c| count(c.dropped.load(Relaxed)),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::Packaging;

    use super::*;
    use crate::observe::metrics::Metrics;

    #[test]
    fn conversions_of_one_kind_share_their_counters() {
        let ledger = Ledger::default();
        let running = |ledger: &Ledger| {
            let families = ledger.families();
            let mut series = families.iter().flat_map(Family::series);
            series.next().map(|(_, value)| value)
        };
        assert_eq!(running(&ledger), None);
        let conversion = Conversion {
            input: ("VP8".into(), Packaging::Frame),
            output: ("I420".into(), Packaging::Raw),
            cost: 1,
        };
        for _ in 0..2 {
            ledger.counters(&conversion).running.fetch_add(1, Relaxed);
        }
        assert_eq!(running(&ledger), Some(2.0));
        let page = Metrics::new(vec![Box::new(move || ledger.families())]).page();
        let line = "rivero_conversions{input=\"VP8 Frame\",output=\"I420 Raw\"} 2\n";
        assert!(page.contains(line), "{page}");
    }
}
