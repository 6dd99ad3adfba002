//! Bodies of audio and video, as others send them: the first FLV's (§E.4.2, §E.4.3) and those of Enhanced RTMP v2.
//!
//! Whatever is not understood, or says nothing to a decoder, is `None` and is to be left out: senders put in commands,
//! empty bodies, encodings of their own, and go on with media behind them.

use crate::{
    Coding,
    enhanced::{
        AUDIO_EX_HEADER, AUDIO_MULTITRACK, CODED_FRAMES, CODED_FRAMES_X, MOD_EX, MULTITRACK,
        SEQUENCE_START, VIDEO_EX_HEADER,
    },
};

// CodecID and SoundFormat of the first FLV.
const AVC: u8 = 7;
/// Never standardised: what encoders sent HEVC with before there was Enhanced RTMP.
const HEVC: u8 = 12;
const AAC: u8 = 10;

// FrameType
const KEYFRAME: u8 = 1;
const COMMAND: u8 = 5;

// AvMultitrackType
const ONE_TRACK: u8 = 0;
const MANY_TRACKS_MANY_CODECS: u8 = 2;

/// A body that says something to a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body<'a> {
    /// How the track is encoded, as the sender says. Some mark HEVC as AVC; the configuration tells.
    pub coding: Coding,
    /// What is said of it.
    pub content: Content<'a>,
}

/// What a body has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// What a decoder is set up with: avcC, hvcC, av1C, vpcC, AudioSpecificConfig, OpusHead.
    Configuration(&'a [u8]),
    /// A frame.
    Frame {
        /// Decoders may begin with it; always so of sound.
        is_keyframe: bool,
        /// ms from its decoding to its presentation; may be negative.
        composition_time: i32,
        /// H.264 and H.265: units behind their lengths. AV1: OBUs. Others: as their codec has them.
        data: &'a [u8],
    },
}

/// A body of video.
#[must_use]
pub fn video(body: &[u8]) -> Option<Body<'_>> {
    let mut rest = Reader(body);
    let first = rest.byte()?;
    if first & VIDEO_EX_HEADER != 0 {
        return enhanced_video(first, rest);
    }
    let coding = match first & 0x0f {
        AVC => Coding::Avc,
        HEVC => Coding::Hevc,
        _ => return None,
    };
    let packet_type = rest.byte()?;
    let composition_time = rest.signed_short()?;
    let content = match packet_type {
        0 => configuration(rest.0)?,
        1 => frame(first >> 4, composition_time, rest.0)?,
        _ => return None,
    };
    Some(Body { coding, content })
}

fn enhanced_video(first: u8, mut rest: Reader<'_>) -> Option<Body<'_>> {
    let frame_type = first >> 4 & 7;
    let packet_type = rest.without_extensions(first & 0x0f)?;
    if frame_type == COMMAND {
        return None;
    }
    let (packet_type, coding) = rest.track(packet_type, MULTITRACK)?;
    if coding.is_audio() {
        return None;
    }
    let content = match packet_type {
        SEQUENCE_START => configuration(rest.0)?,
        CODED_FRAMES if coding.has_composition_time() => {
            let composition_time = rest.signed_short()?;
            frame(frame_type, composition_time, rest.0)?
        }
        CODED_FRAMES | CODED_FRAMES_X => frame(frame_type, 0, rest.0)?,
        _ => return None,
    };
    Some(Body { coding, content })
}

/// A body of audio.
#[must_use]
pub fn audio(body: &[u8]) -> Option<Body<'_>> {
    let mut rest = Reader(body);
    let first = rest.byte()?;
    let (packet_type, coding) = match first >> 4 {
        AAC => (rest.byte()?, Coding::Aac),
        AUDIO_EX_HEADER => {
            let packet_type = rest.without_extensions(first & 0x0f)?;
            rest.track(packet_type, AUDIO_MULTITRACK)?
        }
        _ => return None,
    };
    if !coding.is_audio() {
        return None;
    }
    let content = match packet_type {
        SEQUENCE_START => configuration(rest.0)?,
        CODED_FRAMES => frame(KEYFRAME, 0, rest.0)?,
        _ => return None,
    };
    Some(Body { coding, content })
}

/// `AF 00` alone and its like configure nothing.
fn configuration(data: &[u8]) -> Option<Content<'_>> {
    (!data.is_empty()).then_some(Content::Configuration(data))
}

