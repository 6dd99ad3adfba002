use super::*;
use crate::codec::{vp8, vp9};

/// A VP8 payload with an id of 15 bits.
fn vp8(picture: u16, base: u8) -> Vec<u8> {
    let [high, low] = picture.to_be_bytes();
    vec![0x90, 0xe0, 0x80 | high, low, base, 0x20, 0xaa]
}

/// One with an id of 7 bits.
fn narrow(picture: u16) -> Vec<u8> {
    vec![0x90, 0x80, u8::try_from(picture & 0x7f).unwrap(), 0xaa]
}

fn packet(source: u64, sequence: u16) -> PacketNumbers {
    frame(source, sequence, u32::from(sequence))
}

/// A packet of the frame with this number.
fn frame(source: u64, sequence: u16, frame: u32) -> PacketNumbers {
    PacketNumbers {
        source,
        sequence,
        timestamp: frame.wrapping_mul(3000),
    }
}

fn written(payload: &[u8], front: &Front) -> Vec<u8> {
    [front.bytes(), &payload[usize::from(front.replaced)..]].concat()
}

/// The outgoing numbers of a VP8 packet.
fn sent(
    numbers: &mut PictureNumbers,
    packet: PacketNumbers,
    payload: &[u8],
) -> Option<(u16, Option<u8>)> {
    let front = numbers.rewrite(packet, VideoCodec::Vp8, payload)?;
    let bytes = written(payload, &front);
    assert_eq!(bytes.last(), Some(&0xaa), "only the numbers change");
    let descriptor = vp8::Descriptor::parse(&bytes).unwrap();
    assert_eq!(bytes[2] & 0x80, 0x80, "15 bits");
    let former = vp8::Descriptor::parse(payload).unwrap();
    assert_eq!(
        (descriptor.temporal_layer, descriptor.partition_start),
        (former.temporal_layer, former.partition_start)
    );
    Some((descriptor.picture_id.unwrap(), descriptor.tl0_picture_index))
}

fn id(numbers: &mut PictureNumbers, packet: PacketNumbers, payload: &[u8]) -> Option<u16> {
    sent(numbers, packet, payload).map(|(id, _)| id)
}

#[test]
fn a_switch_goes_on_with_the_next_numbers() {
    let mut numbers = PictureNumbers::default();
    let mut sent = |source, sequence, picture, base| {
        sent(&mut numbers, packet(source, sequence), &vp8(picture, base))
    };
    assert_eq!(sent(1, 0, 0x7ffe, 254), Some((0x7ffe, Some(254))));
    assert_eq!(sent(1, 1, 0x7fff, 255), Some((0x7fff, Some(255))));
    assert_eq!(sent(2, 9000, 500, 7), Some((0, Some(0))));
    assert_eq!(sent(2, 9001, 501, 8), Some((1, Some(1))));
    assert_eq!(sent(2, 8999, 499, 6), None, "from before the switch");
    assert_eq!(sent(1, 2, 3, 3), Some((2, Some(2))));
}

/// What senders write, none of which a receiver could follow.
#[test]
fn numbers_go_on_whatever_a_sender_writes() {
    type Payloads = Vec<Vec<u8>>;
    let of = |id: fn(u16) -> Vec<u8>| (0..400).map(id).collect::<Payloads>();
    let senders: [(&str, Payloads); 7] = [
        ("7 bits", of(narrow)),
        ("one id for all", of(|_| vp8(77, 0))),
        ("none", of(|_| vec![0x90, 0x00, 0xaa])),
        ("no second byte", of(|_| vec![0x10, 0x00, 0xaa])),
        ("beginning anew", of(|number| vp8(number % 100, 0))),
        (
            "7 bits below 128, then 15",
            of(|number| match number {
                0..128 => narrow(number),
                _ => vp8(number, 0),
            }),
        ),
        (
            "at random",
            of(|number| vp8(number.wrapping_mul(0x2c1b), 0)),
        ),
    ];
    for (name, payloads) in senders {
        let mut numbers = PictureNumbers::default();
        id(&mut numbers, packet(1, 1), &vp8(5000, 0));
        for (number, payload) in (0u16..).zip(&payloads) {
            // Of two packets each.
            for part in 0..2 {
                let packet = frame(2, 65_000u16.wrapping_add(2 * number + part), number.into());
                let sent = id(&mut numbers, packet, payload);
                assert_eq!(sent, Some(5001 + number), "{name} {number}");
            }
        }
        // Another source goes on, and the former one after it.
        assert_eq!(id(&mut numbers, packet(1, 2), &vp8(9, 0)), Some(5401));
        assert_eq!(id(&mut numbers, packet(2, 3), &payloads[0]), Some(5402));
    }
}

