//! Converters that do not start, give up or panic.

use super::*;

fn complaints(viewer: &Viewer) -> Vec<String> {
    let events = viewer.events.all();
    let reasons = events.into_iter().filter_map(|event| match event {
        NodeEvent::Unconvertible { reason, .. } => Some(reason),
        _ => None,
    });
    reasons.collect()
}

/// A viewer of H264 whose only encoder is in this mood hears `cause`.
fn hears(mood: Mood, cause: &str) {
    let studio = Studio::new();
    studio.mood(ENCODE_H264, mood.clone());
    studio.mood(HARDWARE, mood);
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    let other = studio.connected(&camera, "other", studio.format("VP9"));
    for number in 0..1000 {
        camera.source.push(&studio.packets(number..number + 1));
        if !complaints(&viewer).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let complaints = complaints(&viewer);
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains(cause), "{complaints:?}");
    assert!(complaints[0].contains("VP8") && complaints[0].contains("H264"));
    assert_eq!(viewer.formats.all().last(), Some(&0));
    studio.wait_until_running(4);
    let known = other.texts().len();
    camera.source.push(&studio.packets(2000..2001));
    assert!(other.wait_for(known + 1).len() > known, "others go on");
}

#[test]
fn a_converter_that_does_not_start_is_told_to_its_consumers_only() {
    hears(Mood::RefusesToStart, "out of order");
}

#[test]
fn a_converter_that_panics_at_its_start_is_told_to_its_consumers_only() {
    hears(Mood::PanicsAtStart, "it falls over");
}

#[test]
fn a_converter_that_panics_is_told_to_its_consumers_only() {
    hears(Mood::Panics, "it trips");
}

#[test]
fn a_converter_that_gives_up_is_told_to_its_consumers_only() {
    hears(Mood::Fails, "it cannot go on");
}

#[test]
fn another_converter_takes_over_without_a_complaint() {
    let studio = Studio::with_hardware(50);
    studio.mood(HARDWARE, Mood::RefusesToStart);
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    let mut number = 0;
    while viewer.texts().is_empty() && number < 2000 {
        camera.source.push(&studio.packets(number..number + 1));
        std::thread::sleep(Duration::from_millis(5));
        number += 1;
    }
    assert!(viewer.texts()[0].ends_with(">0>1>2>3"));
    assert!(complaints(&viewer).is_empty());
}

#[test]
fn what_failed_is_tried_again_when_a_format_changes() {
    let studio = Studio::new();
    studio.mood(DECODE_VP8, Mood::Fails);
    let (camera, h264) = (studio.camera(), studio.format("H264"));
    let viewer = studio.connected(&camera, "viewer", h264);
    camera.source.push(&studio.packets(0..1));
    viewer.events.wait_for(|events| {
        events
            .iter()
            .any(|event| matches!(event, NodeEvent::Unconvertible { .. }))
    });
    studio.toys.moods.lock().unwrap().clear();
    camera.source.push(&studio.packets(1..2));
    assert_eq!(studio.starts_of(DECODE_VP8), 1);
    viewer.node.set_accepted(VIDEO, "default", &[]);
    viewer.node.set_accepted(VIDEO, "default", &[h264]);
    camera.source.push(&studio.packets(2..3));
    viewer.sees("2>0>1>2>3");
}
