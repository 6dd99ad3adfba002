//! J02, J06: the graph with producers and consumers made of memory.

mod audience;
mod bytes;
mod formats;
mod owners;
mod rings;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use rivero_plugin_api::{
    Encoding, MediaKind, SinkSelection, Upstream, abi::traits::AbiSinkGroup_TO,
};

use super::{
    Node, NodeEvent, NodeObserver, Sink,
    testbench::{Arrival, Log, TestBench, VIDEO, group, sink_handler, source_handler},
};

#[test]
fn a_link_carries_media_once_both_pads_agree() {
    let bench = TestBench::new();
    let (camera, events) = bench.node("camera");
    let (viewer, viewer_events) = bench.node("viewer");
    camera.connect(&viewer, VIDEO, "default", "default");
    assert!(matches!(&events.all()[..], [NodeEvent::Connected(_)]));

    let (upstream, arrivals) = (Log::default(), Log::default());
    let source = camera
        .add_source(VIDEO, "default", source_handler(&upstream))
        .unwrap();
    viewer
        .add_sink(VIDEO, "default", sink_handler(&arrivals), None, 0)
        .unwrap();
    source.push(&bench.packets(0..2, Some(0)));
    assert_eq!(arrivals.all(), []);

    camera.set_format(VIDEO, "default", bench.vp8);
    viewer.set_accepted(VIDEO, "default", &[bench.h264, bench.vp8]);
    assert_eq!(arrivals.all(), [Arrival::Format(bench.vp8)]);
    assert_eq!(upstream.all(), [Some(Upstream::KeyframeRequest)]);

    source.push(&bench.packets(2..6, Some(4)));
    assert_eq!(arrivals.all()[1..], [Arrival::Packets(vec![4, 5])]);
    let flows = viewer_events.wait_for(|events| !events.is_empty());
    assert!(matches!(
        &flows[..],
        [NodeEvent::FlowIn { flowing: true, .. }]
    ));
    assert!(viewer.flowing_in(VIDEO, "default") && camera.flowing_out(VIDEO, "default"));
}

#[test]
fn a_group_gets_a_burst_once_for_all_its_sinks() {
    let bench = TestBench::new();
    let (camera, _) = bench.node("camera");
    let arrivals = Log::default();
    let shard = group(&arrivals);
    let source = camera
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    let mut viewers = Vec::new();
    for (token, name) in (1..).zip(["a", "b", "c"]) {
        let (viewer, _) = bench.node(name);
        let handle = AbiSinkGroup_TO::from_sabi(shard.obj.shallow_clone());
        viewer
            .add_sink(
                VIDEO,
                "default",
                sink_handler(&Log::default()),
                Some(handle),
                token,
            )
            .unwrap();
        viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
        camera.connect(&viewer, VIDEO, "default", "default");
        viewers.push(viewer);
    }
    source.push(&bench.packets(0..3, Some(1)));
    let selections = (1..4)
        .map(|token| SinkSelection {
            token,
            packets: 0b110,
        })
        .collect();
    assert_eq!(arrivals.all(), [Arrival::Batch(selections)]);
}

#[test]
fn a_sink_has_one_source_and_the_former_one_is_told() {
    let bench = TestBench::new();
    let (first, first_events) = bench.node("first");
    let (second, _) = bench.node("second");
    let (viewer, _) = bench.node("viewer");
    first.connect(&viewer, VIDEO, "default", "default");
    second.connect(&viewer, VIDEO, "default", "default");
    assert!(matches!(
        &first_events.all()[..],
        [NodeEvent::Connected(_), NodeEvent::Disconnected(_)]
    ));
    let feeds = viewer.source_connections(None, None);
    assert_eq!(
        feeds.iter().map(|c| &*c.source).collect::<Vec<_>>(),
        ["second"]
    );
    assert!(first.sink_connections(None, None).is_empty());
}

#[test]
fn a_delivery_that_panics_does_not_keep_back_the_others() {
    struct Panicking;
    impl NodeObserver for Panicking {
        fn notify(&self, _: NodeEvent) {
            panic!("must not end the deliveries");
        }
    }
    let bench = TestBench::new();
    let broken = Node::new("broken".into(), &bench.graph, Arc::new(Panicking));
    let (camera, events) = bench.node("camera");
    let (viewer, _) = bench.node("viewer");
    broken.connect(&viewer, VIDEO, "default", "default");
    camera.connect(&viewer, VIDEO, "default", "default");
    assert!(matches!(&events.all()[..], [NodeEvent::Connected(_)]));
}