#[test]
fn missing_pictures_leave_their_numbers_and_take_them_when_they_come() {
    let ways: [fn(u16) -> Vec<u8>; 4] = [
        |number| vp8(100 + number, 0),
        narrow,
        |_| vp8(7, 0),
        |_| vec![0x10, 0x00, 0xaa],
    ];
    for payload in ways {
        let mut numbers = PictureNumbers::default();
        // Three packets a frame; those of frames 3 and 4 are missing, and the last of frame 2.
        let mut sent = |picture: u16, part: u16| {
            let packet = frame(1, 3 * picture + part, picture.into());
            id(&mut numbers, packet, &payload(picture))
        };
        let first = sent(0, 0).unwrap();
        assert_eq!(sent(0, 1), Some(first));
        for picture in 1..3 {
            assert_eq!(sent(picture - 1, 2), Some(first + picture - 1));
            assert_eq!(sent(picture, 0), Some(first + picture));
            assert_eq!(sent(picture, 1), Some(first + picture));
        }
        assert_eq!(sent(5, 0), Some(first + 5));
        assert_eq!(sent(4, 1), Some(first + 4));
        assert_eq!(sent(2, 2), Some(first + 2));
        assert_eq!(sent(3, 0), Some(first + 3));
        assert_eq!(sent(4, 0), Some(first + 4));
        assert_eq!(sent(6, 0), Some(first + 6));
    }
}

#[test]
fn left_out_pictures_are_closed_up_also_for_late_packets() {
    let mut numbers = PictureNumbers::default();
    let skip = |numbers: &mut PictureNumbers, picture| {
        numbers.skipped(packet(1, picture), VideoCodec::Vp8, &vp8(picture, 0));
    };
    let sent = |numbers: &mut PictureNumbers, picture, base| {
        sent(numbers, packet(1, picture), &vp8(picture, base))
    };
    assert_eq!(sent(&mut numbers, 10, 0), Some((10, Some(0))));
    skip(&mut numbers, 11);
    skip(&mut numbers, 11);
    assert_eq!(sent(&mut numbers, 12, 1), Some((11, Some(1))));
    skip(&mut numbers, 12);
    assert_eq!(sent(&mut numbers, 13, 1), Some((12, Some(1))));
    assert_eq!(sent(&mut numbers, 12, 1), Some((11, Some(1))));
    assert_eq!(sent(&mut numbers, 10, 0), Some((10, Some(0))));
    assert_eq!(sent(&mut numbers, 11, 0), None, "was left out");
    let again = vp8(12, 1);
    let front = numbers.rewrite_again(packet(1, 12).timestamp, VideoCodec::Vp8, &again);
    let bytes = written(&again, &front.unwrap());
    assert_eq!(vp8::Descriptor::parse(&bytes).unwrap().picture_id, Some(11));
    assert_eq!(
        numbers.rewrite_again(1, VideoCodec::Vp8, &again),
        None,
        "never sent"
    );
}

#[test]
fn a_source_that_comes_back_after_a_pause_goes_on() {
    let mut numbers = PictureNumbers::default();
    assert_eq!(id(&mut numbers, packet(1, 0), &vp8(0, 0)), Some(0));
    numbers.forget_source();
    // By its sequence number it could be an old one.
    assert_eq!(
        id(&mut numbers, packet(1, 60_000), &vp8(20_000, 0)),
        Some(1)
    );
}

