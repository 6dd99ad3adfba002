use super::*;

fn picture(time: u64, bytes: &[u8], is_key: bool) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_slice(bytes.to_vec());
    let made = buffer.get_mut().unwrap();
    made.set_pts(gst::ClockTime::from_mseconds(time));
    if !is_key {
        made.set_flags(gst::BufferFlags::DELTA_UNIT);
    }
    buffer
}

fn caps(text: &str) -> gst::Caps {
    crate::init().unwrap();
    text.parse().unwrap()
}

/// A source pad with these caps.
fn pad(text: &str) -> gst::Pad {
    let caps = caps(text);
    let pad = gst::Pad::builder(gst::PadDirection::Src).build();
    pad.set_active(true).unwrap();
    pad.push_event(gst::event::StreamStart::new("test"));
    pad.push_event(gst::event::Caps::new(&caps));
    pad
}

const H264: &str = "video/x-h264,stream-format=byte-stream,alignment=au";
/// Parameter sets of x264, high profile: without B-pictures and with them.
const SHOWN: &str = "000000016764000cacb20283f60220000003002000000303c1e28549";
const REORDERED: &str = "000000016764000cacd10141fb0110000003001000000301e0f1429120";
/// A parameter set that does not tell: high profile without usability information.
const SILENT: &str = "000000016764000cacd10141fb01";
const SLICE: &[u8] = &[0, 0, 0, 1, 0x41, 0x9a];

fn hex(text: &str) -> Vec<u8> {
    rivero_codec::hex::decode(text).unwrap()
}

/// How many pictures go through, and are held, of a track that begins with a parameter set and is shown at these times;
/// and whether it is decoded.
fn watched(set: &str, times: &[u64]) -> (usize, usize, bool) {
    let (pad, mut watcher) = (pad(H264), Watcher::default());
    let (mut passed, mut decodes) = (0, false);
    for (index, time) in times.iter().enumerate() {
        let first = [hex(set), SLICE.to_vec()].concat();
        let bytes = if index == 0 { &first } else { SLICE };
        let step = watcher.on_picture(&pad, &picture(*time, bytes, index == 0));
        passed += step.released.len() + usize::from(step.passes);
        decodes |= step.decodes;
    }
    (passed, watcher.held.len(), decodes)
}

#[test]
fn parameter_sets_tell_the_order_at_once() {
    assert_eq!(watched(SHOWN, &[0]), (1, 0, false));
    assert_eq!(watched(REORDERED, &[0]), (1, 0, true));
}

#[test]
fn without_them_the_times_of_the_first_pictures_do() {
    assert_eq!(h264::reordered_pictures(&hex(SILENT)), None);
    assert_eq!(watched(SILENT, &[0, 40, 80]), (0, 3, false));
    assert_eq!(watched(SILENT, &[0, 120, 40]), (3, 0, true));
    let ten: Vec<u64> = (0..10).map(|number| number * 40).collect();
    assert_eq!(watched(SILENT, &ten), (10, 0, false));
}

#[test]
fn what_turns_out_later_is_decoded_from_the_next_keyframe_on() {
    let (pad, mut watcher) = (pad(H264), Watcher::default());
    watcher.on_picture(&pad, &picture(0, &hex(SHOWN), true));
    watcher.on_picture(&pad, &picture(120, SLICE, false));
    let step = watcher.on_picture(&pad, &picture(40, SLICE, false));
    assert!(step.decodes && !step.passes);
    assert!(!watcher.on_picture(&pad, &picture(80, SLICE, false)).passes);
    assert!(watcher.on_picture(&pad, &picture(160, SLICE, true)).passes);
    assert!(watcher.on_picture(&pad, &picture(200, SLICE, false)).passes);
}

#[test]
fn what_is_held_leaves_before_the_end() {
    let (pad, mut watcher) = (pad(H264), Watcher::default());
    watcher.on_picture(&pad, &picture(0, &hex(SILENT), true));
    let step = watcher.on_event(&gst::event::Eos::new());
    assert_eq!(step.released.len(), 1);
}

#[test]
fn pictures_that_browsers_do_not_decode_are_decoded() {
    for text in [
        "video/x-h264,profile=high-4:2:2,chroma-format=4:2:2,bit-depth-luma=(uint)8,bit-depth-chroma=(uint)8",
        "video/x-h264,profile=high-10,chroma-format=4:2:0,bit-depth-luma=(uint)10,bit-depth-chroma=(uint)10",
        "video/x-h265,chroma-format=4:4:4,bit-depth-luma=(uint)8",
        "video/x-vp9,profile=(string)1",
        "video/x-av1,profile=high",
    ] {
        assert!(!is_shown_by_browsers(&caps(text)), "{text}");
    }
    for text in [
        "video/x-h264,profile=high,chroma-format=4:2:0,bit-depth-luma=(uint)8,bit-depth-chroma=(uint)8",
        "video/x-h264",
        "video/x-vp9,profile=(string)0",
        "video/x-av1,profile=main",
        "video/x-vp8",
        "image/jpeg",
    ] {
        assert!(is_shown_by_browsers(&caps(text)), "{text}");
        decoder(&caps(text)).unwrap();
    }
}

#[test]
fn pictures_that_are_to_be_turned_are_decoded() {
    crate::init().unwrap();
    for (orientation, decodes) in [
        ("rotate-0", false),
        ("rotate-90", true),
        ("flip-rotate-0", true),
    ] {
        let mut tags = gst::TagList::new();
        let made = tags.get_mut().unwrap();
        made.add::<gst::tags::ImageOrientation>(&orientation, gst::TagMergeMode::Replace);
        let step = Watcher::default().on_event(&gst::event::Tag::new(tags));
        assert_eq!(step.decodes, decodes, "{orientation}");
    }
}
