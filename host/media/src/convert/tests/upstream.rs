//! What consumers say reaches the last encoder, or else the source.

use super::*;
use crate::EncoderRates;

fn keyframe_requests(heard: &[(usize, Upstream)]) -> usize {
    let request = (ENCODE_H264, Upstream::KeyframeRequest);
    heard.iter().filter(|heard| **heard == request).count()
}

#[test]
fn keyframe_requests_go_to_the_encoder_and_not_to_the_camera() {
    let studio = Studio::new();
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    camera.source.push(&studio.packets(0..1));
    viewer.wait_for(1);
    let asked = camera.upstream.all().len();
    let known = keyframe_requests(&studio.toys.heard.all());
    wait_until("the encoder hears of some requests", || {
        viewer.sink.upstream(Upstream::KeyframeRequest);
        keyframe_requests(&studio.toys.heard.all()) >= known + 3
    });
    // One may have been on its way since the viewer came.
    assert!(camera.upstream.all().len() <= asked + 1);
}

#[test]
fn keyframe_requests_pass_through_mere_packing() {
    let studio = Studio::new();
    let camera = studio.camera();
    let formats = studio.bench.graph.plane().formats();
    let frames = formats.id(Format {
        packaging: Packaging::Frame,
        ..Format::rtp("VP8", 90_000, 0)
    });
    let viewer = studio.connected(&camera, "recorder", frames);
    camera.source.push(&studio.packets(0..1));
    assert_eq!(viewer.wait_for(1), ["0>0"]);
    let asked = camera.upstream.all().len();
    viewer.sink.upstream(Upstream::KeyframeRequest);
    camera.upstream.wait_for(|heard| heard.len() > asked);
    assert_eq!(
        camera.upstream.all().last(),
        Some(&Some(Upstream::KeyframeRequest))
    );
    let told = Upstream::BandwidthEstimate {
        bits_per_second: 400_000,
    };
    estimate(&viewer, 400_000);
    camera
        .upstream
        .wait_for(|heard| heard.last() == Some(&Some(told)));
    assert_eq!(camera.upstream.all().last(), Some(&Some(told)));
    assert!(studio.toys.heard.all().is_empty());
}

#[test]
fn the_weakest_viewer_decides_what_the_encoder_makes_within_the_bounds() {
    let studio = Studio::new();
    let (camera, h264) = (studio.camera(), studio.format("H264"));
    camera.node.set_encoder_rates(EncoderRates {
        encoder: 0,
        minimum: 200_000,
        maximum: 900_000,
    });
    let strong = studio.connected(&camera, "strong", h264);
    let weak = studio.connected(&camera, "weak", h264);
    camera.source.push(&studio.packets(0..1));
    weak.wait_for(1);
    let starts = studio.toys.starts.all();
    let encoder = starts
        .iter()
        .find(|start| start.conversion == ENCODE_H264)
        .unwrap();
    assert_eq!(encoder.settings.bitrate, Some(300_000));
    assert_eq!(encoder.settings.keyframe_interval, None);

    let expect = |bits_per_second| {
        let told = (ENCODE_H264, Upstream::TargetBitrate { bits_per_second });
        studio.toys.heard.wait_for(|heard| heard.contains(&told));
        assert!(studio.toys.heard.all().contains(&told), "{told:?}");
        studio.toys.heard.0.lock().unwrap().clear();
    };
    estimate(&strong, 5_000_000);
    expect(900_000);
    estimate(&weak, 400_000);
    expect(400_000);
    estimate(&weak, 50_000);
    expect(200_000);
    weak.node.release();
    expect(900_000);
    camera.node.set_encoder_rates(EncoderRates {
        encoder: 0,
        minimum: 200_000,
        maximum: 700_000,
    });
    expect(700_000);
    camera.node.set_encoder_rates(EncoderRates {
        encoder: 0,
        minimum: 200_000,
        maximum: 4_000_000,
    });
    expect(4_000_000);
    camera.node.set_encoder_rates(EncoderRates {
        encoder: 800_000,
        minimum: 200_000,
        maximum: 4_000_000,
    });
    expect(800_000);
    let limits = camera.upstream.all().into_iter().flatten();
    let limits = limits.filter(|message| matches!(message, Upstream::BandwidthEstimate { .. }));
    assert_eq!(limits.count(), 0, "the camera is not concerned");
}
