use proptest::prelude::*;

use super::*;

const MS: i64 = 1_000_000;

/// All that is found in segments, pushed in pieces of this size.
fn found(segments: &[&[u8]], size: usize, near: Option<i64>) -> Result<Vec<Event>, Error> {
    let (mut demuxer, mut events) = (Demuxer::new(near), VecDeque::new());
    for segment in segments {
        for piece in segment.chunks(size) {
            demuxer.push(Bytes::copy_from_slice(piece), &mut events)?;
        }
        demuxer.end_segment(&mut events)?;
    }
    Ok(events.into())
}

fn frames(events: &[Event]) -> Vec<(Kind, Option<i64>, Vec<u8>)> {
    let frame = |event: &Event| match event {
        Event::Frame(frame) => Some((frame.kind, frame.time, frame.bytes.to_vec())),
        Event::Track(_) => None,
    };
    events.iter().filter_map(frame).collect()
}

fn tracks(events: &[Event]) -> Vec<&Codec> {
    { events.iter() }
        .filter_map(|event| match event {
            Event::Track(codec) => Some(codec),
            Event::Frame(_) => None,
        })
        .collect()
}

/// A packet of a transport stream, filled up by an adaptation field.
fn packet(pid: u16, is_start: bool, counter: u8, payload: &[u8]) -> Vec<u8> {
    let [high, low] = pid.to_be_bytes();
    let free = 184 - payload.len();
    let mut packet = vec![
        0x47,
        high | if is_start { 0x40 } else { 0 },
        low,
        counter & 15,
    ];
    if free == 0 {
        packet[3] |= 0x10;
    } else {
        packet[3] |= 0x30;
        packet.push(free as u8 - 1);
        if free > 1 {
            packet.push(0);
            packet.extend(vec![0xff; free - 2]);
        }
    }
    packet.extend(payload);
    packet
}

fn section(mut body: Vec<u8>) -> Vec<u8> {
    let length = body.len() - 3 + 4;
    body[1] = 0xb0 | (length >> 8) as u8;
    body[2] = length as u8;
    [vec![0], body, vec![0; 4]].concat()
}

/// Tables of one program with H264 (256), AAC (257) and another AAC (258).
fn tables() -> Vec<u8> {
    let association = section(vec![0, 0, 0, 0, 1, 0xc1, 0, 0, 0, 1, 0xe0 | 0x10, 0]);
    let stream = |kind, pid: u16| [kind, 0xe0 | (pid >> 8) as u8, pid as u8, 0xf0, 0];
    let head = vec![2, 0, 0, 0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0];
    let streams = [stream(0x1b, 256), stream(0x0f, 257), stream(0x0f, 258)].concat();
    let map = section([head, streams].concat());
    [
        packet(0, true, 0, &association),
        packet(0x1000, true, 0, &map),
    ]
    .concat()
}

fn stamp(time: u64, mark: u8) -> [u8; 5] {
    [
        mark << 4 | ((time >> 30) as u8 & 7) << 1 | 1,
        (time >> 22) as u8,
        (time >> 14) as u8 & 0xfe | 1,
        (time >> 7) as u8,
        ((time & 0x7f) as u8) << 1 | 1,
    ]
}

/// A packet of a stream, without a length where it is a picture.
fn pes(stream: u8, time: u64, data: &[u8]) -> Vec<u8> {
    let length = if stream == 0xe0 { 0 } else { data.len() + 8 };
    let head = [
        0,
        0,
        1,
        stream,
        (length >> 8) as u8,
        length as u8,
        0x80,
        0x80,
        5,
    ];
    [&head[..], &stamp(time, 2), data].concat()
}

/// A segment with two pictures, the first of which needs three packets, and sound between them.
fn transport_segment(time: u64) -> Vec<u8> {
    let picture = pes(0xe0, time, &[1; 400]);
    [
        tables(),
        packet(256, true, 0, &picture[..184]),
        packet(256, false, 1, &picture[184..368]),
        packet(256, false, 1, &picture[184..368]),
        packet(257, true, 0, &pes(0xc0, time + 900, &[3; 50])),
        packet(258, true, 0, &pes(0xc0, time + 900, &[9; 50])),
        packet(256, false, 2, &picture[368..]),
        packet(256, true, 3, &pes(0xe0, time + 3600, &[2; 100])),
    ]
    .concat()
}

