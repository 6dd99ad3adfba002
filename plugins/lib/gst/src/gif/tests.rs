use super::{film::MOST_PIXELS, *};
use crate::element;
use ::gif::{DisposalMethod, Encoder, Frame};
use gstreamer_app as gst_app;

const RED: u8 = 0;
const GREEN: u8 = 1;
const BLUE: u8 = 2;
/// Of the palette, which leaves a pixel as it is.
const HOLE: u8 = 3;
const PALETTE: [u8; 12] = [200, 0, 0, 0, 200, 0, 0, 0, 200, 9, 9, 9];
const WHITE: [u8; 3] = [255, 255, 255];

const WIDTH: u16 = 6;
const HEIGHT: u16 = 4;

fn colour(index: u8) -> [u8; 3] {
    let index = usize::from(index);
    PALETTE[index * 3..index * 3 + 3].try_into().unwrap()
}

/// A picture of one colour; `area`: left, top, width, height. `delay`: hundredths of a second.
fn frame(area: [u16; 4], index: u8, delay: u16) -> Frame<'static> {
    let [left, top, width, height] = area;
    Frame {
        delay,
        left,
        top,
        width,
        height,
        transparent: Some(HOLE),
        buffer: vec![index; usize::from(width) * usize::from(height)].into(),
        ..Frame::default()
    }
}

fn whole(index: u8, delay: u16) -> Frame<'static> {
    frame([0, 0, WIDTH, HEIGHT], index, delay)
}

