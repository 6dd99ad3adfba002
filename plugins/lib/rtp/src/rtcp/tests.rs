//! Round trips, hostile bytes, and agreement with `rtc-rtcp`.

use super::*;

fn block(ssrc: u32) -> ReportBlock {
    ReportBlock {
        ssrc,
        fraction_lost: 25,
        cumulative_lost: -3,
        highest_sequence: 0x0001_fffe,
        jitter: 77,
        last_sender_report: 0x1234_5678,
        delay_since_last_sender_report: 65_536,
    }
}

const INFO: SenderInfo = SenderInfo {
    ntp: 0x0123_4567_89ab_cdef,
    rtp_timestamp: 9000,
    packet_count: 5,
    octet_count: 6000,
};

fn everything() -> CompoundBuilder {
    let mut builder = CompoundBuilder::default();
    builder
        .sender_report(1, &INFO, &[block(2), block(3)])
        .receiver_report(1, &[block(4)])
        .cname(1, "someone@example")
        .nack(1, 2, &[100, 101, 116, 117, 65_535, 0])
        .picture_loss(1, 2)
        .full_intra_request(1, 2, 9)
        .receiver_estimated_bitrate(1, 1_234_567, &[2, 3])
        .goodbye(&[1, 7]);
    builder
}

#[test]
fn what_was_built_is_parsed() {
    let builder = everything();
    let parsed: Vec<_> = packets(builder.as_bytes()).collect();
    assert_eq!(parsed.len(), 8);
    let RtcpPacket::SenderReport {
        ssrc,
        info,
        reports,
    } = &parsed[0]
    else {
        panic!("{parsed:?}");
    };
    assert_eq!((*ssrc, *info), (1, INFO));
    assert_eq!(reports.clone().collect::<Vec<_>>(), [block(2), block(3)]);
    assert!(
        matches!(&parsed[1], RtcpPacket::ReceiverReport { ssrc: 1, reports }
        if reports.clone().eq([block(4)]))
    );
    assert!(
        matches!(&parsed[2], RtcpPacket::SourceDescription { chunks }
        if chunks.clone().eq([(1, Some(&b"someone@example"[..]))]))
    );
    assert!(
        matches!(&parsed[3], RtcpPacket::Nack { media_ssrc: 2, lost }
        if lost.clone().eq([100, 101, 116, 117, 65_535, 0]))
    );
    assert_eq!(parsed[4], RtcpPacket::PictureLoss { media_ssrc: 2 });
    assert!(
        matches!(&parsed[5], RtcpPacket::FullIntraRequest { entries }
        if entries.clone().eq([(2, 9)]))
    );
    assert!(
        matches!(&parsed[6], RtcpPacket::ReceiverEstimatedBitrate { bitrate, streams }
        if (1_234_500..=1_234_567).contains(bitrate) && streams.clone().eq([2, 3]))
    );
    assert!(matches!(&parsed[7], RtcpPacket::Goodbye { sources }
        if sources.clone().eq([1, 7])));
}

#[test]
fn empty_nacks_are_not_written() {
    let mut builder = CompoundBuilder::default();
    builder.nack(1, 2, &[]);
    assert!(builder.is_empty());
}

#[test]
fn extreme_bitrates_survive() {
    for bitrate in [0, 1, 262_143, 262_144, 10_000_000_000, u64::MAX] {
        let mut builder = CompoundBuilder::default();
        builder.receiver_estimated_bitrate(1, bitrate, &[]);
        let Some(RtcpPacket::ReceiverEstimatedBitrate {
            bitrate: parsed, ..
        }) = packets(builder.as_bytes()).next()
        else {
            panic!("not parsed");
        };
        assert!(
            parsed <= bitrate && parsed >= bitrate - bitrate / 100_000,
            "{bitrate} {parsed}"
        );
    }
    let overflowing = [
        0x8f, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 0, 0xff, 0xff, 0xff,
    ];
    assert!(matches!(
        packets(&overflowing).next(),
        Some(RtcpPacket::ReceiverEstimatedBitrate {
            bitrate: u64::MAX,
            ..
        })
    ));
}