#[test]
fn an_element_connected_to_itself_is_released_cleanly() {
    let bench = TestBench::new();
    let (loopback, events) = bench.node("loopback");
    let arrivals = Log::default();
    let source = loopback
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    loopback
        .add_sink(VIDEO, "default", sink_handler(&arrivals), None, 0)
        .unwrap();
    loopback.set_format(VIDEO, "default", bench.vp8);
    loopback.set_accepted(VIDEO, "default", &[bench.vp8]);
    loopback.connect(&loopback, VIDEO, "default", "default");
    source.push(&bench.packets(0..1, Some(0)));
    loopback.release();
    let cut = events.all();
    let cut = cut
        .iter()
        .filter(|event| matches!(event, NodeEvent::Disconnected(_)));
    assert_eq!(cut.count(), 0, "it is its own source");
    source.push(&bench.packets(1..2, Some(1)));
    assert_eq!(
        arrivals.all(),
        [
            Arrival::Format(bench.vp8),
            Arrival::Packets(vec![0]),
            Arrival::Format(0)
        ]
    );
}

#[test]
fn formats_that_differ_are_told_to_the_sink() {
    let bench = TestBench::new();
    let (camera, _) = bench.node("camera");
    let (viewer, events) = bench.node("viewer");
    camera
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    viewer
        .add_sink(VIDEO, "default", sink_handler(&Log::default()), None, 0)
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    viewer.set_accepted(VIDEO, "default", &[bench.h264]);
    camera.connect(&viewer, VIDEO, "default", "default");
    let [NodeEvent::Unconvertible { reason, .. }] = &events.all()[..] else {
        panic!("{:?}", events.all())
    };
    assert!(
        reason.contains("VP8") && reason.contains("H264"),
        "{reason}"
    );
}

#[test]
fn a_viewer_finds_recent_packets_of_its_source_and_asks_for_keyframes() {
    let bench = TestBench::new();
    let (camera, _) = bench.node("camera");
    let (viewer, _) = bench.node("viewer");
    let upstream = Log::default();
    let source = camera
        .add_source(VIDEO, "default", source_handler(&upstream))
        .unwrap();
    let sink = viewer
        .add_sink(VIDEO, "default", sink_handler(&Log::default()), None, 0)
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
    camera.connect(&viewer, VIDEO, "default", "default");
    source.push(&bench.packets(10..20, Some(10)));
    assert_eq!(
        sink.history(7, 15).map(|packet| packet.rtp.sequence),
        Some(15)
    );
    assert!(sink.history(7, 25).is_none());
    assert!(sink.history(8, 15).is_none());

    (0..5).for_each(|_| sink.upstream(Upstream::KeyframeRequest));
    let requests = upstream.wait_for(|messages| messages.len() >= 2);
    assert_eq!(requests, [Some(Upstream::KeyframeRequest); 2]);
}

#[test]
fn a_viewer_that_joins_is_shown_what_came_since_the_last_keyframe() {
    let bench = TestBench::new();
    let (camera, _) = bench.node("camera");
    let upstream = Log::default();
    let source = camera
        .add_source(VIDEO, "default", source_handler(&upstream))
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    source.push(&bench.packets(0..8, Some(5)));

    let shard = Log::default();
    let arrivals = [Log::default(), Log::default()];
    let mut viewers = Vec::new();
    for (name, arrivals, next) in [("early", &arrivals[0], 8), ("late", &arrivals[1], 10)] {
        let (viewer, _) = bench.node(name);
        viewer
            .add_sink(VIDEO, "default", sink_handler(arrivals), None, 0)
            .unwrap();
        viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
        camera.connect(&viewer, VIDEO, "default", "default");
        source.push(&bench.packets(next..next + 2, None));
        viewers.push(viewer);
    }
    let (grouped, _) = bench.node("grouped");
    let handle = Some(group(&shard));
    grouped
        .add_sink(VIDEO, "default", sink_handler(&Log::default()), handle, 4)
        .unwrap();
    grouped.set_accepted(VIDEO, "default", &[bench.vp8]);
    camera.connect(&grouped, VIDEO, "default", "default");
    source.push(&bench.packets(12..13, None));

    let packets = |log: &Log<Arrival>| -> Vec<u16> {
        let of_one = |arrival| match arrival {
            Arrival::Packets(packets) => packets,
            _ => Vec::new(),
        };
        log.all().into_iter().flat_map(of_one).collect()
    };
    assert_eq!(packets(&arrivals[0]), [5, 6, 7, 8, 9, 10, 11, 12]);
    assert_eq!(packets(&arrivals[1]), [5, 6, 7, 8, 9, 10, 11, 12]);
    let selection = |packets| {
        let token = 4;
        Arrival::Batch(vec![SinkSelection { token, packets }])
    };
    assert_eq!(shard.all(), [selection(0b111_1111), selection(1)]);
    assert_eq!(upstream.all(), [], "nobody needs another keyframe");
}

