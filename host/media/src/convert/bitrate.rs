//! What an encoder is asked to produce.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use rivero_plugin_api::MediaKind;

/// The encoder bitrates of an element, for all conversions of its outputs.
///
/// Relaxed accesses are enough: whoever sets them has each encoder look at them afterwards, through
/// the lock of its inbox; and one that looks in between, at some of the new ones, looks again then.
#[derive(Debug)]
pub(crate) struct SharedRates {
    encoder: AtomicU64,
    minimum: AtomicU64,
    maximum: AtomicU64,
}

/// Bit/s of the encoders at an element's outputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderRates {
    /// Without an estimate of what the consumers' networks carry.
    pub encoder: u64,
    /// Lower bound.
    pub minimum: u64,
    /// Upper bound, 0 = none.
    pub maximum: u64,
}

impl Default for EncoderRates {
    fn default() -> Self {
        Self {
            encoder: 300_000,
            minimum: 0,
            maximum: 0,
        }
    }
}

impl EncoderRates {
    /// The rule: what the consumer's element forces, else the lowest estimate of all
    /// consumers, else the element's encoder bitrate; within the element's bounds.
    /// `estimate` is `u64::MAX` where nothing limits.
    fn target(self, forced: Option<u64>, estimate: u64) -> u64 {
        let estimated = if estimate == u64::MAX {
            self.encoder
        } else {
            estimate
        };
        let wanted = forced.map_or(estimated, |forced| forced.min(estimate));
        let bounded = wanted.max(self.minimum);
        if self.maximum > 0 {
            bounded.min(self.maximum)
        } else {
            bounded
        }
    }
}

impl Default for SharedRates {
    fn default() -> Self {
        let EncoderRates {
            encoder,
            minimum,
            maximum,
        } = EncoderRates::default();
        Self {
            encoder: encoder.into(),
            minimum: minimum.into(),
            maximum: maximum.into(),
        }
    }
}

impl SharedRates {
    pub(crate) fn set(&self, rates: EncoderRates) {
        self.encoder.store(rates.encoder, Relaxed);
        self.minimum.store(rates.minimum, Relaxed);
        self.maximum.store(rates.maximum, Relaxed);
    }

    fn get(&self) -> EncoderRates {
        EncoderRates {
            encoder: self.encoder.load(Relaxed),
            minimum: self.minimum.load(Relaxed),
            maximum: self.maximum.load(Relaxed),
        }
    }
}

/// The bitrate of one running encoder. The element's bitrates are about video: an
/// audio encoder keeps its codec's default unless its consumers say otherwise.
///
/// Its atomics stand for themselves, so relaxed accesses are enough. Two threads that find a change
/// at once may send theirs in either order; estimates change several times a second, and the next
/// change mends that.
#[derive(Debug)]
pub(super) struct EncoderBitrate {
    kind: MediaKind,
    rates: std::sync::Arc<SharedRates>,
    forced: Option<u64>,
    estimate: AtomicU64,
    /// What the encoder was sent last.
    sent: AtomicU64,
}

impl EncoderBitrate {
    pub(super) fn new(
        kind: MediaKind,
        rates: std::sync::Arc<SharedRates>,
        forced: Option<u64>,
    ) -> Self {
        Self {
            kind,
            rates,
            forced,
            estimate: AtomicU64::new(u64::MAX),
            sent: AtomicU64::new(0),
        }
    }

    pub(super) fn set_estimate(&self, bits_per_second: u64) {
        self.estimate.store(bits_per_second, Relaxed);
    }

    /// What to ask for, bit/s; `None` to leave it to the codec.
    fn target(&self) -> Option<u64> {
        let estimate = self.estimate.load(Relaxed);
        let target = match self.kind {
            MediaKind::Video => Some(self.rates.get().target(self.forced, estimate)),
            _ => self.forced.map(|forced| forced.min(estimate)),
        };
        target.filter(|target| *target > 0)
    }

    /// The target when it differs from what the encoder was told last.
    pub(super) fn changed(&self) -> Option<u64> {
        let target = self.target()?;
        (self.sent.swap(target, Relaxed) != target).then_some(target)
    }

    /// What the encoder is started with, bit/s. The bounds stay here: they may change while it
    /// runs.
    pub(super) fn initial(&self) -> Option<u64> {
        let target = self.target()?;
        self.sent.store(target, Relaxed);
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_decides_within_the_bounds() {
        let rates = EncoderRates {
            encoder: 300_000,
            minimum: 100_000,
            maximum: 1_000_000,
        };
        assert_eq!(rates.target(None, u64::MAX), 300_000);
        assert_eq!(rates.target(None, 800_000), 800_000);
        assert_eq!(rates.target(None, 50_000), 100_000);
        assert_eq!(rates.target(None, 3_000_000), 1_000_000);
        assert_eq!(rates.target(Some(500_000), u64::MAX), 500_000);
        assert_eq!(rates.target(Some(500_000), 200_000), 200_000);
        assert_eq!(EncoderRates::default().target(None, u64::MAX), 300_000);
    }

    #[test]
    fn only_changes_are_told_and_audio_keeps_its_codecs_default() {
        let rates = std::sync::Arc::new(SharedRates::default());
        let video = EncoderBitrate::new(MediaKind::Video, rates.clone(), None);
        assert_eq!(video.initial(), Some(300_000));
        assert_eq!(video.changed(), None);
        rates.set(EncoderRates {
            encoder: 700_000,
            ..EncoderRates::default()
        });
        assert_eq!(video.changed(), Some(700_000));
        video.set_estimate(200_000);
        assert_eq!((video.changed(), video.changed()), (Some(200_000), None));
        let audio = EncoderBitrate::new(MediaKind::Audio, rates, None);
        assert_eq!((audio.initial(), audio.changed()), (None, None));
    }
}
