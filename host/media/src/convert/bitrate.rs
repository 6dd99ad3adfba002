//! What an encoder is asked to produce.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use rivero_plugin_api::{MediaKind, Packet};

use super::worth::{Course, Limits};
use crate::format::Formats;

/// The encoder bitrates of an element, for all conversions of its outputs.
///
/// Relaxed accesses are enough: whoever sets them has each encoder look at them afterwards, through
/// the lock of its inbox; and one that looks in between, at some of the new ones, looks again then.
#[derive(Debug, Default)]
pub(crate) struct SharedRates {
    encoder: AtomicU64,
    minimum: AtomicU64,
    maximum: AtomicU64,
}

/// Bit/s of the encoders at an element's outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct EncoderRates {
    /// What is asked of them, unless the consumers' networks carry less; 0 = what a picture of its
    /// size and rate is worth.
    pub encoder: u64,
    /// Lower bound.
    pub minimum: u64,
    /// Upper bound, 0 = none.
    pub maximum: u64,
}

impl EncoderRates {
    fn bound(self, bits_per_second: u64) -> u64 {
        let bounded = bits_per_second.max(self.minimum);
        if self.maximum > 0 {
            bounded.min(self.maximum)
        } else {
            bounded
        }
    }
}

impl SharedRates {
    pub(crate) fn of(rates: EncoderRates) -> Self {
        let shared = Self::default();
        shared.set(rates);
        shared
    }

    pub(crate) fn set(&self, rates: EncoderRates) {
        self.encoder.store(rates.encoder, Relaxed);
        self.minimum.store(rates.minimum, Relaxed);
        self.maximum.store(rates.maximum, Relaxed);
    }

    pub(crate) fn get(&self) -> EncoderRates {
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
    rates: Arc<SharedRates>,
    forced: Option<u64>,
    estimate: AtomicU64,
    /// What the encoder was sent last.
    sent: AtomicU64,
    /// Locked for moments only, by whoever brings pictures or another estimate.
    course: Mutex<Course>,
    /// What would be sent if no path limited it, for those who look for a better path.
    wanted: Arc<AtomicU64>,
}

impl EncoderBitrate {
    pub(super) fn new(
        kind: MediaKind,
        rates: Arc<SharedRates>,
        forced: Option<u64>,
        course: Course,
    ) -> Self {
        Self {
            kind,
            rates,
            forced,
            estimate: AtomicU64::new(u64::MAX),
            sent: AtomicU64::new(0),
            course: Mutex::new(course),
            wanted: Arc::default(),
        }
    }

    /// Bit/s that the encoder would be asked for on paths without a limit; 0 while it is not known.
    pub(super) fn wanted(&self) -> &Arc<AtomicU64> {
        &self.wanted
    }

    pub(super) fn set_estimate(&self, bits_per_second: u64) {
        self.estimate.store(bits_per_second, Relaxed);
    }

    /// Pictures go in: their size, their rate and how long they have been coming count.
    pub(super) fn on_packets(&self, packets: &[Packet], formats: &Formats) {
        if self.kind != MediaKind::Video {
            return;
        }
        let mut course = self.course();
        for packet in packets {
            course.on_picture(packet, formats);
        }
    }

    fn course(&self) -> std::sync::MutexGuard<'_, Course> {
        self.course.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rule: what the consumer's element forces, else the element's encoder bitrate, else what
    /// the picture is worth; but no more than the lowest estimate of all consumers. All of that within
    /// the element's bounds. `None` to leave it to the codec.
    fn target(&self) -> Option<u64> {
        let estimate = self.estimate.load(Relaxed);
        let rates = self.rates.get();
        let fixed = self
            .forced
            .or(Some(rates.encoder).filter(|encoder| *encoder > 0));
        let target = match (self.kind, fixed) {
            (MediaKind::Video, fixed) => {
                let limits = Limits { fixed, estimate };
                let (target, wanted) = self.course().target(limits);
                self.wanted.store(rates.bound(wanted), Relaxed);
                Some(rates.bound(target))
            }
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

    fn encoder(kind: MediaKind, rates: EncoderRates, forced: Option<u64>) -> EncoderBitrate {
        let shared = Arc::new(SharedRates::default());
        shared.set(rates);
        EncoderBitrate::new(kind, shared, forced, Course::default())
    }

    fn target(encoder: &EncoderBitrate, estimate: u64) -> u64 {
        encoder.set_estimate(estimate);
        encoder.target().unwrap()
    }

    #[test]
    fn the_estimate_decides_within_the_bounds() {
        let bounds = EncoderRates {
            encoder: 0,
            minimum: 100_000,
            maximum: 1_000_000,
        };
        // Pictures of unknown size.
        let free = encoder(MediaKind::Video, bounds, None);
        assert_eq!(target(&free, 200_000), 200_000);
        assert_eq!(target(&free, 50_000), 100_000);
        assert_eq!(target(&free, 3_000_000), 1_000_000);
        assert_eq!(target(&free, u64::MAX), 300_000);
        let forced = encoder(MediaKind::Video, bounds, Some(500_000));
        assert_eq!(target(&forced, u64::MAX), 500_000);
        assert_eq!(target(&forced, 200_000), 200_000);
        let generous = encoder(MediaKind::Video, bounds, Some(3_000_000));
        assert_eq!(target(&generous, u64::MAX), 1_000_000);
    }

    #[test]
    fn an_encoder_bitrate_that_was_set_is_the_bitrate() {
        let rates = EncoderRates {
            encoder: 300_000,
            ..EncoderRates::default()
        };
        let encoder = encoder(MediaKind::Video, rates, None);
        assert_eq!(target(&encoder, u64::MAX), 300_000);
        assert_eq!(target(&encoder, 5_000_000), 300_000);
        assert_eq!(target(&encoder, 200_000), 200_000);
        assert_eq!(encoder.wanted().load(Relaxed), 300_000);
    }

    #[test]
    fn only_changes_are_told_and_audio_keeps_its_codecs_default() {
        let video = encoder(MediaKind::Video, EncoderRates::default(), None);
        assert_eq!(video.initial(), Some(300_000));
        assert_eq!(video.changed(), None);
        video.rates.set(EncoderRates {
            encoder: 700_000,
            ..EncoderRates::default()
        });
        assert_eq!(video.changed(), Some(700_000));
        video.set_estimate(200_000);
        assert_eq!((video.changed(), video.changed()), (Some(200_000), None));
        let audio = encoder(MediaKind::Audio, EncoderRates::default(), None);
        assert_eq!((audio.initial(), audio.changed()), (None, None));
    }
}
