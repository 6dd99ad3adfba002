//! Properties that hold for all payload formats.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::RtpHeader;

/// Of an IP packet with [`DEFAULT_MTU`], beside what is around a payload.
const PAYLOAD_LIMIT: usize = 1140;

const FORMATS: [&str; 9] = [
    "VP8",
    "VP9",
    "AV1",
    "H264",
    "H265",
    "OPUS",
    "PCMU",
    "L16",
    "MPEG4-GENERIC",
];

fn parameters(encoding: &str) -> Parameters {
    let (clock_rate, channels) = match encoding {
        "OPUS" => (48_000, 2),
        "PCMU" => (8_000, 1),
        "L16" | "MPEG4-GENERIC" => (44_100, 2),
        _ => (90_000, 0),
    };
    Parameters {
        clock_rate,
        channels,
        non_interleaved: true,
        octet_align: false,
    }
}

/// One packet of a frame on its way.
#[derive(Debug, Clone)]
struct Sent {
    bytes: Vec<u8>,
    frame: usize,
}

/// The packets of `frames`, 3000 units of the RTP clock apart.
fn send(encoding: &str, frames: &[Vec<u8>]) -> Vec<Sent> {
    let mut packetiser = Packetiser::new(encoding, parameters(encoding), 7, 65_530, 96).unwrap();
    let mut sent = Vec::new();
    for (index, frame) in frames.iter().enumerate() {
        // Timestamps wrap with the third frame.
        let timestamp = (u32::MAX - 3000).wrapping_add(3000 * u32::try_from(index).unwrap());
        let (bytes, packets) = packetiser.packetise(frame, timestamp);
        for packet in packets {
            assert!(
                packet.range.len() <= PAYLOAD_LIMIT + 12,
                "{}",
                packet.range.len()
            );
            sent.push(Sent {
                bytes: bytes[packet.range].to_vec(),
                frame: index,
            });
        }
    }
    sent
}

#[test]
fn packets_fit_into_the_ip_packets_that_are_asked_for() {
    for (mtu, payload) in [
        (1200, 1140),
        (576, 516),
        (1500, 1440),
        (0, 200),
        (9000, 1440),
    ] {
        let encoding = "VP8";
        let packetiser = Packetiser::new(encoding, parameters(encoding), 7, 0, 96);
        let mut packetiser = packetiser.unwrap().with_mtu(mtu);
        let (_, packets) = packetiser.packetise(&[0; 100_000], 0);
        let longest = packets.iter().map(|packet| packet.range.len() - 12).max();
        let longest = longest.unwrap();
        assert!(
            longest <= payload && longest + 20 > payload,
            "{mtu}: {longest}"
        );
    }
}

struct Receiver {
    depacketiser: Depacketiser,
    next: Option<u16>,
    frames: Vec<Frame>,
    keyframes_needed: usize,
}

impl Receiver {
    fn new(encoding: &str) -> Self {
        Self {
            depacketiser: Depacketiser::new(encoding, parameters(encoding)).unwrap(),
            next: None,
            frames: Vec::new(),
            keyframes_needed: 0,
        }
    }

    fn receive(&mut self, packet: &[u8]) {
        let Ok(header) = RtpHeader::parse(packet) else {
            return;
        };
        let payload = header.payload(packet).unwrap_or_default();
        let after_loss = self.next.is_some_and(|next| next != header.sequence);
        self.next = Some(header.sequence.wrapping_add(1));
        let received = self.depacketiser.push(
            payload,
            header.timestamp,
            header.marker,
            after_loss,
            &mut self.frames,
        );
        self.keyframes_needed += usize::from(received.keyframe_needed);
    }
}

fn is_video(encoding: &str) -> bool {
    parameters(encoding).channels == 0
}

/// Bytes without start codes in them, as encoders make them.
fn escaped(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from(at * 7 % 251).unwrap().wrapping_add(seed) | 4)
        .collect()
}

/// A frame as its encoder would make it.
fn frame(encoding: &str, keyframe: bool, length: usize, seed: u8) -> Vec<u8> {
    // The first bit of a slice is set in the first one of a picture.
    let mut body = escaped(length.max(2), seed);
    body[0] |= 0x80;
    let unit = |header: &[u8], body: &[u8]| [&[0, 0, 0, 1][..], header, body].concat();
    let obu = |kind: u8, body: &[u8]| {
        let mut obu = vec![kind << 3 | 2];
        let (low, high) = (body.len() & 0x7f, body.len() >> 7);
        if high == 0 {
            obu.push(u8::try_from(low).unwrap());
        } else {
            obu.push(u8::try_from(low | 0x80).unwrap());
            obu.push(u8::try_from(high & 0x7f | if high > 0x7f { 0x80 } else { 0 }).unwrap());
            if high > 0x7f {
                obu.push(u8::try_from(high >> 7).unwrap());
            }
        }
        obu.extend_from_slice(body);
        obu
    };
    match (encoding, keyframe) {
        ("VP8", true) => [&[0x10], &body[..]].concat(),
        ("VP8", false) => [&[0x11], &body[..]].concat(),
        ("VP9", true) => [&[0x82], &body[..]].concat(),
        ("VP9", false) => [&[0x86], &body[..]].concat(),
        ("AV1", true) => [obu(2, &[]), obu(1, &body[..2]), obu(6, &body)].concat(),
        ("AV1", false) => [obu(2, &[]), obu(6, &body)].concat(),
        ("H264", true) => [
            unit(&[0x67], &[1, 2, 3, 4]),
            unit(&[0x68], &[5, 6]),
            unit(&[0x65], &body),
        ]
        .concat(),
        ("H264", false) => unit(&[0x41], &body),
        ("H265", true) => [
            unit(&[32 << 1, 1], &[1, 2]),
            unit(&[33 << 1, 1], &[3, 4]),
            unit(&[34 << 1, 1], &[5, 6]),
            unit(&[19 << 1, 1], &body),
        ]
        .concat(),
        ("H265", false) => unit(&[1 << 1, 1], &body),
        ("L16", _) => body[..body.len().min(800) / 4 * 4].to_vec(),
        ("MPEG4-GENERIC", _) => body[..body.len().min(8_000)].to_vec(),
        _ => body[..body.len().min(400)].to_vec(),
    }
}

