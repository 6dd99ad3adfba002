//! Which encoding and layers of a source a consumer gets.

use rivero_plugin_api::Encoding;

/// What a better choice has to leave free on the path, so that it lasts.
const TO_RISE: f64 = 1.15;
/// Below this share of its bitrate a choice is given up.
const TO_FALL: f64 = 0.8;

/// An encoding, and the highest temporal layer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    pub(crate) encoding: u8,
    /// `u8::MAX`: all.
    pub(crate) temporal: u8,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            encoding: 0,
            temporal: u8::MAX,
        }
    }
}

/// What the path to a consumer carries, bit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// As far as it has shown; `u64::MAX` where nothing limits.
    pub(crate) estimate: u64,
    /// As is assumed before; `u64::MAX` where nothing is.
    pub(crate) start: u64,
}

impl From<u64> for Budget {
    fn from(estimate: u64) -> Self {
        Self {
            estimate,
            start: u64::MAX,
        }
    }
}

impl Budget {
    /// What to choose among `encodings` by, if that is but an assumption: it is not worth a lower
    /// frame rate, since it lasts for moments.
    pub(crate) fn assumed(self, encodings: &[Encoding]) -> Option<u64> {
        let assumes = self.estimate == u64::MAX && self.start != u64::MAX && encodings.len() > 1;
        assumes.then_some(self.start)
    }
}

/// A choice, and the bit/s that it takes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Candidate {
    choice: Choice,
    bitrate: f64,
}

/// Whether consumers of these encodings may get different amounts.
pub(crate) fn are_layered(encodings: &[Encoding]) -> bool {
    encodings.len() > 1
        || encodings
            .iter()
            .any(|encoding| encoding.temporal_layers > 1)
}

/// The part of the bitrate that the least choice of a single encoding takes.
pub(crate) fn least_share(encodings: &[Encoding]) -> f64 {
    encodings
        .first()
        .map_or(1.0, |encoding| share(encoding.temporal_layers, 0))
}

/// The best choice that `estimate` bit/s carry; `None` while nothing is known about any
/// encoding. Where there is nothing to choose it is the whole. `present` is what the consumer gets so far, which is not given up easily.
pub(crate) fn choose(encodings: &[Encoding], estimate: u64, present: Choice) -> Option<Choice> {
    if !encodings.is_empty() && !are_layered(encodings) {
        return Some(Choice::default());
    }
    let candidates = candidates(encodings);
    #[allow(clippy::cast_precision_loss)]
    let estimate = estimate as f64;
    let held = candidates
        .iter()
        .find(|candidate| candidate.choice == present);
    let held = held.filter(|held| held.bitrate * TO_FALL <= estimate);
    let affordable = candidates.iter().rfind(|candidate| match held {
        Some(held) if candidate.bitrate > held.bitrate => candidate.bitrate * TO_RISE <= estimate,
        Some(held) => candidate == &held,
        None => candidate.bitrate <= estimate,
    });
    affordable
        .or(candidates.first())
        .map(|candidate| candidate.choice)
}

/// Bit/s of the next better choice, 0 when there is none.
pub(crate) fn next_bitrate(encodings: &[Encoding], present: Choice) -> u64 {
    let candidates = candidates(encodings);
    let mut better = candidates
        .iter()
        .skip_while(|candidate| candidate.choice != present)
        .skip(1);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    better
        .next()
        .map_or(0, |candidate| candidate.bitrate as u64)
}

/// Bit/s of a single encoding that a path with this estimate does not surely carry, else 0.
pub(crate) fn missing_bitrate(encodings: &[Encoding], estimate: u64) -> u64 {
    let [encoding] = encodings else { return 0 };
    #[allow(clippy::cast_precision_loss)]
    let lasts = encoding.bitrate as f64 * TO_RISE <= estimate as f64;
    if lasts { 0 } else { encoding.bitrate }
}

