//! Bodies of video tags with H.264 (§E.4.3): codec 7, for which the specification says AVC.

const KEYFRAME: u8 = 1 << 4 | AVC;
const INTER_FRAME: u8 = 2 << 4 | AVC;
const AVC: u8 = 7;

// AVCPacketType
const SEQUENCE_HEADER: u8 = 0;
const UNITS: u8 = 1;

/// The body that comes before the first frame, and again when parameter sets change. `configuration`:
/// AVCDecoderConfigurationRecord, the content of `avcC`.
#[must_use]
pub fn avc_sequence_header(configuration: &[u8]) -> Vec<u8> {
    body(KEYFRAME, SEQUENCE_HEADER, 0, configuration)
}

/// The body of a frame. `composition_time`: ms from the tag's timestamp, which says when the frame is
/// decoded, to the time at which it is shown; 24 bits with a sign. `units`: NAL units, each behind its
/// length.
#[must_use]
pub fn avc_frame(is_keyframe: bool, composition_time: i32, units: &[u8]) -> Vec<u8> {
    let frame_type = if is_keyframe { KEYFRAME } else { INTER_FRAME };
    body(frame_type, UNITS, composition_time, units)
}

fn body(frame_type: u8, packet_type: u8, composition_time: i32, content: &[u8]) -> Vec<u8> {
    let [_, time @ ..] = composition_time.to_be_bytes();
    let mut body = Vec::with_capacity(5 + content.len());
    body.extend([frame_type, packet_type]);
    body.extend(time);
    body.extend_from_slice(content);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_follows() {
        assert_eq!(avc_sequence_header(&[1, 66]), [0x17, 0, 0, 0, 0, 1, 66]);
        assert_eq!(avc_frame(true, 40, &[9]), [0x17, 1, 0, 0, 40, 9]);
        assert_eq!(avc_frame(false, -2, &[9]), [0x27, 1, 0xff, 0xff, 0xfe, 9]);
    }
}
