//! The source hears when its media is decoded or encoded, and when no more.

use super::*;

fn states(camera: &Camera) -> Vec<bool> {
    let events = camera.events.all();
    let states = events.into_iter().filter_map(|event| match event {
        NodeEvent::Transcoding { active, .. } => Some(active),
        _ => None,
    });
    states.collect()
}

#[test]
fn transcoding_begins_with_the_first_and_ends_with_the_last_who_needs_it() {
    let studio = Studio::new();
    let (camera, h264) = (studio.camera(), studio.format("H264"));
    let direct = studio.connected(&camera, "direct", studio.bench.vp8);
    assert_eq!(states(&camera), [false]);
    let first = studio.connected(&camera, "first", h264);
    let second = studio.connected(&camera, "second", studio.format("VP9"));
    assert_eq!(states(&camera), [false, true]);
    first.node.release();
    assert_eq!(states(&camera), [false, true]);
    second.node.release();
    assert_eq!(states(&camera), [false, true, false]);
    direct.node.release();
    assert_eq!(states(&camera), [false, true, false]);
}

#[test]
fn the_event_says_whose_connection_is_the_cause() {
    let studio = Studio::new();
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    viewer.node.release();
    let events = camera.events.all();
    let reasons: Vec<_> = events
        .into_iter()
        .filter_map(|event| match event {
            NodeEvent::Transcoding { reason, .. } => reason,
            _ => None,
        })
        .collect();
    let [begins, ends] = &reasons[..] else {
        panic!("{reasons:?}");
    };
    assert!(begins.starts_with("camera sends VP8"), "{begins}");
    assert!(begins.contains("viewer accepts H264"), "{begins}");
    assert_eq!(ends, "nobody needs it of camera any more");
}

#[test]
fn packing_anew_is_no_transcoding() {
    let studio = Studio::new();
    let camera = studio.camera();
    let formats = studio.bench.graph.plane().formats();
    let frames = formats.id(Format {
        packaging: Packaging::Frame,
        ..Format::rtp("VP8", 90_000, 0)
    });
    let recorder = studio.connected(&camera, "recorder", frames);
    camera.source.push(&studio.packets(0..1));
    recorder.wait_for(1);
    assert_eq!(states(&camera), [false]);
}

#[test]
fn the_reason_is_one_line_of_readable_length_whatever_a_viewer_accepts() {
    let studio = Studio::new();
    let camera = studio.camera();
    let uuid = "0c61f0ce-30e7-4a71-a5a9-1f2a3b4c5d6e";
    let id = format!("{uuid}_kurento.MediaPipeline/{uuid}_kurento.WebRtcEndpoint");
    let formats = studio.bench.graph.plane().formats();
    let mut accepted = vec![studio.format("H264")];
    accepted.extend((0..95).map(|number| {
        let format = Format::rtp("H265", 90_000, 0).with("profile-id", number.to_string());
        formats.id(format.with("sprop", "x".repeat(500)))
    }));
    let viewer = studio.viewer(&id, &accepted);
    camera
        .node
        .connect(&viewer.node, VIDEO, "default", "default");
    let reasons = camera
        .events
        .all()
        .into_iter()
        .filter_map(|event| match event {
            NodeEvent::Transcoding { reason, .. } => reason,
            _ => None,
        });
    let reason = reasons.last().unwrap();
    assert_eq!(
        reason,
        format!("camera sends VP8, {id} accepts H264 or H265")
    );
    let line = format!("TRANSCODING ACTIVE for video: {reason}");
    assert!(line.len() + id.len() - "camera".len() <= 310, "{line}");
}
