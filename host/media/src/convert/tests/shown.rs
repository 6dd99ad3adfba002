//! Ports of a hub that show one pad: what is converted of it is converted once.

use super::*;
use crate::{EncoderRates, NotShown};

/// A hub with a pad for all, and ports that show it.
struct Hub {
    node: Arc<Node>,
    source: Arc<Source>,
    upstream: Log<Option<Upstream>>,
    ports: Vec<Camera>,
}

impl Hub {
    fn new(studio: &Studio, ports: usize) -> Self {
        let node = Node::hidden("hub".into(), &studio.bench.graph);
        let upstream = Log::default();
        let handler = source_handler(&upstream);
        let source = node.add_source(VIDEO, "default", handler).unwrap();
        node.set_format(VIDEO, "default", studio.bench.vp8);
        let ports: Vec<Camera> = (0..ports)
            .map(|number| {
                let port = studio.camera_named(&format!("port {number}"));
                port.node.show(VIDEO, "default", Some(source.id())).unwrap();
                port
            })
            .collect();
        Self {
            node,
            source,
            upstream,
            ports,
        }
    }

    fn viewers(&self, studio: &Studio, format: u32) -> Vec<Viewer> {
        let ports = self.ports.iter().enumerate();
        ports
            .map(|(number, port)| studio.connected(port, &format!("viewer {number}"), format))
            .collect()
    }
}

fn states(camera: &Camera) -> Vec<bool> {
    let events = camera.events.all();
    let states = events.into_iter().filter_map(|event| match event {
        NodeEvent::Transcoding { active, .. } => Some(active),
        _ => None,
    });
    states.collect()
}

#[test]
fn twenty_viewers_of_twenty_ports_share_one_encoder() {
    let studio = Studio::new();
    let hub = Hub::new(&studio, 20);
    let viewers = hub.viewers(&studio, studio.format("H264"));
    hub.source.push(&studio.packets(0..3));
    for viewer in &viewers {
        assert_eq!(viewer.wait_for(3), ["0>0>1>2>3", "1>0>1>2>3", "2>0>1>2>3"]);
    }
    assert_eq!((studio.starts_of(ENCODE_H264), studio.running()), (1, 4));
    for port in &hub.ports {
        assert_eq!(states(port), [true], "{}", port.node.id());
        assert!(port.node.flowing_out(VIDEO, "default"));
    }
    let told: Vec<_> = hub.upstream.all();
    assert!(told.contains(&Some(Upstream::KeyframeRequest)), "{told:?}");
    // The others go on when some leave, and the last ends the conversions.
    for port in &hub.ports[1..] {
        port.node.release();
    }
    hub.source.push(&studio.packets(3..4));
    viewers[0].sees("3>0>1>2>3");
    assert_eq!(viewers[1].texts().len(), 3);
    viewers[0].node.release();
    studio.wait_until_running(0);
    assert_eq!(states(&hub.ports[0]), [true, false]);
}

#[test]
fn a_port_gives_out_its_own_media_again_when_it_likes() {
    let studio = Studio::new();
    let hub = Hub::new(&studio, 2);
    let viewers = hub.viewers(&studio, studio.format("H264"));
    hub.source.push(&studio.packets(0..1));
    viewers[1].sees("0>0>1>2>3");
    let port = &hub.ports[1];
    port.node.show(VIDEO, "default", None).unwrap();
    port.source.push(&studio.packets(60..61));
    viewers[1].sees("60>0>1>2>3");
    assert_eq!(studio.starts_of(ENCODE_H264), 2);
    hub.source.push(&studio.packets(1..2));
    viewers[0].sees("1>0>1>2>3");
    assert_eq!(viewers[1].texts(), ["0>0>1>2>3", "60>0>1>2>3"]);
    // Nothing is told twice of a format that stays.
    assert_eq!(viewers[1].formats.all(), [studio.format("H264")]);
    port.node
        .show(VIDEO, "default", Some(hub.source.id()))
        .unwrap();
    studio.wait_until_running(4);
}

#[test]
fn when_the_pad_closes_that_was_shown_ports_show_themselves() {
    let studio = Studio::new();
    let hub = Hub::new(&studio, 1);
    let viewer = studio.connected(&hub.ports[0], "viewer", studio.bench.vp8);
    hub.source.push(&studio.packets(0..1));
    viewer.sees("0");
    hub.node.release();
    hub.ports[0].source.push(&studio.packets(7..8));
    viewer.sees("7");
    hub.ports[0].node.remove_source(VIDEO, "default");
    viewer
        .formats
        .wait_for(|formats| formats.last() == Some(&0));
}

#[test]
fn bitrates_of_its_own_give_a_port_an_encoder_of_its_own() {
    let studio = Studio::new();
    let hub = Hub::new(&studio, 3);
    let viewers = hub.viewers(&studio, studio.format("H264"));
    let own = EncoderRates {
        encoder: 0,
        minimum: 100_000,
        maximum: 200_000,
    };
    hub.ports[2].node.set_encoder_rates(own);
    hub.source.push(&studio.packets(0..1));
    for viewer in &viewers {
        viewer.sees("0>0>1>2>3");
    }
    assert_eq!(studio.starts_of(ENCODE_H264), 2);
    assert_eq!(studio.starts_of(DECODE_VP8), 1);
    hub.ports[2].node.set_encoder_rates(EncoderRates::default());
    studio.wait_until_running(4);
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let studio = Studio::new();
    let hub = Hub::new(&studio, 1);
    let port = &hub.ports[0];
    let show = |node: &Arc<Node>, pad| node.show(VIDEO, "default", pad);
    let handler = || source_handler(&Log::default());
    let sound = hub
        .node
        .add_source(MediaKind::Audio, "default", handler())
        .unwrap();
    assert_eq!(show(&port.node, Some(sound.id())), Err(NotShown::Kind));
    assert_eq!(show(&port.node, Some(u32::MAX)), Err(NotShown::Unknown));
    let third = studio.camera_named("third");
    assert_eq!(
        show(&third.node, Some(port.source.id())),
        Err(NotShown::Chain)
    );
    assert_eq!(show(&third.node, Some(third.source.id())), Ok(()), "itself");
    let nothing = third.node.show(MediaKind::Audio, "default", None);
    assert_eq!(nothing, Err(NotShown::Unknown));
}

#[test]
fn what_is_noted_of_a_packet_survives_conversions() {
    let studio = Studio::new();
    studio.mood(ENCODE_H264, Mood::Forgets);
    let camera = studio.camera();
    let viewer = studio.connected(&camera, "viewer", studio.format("H264"));
    let mut packets = studio.packets(0..3);
    for (packet, time) in packets.iter_mut().zip([0, 40_000_000, 80_000_000]) {
        packet.presentation_time = time;
    }
    packets[1].set_metadata("faces", b"two of them").unwrap();
    packets[1].set_decode_time(7);
    camera.source.push(&packets);
    viewer.wait_for(3);
    let arrived = viewer.arrived.all();
    let faces: Vec<_> = arrived
        .iter()
        .map(|packet| packet.metadata("faces"))
        .collect();
    assert_eq!(faces, [None, Some(b"two of them".as_slice()), None]);
    assert_eq!(arrived[1].decode_time(), 40_000_000);
}
