//! How many conversions run, and what becomes of the media in them: for `/metrics`.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use rivero_plugin_api::Conversion;

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

    /// In the text format of Prometheus; nothing before the first conversion.
    pub(crate) fn text(&self) -> String {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = String::new();
        if all.is_empty() {
            return out;
        }
        let mut series = |name: &str, kind: &str, help: &str, value: fn(&Counters) -> i64| {
            let _ = writeln!(
                out,
                "# HELP rivero_{name} {help}\n# TYPE rivero_{name} {kind}"
            );
            for ((input, output), counters) in all.iter() {
                let value = value(counters);
                let _ = writeln!(
                    out,
                    "rivero_{name}{{input={input:?},output={output:?}}} {value}"
                );
            }
        };
        series("conversions", "gauge", "Conversions that run now.", |c| {
            c.running.load(Relaxed)
        });
        series(
            "conversions_started_total",
            "counter",
            "Conversions started.",
            |c| whole(&c.started),
        );
        series(
            "conversions_failed_total",
            "counter",
            "Conversions that failed.",
            |c| whole(&c.failed),
        );
        series(
            "conversion_packets_total",
            "counter",
            "Packets to be converted.",
            |c| whole(&c.taken),
        );
        series(
            "conversion_packets_dropped_total",
            "counter",
            "Packets left out because a converter fell behind.",
            |c| whole(&c.dropped),
        );
        out
    }
}

fn whole(counter: &AtomicU64) -> i64 {
    i64::try_from(counter.load(Relaxed)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::Packaging;

    use super::*;

    #[test]
    fn conversions_of_one_kind_share_their_counters() {
        let ledger = Ledger::default();
        assert_eq!(ledger.text(), "");
        let conversion = Conversion {
            input: ("VP8".into(), Packaging::Frame),
            output: ("I420".into(), Packaging::Raw),
            cost: 1,
        };
        for _ in 0..2 {
            ledger.counters(&conversion).running.fetch_add(1, Relaxed);
        }
        let line = "rivero_conversions{input=\"VP8 Frame\",output=\"I420 Raw\"} 2\n";
        assert!(ledger.text().contains(line), "{}", ledger.text());
    }
}
