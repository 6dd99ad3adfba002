//! A converter that falls behind loses media of its own, and nobody waits for it.

use super::*;

#[test]
fn a_slow_decoder_goes_on_at_a_keyframe_and_the_producer_never_waits() {
    let studio = Studio::new();
    let gate = Arc::new(Gate::default());
    studio.mood(DEPACK_VP8, Mood::Waits(gate.clone()));
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    let direct = studio.connected(&camera, "direct", studio.bench.vp8);
    camera.source.push(&studio.packets(0..1));
    wait_until("the decoder is at work", || {
        studio.starts_of(DEPACK_VP8) == 1
    });
    let asked = camera.upstream.all().len();
    for start in (1..5001).step_by(50) {
        let mut packets = studio.packets(start..start + 50);
        packets[0].flags = 0;
        camera.source.push(&packets);
    }
    assert_eq!(direct.texts().len(), 5001);
    assert!(viewer.texts().is_empty());
    camera.upstream.wait_for(|heard| heard.len() > asked);
    assert!(
        camera.upstream.all().len() > asked,
        "a keyframe is asked for"
    );

    camera.source.push(&studio.packets(6000..6002));
    gate.open();
    let arrived = viewer.arrived.wait_for(|arrived| {
        arrived
            .iter()
            .any(|packet| packet.bytes.starts_with(b"6001>"))
    });
    let position = |text: &str| {
        let is = |packet: &Packet| packet.bytes.starts_with(text.as_bytes());
        arrived.iter().position(is)
    };
    let keyframe = position("6000>").expect("the keyframe arrives");
    assert_ne!(arrived[keyframe].flags & Packet::DISCONTINUITY, 0);
    assert_eq!(position("6001>"), Some(keyframe + 1));
    assert_eq!(position("5000>"), None);
    let dropped = studio.dropped("VP8 Rtp", "VP8 Frame");
    assert!(dropped > 1000, "{dropped}");
}

#[test]
fn a_slow_encoder_loses_pictures_and_asks_the_camera_for_nothing() {
    let studio = Studio::new();
    let gate = Arc::new(Gate::default());
    studio.mood(ENCODE_H264, Mood::Waits(gate.clone()));
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    camera.source.push(&studio.packets(0..1));
    wait_until("the encoder is at work", || {
        studio.starts_of(ENCODE_H264) == 1
    });
    // What the beginning asks for may still be on its way: one more request is sent together with it.
    let before = camera.upstream.all().len();
    camera.source.request_keyframe();
    let asked = camera.upstream.wait_for(|heard| heard.len() > before);
    let mut packets = studio.packets(1..2001);
    packets[0].flags = 0;
    camera.source.push(&packets);
    wait_until("pictures are left out", || {
        studio.dropped("I420 Raw", "H264 Frame") > 1000
    });
    gate.open();
    viewer.arrived.wait_for(|arrived| {
        arrived
            .iter()
            .any(|packet| packet.bytes.starts_with(b"2000>"))
    });
    // One would be held back for the interval, since another was sent just before.
    std::thread::sleep(2 * crate::keyframe::INTERVAL);
    assert_eq!(camera.upstream.all(), asked);
}