/// A camera of one encoding and its viewers.
struct Audience {
    _nodes: Vec<Arc<Node>>,
    sinks: Vec<Arc<Sink>>,
    /// What the camera hears.
    upstream: Log<Option<Upstream>>,
}

fn audience(bench: &TestBench, count: usize) -> Audience {
    let (camera, _) = bench.node("camera");
    let upstream = Log::default();
    camera
        .add_source(MediaKind::Audio, "default", source_handler(&upstream))
        .unwrap();
    camera.set_format(MediaKind::Audio, "default", bench.vp8);
    let mut nodes = vec![camera.clone()];
    let sinks = (0..count).map(|number| {
        let (viewer, _) = bench.node(&format!("viewer {number}"));
        let handler = sink_handler(&Log::default());
        let sink = viewer
            .add_sink(MediaKind::Audio, "default", handler, None, 0)
            .unwrap();
        viewer.set_accepted(MediaKind::Audio, "default", &[bench.vp8]);
        camera.connect(&viewer, MediaKind::Audio, "default", "default");
        nodes.push(viewer);
        sink
    });
    let sinks = sinks.collect();
    Audience {
        _nodes: nodes,
        sinks,
        upstream,
    }
}

#[test]
fn the_weakest_viewer_decides_what_a_single_encoding_may_cost() {
    let bench = TestBench::new();
    let Audience {
        sinks, upstream, ..
    } = &audience(&bench, 2);
    let estimate = |bits_per_second| Some(Upstream::BandwidthEstimate { bits_per_second });
    for (estimates, least) in [([900_000, 700_000], 700_000), ([300_000, 800_000], 300_000)] {
        for (sink, bits_per_second) in sinks.iter().zip(estimates) {
            sink.upstream(Upstream::BandwidthEstimate { bits_per_second });
        }
        upstream.wait_for(|all| all.contains(&estimate(least)));
        assert_eq!(upstream.all().last(), Some(&estimate(least)));
    }
}

#[test]
fn what_many_paths_carry_is_looked_at_together() {
    const ROUNDS: u64 = 20;
    let bench = TestBench::new();
    let Audience {
        sinks, upstream, ..
    } = &audience(&bench, 300);
    for round in 0..ROUNDS {
        for (number, sink) in (0u64..).zip(sinks) {
            let bits_per_second = 1_000_000 - 1000 * round - number;
            sink.upstream(Upstream::BandwidthEstimate { bits_per_second });
        }
    }
    let least = Some(Upstream::BandwidthEstimate {
        bits_per_second: 1_000_000 - 1000 * (ROUNDS - 1) - 299,
    });
    let heard = upstream.wait_for(|all| all.last() == Some(&least));
    assert_eq!(heard.last(), Some(&least));
    assert!(heard.len() < 1000, "told {} times", heard.len());
}

#[test]
fn an_element_whose_making_failed_leaves_nothing_in_the_graph() {
    let bench = TestBench::new();
    let (camera, events) = bench.node("camera");
    let (viewer, _) = bench.node("viewer");
    camera.connect(&viewer, VIDEO, "default", "default");
    drop(viewer);
    assert!(camera.sink_connections(None, None).is_empty());
    assert!(matches!(
        &events.all()[..],
        [NodeEvent::Connected(_), NodeEvent::Disconnected(_)]
    ));
}

#[test]
fn the_age_of_media_is_measured_while_that_is_wanted() {
    let bench = TestBench::new();
    let (camera, _) = bench.node("camera");
    let (viewer, _) = bench.node("viewer");
    let source = camera
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    viewer
        .add_sink(VIDEO, "default", sink_handler(&Log::default()), None, 0)
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
    camera.connect(&viewer, VIDEO, "default", "default");
    let entered = bench.graph.plane().now().max(1);
    let push = |sequence| {
        let mut packets = bench.packets(sequence..sequence + 1, Some(sequence));
        packets[0].ingress_time = entered;
        source.push(&packets);
    };
    push(0);
    assert!(viewer.latencies().is_empty());
    bench.graph.measure_latency(true);
    push(1);
    let latencies = viewer.latencies();
    let [(VIDEO, description, average)] = &latencies[..] else {
        panic!("{latencies:?}")
    };
    assert_eq!(&**description, "default");
    let now = bench.graph.plane().now();
    assert!(
        *average > 0.0 && *average <= (now - entered) as f64,
        "{average}"
    );
    assert!(camera.latencies().is_empty());
}

