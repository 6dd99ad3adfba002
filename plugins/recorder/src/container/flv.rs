//! FLV (Adobe Flash Video File Format Specification 10.1, annex E): H.264 and AAC.

use std::io;

use rivero_codec::{Codec, Track};
use rivero_plugin_api::MediaKind;

use super::{Container, Output, track_index};
use crate::{kinds::PerKind, sample::Sample, track::kind_of};

const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const SCRIPT: u8 = 18;
/// AAC, 44 kHz, 16 bits, stereo: what the format prescribes for any AAC.
const AAC: u8 = 0xaf;
const AVC_KEYFRAME: u8 = 0x17;
const AVC_DELTA: u8 = 0x27;
/// Offset of the flags that tell which media there are.
const FLAGS_AT: u64 = 4;

/// An FLV file.
#[derive(Default)]
pub(crate) struct Flv {
    tracks: Vec<Track>,
    begins: Option<u64>,
    /// Where the value of `duration` stands.
    duration: u64,
    /// ms, of each kind for itself: one may be behind the other.
    latest: PerKind<u32>,
}

impl Flv {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    fn flags(&self) -> u8 {
        let has = |kind| track_index(&self.tracks, kind).is_some();
        u8::from(has(MediaKind::Audio)) << 2 | u8::from(has(MediaKind::Video))
    }

    fn begin(&mut self, output: &mut dyn Output) -> io::Result<()> {
        let begins = output.length();
        // Players take the flags at their word: both, where they cannot be changed later.
        let flags = if output.can_patch() { self.flags() } else { 5 };
        let mut bytes = b"FLV\x01".to_vec();
        bytes.push(flags);
        bytes.extend([0, 0, 0, 9, 0, 0, 0, 0]);
        let (script, duration) = metadata();
        self.duration = begins + bytes.len() as u64 + 11 + duration as u64;
        bytes.extend(tag(SCRIPT, 0, &script));
        output.append(&bytes)?;
        self.begins = Some(begins);
        Ok(())
    }
}

impl Container for Flv {
    fn set_tracks(&mut self, tracks: &[Track], output: &mut dyn Output) -> io::Result<bool> {
        let known = self.tracks.len();
        self.tracks = tracks.to_vec();
        match self.begins {
            None => self.begin(output)?,
            Some(begins) => output.patch(begins + FLAGS_AT, &[self.flags()])?,
        }
        for track in self.tracks.iter().skip(known) {
            let (kind, mut body) = match track.codec {
                Codec::H264 => (VIDEO, vec![AVC_KEYFRAME, 0, 0, 0, 0]),
                _ => (AUDIO, vec![AAC, 0]),
            };
            body.extend_from_slice(&track.configuration);
            let time = self.latest.of(kind_of(track.codec)).copied().unwrap_or_default();
            output.append(&tag(kind, time, &body))?;
        }
        Ok(true)
    }

    fn write(&mut self, chunk: &[Sample], output: &mut dyn Output) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut latest = self.latest;
        for (sample, decoding_time) in in_decoding_order(chunk) {
            let Some(latest) = latest.of_mut(sample.kind) else {
                continue;
            };
            *latest = decoding_time.max(*latest);
            let mut body = match sample.kind {
                MediaKind::Video => {
                    let kind = if sample.keyframe {
                        AVC_KEYFRAME
                    } else {
                        AVC_DELTA
                    };
                    let presented = i64::from(milliseconds(sample.time));
                    let offset = i32::try_from(presented - i64::from(*latest)).unwrap_or_default();
                    let [_, a, b, c] = offset.to_be_bytes();
                    vec![kind, 1, a, b, c]
                }
                _ => vec![AAC, 1],
            };
            body.extend_from_slice(&sample.data);
            let kind = if sample.kind == MediaKind::Video {
                VIDEO
            } else {
                AUDIO
            };
            bytes.extend(tag(kind, *latest, &body));
        }
        output.append(&bytes)?;
        self.latest = latest;
        output.patch(
            self.duration,
            &(f64::from(latest.audio.max(latest.video)) / 1000.0).to_be_bytes(),
        )
    }

    fn finish(&mut self, end: i64, output: &mut dyn Output) -> io::Result<()> {
        match self.begins {
            Some(_) => output.patch(self.duration, &(end as f64 / 1e9).to_be_bytes()),
            None => Ok(()),
        }
    }
}

fn milliseconds(time: i64) -> u32 {
    u32::try_from((time + 500_000) / 1_000_000).unwrap_or_default()
}

/// Samples by the time at which they are decoded: video in its own order, at
/// its sorted presentation times.
fn in_decoding_order(chunk: &[Sample]) -> Vec<(&Sample, u32)> {
    let of = |kind| chunk.iter().filter(move |sample| sample.kind == kind);
    let mut times: Vec<u32> = of(MediaKind::Video)
        .map(|sample| milliseconds(sample.time))
        .collect();
    times.sort_unstable();
    let video = of(MediaKind::Video).zip(times);
    let audio = of(MediaKind::Audio).map(|sample| (sample, milliseconds(sample.time)));
    let mut all: Vec<_> = video.chain(audio).collect();
    all.sort_by_key(|(_, time)| *time);
    all
}

/// A tag and its size behind it.
fn tag(kind: u8, time: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or_default();
    let [_, length @ ..] = length.to_be_bytes();
    let [highest, time @ ..] = time.to_be_bytes();
    let mut bytes = vec![kind];
    bytes.extend(length);
    bytes.extend(time);
    bytes.push(highest);
    bytes.extend([0, 0, 0]);
    bytes.extend_from_slice(body);
    let size = u32::try_from(bytes.len()).unwrap_or_default();
    bytes.extend(size.to_be_bytes());
    bytes
}

/// `onMetaData` with a duration, and where in it the number stands.
fn metadata() -> (Vec<u8>, usize) {
    const STRING: u8 = 2;
    const ARRAY: u8 = 8;
    let name = |bytes: &mut Vec<u8>, name: &str| {
        bytes.extend(u16::try_from(name.len()).unwrap_or_default().to_be_bytes());
        bytes.extend_from_slice(name.as_bytes());
    };
    let mut bytes = vec![STRING];
    name(&mut bytes, "onMetaData");
    bytes.extend([ARRAY, 0, 0, 0, 1]);
    name(&mut bytes, "duration");
    bytes.push(0); // a number
    let at = bytes.len();
    bytes.extend(0f64.to_be_bytes());
    bytes.extend([0, 0, 9]); // end of the array
    (bytes, at)
}
