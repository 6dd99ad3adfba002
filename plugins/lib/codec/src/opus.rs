//! Opus: `OpusHead` (RFC 7845 §5.1) and the duration of a packet (RFC 6716 §3.1).

/// Samples of 48 kHz by which what a decoder gives out is behind what went into the encoder: its look
/// ahead, 6.5 ms in all modes for speech and music (RFC 6716 §2, RFC 7845 §4.2). RTP timestamps count what went in
/// (RFC 7587 §4.1), so this much is to be taken from them.
pub const PRE_SKIP: u16 = 312;
/// How long a decoder has to be fed before a place in mid-stream sounds right, ns (RFC 7845 §4.6).
pub const SEEK_PRE_ROLL: u64 = 80_000_000;

/// Identification header for mono or stereo: 19 bytes, version 1, mapping family 0. Other numbers of
/// channels become the nearer of the two, because they need a mapping table.
#[must_use]
pub fn head(channels: u8) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels.clamp(1, 2));
    head.extend(PRE_SKIP.to_le_bytes());
    head.extend(48_000u32.to_le_bytes());
    // No gain, mapping family 0.
    head.extend([0, 0, 0]);
    head
}

/// How long a packet lasts, in ns: what its first byte says of a frame, times its frames. 0 for an
/// empty packet.
#[must_use]
pub fn duration(packet: &[u8]) -> i64 {
    const MICROSECOND: i64 = 1000;
    let Some(first) = packet.first() else {
        return 0;
    };
    // Table 2: 12 configurations of SILK, 4 of the hybrid, 16 of CELT, in µs.
    let frame = match first >> 3 {
        config @ 0..12 => [10_000, 20_000, 40_000, 60_000].get(usize::from(config % 4)),
        config @ 12..16 => [10_000, 20_000].get(usize::from(config % 2)),
        config => [2500, 5000, 10_000, 20_000].get(usize::from(config % 4)),
    };
    // The frame count code; 3 has the count in the second byte (§3.2.5).
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => i64::from(packet.get(1).copied().unwrap_or_default() & 63),
    };
    frame.copied().unwrap_or_default() * MICROSECOND * frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration(&[0x78, 1]), 20_000_000); // hybrid, 20 ms
        assert_eq!(duration(&[0xfc]), 20_000_000); // CELT, 20 ms
        assert_eq!(duration(&[0x08 | 1]), 40_000_000); // SILK, two of 20 ms
        assert_eq!(duration(&[0xe3, 6]), 15_000_000); // six of 2.5 ms
        assert_eq!(duration(&[]), 0);
    }

    #[test]
    fn the_header_has_its_19_bytes() {
        assert_eq!(head(2).len(), 19);
    }
}
