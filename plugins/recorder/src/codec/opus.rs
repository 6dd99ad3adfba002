//! Opus: `OpusHead` (RFC 7845 §5.1) and the duration of a packet (RFC 6716 §3.1).

/// Header for mono or stereo without pre-skip: recording begins in mid-stream.
pub(super) fn head(channels: u8) -> Vec<u8> {
    let mut head = b"OpusHead\x01".to_vec();
    head.push(channels.clamp(1, 2));
    head.extend(0u16.to_le_bytes());
    head.extend(48_000u32.to_le_bytes());
    head.extend([0, 0, 0]);
    head
}

/// ns
pub(super) fn duration(packet: &[u8]) -> i64 {
    const MICROSECOND: i64 = 1000;
    let Some(first) = packet.first() else {
        return 0;
    };
    let frame = match first >> 3 {
        config @ 0..12 => [10_000, 20_000, 40_000, 60_000].get(usize::from(config % 4)),
        config @ 12..16 => [10_000, 20_000].get(usize::from(config % 2)),
        config => [2500, 5000, 10_000, 20_000].get(usize::from(config % 4)),
    };
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
