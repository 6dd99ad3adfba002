//! Clusters: the samples of a moment.

use rivero_codec::Track;
use rivero_plugin_api::MediaKind;

use super::{super::track_index, ebml::Ebml};
use crate::sample::Sample;

const CLUSTER: u32 = 0x1f43_b675;
const TIMESTAMP: u32 = 0xe7;
const SIMPLE_BLOCK: u32 = 0xa3;
const KEYFRAME: u8 = 0x80;
/// The distance of a block to its cluster has 16 bits, ms.
const LONGEST: i64 = 30_000;

/// A finished cluster.
pub(super) struct Cluster {
    pub(super) bytes: Vec<u8>,
    /// ms
    pub(super) time: i64,
    /// Where its last sample ends, ns.
    pub(super) end: i64,
    /// Track and time (ms) of the video keyframe that it begins with.
    pub(super) keyframe: Option<(usize, i64)>,
}

fn milliseconds(time: i64) -> i64 {
    (time + 500_000).div_euclid(1_000_000)
}

/// The clusters of a chunk: one, unless it spans more than blocks can say.
pub(super) fn clusters(chunk: &[Sample], tracks: &[Track]) -> Vec<Cluster> {
    let mut parts: Vec<Vec<&Sample>> = Vec::new();
    let mut range = (0, 0);
    for sample in chunk {
        let time = milliseconds(sample.time);
        let wider = (range.0.min(time), range.1.max(time));
        match parts.last_mut() {
            Some(part) if wider.1 - wider.0 < LONGEST => {
                part.push(sample);
                range = wider;
            }
            _ => {
                parts.push(vec![sample]);
                range = (time, time);
            }
        }
    }
    parts.iter().map(|part| cluster(part, tracks)).collect()
}

fn cluster(samples: &[&Sample], tracks: &[Track]) -> Cluster {
    let times = samples.iter().map(|sample| milliseconds(sample.time));
    let time = times.min().unwrap_or_default().max(0);
    let mut content = Ebml::new().uint(TIMESTAMP, u64::try_from(time).unwrap_or_default());
    for sample in samples {
        if let Some(track) = track_index(tracks, sample.kind) {
            content = content.binary(SIMPLE_BLOCK, &block(sample, track, time));
        }
    }
    let first = samples
        .iter()
        .find(|sample| sample.kind == MediaKind::Video);
    let keyframe = first.filter(|sample| sample.keyframe);
    Cluster {
        bytes: Ebml::new().master(CLUSTER, content).into_bytes(),
        time,
        end: samples
            .iter()
            .map(|sample| sample.end())
            .max()
            .unwrap_or_default(),
        keyframe: keyframe.and_then(|sample| {
            Some((track_index(tracks, sample.kind)?, milliseconds(sample.time)))
        }),
    }
}

/// Track, time and flags, then the frame.
fn block(sample: &Sample, track: usize, cluster: i64) -> Vec<u8> {
    let distance = milliseconds(sample.time) - cluster;
    let distance = i16::try_from(distance).unwrap_or(i16::MAX);
    let mut block = Vec::with_capacity(sample.data.len() + 4);
    // At most two tracks: their numbers are one byte long.
    block.push(0x80 | u8::try_from(track + 1).unwrap_or(1));
    block.extend(distance.to_be_bytes());
    block.push(if sample.keyframe { KEYFRAME } else { 0 });
    block.extend_from_slice(&sample.data);
    block
}