#[test]
fn a_transport_stream_has_pictures_and_sound_with_their_times() {
    let segments = [transport_segment(90_000), transport_segment(180_000)];
    let segments = [&segments[0][..], &segments[1]];
    for size in [1, 187, 188, 1000, 1 << 20] {
        let events = found(&segments, size, None).unwrap();
        assert_eq!(
            tracks(&events),
            [&Codec::H264(None), &Codec::Aac(None)],
            "{size}"
        );
        let expected = |time: i64| {
            [
                (Kind::Audio, Some((time + 10) * MS), vec![3; 50]),
                (Kind::Video, Some(time * MS), vec![1; 400]),
                (Kind::Video, Some((time + 40) * MS), vec![2; 100]),
            ]
        };
        assert_eq!(
            frames(&events),
            [expected(1000), expected(2000)].concat(),
            "{size}"
        );
    }
}

#[test]
fn times_of_33_bits_go_on() {
    let end = (1 << 33) - 1800;
    let events = found(&[&transport_segment(end)], 188, Some(-20 * MS)).unwrap();
    let times: Vec<i64> = frames(&events).iter().filter_map(|frame| frame.1).collect();
    assert_eq!(times, [-10 * MS, -20 * MS, 20 * MS]);
    let events = found(&[&transport_segment(0)], 188, Some(95_443_717 * MS)).unwrap();
    let first = frames(&events)[1].1.unwrap();
    assert!(first.abs_diff(95_443_717 * MS) < 1_000_000, "{first}");
}

#[test]
fn transport_streams_that_cannot_be_played_are_told() {
    let mut scrambled = transport_segment(0);
    for packet in scrambled.chunks_mut(188) {
        packet[3] |= 0x80;
    }
    assert!(matches!(
        found(&[&scrambled], 188, None),
        Err(Error::Encryption(_))
    ));
    let nothing = packet(0, true, 0, &[0; 184]);
    assert!(matches!(
        found(&[&nothing], 188, None),
        Err(Error::Segment(_))
    ));
    assert_eq!(found(&[b"WEBVTT\n"], 3, None), Err(Error::Container));
}

fn container(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let size = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&size[..], kind, &body].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_be_bytes())
        .collect()
}

/// A track of VP9 in units of 1 ms, or of Opus in samples, with an edit list.
fn movie_track(id: u32, timescale: u32, entry: &[u8], edits: &[u32]) -> Vec<u8> {
    let entries = container(b"stsd", &[&numbers(&[0, 1]), entry]);
    let table = container(b"minf", &[&container(b"stbl", &[&entries])]);
    let header = container(b"mdhd", &[&numbers(&[0, 0, 0, timescale, 0])]);
    container(
        b"trak",
        &[
            &container(b"tkhd", &[&numbers(&[0, 0, 0, id])]),
            &container(b"edts", &[&container(b"elst", &[&numbers(edits)])]),
            &container(b"mdia", &[&header, &table]),
        ],
    )
}

fn header() -> Vec<u8> {
    let picture = container(b"vp09", &[&[0; 78]]);
    let sound = container(b"Opus", &[&[0; 28], &container(b"dOps", &[&[0, 2, 0, 0]])]);
    let defaults = container(b"trex", &[&numbers(&[0, 2, 1, 960, 4, 0])]);
    let movie = container(
        b"moov",
        &[
            &container(b"mvhd", &[&numbers(&[0, 0, 0, 1000, 0])]),
            // Pictures begin after 100 ms that are left out, sound after 500 ms of nothing.
            &movie_track(1, 1000, &picture, &[0, 1, 0, 100, 0x1_0000]),
            &movie_track(
                2,
                48_000,
                &sound,
                &[0, 2, 500, u32::MAX, 0x1_0000, 0, 0, 0x1_0000],
            ),
            &container(b"mvex", &[&defaults]),
        ],
    );
    [container(b"ftyp", &[b"iso6\0\0\0\0"]), movie].concat()
}

/// Two pictures, the second of which needs the first, and two pieces of sound.
fn fragment(time: u32) -> Vec<u8> {
    let run = numbers(&[0xf01, 2, 0, 40, 5, 0, 200, 60, 3, 0x1_0000, 100]);
    let mut fragment = container(
        b"moof",
        &[
            &container(b"mfhd", &[&numbers(&[0, 1])]),
            &container(
                b"traf",
                &[
                    &container(b"tfhd", &[&numbers(&[0x02_0000, 1])]),
                    &container(b"tfdt", &[&numbers(&[0, time])]),
                    &container(b"trun", &[&run[..8], &run[8..]]),
                ],
            ),
            &container(
                b"traf",
                &[
                    &container(b"tfhd", &[&numbers(&[0, 2])]),
                    &container(b"tfdt", &[&numbers(&[0x100_0000, 0, time * 48])]),
                    &container(b"trun", &[&numbers(&[0, 2])]),
                ],
            ),
        ],
    );
    // Where the data begins, behind its head.
    let at = fragment
        .windows(4)
        .position(|four| four == b"trun")
        .unwrap()
        + 12;
    let offset = u32::try_from(fragment.len() + 8).unwrap();
    fragment[at..at + 4].copy_from_slice(&offset.to_be_bytes());
    [fragment, container(b"mdat", &[b"PPPPPppp", b"AAAAaaaa"])].concat()
}