/// What there is to choose from, by bitrate: the temporal layers of the least encoding, then the
/// others. Encodings that are not being sent are none.
fn candidates(encodings: &[Encoding]) -> Vec<Candidate> {
    let sent = (0u8..)
        .zip(encodings)
        .filter(|(_, encoding)| encoding.bitrate > 0);
    let mut sent: Vec<(u8, &Encoding)> = sent.collect();
    sent.sort_by_key(|(_, encoding)| encoding.bitrate);
    let mut candidates = Vec::new();
    for (position, (number, encoding)) in sent.into_iter().enumerate() {
        #[allow(clippy::cast_precision_loss)]
        let bitrate = encoding.bitrate as f64;
        let layers = encoding.temporal_layers.max(1);
        let lower = if position == 0 { layers - 1 } else { 0 };
        candidates.extend((0..lower).map(|temporal| Candidate {
            choice: Choice {
                encoding: number,
                temporal,
            },
            bitrate: bitrate * share(layers, temporal),
        }));
        candidates.push(Candidate {
            choice: Choice {
                encoding: number,
                temporal: u8::MAX,
            },
            bitrate,
        });
    }
    candidates
}

/// The part of an encoding's bitrate that its temporal layers up to `temporal` take, as common
/// encoders divide it.
fn share(layers: u8, temporal: u8) -> f64 {
    match (layers, temporal) {
        (0 | 1, _) => 1.0,
        (2, 0) => 0.6,
        (3, 0) => 0.4,
        (3, 1) => 0.6,
        (layers, temporal) => (f64::from(temporal) + 1.0) / f64::from(layers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HIGH: Choice = Choice {
        encoding: 2,
        temporal: u8::MAX,
    };
    const MIDDLE: Choice = Choice {
        encoding: 1,
        ..HIGH
    };
    const LOW: Choice = Choice {
        encoding: 0,
        ..HIGH
    };

    fn encodings() -> Vec<Encoding> {
        [150_000, 500_000, 1_500_000]
            .map(|bitrate| Encoding {
                bitrate,
                temporal_layers: 3,
                ..Encoding::default()
            })
            .to_vec()
    }

    #[test]
    fn the_best_that_the_path_carries() {
        let choose = |estimate| choose(&encodings(), estimate, MIDDLE).unwrap();
        assert_eq!(choose(u64::MAX), HIGH);
        assert_eq!(choose(1_800_000), HIGH);
        assert_eq!(choose(1_600_000), MIDDLE, "too little to last");
        assert_eq!(choose(410_000), MIDDLE, "a passing weakness");
        assert_eq!(choose(390_000), LOW);
        assert_eq!(choose(100_000), Choice { temporal: 1, ..LOW });
        assert_eq!(choose(10_000), Choice { temporal: 0, ..LOW });
    }

    #[test]
    fn what_is_not_being_sent_is_no_choice() {
        let mut encodings = encodings();
        encodings[2].bitrate = 0;
        assert_eq!(choose(&encodings, u64::MAX, HIGH), Some(MIDDLE));
        assert_eq!(choose(&[], u64::MAX, HIGH), None);
        assert_eq!(next_bitrate(&encodings, MIDDLE), 0);
    }

    #[test]
    fn the_only_one_is_chosen_whatever_was_before() {
        let mut single = encodings()[..1].to_vec();
        (single[0].temporal_layers, single[0].bitrate) = (1, 0);
        assert_eq!(choose(&single, 10_000, HIGH), Some(Choice::default()));
    }

    #[test]
    fn a_single_encoding_is_missed_where_the_path_does_not_carry_it() {
        let single = &encodings()[1..2];
        assert_eq!(missing_bitrate(single, 300_000), 500_000);
        assert_eq!(missing_bitrate(single, 600_000), 0);
        assert_eq!(missing_bitrate(single, u64::MAX), 0);
        assert_eq!(missing_bitrate(&encodings(), 300_000), 0);
    }

    #[test]
    fn the_next_better_one() {
        assert_eq!(next_bitrate(&encodings(), LOW), 500_000);
        assert_eq!(next_bitrate(&encodings(), HIGH), 0);
        let least = Choice { temporal: 0, ..LOW };
        assert_eq!(next_bitrate(&encodings(), least), 90_000);
    }
}