fn file_of(screen: [u16; 2], frames: &[Frame<'static>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, screen[0], screen[1], &PALETTE).unwrap();
    encoder.set_repeat(::gif::Repeat::Infinite).unwrap();
    for frame in frames {
        encoder.write_frame(frame).unwrap();
    }
    drop(encoder);
    bytes
}

fn file(frames: &[Frame<'static>]) -> Vec<u8> {
    file_of([WIDTH, HEIGHT], frames)
}

struct Shown {
    start: u64,
    length: u64,
    pixels: Vec<[u8; 3]>,
}

/// The element between the bytes and who takes the pictures.
struct Rig {
    pipeline: gst::Pipeline,
    sink: gst_app::AppSink,
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

impl Rig {
    fn new(bytes: &[u8]) -> Self {
        crate::init().unwrap();
        let source = gst_app::AppSrc::builder().build();
        let sink = gst_app::AppSink::builder().sync(false).build();
        let pipeline = gst::Pipeline::new();
        let row = [
            source.clone().upcast(),
            element::make(FACTORY).unwrap(),
            sink.clone().upcast(),
        ];
        pipeline.add_many(&row).unwrap();
        gst::Element::link_many(&row).unwrap();
        for piece in bytes.chunks(1000) {
            let buffer = gst::Buffer::from_slice(piece.to_vec());
            source.push_buffer(buffer).unwrap();
        }
        source.end_of_stream().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, sink }
    }

    fn shown(&self) -> Vec<Shown> {
        let shown = |sample: gst::Sample| {
            let buffer = sample.buffer().unwrap();
            let bytes = buffer.map_readable().unwrap();
            Shown {
                start: buffer.pts().unwrap().mseconds(),
                length: buffer.duration().unwrap().mseconds(),
                pixels: { bytes.chunks(4) }
                    .map(|pixel| pixel[..3].try_into().unwrap())
                    .collect(),
            }
        };
        std::iter::from_fn(|| self.sink.pull_sample().ok())
            .map(shown)
            .collect()
    }

    /// Why it failed.
    fn error(&self) -> Option<String> {
        let bus = self.pipeline.bus().unwrap();
        let message = bus.pop_filtered(&[gst::MessageType::Error])?;
        match message.view() {
            gst::MessageView::Error(error) => Some(error.error().to_string()),
            _ => None,
        }
    }
}

/// What is shown of a file that has no fault.
fn shown(bytes: &[u8]) -> Vec<Shown> {
    let rig = Rig::new(bytes);
    let shown = rig.shown();
    assert_eq!(rig.error(), None);
    shown
}

/// How many pictures are shown of a file, and with which error that ends.
fn failed(bytes: &[u8]) -> (usize, String) {
    let rig = Rig::new(bytes);
    let shown = rig.shown();
    (shown.len(), rig.error().unwrap())
}

#[test]
fn pictures_follow_each_other_at_their_delays_and_end() {
    let shown = shown(&file(&[whole(RED, 100), whole(GREEN, 7), whole(BLUE, 50)]));
    let times: Vec<_> = { shown.iter() }
        .map(|shown| (shown.start, shown.length))
        .collect();
    assert_eq!(times, [(0, 1000), (1000, 70), (1070, 500)]);
    for (shown, index) in shown.iter().zip([RED, GREEN, BLUE]) {
        assert_eq!(shown.pixels, [colour(index); 24], "{index}");
    }
}

#[test]
fn delays_that_nobody_means_are_the_usual_one() {
    let shown = shown(&file(&[whole(RED, 0), whole(GREEN, 1), whole(BLUE, 2)]));
    let starts: Vec<_> = shown.iter().map(|shown| shown.start).collect();
    assert_eq!(starts, [0, 100, 200]);
    assert_eq!(shown[2].length, 20);
}

/// The colours of the first line, after a picture in red, and one of another colour on its left half that is disposed of so.
fn after(dispose: DisposalMethod) -> Vec<[u8; 3]> {
    let half = Frame {
        dispose,
        ..frame([0, 0, WIDTH / 2, HEIGHT], GREEN, 10)
    };
    let point = frame([WIDTH - 1, 0, 1, 1], BLUE, 10);
    let shown = shown(&file(&[whole(RED, 10), half, point]));
    assert_eq!(shown[1].pixels[..3], [colour(GREEN); 3]);
    assert_eq!(shown[1].pixels[3..6], [colour(RED); 3]);
    shown[2].pixels[..usize::from(WIDTH)].to_vec()
}

#[test]
fn pictures_are_disposed_of_as_they_say() {
    for (dispose, left) in [
        (DisposalMethod::Any, colour(GREEN)),
        (DisposalMethod::Keep, colour(GREEN)),
        (DisposalMethod::Background, WHITE),
        (DisposalMethod::Previous, colour(RED)),
    ] {
        let red = colour(RED);
        let wanted = [left, left, left, red, red, colour(BLUE)];
        assert_eq!(after(dispose), wanted, "{dispose:?}");
    }
}

#[test]
fn what_is_transparent_shows_what_was_there() {
    let shown = shown(&file(&[whole(HOLE, 10), whole(RED, 10), whole(HOLE, 10)]));
    assert_eq!(shown[0].pixels, [WHITE; 24]);
    assert_eq!(shown[2].pixels, [colour(RED); 24]);
}

#[test]
fn pictures_of_any_place_and_palette_are_painted() {
    let own = Frame {
        palette: Some(vec![1, 2, 3]),
        // Its second pixel has a colour that is not there.
        buffer: vec![0, 2].into(),
        ..frame([0, 0, 2, 1], 0, 10)
    };
    let beyond = frame([WIDTH - 1, HEIGHT - 1, 5, 5], GREEN, 10);
    let outside = frame([60_000, 60_000, 2, 2], BLUE, 10);
    let shown = shown(&file(&[whole(RED, 10), own, beyond, outside]));
    let last = &shown[3].pixels;
    assert_eq!(last[..2], [[1, 2, 3], colour(RED)]);
    assert_eq!(last[22..], [colour(RED), colour(GREEN)]);
    assert_eq!(last.len(), 24);
}

#[test]
fn a_screen_that_is_too_small_grows_with_the_first_picture() {
    for screen in [[0, 0], [1, 1], [WIDTH, 0]] {
        let shown = shown(&file_of(screen, &[whole(RED, 10), whole(GREEN, 10)]));
        assert_eq!(shown[1].pixels, [colour(GREEN); 24], "{screen:?}");
    }
}

#[test]
fn one_picture_is_a_film_of_one() {
    let shown = shown(&file(&[whole(BLUE, 0)]));
    assert_eq!(shown.len(), 1);
    assert_eq!(shown[0].pixels, [colour(BLUE); 24]);
}

#[test]
fn a_file_without_its_trailer_is_whole() {
    let mut bytes = file(&[whole(RED, 10), whole(GREEN, 10)]);
    assert_eq!(bytes.pop(), Some(b';'));
    assert_eq!(shown(&bytes).len(), 2);
}

#[test]
fn what_is_cut_off_fails_behind_what_is_there() {
    let pictures = [whole(RED, 10), whole(GREEN, 10)];
    let bytes = file(&pictures);
    let first = file(&pictures[..1]).len() - 1;
    // Not right behind a block.
    for length in [first + 1, first + 12, bytes.len() - 2, bytes.len() - 3] {
        let (count, error) = failed(&bytes[..length]);
        assert_eq!(count, 1, "{length}: {error}");
    }
    for length in [0, 3, 12, first - 2] {
        let (count, error) = failed(&bytes[..length]);
        assert_eq!(count, 0, "{length}: {error}");
    }
}

#[test]
fn what_has_no_picture_fails() {
    let (count, error) = failed(&file(&[]));
    assert_eq!((count, error.as_str()), (0, "a GIF without a picture"));
    assert_eq!(failed(&file(&[frame([0, 0, 0, 0], RED, 10)])).0, 0);
    assert_eq!(failed(b"GIF89a and nothing that is one").0, 0);
}

#[test]
fn pictures_that_are_too_large_are_refused_before_there_is_room_for_them() {
    let large = |screen| file_of(screen, &[frame([0, 0, 1, 1], RED, 10)]);
    let (count, error) = failed(&large([u16::MAX, u16::MAX]));
    assert_eq!(count, 0);
    assert!(error.contains(&MOST_PIXELS.to_string()), "{error}");
    let side = 3072; // As many as there may be.
    assert_eq!(usize::from(side) * usize::from(side), MOST_PIXELS);
    assert_eq!(shown(&large([side, side])).len(), 1);
    assert_eq!(failed(&large([side, side + 1])).0, 0);
    // A part that is larger than the screen.
    let mut bytes = file(&[whole(RED, 10), whole(GREEN, 10)]);
    let second = { bytes.windows(9) }
        .rposition(|bytes| bytes == [0, 0, 0, 0, 6, 0, 4, 0, 0])
        .unwrap();
    bytes[second + 4..second + 8].fill(0xff);
    assert_eq!(failed(&bytes).0, 0);
}

#[test]
fn whatever_is_spoilt_ends() {
    let bytes = file(&[
        whole(RED, 10),
        Frame {
            dispose: DisposalMethod::Previous,
            ..frame([1, 1, 3, 2], GREEN, 10)
        },
        whole(BLUE, 10),
    ]);
    for place in 0..bytes.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut bytes = bytes.clone();
            bytes[place] = value;
            let Ok(film) = Film::read(glib::Bytes::from_owned(bytes)) else {
                continue;
            };
            let mut pictures = film.pictures().unwrap();
            let mut count = 0;
            while let Ok(Some(_)) = pictures.advance() {
                count += 1;
            }
            assert!(count < 100, "{place}: {value}");
        }
    }
}

#[test]
fn a_film_can_be_sought_in_and_knows_its_length() {
    let rig = Rig::new(&file(&[
        whole(RED, 100),
        whole(GREEN, 100),
        whole(BLUE, 100),
    ]));
    assert_eq!(rig.shown().len(), 3);
    let length = rig.pipeline.query_duration::<gst::ClockTime>();
    assert_eq!(length, Some(gst::ClockTime::from_seconds(3)));
    // Behind its end, too, and back.
    for (place, left) in [(1500, 2), (0, 3), (2999, 1)] {
        let place = gst::ClockTime::from_mseconds(place);
        rig.pipeline
            .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, place)
            .unwrap();
        let shown = rig.shown();
        assert_eq!(shown.len(), left);
        assert_eq!(shown[0].start, place.mseconds());
        assert_eq!(shown[left - 1].pixels, [colour(BLUE); 24]);
        assert_eq!(shown[left - 1].start + shown[left - 1].length, 3000);
    }
    assert_eq!(rig.error(), None);
}
