//! Bodies of audio tags with AAC (§E.4.2).

/// AAC, 44 kHz, 16 bits, stereo: what the format prescribes for any AAC. Players read the rate and the
/// channels from the configuration.
const AAC: u8 = 0xaf;

// AACPacketType
const SEQUENCE_HEADER: u8 = 0;
const RAW: u8 = 1;

/// The body that comes before the first frame. `configuration`: AudioSpecificConfig.
#[must_use]
pub fn aac_sequence_header(configuration: &[u8]) -> Vec<u8> {
    body(SEQUENCE_HEADER, configuration)
}

/// The body of a frame, which has no ADTS around it.
#[must_use]
pub fn aac_frame(frame: &[u8]) -> Vec<u8> {
    body(RAW, frame)
}

fn body(packet_type: u8, content: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(2 + content.len());
    body.extend([AAC, packet_type]);
    body.extend_from_slice(content);
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_follows() {
        assert_eq!(aac_sequence_header(&[0x11, 0x90]), [0xaf, 0, 0x11, 0x90]);
        assert_eq!(aac_frame(&[7]), [0xaf, 1, 7]);
    }
}