fn frame(frame_type: u8, composition_time: i32, data: &[u8]) -> Option<Content<'_>> {
    let is_media = !data.is_empty() && frame_type != COMMAND;
    is_media.then_some(Content::Frame {
        is_keyframe: frame_type == KEYFRAME,
        composition_time,
        data,
    })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    fn short(&mut self) -> Option<usize> {
        let [a, b, c] = self.array()?;
        usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()
    }

    /// SI24.
    fn signed_short(&mut self) -> Option<i32> {
        let [a, b, c] = self.array()?;
        // The sign is that of the highest byte, which a shift to the right keeps.
        Some(i32::from_be_bytes([a, b, c, 0]) >> 8)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.0 = self.0.get(length..)?;
        Some(())
    }

    /// Passes over what modifies a packet (ModEx), which is nanoseconds so far; the type of the packet behind.
    fn without_extensions(&mut self, mut packet_type: u8) -> Option<u8> {
        while packet_type == MOD_EX {
            let mut length = usize::from(self.byte()?) + 1;
            if length == 256 {
                length = usize::from(u16::from_be_bytes(self.array()?)) + 1;
            }
            self.skip(length)?;
            packet_type = self.byte()? & 0x0f;
        }
        Some(packet_type)
    }

    /// Type and encoding of a packet, of whose tracks the first counts: senders use the others for further sizes or
    /// languages.
    fn track(&mut self, packet_type: u8, multitrack: u8) -> Option<(u8, Coding)> {
        if packet_type != multitrack {
            return Some((packet_type, Coding::from_four_cc(self.array()?)?));
        }
        let types = self.byte()?;
        let (track_type, packet_type) = (types >> 4, types & 0x0f);
        let common = if track_type == MANY_TRACKS_MANY_CODECS {
            None
        } else {
            Some(self.array()?)
        };
        loop {
            let four_cc = match common {
                Some(four_cc) => four_cc,
                None => self.array()?,
            };
            let is_first = self.byte()? == 0;
            let length = if track_type == ONE_TRACK {
                self.0.len()
            } else {
                self.short()?
            };
            if is_first {
                self.0 = self.0.get(..length)?;
                return Some((packet_type, Coding::from_four_cc(four_cc)?));
            }
            self.skip(length)?;
            // Tracks end with the body.
            if self.0.is_empty() {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audio as first_audio, enhanced, video as first_video};

    fn picture(coding: Coding, is_keyframe: bool, composition_time: i32, data: &[u8]) -> Body<'_> {
        let content = Content::Frame {
            is_keyframe,
            composition_time,
            data,
        };
        Body { coding, content }
    }

    fn set_up(coding: Coding, data: &[u8]) -> Body<'_> {
        Body {
            coding,
            content: Content::Configuration(data),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(
            video(&first_video::avc_sequence_header(&[1, 66])),
            Some(set_up(Coding::Avc, &[1, 66]))
        );
        for time in [0, 40, -2, 0x7f_ffff, -0x80_0000] {
            let body = first_video::avc_frame(true, time, &[9]);
            assert_eq!(video(&body), Some(picture(Coding::Avc, true, time, &[9])));
            for coding in Coding::ALL.into_iter().filter(|coding| !coding.is_audio()) {
                let body = enhanced::video_frame(coding, false, time, &[9]);
                let read = if coding.has_composition_time() {
                    time
                } else {
                    0
                };
                assert_eq!(video(&body), Some(picture(coding, false, read, &[9])));
            }
        }
        assert_eq!(
            video(&enhanced::video_sequence_start(Coding::Av1, &[7])),
            Some(set_up(Coding::Av1, &[7]))
        );
        assert_eq!(
            audio(&first_audio::aac_sequence_header(&[0x11, 0x90])),
            Some(set_up(Coding::Aac, &[0x11, 0x90]))
        );
        assert_eq!(
            audio(&first_audio::aac_frame(&[5])),
            Some(picture(Coding::Aac, true, 0, &[5]))
        );
        assert_eq!(
            audio(&enhanced::audio_frame(Coding::Opus, &[5])),
            Some(picture(Coding::Opus, true, 0, &[5]))
        );
    }

    /// Field report 27.
    #[test]
    fn odd_bodies_are_left_out() {
        for body in [
            &b""[..],
            b"\x17",
            b"\x17\x02\0\0\0",     // end of sequence
            b"\x17\0\0\0\0",       // a configuration of nothing
            b"\x17\x01\0\0\0",     // a frame of nothing
            b"\x52\0",             // a command
            b"\x22\0\0\0\0\x01",   // codec id 2, Sorenson's H.263
            b"\x1b\x01\0\0\0\x01", // 11
            b"\x1f\x01\0\0\0\x01", // 15
            b"\xd1hvc1\0",         // a command
            b"\x94hvc1\0",         // metadata
            b"\x91vvc1\0\0\0\x01",
            b"\x91Opus\x01",
        ] {
            assert_eq!(video(body), None, "{body:x?}");
        }
        for body in [
            &b""[..],
            b"\xaf",
            b"\xaf\0",
            b"\xaf\x01",
            b"\x2f\x01\x02", // MP3
            b"\xbf\x01\x02", // Speex
            b"\xff\x01\x02",
            b"\x91av01\x01",
        ] {
            assert_eq!(audio(body), None, "{body:x?}");
        }
    }

    #[test]
    fn codec_12_is_hevc() {
        assert_eq!(
            video(b"\x1c\x01\0\0\x28\x01"),
            Some(picture(Coding::Hevc, true, 40, &[1]))
        );
    }

    #[test]
    fn modifiers_and_further_tracks_are_passed_over() {
        // Nanoseconds in front, then a frame of AV1.
        let body = b"\x97\x02\0\0\x01\x01av01\x09";
        assert_eq!(video(body), Some(picture(Coding::Av1, true, 0, &[9])));
        let mut long = vec![0x97, 255, 0x01, 0x03];
        long.extend([0; 0x104]);
        long.extend(b"\x01av01\x09");
        assert_eq!(video(&long), Some(picture(Coding::Av1, true, 0, &[9])));
        assert_eq!(
            video(b"\x96\x01av01\0\x09"),
            Some(picture(Coding::Av1, true, 0, &[9])),
            "one track"
        );
        assert_eq!(
            video(b"\x96\x11av01\x01\0\0\x01\x08\0\0\0\x01\x09"),
            Some(picture(Coding::Av1, true, 0, &[9])),
            "two tracks, the second of which is the first"
        );
        assert_eq!(
            audio(b"\x95\x21fLaC\x01\0\0\x01\x08Opus\0\0\0\x01\x09"),
            Some(picture(Coding::Opus, true, 0, &[9])),
            "two encodings"
        );
        assert_eq!(audio(b"\x95\x11Opus\x01\0\0\x01\x08"), None);
    }
}
