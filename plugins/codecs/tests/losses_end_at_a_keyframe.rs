//! J06: lost, late and damaged media on the way into a conversion.

use crate::rig::{Running, frames, picture, raw, rtp, tone};
use rivero_plugin_api::{Bytes, MediaKind, Packet, Upstream};
use serde_json::json;

const SIZE: (u32, u32) = (320, 240);

struct Way {
    encoder: Running,
    packetiser: Running,
    depacketiser: Running,
    decoder: Running,
}

impl Way {
    fn new(encoding: &str) -> Self {
        let (kind, rtp) = (MediaKind::Video, rtp(encoding));
        let settings = json!({"bitrate": 2_000_000});
        let none = json!({});
        Self {
            encoder: Running::new(&raw(kind), &frames(&rtp), &settings).unwrap(),
            packetiser: Running::new(&frames(&rtp), &rtp, &none).unwrap(),
            depacketiser: Running::new(&rtp, &frames(&rtp), &none).unwrap(),
            decoder: Running::new(&frames(&rtp), &raw(kind), &none).unwrap(),
        }
    }

    fn sent(&self, pictures: std::ops::Range<u32>) -> Vec<Packet> {
        let pictures: Vec<_> = pictures
            .map(|number| picture::picture(number, SIZE.0, SIZE.1))
            .collect();
        self.packetiser.convert(&self.encoder.convert(&pictures))
    }
}

fn numbers(packets: &[Packet]) -> Vec<u32> {
    packets.iter().map(picture::number).collect()
}

#[test]
fn reordered_and_repeated_packets_make_no_difference() {
    for encoding in ["VP8", "VP9", "AV1", "H264", "H265"] {
        let way = Way::new(encoding);
        let mut sent = way.sent(0..12);
        for at in (1..sent.len()).step_by(2) {
            sent.swap(at - 1, at);
        }
        let again = sent[3].clone();
        sent.insert(9, again);
        // The first of a stream begins it.
        sent.swap(0, 1);
        let decoded = way.decoder.convert(&way.depacketiser.convert(&sent));
        assert_eq!(numbers(&decoded), (0..12).collect::<Vec<_>>(), "{encoding}");
        for packet in &decoded {
            picture::assert_shows(packet, SIZE);
        }
    }
}

#[test]
fn after_a_loss_pictures_come_from_the_next_keyframe_on() {
    for encoding in ["VP8", "VP9", "AV1", "H264", "H265"] {
        let way = Way::new(encoding);
        let mut sent = way.sent(0..6);
        let lost = sent
            .iter()
            .position(|packet| picture::number(packet) == 3)
            .unwrap();
        sent.remove(lost);
        way.depacketiser.packets(&sent);
        // A gap is given up at its time, without a further packet.
        let mut shown = Vec::new();
        while shown.len() < 3 {
            let given = way.depacketiser.wait();
            shown.extend(way.decoder.convert(&given.packets));
        }
        assert_eq!(numbers(&shown), [0, 1, 2], "{encoding}");
        // The next packet finds the gap given up, and a keyframe was asked for by then.
        way.encoder.upstream(Upstream::KeyframeRequest);
        let again = way.sent(6..9);
        way.depacketiser.packets(&again);
        let mut given = way.depacketiser.take();
        while given.packets.len() < 3 {
            given.packets.extend(way.depacketiser.wait().packets);
        }
        assert!(given.packets[0].is_keyframe());
        assert_ne!(given.packets[0].flags & Packet::DISCONTINUITY, 0);
        let shown = way.decoder.convert(&given.packets);
        assert_eq!(numbers(&shown), [6, 7, 8], "{encoding}");
        for packet in &shown {
            picture::assert_shows(packet, SIZE);
        }
    }
}

#[test]
fn a_lost_packet_asks_for_a_keyframe() {
    let way = Way::new("VP8");
    let mut sent = way.sent(0..4);
    sent.remove(1);
    sent[1].flags |= Packet::DISCONTINUITY;
    way.depacketiser.packets(&sent);
    let given = way.depacketiser.take();
    assert!(given.upstream.contains(&Upstream::KeyframeRequest));
}

#[test]
fn what_the_host_cut_out_is_not_waited_for() {
    let way = Way::new("VP8");
    let sent = way.sent(0..3);
    way.encoder.upstream(Upstream::KeyframeRequest);
    let mut later = way.sent(5..8);
    later[0].flags |= Packet::DISCONTINUITY;
    let unseen = way.packetiser.convert(&[]);
    assert!(unseen.is_empty());
    // Numbers are missing between.
    for packet in &mut later {
        packet.rtp.sequence = packet.rtp.sequence.wrapping_add(40);
    }
    way.depacketiser.convert(&sent);
    let whole = way.depacketiser.convert(&later);
    assert_eq!(numbers(&whole), [5, 6, 7]);
}

#[test]
fn another_ssrc_is_another_stream() {
    let (first, second) = (Way::new("VP8"), Way::new("VP8"));
    let whole = first.depacketiser.convert(&first.sent(0..3));
    assert_eq!(numbers(&whole), [0, 1, 2]);
    let whole = first.depacketiser.convert(&second.sent(3..6));
    assert_eq!(numbers(&whole), [3, 4, 5]);
}

