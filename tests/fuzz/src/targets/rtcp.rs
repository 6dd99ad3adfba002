//! Compound RTCP packets.

use rivero_rtp::rtcp::packets;

pub(crate) fn run(input: &[u8]) {
    let count = packets(input)
        .map(|packet| std::hint::black_box(format!("{packet:?}")))
        .count();
    assert!(count <= input.len() / 4);
}
