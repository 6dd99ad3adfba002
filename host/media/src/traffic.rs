//! What all pads together have carried, by codec; and what the paths of their consumers are said to carry.
//!
//! Formats come from peers and clients, who may name any encoding. So codecs that the conversions of the
//! installed modules know are told apart, and all others are one.

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rivero_plugin_api::{Conversion, Format, Packaging};

/// What stands for all codecs that no conversion knows.
const OTHER: &str = "other";

/// What stands for media that no codec has coded.
const RAW: &str = "raw";

/// Upper bounds of the time that media takes through the server, in ns; what takes longer comes after the
/// last.
pub const FORWARDING_BOUNDS: [u64; 10] = [
    50_000, 100_000, 250_000, 500_000, 1_000_000, 2_000_000, 3_000_000, 5_000_000, 10_000_000,
    20_000_000,
];

/// Upper bounds of estimates in bit/s: from less than sound to more than a conference takes.
pub const ESTIMATE_BOUNDS: [u64; 6] =
    [100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, u64::MAX];
/// What one path adds to the sum at most, whatever a module says of it.
const LARGEST_ESTIMATE: u64 = 100_000_000_000;

/// Counters of one codec. Relaxed: each stands for itself.
#[derive(Debug, Default)]
pub(crate) struct CodecTraffic {
    packets_in: AtomicU64,
    bytes_in: AtomicU64,
    packets_out: AtomicU64,
    bytes_out: AtomicU64,
    /// Bursts by age when they had been handed over.
    ages: [AtomicU64; FORWARDING_BOUNDS.len() + 1],
    /// ns, all together.
    age: AtomicU64,
}

/// What a codec has come to since the server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficFigures {
    /// Name of the encoding, or `other`.
    pub codec: String,
    /// Packets that elements gave out.
    pub packets_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Packets that elements were given, each as often as there were takers.
    pub packets_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// How many bursts took as long as each of [`FORWARDING_BOUNDS`] and longer than the one before, from the
    /// arrival of the first packet to its having been handed to all takers; and at last those that took longer.
    pub ages: [u64; FORWARDING_BOUNDS.len() + 1],
    /// ns that these took all together.
    pub age: u64,
}

/// What went to elements of one burst.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    packets: Cell<u64>,
    bytes: Cell<u64>,
}

impl Tally {
    pub(crate) fn add(&self, packets: u64, bytes: u64) {
        self.packets.set(self.packets.get() + packets);
        self.bytes.set(self.bytes.get() + bytes);
    }

    pub(crate) fn join(&self, other: &Tally) {
        self.add(other.packets.get(), other.bytes.get());
    }
}

impl CodecTraffic {
    pub(crate) fn on_in(&self, packets: u64, bytes: u64) {
        self.packets_in.fetch_add(packets, Relaxed);
        self.bytes_in.fetch_add(bytes, Relaxed);
    }

    /// What was handed over; `age`: ns since it came, where that is known.
    pub(crate) fn on_out(&self, tally: &Tally, age: impl FnOnce() -> Option<i64>) {
        if tally.packets.get() == 0 {
            return;
        }
        self.packets_out.fetch_add(tally.packets.get(), Relaxed);
        self.bytes_out.fetch_add(tally.bytes.get(), Relaxed);
        let Some(age) = age().and_then(|age| u64::try_from(age).ok()) else {
            return;
        };
        self.age.fetch_add(age, Relaxed);
        let bucket = FORWARDING_BOUNDS.partition_point(|bound| *bound < age);
        if let Some(bucket) = self.ages.get(bucket) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    fn figures(&self, codec: &str) -> TrafficFigures {
        TrafficFigures {
            codec: codec.to_owned(),
            packets_in: self.packets_in.load(Relaxed),
            bytes_in: self.bytes_in.load(Relaxed),
            packets_out: self.packets_out.load(Relaxed),
            bytes_out: self.bytes_out.load(Relaxed),
            ages: std::array::from_fn(|place| {
                self.ages
                    .get(place)
                    .map_or(0, |bucket| bucket.load(Relaxed))
            }),
            age: self.age.load(Relaxed),
        }
    }
}

/// The counters of all codecs.
#[derive(Debug, Default)]
pub(crate) struct Traffic(Mutex<BTreeMap<String, Arc<CodecTraffic>>>);

impl Traffic {
    /// The counters of an encoding, as far as one of `conversions` knows it.
    pub(crate) fn of(&self, encoding: &str, conversions: &[Conversion]) -> Arc<CodecTraffic> {
        let codec = codec(encoding, conversions).to_owned();
        let mut codecs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        codecs.entry(codec).or_default().clone()
    }