fn stream() -> impl Strategy<Value = (usize, Vec<Vec<u8>>)> {
    let frames = vec((any::<bool>(), 4usize..6_000, any::<u8>()), 1..12);
    (0..FORMATS.len(), frames).prop_map(|(format, frames)| {
        let frames = frames
            .iter()
            .enumerate()
            .map(|(index, (key, length, seed))| {
                frame(FORMATS[format], *key || index == 0, *length, *seed)
            })
            .collect();
        (format, frames)
    })
}

proptest! {
    #[test]
    fn what_was_cut_is_put_together_again((format, frames) in stream()) {
        let mut receiver = Receiver::new(FORMATS[format]);
        for packet in send(FORMATS[format], &frames) {
            receiver.receive(&packet.bytes);
        }
        let received: Vec<_> = receiver.frames.iter().map(|frame| frame.data.clone()).collect();
        prop_assert_eq!(received, frames);
        prop_assert_eq!(receiver.keyframes_needed, 0);
        prop_assert!(receiver.frames.iter().all(|frame| !frame.discontinuity));
    }

    #[test]
    fn after_a_loss_only_whole_frames_come_and_video_begins_with_a_keyframe(
        (format, frames) in stream(),
        lost in vec(any::<proptest::sample::Index>(), 1..4),
    ) {
        let encoding = FORMATS[format];
        let mut sent = send(encoding, &frames);
        let mut complete = vec![true; frames.len()];
        for index in lost {
            if sent.is_empty() {
                break;
            }
            let packet = sent.remove(index.index(sent.len()));
            complete[packet.frame] = false;
        }
        let mut receiver = Receiver::new(encoding);
        for packet in &sent {
            receiver.receive(&packet.bytes);
        }
        for received in &receiver.frames {
            // Lost parameter sets are those of the keyframe before.
            let restores = encoding.starts_with("H26");
            let original = frames
                .iter()
                .zip(&complete)
                .find(|(frame, complete)| (restores || **complete) && **frame == received.data);
            prop_assert!(original.is_some(), "a frame that was not sent");
            if received.discontinuity && is_video(encoding) {
                prop_assert!(received.keyframe);
            }
        }
    }

    #[test]
    fn changed_packets_do_no_harm(
        (format, frames) in stream(),
        changes in vec((any::<proptest::sample::Index>(), any::<proptest::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut sent = send(FORMATS[format], &frames);
        for (packet, at, value) in changes {
            if sent.is_empty() {
                break;
            }
            let packet = packet.index(sent.len());
            let at = 12 + at.index(sent[packet].bytes.len() - 11);
            match sent[packet].bytes.get_mut(at) {
                Some(byte) => *byte = value,
                None => sent[packet].bytes.truncate(12 + usize::from(value) % 8),
            }
        }
        let mut receiver = Receiver::new(FORMATS[format]);
        for packet in &sent {
            receiver.receive(&packet.bytes);
        }
    }

    #[test]
    fn any_bytes_do_no_harm(
        format in 0..FORMATS.len(),
        payloads in vec((vec(any::<u8>(), 0..40), any::<bool>(), any::<bool>()), 0..20),
        frame in vec(any::<u8>(), 0..3_000),
    ) {
        let encoding = FORMATS[format];
        let mut depacketiser = Depacketiser::new(encoding, parameters(encoding)).unwrap();
        let mut frames = Vec::new();
        for (index, (payload, marker, lost)) in payloads.iter().enumerate() {
            let timestamp = u32::try_from(index / 3).unwrap();
            depacketiser.push(payload, timestamp, *marker, *lost, &mut frames);
        }
        let mut packetiser = Packetiser::new(encoding, parameters(encoding), 1, 1, 96).unwrap();
        let (bytes, packets) = packetiser.packetise(&frame, 0);
        prop_assert!(packets.iter().all(|packet| packet.range.end <= bytes.len()));
    }
}

#[test]
fn unknown_formats_are_refused() {
    let parameters = parameters("VP8");
    assert!(Depacketiser::new("TELEPHONE-EVENT", Parameters::default()).is_none());
    assert!(Packetiser::new("RTX", parameters, 0, 0, 0).is_none());
}

#[test]
fn a_stream_begins_with_a_keyframe_and_asks_for_one() {
    let frames: Vec<_> = [false, false, true, false]
        .iter()
        .map(|key| frame("VP8", *key, 3_000, 1))
        .collect();
    let mut receiver = Receiver::new("VP8");
    for packet in send("VP8", &frames) {
        receiver.receive(&packet.bytes);
    }
    assert_eq!(receiver.keyframes_needed, 2);
    assert_eq!(receiver.frames.len(), 2);
    assert!(receiver.frames[0].keyframe && receiver.frames[0].discontinuity);
}

#[test]
fn frames_without_markers_end_where_the_next_begins() {
    let frames: Vec<_> = [true, false, false]
        .iter()
        .map(|key| frame("H264", *key, 3_000, 1))
        .collect();
    let mut receiver = Receiver::new("H264");
    for mut packet in send("H264", &frames) {
        packet.bytes[1] &= 0x7f;
        receiver.receive(&packet.bytes);
    }
    let received: Vec<_> = receiver.frames.iter().map(|frame| &frame.data).collect();
    assert_eq!(received, frames.iter().take(2).collect::<Vec<_>>());
}

#[test]
fn parameter_sets_that_came_once_stand_before_each_idr_picture() {
    let whole = frame("H264", true, 100, 1);
    let idr = whole[16..].to_vec();
    assert_eq!(idr[..5], [0, 0, 0, 1, 0x65]);
    let mut receiver = Receiver::new("H264");
    for packet in send("H264", &[whole.clone(), idr.clone(), idr]) {
        receiver.receive(&packet.bytes);
    }
    assert_eq!(receiver.frames.len(), 3);
    assert!(receiver.frames.iter().all(|frame| frame.data == whole));
}

#[test]
fn single_unit_mode_neither_aggregates_nor_fragments() {
    let parameters = Parameters {
        non_interleaved: false,
        ..parameters("H264")
    };
    let mut packetiser = Packetiser::new("H264", parameters, 1, 1, 96).unwrap();
    let (bytes, packets) = packetiser.packetise(&frame("H264", true, 900, 1), 0);
    let kinds: Vec<u8> = packets
        .iter()
        .map(|packet| bytes[packet.range.start + 12] & 0x1f)
        .collect();
    assert_eq!(kinds, [7, 8, 5]);
    assert!(packets[0].keyframe_start && packets[2].marker && !packets[1].marker);
}

#[test]
fn long_frames_of_samples_are_cut_with_their_own_timestamps() {
    let mut packetiser = Packetiser::new("PCMU", parameters("PCMU"), 1, 1, 0).unwrap();
    let (_, packets) = packetiser.packetise(&[0; 1000], 50);
    let cut: Vec<_> = packets
        .iter()
        .map(|packet| (packet.timestamp, packet.range.len() - 12))
        .collect();
    assert_eq!(
        cut,
        [
            (50, 160),
            (210, 160),
            (370, 160),
            (530, 160),
            (690, 160),
            (850, 160),
            (1010, 40)
        ]
    );
    let (_, packets) = packetiser.packetise(&[0; 480], 50);
    assert_eq!(packets.len(), 1, "60 ms");
}

#[test]
fn sound_after_a_pause_is_marked() {
    for (encoding, sample) in [("PCMU", 1), ("PCMA", 1), ("L16", 4)] {
        let rate = parameters(encoding).clock_rate;
        let packet = rate / 50;
        let frame = vec![0; packet as usize * sample];
        let mut packetiser = Packetiser::new(encoding, parameters(encoding), 1, 1, 0).unwrap();
        // Its beginning, what follows, a pause of a second, what follows, and a rounded time.
        let start = u32::MAX - packet;
        let times = [
            0,
            packet,
            packet + rate,
            2 * packet + rate,
            3 * packet + rate + 1,
        ];
        let marked: Vec<bool> = times
            .iter()
            .map(|time| {
                let (_, packets) = packetiser.packetise(&frame, start.wrapping_add(*time));
                assert!(packets.iter().skip(1).all(|packet| !packet.marker));
                packets.first().unwrap().marker
            })
            .collect();
        assert_eq!(marked, [true, false, true, false, false], "{encoding}");
    }
}

#[test]
fn aac_units_that_travel_together_have_their_own_timestamps() {
    let payload = [0, 32, 0, 2 << 3, 0, 3 << 3, 1, 2, 3, 4, 5];
    let mut depacketiser = Depacketiser::new("MPEG4-GENERIC", parameters("MPEG4-GENERIC")).unwrap();
    let mut frames = Vec::new();
    depacketiser.push(&payload, 100, true, false, &mut frames);
    let units: Vec<_> = frames
        .iter()
        .map(|frame| (frame.timestamp, frame.data.as_slice()))
        .collect();
    assert_eq!(units, [(100, &[1, 2][..]), (1124, &[3, 4, 5])]);
}
