//! Frames out of segments (RFC 8216 §3).
//!
//! Own code, and not the demultiplexers of GStreamer, because of the times: those count from the first packet that they
//! get, which is another one in a rendition of sound than in one of pictures, and each discontinuity is a beginning for
//! them. Here every frame has the time that stands in the segment. Of each segment the first track of a kind is read.

mod boxes;
mod fragments;
mod movie;
mod packed;
mod pes;
mod sections;
mod transport;

use std::collections::VecDeque;

use bytes::Bytes;

use crate::Error;
use fragments::Fragments;
use packed::Packed;
use transport::Transport;

/// More of a segment is not kept at once.
const MOST_KEPT: usize = 64 << 20;

/// Sound or pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
}

/// How the frames of a track are coded, and what a decoder has to be told besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Codec {
    /// With a record (ISO/IEC 14496-15 §5.3.3) units have their lengths before them, else start codes.
    H264(Option<Bytes>),
    /// The same (§8.3.3).
    H265(Option<Bytes>),
    /// With its record (AV1 in ISOBMFF §2.3).
    Av1(Bytes),
    /// VP9.
    Vp9,
    /// MPEG-1 or 2 video; the version.
    MpegVideo(u8),
    /// With its configuration (ISO/IEC 14496-3 §1.6.2.1) raw frames, else frames with ADTS headers.
    Aac(Option<Bytes>),
    /// AAC in LOAS.
    AacLoas,
    /// MPEG-1 or 2 audio, of any layer.
    MpegAudio,
    /// AC-3.
    Ac3,
    /// Enhanced AC-3.
    Eac3,
    /// With the channels that its own box tells (Opus in ISOBMFF §4.3.2).
    Opus(u8),
}

impl Codec {
    /// What it codes.
    pub fn kind(&self) -> Kind {
        match self {
            Self::H264(_) | Self::H265(_) | Self::Av1(_) | Self::Vp9 | Self::MpegVideo(_) => {
                Kind::Video
            }
            _ => Kind::Audio,
        }
    }
}

/// What is found in a segment.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// There is such a track. All are told before the first frame; a later one of the same kind takes the place of the former.
    Track(Codec),
    /// The next frame of a track, or the next bytes of it.
    Frame(Frame),
}

/// Media of a track.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    /// Of the track.
    pub kind: Kind,
    /// When it is shown or heard, ns; `None`: it goes on behind the bytes before it.
    pub time: Option<i64>,
    /// When it is to be decoded, ns, where that is told.
    pub decode_time: Option<i64>,
    /// ns; 0: unknown.
    pub duration: i64,
    /// Others are needed to decode it; unknown is `false`.
    pub is_delta: bool,
    /// As the codec says.
    pub bytes: Bytes,
}

/// Reads the segments of a period one after the other.
pub struct Demuxer {
    container: Option<Container>,
    /// What came before the container was known.
    beginning: Vec<u8>,
    /// ns; times of transport streams are near this.
    near: Option<i64>,
}

enum Container {
    Transport(Transport),
    Fragments(Fragments),
    Packed(Packed),
}

/// So many bytes are looked at: a packet of a transport stream and the beginning of the next, an ID3 header.
const SNIFFED: usize = 189;

impl Demuxer {
    /// For segments of one period. `near`: what the time of the first frame is near to, where that is known; else it may be less by a multiple of 26.5 hours.
    pub fn new(near: Option<i64>) -> Self {
        Self {
            container: None,
            beginning: Vec::new(),
            near,
        }
    }

    /// Takes the next bytes of a segment, and gives what is found in them.
    ///
    /// # Errors
    /// [`Error::Segment`], [`Error::Container`], [`Error::Encryption`]
    pub fn push(&mut self, bytes: Bytes, found: &mut VecDeque<Event>) -> Result<(), Error> {
        if let Some(container) = &mut self.container {
            return container.push(&bytes, found);
        }
        self.beginning.extend_from_slice(&bytes);
        if self.beginning.len() >= SNIFFED {
            self.begin(found)?;
        }
        Ok(())
    }

    /// The segment is over.
    ///
    /// # Errors
    /// The same
    pub fn end_segment(&mut self, found: &mut VecDeque<Event>) -> Result<(), Error> {
        if self.container.is_none() && !self.beginning.is_empty() {
            self.begin(found)?;
        }
        match &mut self.container {
            Some(Container::Transport(transport)) => transport.end_segment(found),
            Some(Container::Fragments(fragments)) => fragments.end_segment(),
            Some(Container::Packed(packed)) => {
                packed.end_segment();
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn begin(&mut self, found: &mut VecDeque<Event>) -> Result<(), Error> {
        let beginning = std::mem::take(&mut self.beginning);
        let container = match beginning.as_slice() {
            bytes if transport::begins(bytes) => Container::Transport(Transport::new(self.near)),
            bytes if fragments::begins(bytes) => Container::Fragments(Fragments::default()),
            bytes if packed::begins(bytes) => Container::Packed(Packed::new(self.near)),
            _ => return Err(Error::Container),
        };
        self.container.insert(container).push(&beginning, found)
    }
}

impl Container {
    fn push(&mut self, bytes: &[u8], found: &mut VecDeque<Event>) -> Result<(), Error> {
        match self {
            Self::Transport(transport) => transport.push(bytes, found),
            Self::Fragments(fragments) => fragments.push(bytes, found),
            Self::Packed(packed) => packed.push(bytes, found),
        }
    }
}

/// Times that are coded with 33 bits, in units of 1/90000 s (ISO/IEC 13818-1 §2.4.3.7), as ns.
#[derive(Debug, Default)]
struct Clock {
    /// In those units, of the latest time.
    last: Option<i64>,
}

impl Clock {
    const CYCLE: i64 = 1 << 33;

    fn near(time: Option<i64>) -> Self {
        Self {
            last: time.map(|ns| (i128::from(ns) * 9 / 100_000) as i64),
        }
    }

    /// The time that is nearest to the latest one.
    fn read(&mut self, coded: u64) -> i64 {
        let coded = i64::try_from(coded & ((1 << 33) - 1)).unwrap_or(0);
        let time = match self.last {
            None => coded,
            Some(last) => {
                let ahead = (coded - last).rem_euclid(Self::CYCLE);
                let ahead = if ahead >= Self::CYCLE / 2 {
                    ahead - Self::CYCLE
                } else {
                    ahead
                };
                last.saturating_add(ahead)
            }
        };
        self.last = Some(time);
        (i128::from(time) * 100_000 / 9) as i64
    }
}

#[cfg(test)]
mod tests;