    pub(crate) fn figures(&self) -> Vec<TrafficFigures> {
        let codecs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let figures = codecs.iter().map(|(codec, traffic)| traffic.figures(codec));
        figures.collect()
    }
}

/// Codecs that media has and that a consumer gets instead.
type Pair = (String, String);

/// How many links carry media that is decoded or encoded on its way, by the codecs at both ends.
#[derive(Debug, Default)]
pub(crate) struct Transcoded(Mutex<BTreeMap<Pair, Arc<()>>>);

/// A link that is counted for as long as it has this.
#[derive(Debug)]
pub(crate) struct TranscodedLink {
    _counted: Arc<()>,
}

/// The same at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranscodedFigures {
    /// Codec of what is sent, `raw` of what is no codec's.
    pub input: String,
    /// Codec of what is accepted, `raw` of what is no codec's.
    pub output: String,
    /// Links between these.
    pub links: u64,
}

impl Transcoded {
    /// One more link from a format to another one, where `conversions` made the way.
    pub(crate) fn link(&self, ends: [&Format; 2], conversions: &[Conversion]) -> TranscodedLink {
        let [input, output] = ends.map(|format| match format.packaging {
            Packaging::Raw => RAW,
            _ => codec(&format.encoding, conversions),
        });
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = pairs.entry((input.to_owned(), output.to_owned()));
        TranscodedLink {
            _counted: counted.or_default().clone(),
        }
    }

    pub(crate) fn figures(&self) -> Vec<TranscodedFigures> {
        let mut pairs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pairs.retain(|_, counted| Arc::strong_count(counted) > 1);
        let figures = pairs
            .iter()
            .map(|((input, output), counted)| TranscodedFigures {
                input: input.clone(),
                output: output.clone(),
                // One is the table's own.
                links: Arc::strong_count(counted) as u64 - 1,
            });
        figures.collect()
    }
}

/// What an encoding is called in figures.
pub(crate) fn codec<'c>(encoding: &str, conversions: &'c [Conversion]) -> &'c str {
    let mut names = conversions.iter().flat_map(|conversion| {
        [&conversion.input, &conversion.output].map(|(encoding, _)| encoding.as_str())
    });
    let known = names.find(|known| known.eq_ignore_ascii_case(encoding));
    known.unwrap_or(OTHER)
}

/// What the paths of all consumers are said to carry. Relaxed: each number stands for itself.
#[derive(Debug, Default)]
pub(crate) struct Estimates {
    paths: [AtomicU64; ESTIMATE_BOUNDS.len()],
    sum: AtomicU64,
}

/// The same at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EstimateFigures {
    /// Paths with an estimate up to each of [`ESTIMATE_BOUNDS`] and above the one before.
    pub paths: [u64; ESTIMATE_BOUNDS.len()],
    /// bit/s of all of them together.
    pub sum: u64,
}

impl Estimates {
    /// An estimate takes the place of another one; `u64::MAX` is none.
    pub(crate) fn change(&self, former: u64, now: u64) {
        if former == now {
            return;
        }
        if let Some(paths) = self.class(now) {
            paths.fetch_add(1, Relaxed);
            self.sum.fetch_add(now.min(LARGEST_ESTIMATE), Relaxed);
        }
        if let Some(paths) = self.class(former) {
            paths.fetch_sub(1, Relaxed);
            self.sum.fetch_sub(former.min(LARGEST_ESTIMATE), Relaxed);
        }
    }

