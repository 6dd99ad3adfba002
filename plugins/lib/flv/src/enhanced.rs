//! Bodies of Enhanced RTMP (Veovera's Enhanced RTMP v2), as they are written: encodings by four characters.

use crate::Coding;

/// The highest bit of the first byte of a video body: what follows is in the enhanced form.
pub(crate) const VIDEO_EX_HEADER: u8 = 0x80;
/// SoundFormat of audio bodies in the enhanced form.
pub(crate) const AUDIO_EX_HEADER: u8 = 9;

// FrameType, in the place that it has in the enhanced form.
const KEYFRAME: u8 = 1 << 4;
const INTER_FRAME: u8 = 2 << 4;

// VideoPacketType and AudioPacketType, whose numbers are the same as far as both have them.
pub(crate) const SEQUENCE_START: u8 = 0;
pub(crate) const CODED_FRAMES: u8 = 1;
/// Of video only: without a composition time, which is 0.
pub(crate) const CODED_FRAMES_X: u8 = 3;
pub(crate) const MULTITRACK: u8 = 6;
pub(crate) const AUDIO_MULTITRACK: u8 = 5;
pub(crate) const MOD_EX: u8 = 7;

/// The body that comes before the first frame of pictures, and again when what it says changes.
/// `configuration`: hvcC, av1C, vpcC or avcC.
#[must_use]
pub fn video_sequence_start(coding: Coding, configuration: &[u8]) -> Vec<u8> {
    let first = VIDEO_EX_HEADER | KEYFRAME | SEQUENCE_START;
    body(first, coding, &[], configuration)
}

/// The body of a picture. `composition_time` as that of [`avc_frame`](crate::video::avc_frame); it is left out where
/// the encoding has none.
#[must_use]
pub fn video_frame(
    coding: Coding,
    is_keyframe: bool,
    composition_time: i32,
    content: &[u8],
) -> Vec<u8> {
    let frame_type = if is_keyframe { KEYFRAME } else { INTER_FRAME };
    let [_, time @ ..] = composition_time.to_be_bytes();
    match (coding.has_composition_time(), composition_time) {
        (true, 0) => body(
            VIDEO_EX_HEADER | frame_type | CODED_FRAMES_X,
            coding,
            &[],
            content,
        ),
        (true, _) => body(
            VIDEO_EX_HEADER | frame_type | CODED_FRAMES,
            coding,
            &time,
            content,
        ),
        (false, _) => body(
            VIDEO_EX_HEADER | frame_type | CODED_FRAMES,
            coding,
            &[],
            content,
        ),
    }
}

/// The body that comes before the first frame of sound. `configuration`: OpusHead or AudioSpecificConfig.
#[must_use]
pub fn audio_sequence_start(coding: Coding, configuration: &[u8]) -> Vec<u8> {
    let first = AUDIO_EX_HEADER << 4 | SEQUENCE_START;
    body(first, coding, &[], configuration)
}

/// The body of a frame of sound.
#[must_use]
pub fn audio_frame(coding: Coding, content: &[u8]) -> Vec<u8> {
    body(AUDIO_EX_HEADER << 4 | CODED_FRAMES, coding, &[], content)
}

fn body(first: u8, coding: Coding, time: &[u8], content: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(8 + content.len());
    body.push(first);
    body.extend_from_slice(coding.four_cc().as_bytes());
    body.extend_from_slice(time);
    body.extend_from_slice(content);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_follows() {
        assert_eq!(
            video_sequence_start(Coding::Hevc, &[1, 2]),
            b"\x90hvc1\x01\x02"
        );
        assert_eq!(video_frame(Coding::Hevc, true, 0, &[9]), b"\x93hvc1\x09");
        assert_eq!(
            video_frame(Coding::Hevc, false, 40, &[9]),
            b"\xa1hvc1\0\0\x28\x09"
        );
        assert_eq!(video_frame(Coding::Av1, true, 0, &[9]), b"\x91av01\x09");
        assert_eq!(audio_sequence_start(Coding::Opus, &[1]), b"\x90Opus\x01");
        assert_eq!(audio_frame(Coding::Opus, &[7]), b"\x91Opus\x07");
    }
}
