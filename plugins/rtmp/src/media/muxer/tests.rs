use super::*;

/// 320x240 constrained baseline of x264, its picture parameter set, and the beginning of a slice.
const SPS: [u8; 22] = [
    0x67, 0x42, 0xc0, 0x0d, 0xda, 0x05, 0x07, 0xec, 0x04, 0x40, 0x00, 0x00, 0x03, 0x00, 0x40, 0x00,
    0x00, 0x0f, 0x03, 0xc5, 0x0a, 0xa8,
];
const PPS: [u8; 4] = [0x68, 0xce, 0x0f, 0xc8];

fn annex_b(units: &[&[u8]]) -> Vec<u8> {
    units
        .iter()
        .flat_map(|unit| [&[0, 0, 0, 1], *unit].concat())
        .collect()
}

fn keyframe(pps: &[u8]) -> Vec<u8> {
    annex_b(&[&SPS, pps, &[0x65, 0x88, 0x84]])
}

fn outgoing(kind: Kind, is_keyframe: bool, data: Vec<u8>) -> Outgoing {
    Outgoing {
        frame: Frame {
            kind,
            format: match kind {
                Kind::Audio => AAC,
                Kind::Video => H264,
            },
            presentation_time: 0,
            is_keyframe,
            data: data.into(),
        },
        time: 40 * MS,
        shown: 120 * MS,
    }
}

/// The formats of the tests, by their numbers.
const H264: u32 = 1;
const AAC: u32 = 2;
const OPUS: u32 = 3;
const VP9: u32 = 4;

fn muxer() -> Muxer {
    Muxer::new(Box::new(|number| match number {
        H264 => Some(Format::rtp("H264", 90_000, 0)),
        AAC => Some(Format::rtp("AAC", 48_000, 2).with("config", "1210")),
        OPUS => Some(Format::rtp("OPUS", 48_000, 2)),
        VP9 => Some(Format::rtp("VP9", 90_000, 0)),
        _ => None,
    }))
}

/// What a frame becomes: types and bodies.
fn written(muxer: &mut Muxer, outgoing: &Outgoing) -> Vec<(u8, Vec<u8>)> {
    let mut all = Vec::new();
    muxer.write(outgoing, &mut |kind, time, body| {
        assert_eq!(time, 40);
        all.push((kind, body));
    });
    all
}

/// Field report 30.
#[test]
fn parameter_sets_are_in_a_header_and_in_the_frame_and_again_when_they_change() {
    let mut muxer = muxer();
    let slice = outgoing(Kind::Video, false, annex_b(&[&[0x41, 1]]));
    assert_eq!(written(&mut muxer, &slice), [], "nothing can begin with it");
    let all = written(&mut muxer, &outgoing(Kind::Video, true, keyframe(&PPS)));
    let kinds: Vec<_> = all.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [DATA, VIDEO, VIDEO]);
    assert_eq!(all[1].1[..6], [0x17, 0, 0, 0, 0, 1]);
    // Composition time, then the sets and the slice behind their lengths.
    assert_eq!(all[2].1[..9], [0x17, 1, 0, 0, 80, 0, 0, 0, 22]);
    assert!(all[2].1.ends_with(&[0, 0, 0, 3, 0x65, 0x88, 0x84]));
    assert_eq!(written(&mut muxer, &slice).len(), 1);
    assert_eq!(
        written(&mut muxer, &outgoing(Kind::Video, true, keyframe(&PPS))).len(),
        1
    );
    let changed = written(
        &mut muxer,
        &outgoing(Kind::Video, true, keyframe(&[0x68, 0xce, 0x3c, 0x80])),
    );
    assert_eq!(changed.len(), 3);
    // A keyframe whose sets went before is one, too.
    let bare = annex_b(&[&[0x65, 0x88]]);
    assert_eq!(
        written(&mut muxer, &outgoing(Kind::Video, true, bare)).len(),
        1
    );
}