    fn class(&self, estimate: u64) -> Option<&AtomicU64> {
        if estimate == u64::MAX {
            return None;
        }
        let place = ESTIMATE_BOUNDS.partition_point(|bound| *bound < estimate);
        self.paths.get(place)
    }

    pub(crate) fn figures(&self) -> EstimateFigures {
        EstimateFigures {
            paths: std::array::from_fn(|place| {
                self.paths.get(place).map_or(0, |paths| paths.load(Relaxed))
            }),
            sum: self.sum.load(Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use rivero_plugin_api::Packaging;

    use super::*;

    #[test]
    fn what_no_conversion_knows_is_one_codec() {
        let traffic = Traffic::default();
        let conversions = [Conversion {
            input: ("VP8".into(), Packaging::Rtp),
            output: ("I420".into(), Packaging::Raw),
            cost: 1,
        }];
        for encoding in ["vp8", "VP8", "I420", "X-1", "X-2", "other"] {
            traffic.of(encoding, &conversions).on_in(1, 10);
        }
        let figures = traffic.figures();
        let packets: Vec<_> = figures.iter().map(|f| (&*f.codec, f.packets_in)).collect();
        assert_eq!(packets, [("I420", 1), ("VP8", 2), ("other", 3)]);
    }

    #[test]
    fn a_link_is_counted_for_as_long_as_it_carries() {
        let conversions = [Conversion {
            input: ("VP8".into(), Packaging::Frame),
            output: ("H264".into(), Packaging::Rtp),
            cost: 1,
        }];
        let transcoded = Transcoded::default();
        let [vp8, h264, unknown] =
            ["vp8", "H264", "X-1"].map(|encoding| Format::rtp(encoding, 90_000, 0));
        let raw = Format {
            packaging: Packaging::Raw,
            ..Format::rtp("I420", 0, 0)
        };
        let links = [
            [&vp8, &h264],
            [&vp8, &h264],
            [&vp8, &raw],
            [&unknown, &h264],
        ]
        .map(|ends| transcoded.link(ends, &conversions));
        let figures = transcoded.figures();
        let shown: Vec<_> = figures
            .iter()
            .map(|f| (f.input.as_str(), f.output.as_str(), f.links))
            .collect();
        let expected = [("VP8", "H264", 2), ("VP8", "raw", 1), ("other", "H264", 1)];
        assert_eq!(shown, expected);
        drop(links);
        assert_eq!(transcoded.figures(), []);
    }

    #[test]
    fn bursts_that_went_to_nobody_have_no_age() {
        let traffic = CodecTraffic::default();
        let tally = Tally::default();
        traffic.on_out(&tally, || Some(1));
        tally.add(2, 200);
        for age in [Some(50_000), Some(50_001), Some(20_000_001), Some(-1), None] {
            traffic.on_out(&tally, || age);
        }
        let figures = traffic.figures("x");
        assert_eq!(figures.ages, [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!((figures.packets_out, figures.bytes_out), (10, 1_000));
        assert_eq!(figures.age, 20_100_002);
    }

    #[test]
    fn estimates_come_change_and_go() {
        let estimates = Estimates::default();
        estimates.change(u64::MAX, 100_000);
        estimates.change(u64::MAX, 5_000_000);
        estimates.change(100_000, 200_000);
        estimates.change(u64::MAX, u64::MAX - 1);
        let figures = estimates.figures();
        assert_eq!(figures.paths, [0, 1, 0, 0, 1, 1]);
        assert_eq!(figures.sum, 5_200_000 + LARGEST_ESTIMATE);
        for former in [200_000, 5_000_000, u64::MAX - 1] {
            estimates.change(former, u64::MAX);
        }
        assert_eq!(estimates.figures(), EstimateFigures::default());
    }
}