#[test]
fn vp9_keeps_what_else_its_descriptor_says() {
    let mut numbers = PictureNumbers::default();
    let mut sent = |source, sequence, payload: &[u8]| {
        let front = numbers.rewrite(packet(source, sequence), VideoCodec::Vp9, payload);
        written(payload, &front.unwrap())
    };
    // 7 bits, with layers and their index; then without layers; then without an id.
    assert_eq!(
        sent(1, 0, &[0xa8, 127, 0x02, 9, 0xaa]),
        [0xa8, 0x80, 127, 0x02, 9, 0xaa]
    );
    assert_eq!(
        sent(2, 7, &[0xa8, 50, 0x02, 3, 0xaa]),
        [0xa8, 0x80, 128, 0x02, 10, 0xaa]
    );
    assert_eq!(sent(2, 8, &[0x88, 51, 0xaa]), [0x88, 0x80, 129, 0xaa]);
    assert_eq!(sent(2, 9, &[0x08, 0xaa]), [0x88, 0x80, 130, 0xaa]);
    // In flexible mode references count ids, so that what the sender left out stays so.
    assert_eq!(sent(3, 1, &[0x98, 0x80, 10, 0xaa]), [0x98, 0x80, 131, 0xaa]);
    let last = sent(3, 2, &[0xd8, 0x80, 13, 0x06, 0xaa]);
    assert_eq!(last, [0xd8, 0x80, 134, 0x06, 0xaa]);
    assert!(vp9::Descriptor::parse(&last).unwrap().inter_predicted);
}

#[test]
fn pictures_that_count_their_references_do_not_move_up() {
    let mut numbers = PictureNumbers::default();
    let flexible = |picture: u8| [0x98, 0x80, picture, 0xaa];
    let mut sent = Vec::new();
    for picture in 10..18u8 {
        let packet = packet(1, u16::from(picture));
        if picture % 2 == 1 {
            numbers.skipped(packet, VideoCodec::Vp9, &flexible(picture));
            continue;
        }
        let front = numbers.rewrite(packet, VideoCodec::Vp9, &flexible(picture));
        sent.push(written(&flexible(picture), &front.unwrap())[2]);
    }
    assert_eq!(sent, [10, 12, 14, 16]);
}

#[test]
fn short_payloads_and_other_codecs_are_left_alone() {
    let mut numbers = PictureNumbers::default();
    let untouched = Some(Front::default());
    for payload in [&[][..], &[0x90], &[0x90, 0xf0], &[0x90, 0xf0, 0x80]] {
        let packet = packet(1, 0);
        assert_eq!(numbers.rewrite(packet, VideoCodec::Vp8, payload), untouched);
    }
    for payload in [&[][..], &[0xa0], &[0x80, 0x80]] {
        let packet = packet(1, 0);
        assert_eq!(numbers.rewrite(packet, VideoCodec::Vp9, payload), untouched);
    }
    let h264 = numbers.rewrite(packet(1, 0), VideoCodec::H264, &[1, 2, 3]);
    assert_eq!(h264, untouched);
}

#[test]
fn many_frames_take_bounded_memory() {
    let mut numbers = PictureNumbers::default();
    assert!(id(&mut numbers, packet(1, 0), &vp8(0, 0)).is_some());
    for picture in 1..30_000u16 {
        let payload = vp8(picture, 0);
        if picture % 4 == 0 {
            let sent = id(&mut numbers, packet(1, picture), &payload);
            assert_eq!(sent, Some(picture / 4));
        } else {
            numbers.skipped(packet(1, picture), VideoCodec::Vp8, &payload);
        }
    }
    assert_eq!(numbers.frames.len(), REMEMBERED);
}

#[test]
fn no_input_leaves_the_15_bits_or_panics() {
    let mut numbers = PictureNumbers::default();
    let mut state = 1u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 8
    };
    for _ in 0..20_000 {
        #[allow(clippy::cast_possible_truncation, reason = "any will do")]
        let payload: Vec<u8> = (0..random() % 8).map(|_| random() as u8).collect();
        let packet = PacketNumbers {
            source: u64::from(random() % 2),
            sequence: u16::try_from(random() % 400).unwrap(),
            timestamp: random() % 100,
        };
        let codec = [VideoCodec::Vp8, VideoCodec::Vp9][(random() % 2) as usize];
        match random() % 4 {
            0 => numbers.skipped(packet, codec, &payload),
            1 => {
                let front = numbers.rewrite_again(packet.timestamp, codec, &payload);
                assert!(front.is_none_or(|f| usize::from(f.replaced) <= payload.len()));
            }
            _ => {
                let front = numbers.rewrite(packet, codec, &payload);
                assert!(front.is_none_or(|f| usize::from(f.replaced) <= payload.len()));
            }
        }
        assert!(numbers.latest.is_none_or(|latest| latest <= MASK));
    }
}