#[test]
fn what_a_path_carries_counts_for_whatever_feeds_it() {
    let bench = TestBench::new();
    let (viewer, _) = bench.node("viewer");
    let sink = viewer
        .add_sink(VIDEO, "default", sink_handler(&Log::default()), None, 0)
        .unwrap();
    viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
    let estimate = |bits_per_second| Upstream::BandwidthEstimate { bits_per_second };
    sink.upstream(estimate(500_000));
    for name in ["first", "second"] {
        let (camera, _) = bench.node(name);
        let upstream = Log::default();
        camera
            .add_source(VIDEO, "default", source_handler(&upstream))
            .unwrap();
        camera.set_format(VIDEO, "default", bench.vp8);
        camera.connect(&viewer, VIDEO, "default", "default");
        let heard = upstream.wait_for(|all| all.contains(&Some(estimate(500_000))));
        assert!(
            heard.contains(&Some(estimate(500_000))),
            "{name}: {heard:?}"
        );
    }
}

#[test]
fn frames_are_left_out_only_for_those_that_can_be_told_of_it() {
    let bench = TestBench::new();
    let (camera, _) = bench.node("camera");
    let upstream = Log::default();
    let source = camera
        .add_source(VIDEO, "default", source_handler(&upstream))
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    source.set_encodings(vec![Encoding {
        bitrate: 1_000_000,
        temporal_layers: 3,
        ..Encoding::default()
    }]);
    let weak = |name: &str, log: &Log<Arrival>, group, bits_per_second| {
        let (node, _) = bench.node(name);
        let sink = node
            .add_sink(VIDEO, "default", sink_handler(log), group, 1)
            .unwrap();
        node.set_accepted(VIDEO, "default", &[bench.vp8]);
        camera.connect(&node, VIDEO, "default", "default");
        sink.upstream(Upstream::BandwidthEstimate { bits_per_second });
        node
    };
    let (direct, shard) = (Log::default(), Log::default());
    let _direct = weak("direct", &direct, None, 500_000);
    let _grouped = weak("grouped", &Log::default(), Some(group(&shard)), 450_000);
    let mut packets = bench.packets(0..4, Some(0));
    for (packet, (timestamp, temporal)) in packets.iter_mut().zip([(1, 0), (2, 2), (3, 1), (4, 2)])
    {
        (packet.rtp.timestamp, packet.layer.temporal) = (timestamp, temporal);
    }
    source.push(&packets);
    let arrived = Arrival::Packets(vec![0, 1, 2, 3]);
    assert_eq!(direct.all(), [Arrival::Format(bench.vp8), arrived]);
    let lesser = SinkSelection {
        token: 1,
        packets: 1,
    };
    assert_eq!(shard.all(), [Arrival::Batch(vec![lesser])]);
    // What the first needs as a whole; of that the second can do with a part.
    let least = Some(Upstream::BandwidthEstimate {
        bits_per_second: 500_000,
    });
    let heard = upstream.wait_for(|heard| heard.contains(&least));
    assert!(heard.contains(&least), "{heard:?}");
}

#[test]
fn a_viewer_of_a_better_encoding_goes_on_when_only_one_is_sent() {
    let bench = TestBench::new();
    let (camera, _) = bench.node("camera");
    let (viewer, _) = bench.node("viewer");
    let arrivals = Log::default();
    let source = camera
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    viewer
        .add_sink(VIDEO, "default", sink_handler(&arrivals), None, 0)
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
    camera.connect(&viewer, VIDEO, "default", "default");
    let encoding = |bitrate| Encoding {
        bitrate,
        temporal_layers: 1,
        ..Encoding::default()
    };
    source.set_encodings(vec![encoding(150_000), encoding(900_000)]);
    let mut better = bench.packets(0..1, Some(0));
    better[0].layer.encoding = 1;
    source.push(&better);
    source.set_encodings(vec![encoding(150_000)]);
    source.push(&bench.packets(1..3, Some(1)));
    let expected = [
        Arrival::Format(bench.vp8),
        Arrival::Packets(vec![0]),
        Arrival::Packets(vec![1, 2]),
    ];
    assert_eq!(arrivals.all(), expected);
}