/// What the packets of a simulcast encoding have.
fn of_encoding(encoding: u8, mut packets: Vec<Packet>) -> Vec<Packet> {
    for packet in &mut packets {
        packet.layer.encoding = encoding;
    }
    packets
}

#[test]
fn whichever_simulcast_encoding_begins_is_taken_at_once() {
    for (before, after) in [(0, 1), (1, 0)] {
        let (first, second) = (Way::new("VP8"), Way::new("VP8"));
        let mut sent = of_encoding(before, first.sent(0..3));
        sent.extend(of_encoding(after, second.sent(3..6)));
        let whole = first.depacketiser.convert(&sent);
        assert_eq!(numbers(&whole), [0, 1, 2, 3, 4, 5], "{before} to {after}");
    }
}

#[test]
fn what_comes_late_of_the_stream_before_does_not_interrupt() {
    let (first, second) = (Way::new("VP8"), Way::new("VP8"));
    let mut sent = first.sent(0..4);
    let late = sent.split_off(3);
    sent.extend(second.sent(4..8));
    let at = sent.len() - 2;
    sent.splice(at..at, late);
    first.depacketiser.packets(&sent);
    let given = first.depacketiser.take();
    assert_eq!(numbers(&given.packets), [0, 1, 2, 4, 5, 6, 7]);
    assert!(given.upstream.is_empty(), "{:?}", given.upstream);
}

#[test]
fn packets_of_another_format_pass_by() {
    let way = Way::new("VP8");
    let mut sent = way.sent(0..3);
    let mut stray = sent[0].clone();
    stray.format = crate::rig::host::format_id(&rtp("H264"));
    sent.insert(1, stray);
    assert_eq!(way.depacketiser.convert(&sent).len(), 3);
}

#[test]
fn lost_audio_is_made_up_for() {
    let rtp = rtp("OPUS");
    let (kind, none) = (MediaKind::Audio, json!({}));
    let encoder = Running::new(&raw(kind), &frames(&rtp), &none).unwrap();
    let decoder = Running::new(&frames(&rtp), &raw(kind), &none).unwrap();
    let tones: Vec<_> = (0..50)
        .map(|number| tone::tone(number, 440.0, 48_000, 1))
        .collect();
    let mut encoded = encoder.convert(&tones);
    let all = encoded.len();
    for lost in [30, 20, 10] {
        encoded.remove(lost);
        encoded[lost].flags |= Packet::DISCONTINUITY;
    }
    let decoded = decoder.convert(&encoded);
    let (rate, _, samples) = tone::samples(&decoded);
    let expected = all * usize::try_from(rate / 50).unwrap();
    assert!(
        samples.len().abs_diff(expected) <= 1_000,
        "{} of {expected}",
        samples.len()
    );
    tone::assert_heard(&decoded, 440.0);
}

#[test]
fn rubbish_is_survived_and_the_next_keyframe_shows_again() {
    for encoding in ["VP8", "VP9", "AV1", "H264", "H265", "JPEG"] {
        let kind = MediaKind::Video;
        let frames = frames(&rtp(encoding));
        let encoder = Running::new(&raw(kind), &frames, &json!({})).unwrap();
        let decoder = Running::new(&frames, &raw(kind), &json!({})).unwrap();
        let encode = |number| {
            encoder
                .convert(&[picture::picture(number, SIZE.0, SIZE.1)])
                .remove(0)
        };
        decoder.packets(&[encode(0)]);
        let mut damaged = encode(1);
        let mut bytes = damaged.bytes.to_vec();
        for (at, byte) in bytes.iter_mut().enumerate().skip(2) {
            *byte ^= u8::try_from(at * 37 % 251).unwrap();
        }
        damaged.bytes = Bytes::from(bytes);
        decoder.packets(&[damaged]);
        let mut empty = encode(2);
        empty.bytes = Bytes::default();
        decoder.packets(&[empty]);
        encoder.upstream(Upstream::KeyframeRequest);
        decoder.packets(&[encode(3), encode(4)]);
        let given = decoder.take();
        assert!(
            given.failures.is_empty(),
            "{encoding}: {:?}",
            given.failures
        );
        let last = given.packets.last().unwrap();
        assert_eq!(picture::number(last), 4, "{encoding}");
        picture::assert_shows(last, SIZE);
    }
}

#[test]
fn a_stream_that_is_no_media_ends_with_an_error() {
    let kind = MediaKind::Audio;
    let aac = crate::rig::format("AAC", rivero_plugin_api::Packaging::Frame, 48_000, 2);
    let decoder = Running::new(&aac, &raw(kind), &json!({})).unwrap();
    let mut packet = tone::tone(0, 440.0, 48_000, 2);
    packet.format = crate::rig::host::format_id(&aac);
    for _ in 0..10 {
        decoder.packets(std::slice::from_ref(&packet));
    }
    let given = decoder.take();
    let error = given.failures.first().expect("an error");
    assert!(error.message.contains("AAC"), "{error}");
}
