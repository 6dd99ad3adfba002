//! How many conversions run, and what becomes of the media in them.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use rivero_plugin_api::Conversion;

/// What was counted of all conversions of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConversionFigures {
    /// Encoding and packaging of what goes in.
    pub input: String,
    /// Encoding and packaging of what comes out.
    pub output: String,
    /// Conversions that run now. May be off by those that begin or end meanwhile.
    pub running: i64,
    /// Conversions started.
    pub started: u64,
    /// Conversions that failed.
    pub failed: u64,
    /// Packets to be converted.
    pub packets: u64,
    /// Packets left out because a converter fell behind.
    pub packets_dropped: u64,
}

/// The counters of all conversions of one kind. They are only summed up and shown, and nothing
/// is decided by them, so relaxed accesses are enough everywhere.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) running: AtomicI64,
    pub(crate) started: AtomicU64,
    pub(crate) failed: AtomicU64,
    /// Packets that came in.
    pub(crate) received: AtomicU64,
    /// Packets left out because the converter fell behind.
    pub(crate) dropped: AtomicU64,
}

/// All counters by input and output, which modules name: their number is bounded by
/// that of the conversions installed.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<BTreeMap<(String, String), Arc<Counters>>>);

impl Ledger {
    pub(crate) fn counters(&self, conversion: &Conversion) -> Arc<Counters> {
        let end = |(encoding, packaging): &(String, _)| format!("{encoding} {packaging:?}");
        let key = (end(&conversion.input), end(&conversion.output));
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(key).or_default().clone()
    }

    /// What they say now; empty before the first conversion.
    pub(crate) fn figures(&self) -> Vec<ConversionFigures> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = all
            .iter()
            .map(|((input, output), counters)| ConversionFigures {
                input: input.clone(),
                output: output.clone(),
                running: counters.running.load(Relaxed),
                started: counters.started.load(Relaxed),
                failed: counters.failed.load(Relaxed),
                packets: counters.received.load(Relaxed),
                packets_dropped: counters.dropped.load(Relaxed),
            });
        figures.collect()
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::Packaging;

    use super::*;

    #[test]
    fn conversions_of_one_kind_share_their_counters() {
        let ledger = Ledger::default();
        assert_eq!(ledger.figures(), []);
        let conversion = Conversion {
            input: ("VP8".into(), Packaging::Frame),
            output: ("I420".into(), Packaging::Raw),
            cost: 1,
        };
        for _ in 0..2 {
            ledger.counters(&conversion).running.fetch_add(1, Relaxed);
        }
        let shared = ConversionFigures {
            input: "VP8 Frame".into(),
            output: "I420 Raw".into(),
            running: 2,
            ..ConversionFigures::default()
        };
        assert_eq!(ledger.figures(), [shared]);
    }
}
