//! One conversion for all consumers that need the same.

use super::*;

#[test]
fn twenty_viewers_of_one_format_share_one_decoder_and_one_encoder() {
    let studio = Studio::new();
    let (camera, h264) = (studio.camera(), studio.format("H264"));
    let viewers: Vec<_> = (0..20)
        .map(|number| studio.connected(&camera, &format!("viewer {number}"), h264))
        .collect();
    camera.source.push(&studio.packets(0..3));
    for viewer in &viewers {
        assert_eq!(viewer.wait_for(3), ["0>0>1>2>3", "1>0>1>2>3", "2>0>1>2>3"]);
        assert!(
            viewer
                .arrived
                .all()
                .iter()
                .all(|packet| packet.format == h264)
        );
        assert_eq!(viewer.formats.all(), [h264]);
    }
    assert_eq!(studio.toys.starts.all().len(), 4);
    assert_eq!(studio.running(), 4);
}

#[test]
fn one_decoder_feeds_encoders_of_two_formats() {
    let studio = Studio::new();
    let camera = studio.camera();
    let first = studio.connected(&camera, "first", studio.format("H264"));
    let second = studio.connected(&camera, "second", studio.format("VP9"));
    camera.source.push(&studio.packets(0..1));
    assert_eq!(first.wait_for(1), ["0>0>1>2>3"]);
    assert_eq!(second.wait_for(1), ["0>0>1>4>5"]);
    assert_eq!(studio.starts_of(DECODE_VP8), 1);
    assert_eq!(studio.running(), 6);
}

#[test]
fn who_accepts_the_format_gets_it_as_it_comes() {
    let studio = Studio::new();
    let camera = studio.camera();
    let both = studio.viewer("both", &[studio.format("H264"), studio.bench.vp8]);
    camera.node.connect(&both.node, VIDEO, "default", "default");
    camera.source.push(&studio.packets(0..1));
    assert_eq!(both.texts(), ["0"]);
    assert!(studio.toys.starts.all().is_empty());
}

#[test]
fn a_module_that_declares_a_lower_cost_wins() {
    let studio = Studio::with_hardware(99);
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    camera.source.push(&studio.packets(0..1));
    assert_eq!(viewer.wait_for(1), ["0>0>1>10>3"]);
    assert_eq!(studio.starts_of(ENCODE_H264), 0);
}

#[test]
fn packets_of_a_packetiser_are_kept_for_retransmission() {
    let studio = Studio::new();
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    camera.source.push(&studio.packets(0..5));
    viewer.wait_for(5);
    let lost = viewer.sink.history(77, 103).unwrap();
    assert_eq!(texts(std::slice::from_ref(&lost)), ["3>0>1>2>3"]);
    assert_ne!(lost.origin, camera.source.id());
    assert!(viewer.sink.history(7, 3).is_none());
}