#[test]
fn padding_and_unknown_types_are_skipped() {
    let bytes = [
        0xa0, 201, 0, 2, 0, 0, 0, 5, 0, 0, 0, 4, 0x80, 207, 0, 1, 0, 0, 0, 5,
    ];
    let parsed: Vec<_> = packets(&bytes).collect();
    assert!(matches!(
        parsed[0],
        RtcpPacket::ReceiverReport { ssrc: 5, .. }
    ));
    assert_eq!(
        parsed[1],
        RtcpPacket::Other {
            packet_type: 207,
            format: 0
        }
    );
}

/// Looks at everything that a packet has.
fn exhaust(bytes: &[u8]) -> usize {
    packets(bytes)
        .map(|packet| match packet {
            RtcpPacket::SenderReport { reports, .. }
            | RtcpPacket::ReceiverReport { reports, .. } => reports.count(),
            RtcpPacket::SourceDescription { chunks } => chunks.count(),
            RtcpPacket::Goodbye { sources } => sources.count(),
            RtcpPacket::Nack { lost, .. } => lost.count(),
            RtcpPacket::FullIntraRequest { entries } => entries.count(),
            RtcpPacket::ReceiverEstimatedBitrate { streams, .. } => streams.count(),
            RtcpPacket::TransportFeedback(feedback) => feedback.statuses().count(),
            RtcpPacket::PictureLoss { .. } | RtcpPacket::Other { .. } => 1,
        })
        .sum()
}

#[test]
fn hostile_bytes_do_no_harm() {
    let template = everything().as_bytes().to_vec();
    let mut state = 7u64;
    for round in 0..20_000usize {
        let mut bytes = template.clone();
        for _ in 0..=round % 6 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let position = (state >> 33) as usize % bytes.len();
            bytes[position] = (state >> 20) as u8;
        }
        bytes.truncate(1 + round % template.len());
        assert!(exhaust(&bytes) < 100_000);
    }
}

#[test]
fn transport_feedback_is_decoded() {
    // Base 10, 12 packets: a run of three received, then a vector of two-bit statuses
    // (received, lost, large, received, lost, lost, received), then one-bit statuses (1, 0).
    let mut bytes = vec![
        0x8f, 205, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 10, 0, 12, 0, 0, 5, 3,
    ];
    bytes.extend_from_slice(&(0x2000u16 | 3).to_be_bytes());
    bytes.extend_from_slice(&(0xc000u16 | 0b01_00_10_01_00_00_01).to_be_bytes());
    bytes.extend_from_slice(&(0x8000u16 | 0b10_0000_0000_0000).to_be_bytes());
    bytes.extend_from_slice(&[1, 2, 3, 4, 0xff, 0xfe, 5, 6, 7]);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes[3] = (bytes.len() / 4 - 1) as u8;
    let Some(RtcpPacket::TransportFeedback(feedback)) = packets(&bytes).next() else {
        panic!("not parsed");
    };
    assert_eq!(feedback.reference_time, 5);
    assert_eq!(feedback.feedback_count, 3);
    let deltas: Vec<_> = feedback.statuses().collect();
    let expected = [
        Some(1),
        Some(2),
        Some(3),
        Some(4),
        None,
        Some(-2),
        Some(5),
        None,
        None,
        Some(6),
        Some(7),
        None,
    ];
    assert_eq!(deltas.len(), expected.len());
    for (position, ((sequence, delta), expected)) in deltas.into_iter().zip(expected).enumerate() {
        assert_eq!(sequence, 10 + position as u16);
        assert_eq!(delta, expected, "{position}");
    }
}

#[test]
fn rtc_rtcp_reads_what_we_write() {
    let builder = everything();
    let mut bytes = bytes::Bytes::copy_from_slice(builder.as_bytes());
    let theirs = rtc_rtcp::packet::unmarshal(&mut bytes).unwrap();
    assert_eq!(theirs.len(), 8);
    // Byte for byte it differs: rtc-rtcp pads differently. Both forms mean the same to us.
    let marshalled = rtc_rtcp::packet::marshal(&theirs).unwrap();
    assert!(packets(&marshalled).eq(packets(builder.as_bytes())));
}
