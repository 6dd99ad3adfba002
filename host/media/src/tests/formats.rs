//! Formats that peers and clients make up: they pass, and harm nobody else.

use rivero_plugin_api::Format;

use super::*;
use crate::{RecentFormats, sink::Accepted};

/// One that nobody else has.
fn made_up(number: usize) -> Format {
    Format::rtp("H264", 90_000, 0).with("profile", format!("{number:06x}"))
}

#[test]
fn nothing_remains_of_elements_that_accepted_any_number_of_formats() {
    let bench = TestBench::new();
    let formats = bench.graph.plane().formats();
    let before = formats.len();
    let hostile = RecentFormats::default();
    for element in 0..2_000 {
        let (node, _) = bench.node("hostile");
        node.add_source(VIDEO, "default", source_handler(&Log::default()))
            .unwrap();
        node.add_sink(VIDEO, "default", sink_handler(&Log::default()), None, 0)
            .unwrap();
        let numbers = (0..50).map(|number| hostile.number(formats, made_up(element * 50 + number)));
        let numbers: Vec<u32> = numbers.collect();
        node.set_format(VIDEO, "default", numbers[0]);
        node.set_accepted(VIDEO, "default", &numbers);
    }
    assert!(formats.len() <= before + RecentFormats::COUNT);

    let module = RecentFormats::default();
    let av1 = module.number(formats, Format::rtp("AV1", 90_000, 0));
    let (camera, _) = bench.node("camera");
    let (viewer, _) = bench.node("viewer");
    let arrivals = Log::default();
    camera
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    viewer
        .add_sink(VIDEO, "default", sink_handler(&arrivals), None, 0)
        .unwrap();
    camera.set_format(VIDEO, "default", av1);
    viewer.set_accepted(VIDEO, "default", &[av1]);
    camera.connect(&viewer, VIDEO, "default", "default");
    assert_eq!(arrivals.all(), [Arrival::Format(av1)]);

    drop((hostile, module));
    camera.release();
    viewer.release();
    assert_eq!(formats.len(), before);
}

#[test]
fn a_format_stays_while_a_pad_has_it() {
    let bench = TestBench::new();
    let formats = bench.graph.plane().formats();
    let before = formats.len();
    let module = RecentFormats::default();
    let (camera, _) = bench.node("camera");
    let (viewer, _) = bench.node("viewer");
    camera
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    viewer
        .add_sink(VIDEO, "default", sink_handler(&Log::default()), None, 0)
        .unwrap();
    let numbers = [1, 2].map(|number| module.number(formats, made_up(number)));
    camera.set_format(VIDEO, "default", numbers[0]);
    viewer.set_accepted(VIDEO, "default", &numbers[1..]);
    drop(module);
    let known = numbers.map(|number| formats.get(number).as_deref().cloned());
    assert_eq!(known, [Some(made_up(1)), Some(made_up(2))]);
    camera.set_format(VIDEO, "default", bench.vp8);
    viewer.remove_sink(VIDEO, "default");
    assert_eq!(formats.len(), before);
}

#[test]
fn a_sink_that_accepts_too_many_formats_is_told_and_takes_the_first() {
    let bench = TestBench::new();
    let formats = bench.graph.plane().formats();
    let module = RecentFormats::default();
    let (viewer, events) = bench.node("viewer");
    let sink = viewer
        .add_sink(VIDEO, "default", sink_handler(&Log::default()), None, 0)
        .unwrap();
    let numbers = (0..Accepted::LIMIT + 3).map(|number| module.number(formats, made_up(number)));
    let numbers: Vec<u32> = numbers.collect();
    viewer.set_accepted(
        VIDEO,
        "default",
        &[&numbers[..5], &numbers, &[77_777]].concat(),
    );
    assert_eq!(*sink.accepted(), numbers[..Accepted::LIMIT]);
    let expected = NodeEvent::TooManyFormats {
        kind: VIDEO,
        surplus: 3,
    };
    assert_eq!(events.all(), [expected]);
}