#[test]
fn sound_has_its_configuration_once_and_nothing_is_promised_that_is_not_there() {
    let mut muxer = muxer();
    let all = written(&mut muxer, &outgoing(Kind::Audio, true, vec![1, 2]));
    let values = amf0::read(&all[0].1);
    assert_eq!(
        values[2].get("audiosamplerate"),
        Some(&Value::Number(44_100.0))
    );
    assert_eq!(values[2].get("videocodecid"), None);
    assert_eq!(
        all[1..],
        [
            (AUDIO, vec![0xaf, 0, 0x12, 0x10]),
            (AUDIO, vec![0xaf, 1, 1, 2])
        ]
    );
    assert_eq!(
        written(&mut muxer, &outgoing(Kind::Audio, true, vec![3])).len(),
        1
    );
    assert_eq!(
        written(&mut muxer, &outgoing(Kind::Audio, true, vec![])),
        []
    );
}

#[test]
fn silence_is_a_track_of_its_own() {
    let mut muxer = muxer();
    let count = |muxer: &mut Muxer| {
        let mut all = Vec::new();
        muxer.silence(40 * MS, &mut |kind, _, _| all.push(kind));
        all
    };
    assert_eq!(count(&mut muxer), [DATA, AUDIO, AUDIO]);
    assert_eq!(count(&mut muxer), [AUDIO]);
    assert_eq!(
        written(&mut muxer, &outgoing(Kind::Audio, true, vec![1])).len(),
        3
    );
    assert_eq!(count(&mut muxer), [DATA, AUDIO, AUDIO]);
}

#[test]
fn what_the_first_flv_does_not_know_is_named_by_four_characters() {
    // 320x240, profile 0.
    const VP9_KEYFRAME: [u8; 10] = [0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0, 0x00];
    let mut muxer = muxer();
    let mut picture = outgoing(Kind::Video, true, VP9_KEYFRAME.into());
    picture.frame.format = VP9;
    let all = written(&mut muxer, &picture);
    let metadata = amf0::read(&all[0].1);
    let number = f64::from(u32::from_be_bytes(*b"vp09"));
    assert_eq!(
        metadata[2].get("videocodecid"),
        Some(&Value::Number(number))
    );
    assert!(all[1].1.starts_with(b"\x90vp09") && all[2].1.starts_with(b"\x91vp09\x82\x49"));
    let mut sound = outgoing(Kind::Audio, true, vec![0xfc, 1]);
    sound.frame.format = OPUS;
    let all = written(&mut muxer, &sound);
    assert!(all[1].1.starts_with(b"\x90OpusOpusHead\x01\x02"));
    assert_eq!(all[2].1, b"\x91Opus\xfc\x01");
    // Another codec begins with a keyframe of its own.
    let slice = outgoing(Kind::Video, false, annex_b(&[&[0x41, 1]]));
    assert_eq!(written(&mut muxer, &slice), []);
    let all = written(&mut muxer, &outgoing(Kind::Video, true, keyframe(&PPS)));
    assert_eq!(all.len(), 3);
}

/// Field report 23.
#[test]
fn stamps_begin_anew_after_49_days() {
    let ms = |ms: i64| stamp(ms * MS);
    assert_eq!(
        (ms(0), ms(0x0100_0000), ms(1 << 32), ms((1 << 32) + 7)),
        (0, 0x0100_0000, 0, 7)
    );
}

#[test]
fn metadata_have_the_sound_that_comes_behind_the_first_picture() {
    let mut muxer = muxer();
    let sound = outgoing(Kind::Audio, false, vec![1, 2, 3]);
    muxer.foretell(&sound.frame);
    let all = written(&mut muxer, &outgoing(Kind::Video, true, keyframe(&PPS)));
    assert_eq!(
        all.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [DATA, VIDEO, VIDEO]
    );
    let names = |body: &[u8], name: &[u8]| body.windows(name.len()).any(|part| part == name);
    assert!(names(&all[0].1, b"audiocodecid") && names(&all[0].1, b"videocodecid"));
    let all = written(&mut muxer, &sound);
    assert_eq!(
        all.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [AUDIO, AUDIO],
        "told once"
    );
}