#[test]
fn fragments_have_pictures_and_sound_with_their_times() {
    let segments = [
        header(),
        fragment(0),
        [container(b"styp", &[&[0; 500]]), fragment(100)].concat(),
    ];
    let segments: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
    for size in [1, 7, 100, 1 << 20] {
        let events = found(&segments, size, None).unwrap();
        assert_eq!(tracks(&events), [&Codec::Vp9, &Codec::Opus(2)], "{size}");
        let expected = |time: i64| {
            [
                (Kind::Video, Some((time + 100) * MS), b"PPPPP".to_vec()),
                (Kind::Video, Some((time + 40) * MS), b"ppp".to_vec()),
                (Kind::Audio, Some((time + 500) * MS), b"AAAA".to_vec()),
                (Kind::Audio, Some((time + 520) * MS), b"aaaa".to_vec()),
            ]
        };
        assert_eq!(
            frames(&events),
            [expected(0), expected(100)].concat(),
            "{size}"
        );
        let deltas: Vec<bool> = { events.iter() }
            .filter_map(|event| match event {
                Event::Frame(frame) => Some(frame.is_delta),
                Event::Track(_) => None,
            })
            .collect();
        assert_eq!(deltas[..4], [false, true, false, false]);
    }
}

#[test]
fn fragments_that_cannot_be_played_are_told() {
    assert!(matches!(
        found(&[&fragment(0)], 100, None),
        Err(Error::Segment(_))
    ));
    let cut = &fragment(0)[..100];
    assert!(matches!(
        found(&[&header(), cut], 100, None),
        Err(Error::Segment(_))
    ));
    let mut encrypted = header();
    let at = encrypted
        .windows(4)
        .position(|four| four == b"vp09")
        .unwrap();
    encrypted[at..at + 4].copy_from_slice(b"encv");
    assert!(matches!(
        found(&[&encrypted], 100, None),
        Err(Error::Encryption(_))
    ));
}

#[test]
fn packed_audio_has_the_time_of_its_tag() {
    let value = [
        &b"com.apple.streaming.transportStreamTimestamp\0"[..],
        &900_000u64.to_be_bytes(),
    ]
    .concat();
    let frame = [&b"PRIV\0\0\0"[..], &[value.len() as u8, 0, 0], &value].concat();
    let tag = [&b"ID3\x04\0\0\0\0\0"[..], &[frame.len() as u8], &frame].concat();
    let segment = [&tag[..], &[0xff, 0xf1, 1, 2, 3]].concat();
    for size in [1, 3, 500] {
        let events = found(&[&segment, &segment], size, None).unwrap();
        assert_eq!(tracks(&events), [&Codec::Aac(None)], "{size}");
        let timed: Vec<i64> = frames(&events).iter().filter_map(|frame| frame.1).collect();
        assert_eq!(timed, [10_000 * MS, 10_000 * MS], "{size}");
        let bytes: Vec<u8> = frames(&events)
            .into_iter()
            .flat_map(|frame| frame.2)
            .collect();
        assert_eq!(bytes, [&[0xff, 0xf1, 1, 2, 3][..]; 2].concat(), "{size}");
    }
    let events = found(&[&[0xff, 0xfb, 0x90, 0, 0, 0, 0, 0, 0, 0]], 10, None).unwrap();
    assert_eq!(tracks(&events), [&Codec::MpegAudio]);
    assert_eq!(frames(&events)[0].1, None);
}

proptest! {
    #[test]
    fn damaged_segments_are_read_or_refused(
        kind in 0..3usize,
        place in any::<prop::sample::Index>(),
        bytes in proptest::collection::vec(any::<u8>(), 1..8),
        size in 1..500usize,
    ) {
        let mut segment = match kind {
            0 => transport_segment(0),
            1 => [header(), fragment(0)].concat(),
            _ => [&b"ID3\x04\0\0\0\0\0\x20"[..], &[0; 40], &[0xff, 0xf1, 0]].concat(),
        };
        let at = place.index(segment.len());
        for (own, byte) in segment.iter_mut().skip(at).zip(bytes) {
            *own = byte;
        }
        let _ = found(&[&segment], size, None);
    }
}
