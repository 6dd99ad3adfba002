//! Conversions begin and end with their consumers, and follow the formats.

use super::*;

#[test]
fn conversions_end_with_their_last_consumer() {
    let studio = Studio::new();
    let (camera, h264) = (studio.camera(), studio.format("H264"));
    let first = studio.connected(&camera, "first", h264);
    let second = studio.connected(&camera, "second", h264);
    camera.source.push(&studio.packets(0..1));
    first.wait_for(1);
    first.node.release();
    assert_eq!(studio.running(), 4);
    camera
        .node
        .disconnect(&second.node, VIDEO, "default", "default");
    studio.wait_until_running(0);
    let mut stops = studio.toys.stops.all();
    stops.sort_unstable();
    assert_eq!(stops, [0, 1, 2, 3]);
    camera.source.push(&studio.packets(1..2));
    assert_eq!(second.texts().len(), 1);
}

#[test]
fn only_the_branch_that_nobody_needs_ends() {
    let studio = Studio::new();
    let camera = studio.camera();
    let first = studio.connected(&camera, "first", studio.format("H264"));
    let second = studio.connected(&camera, "second", studio.format("VP9"));
    camera.source.push(&studio.packets(0..1));
    first.wait_for(1);
    second.wait_for(1);
    second.node.release();
    studio.wait_until_running(4);
    camera.source.push(&studio.packets(1..2));
    assert_eq!(first.wait_for(2).last().unwrap(), "1>0>1>2>3");
    assert_eq!(studio.starts_of(DECODE_VP8), 1);
}

#[test]
fn releasing_the_source_ends_everything() {
    let studio = Studio::new();
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    camera.source.push(&studio.packets(0..1));
    viewer.wait_for(1);
    camera.node.release();
    studio.wait_until_running(0);
    assert_eq!(viewer.formats.all().last(), Some(&0));
}

#[test]
fn a_source_that_changes_its_format_is_converted_anew() {
    let studio = Studio::new();
    let (camera, h264) = (studio.camera(), studio.format("H264"));
    let viewer = studio.connected(&camera, "viewer", studio.bench.vp8);
    camera.source.push(&studio.packets(0..1));
    assert_eq!(viewer.wait_for(1), ["0"]);
    camera.node.set_format(VIDEO, "default", h264);
    let mut packets = studio.packets(1..2);
    packets[0].format = h264;
    camera.source.push(&packets);
    assert_eq!(viewer.wait_for(2).last().unwrap(), "1>7>8>9>6");
    camera.node.set_format(VIDEO, "default", studio.bench.vp8);
    studio.wait_until_running(0);
    camera.source.push(&studio.packets(2..3));
    assert_eq!(viewer.wait_for(3).last().unwrap(), "2");
}

#[test]
fn a_sink_that_accepts_later_is_served_then() {
    let studio = Studio::new();
    let camera = studio.camera();
    let viewer = studio.viewer("viewer", &[]);
    camera
        .node
        .connect(&viewer.node, VIDEO, "default", "default");
    camera.source.push(&studio.packets(0..1));
    assert!(studio.toys.starts.all().is_empty());
    viewer
        .node
        .set_accepted(VIDEO, "default", &[studio.format("H264")]);
    camera.source.push(&studio.packets(1..2));
    viewer.sees("1>0>1>2>3");
    viewer
        .node
        .set_accepted(VIDEO, "default", &[studio.format("VP9")]);
    camera.source.push(&studio.packets(2..3));
    viewer.sees("2>0>1>4>5");
    studio.wait_until_running(4);
}

#[test]
fn a_forced_format_is_converted_to_although_any_is_accepted() {
    use crate::{ForcedCodec, ForcedFormat};
    let studio = Studio::new();
    let camera = studio.camera();
    let any = rivero_plugin_api::abi::traits::ANY_FORMAT;
    let viewer = studio.connected(&camera, "viewer", any);
    let forced = ForcedFormat {
        codec: ForcedCodec::Encoding("H264".into()),
        frame_rate: Some((10, 1)),
        bitrate: None,
    };
    viewer.node.force(VIDEO, Some(forced));
    camera.source.push(&studio.packets(0..1));
    assert_eq!(viewer.wait_for(1), ["0>0>1>2"]);
    let starts = studio.toys.starts.all();
    let encoder = starts.iter().find(|start| start.conversion == ENCODE_H264);
    assert_eq!(encoder.unwrap().settings.frame_rate, Some(10.0));
    viewer.node.force(VIDEO, None);
    camera.source.push(&studio.packets(1..2));
    assert_eq!(viewer.wait_for(2).last().unwrap(), "1");
}

#[test]
fn packets_of_another_encoding_are_not_converted() {
    let studio = Studio::new();
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    let mut packets = studio.packets(0..3);
    packets[1].format = studio.format("EVENTS");
    camera.source.push(&packets);
    assert_eq!(viewer.wait_for(2), ["0>0>1>2>3", "2>0>1>2>3"]);
}

#[test]
fn events_go_past_conversions_to_those_that_accept_them() {
    let studio = Studio::new();
    let camera = studio.camera();
    let (h264, events) = (studio.format("H264"), studio.format("EVENTS"));
    let any = rivero_plugin_api::abi::traits::ANY_FORMAT;
    let formats = [
        &[h264, events][..],
        &[h264],
        &[studio.bench.vp8, events],
        &[any],
    ];
    let viewers = formats.map(|accepted| {
        let viewer = studio.viewer(&format!("viewer {accepted:?}"), accepted);
        camera
            .node
            .connect(&viewer.node, VIDEO, "default", "default");
        viewer
    });
    camera.source.push(&studio.packets(0..1));
    for viewer in &viewers {
        viewer.wait_for(1);
    }
    let mut event = studio.packets(1..2);
    (event[0].format, event[0].flags) = (events, rivero_plugin_api::Packet::EVENT);
    camera.source.push(&event);
    // At once, on this thread.
    let heard = viewers.map(|viewer| viewer.texts().contains(&"1".to_owned()));
    assert_eq!(heard, [true, false, true, true]);
}
