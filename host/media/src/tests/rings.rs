//! Elements that give out what they get, connected in a ring: nothing runs round for ever.

use std::sync::{OnceLock, Weak, mpsc};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RSlice},
};
use rivero_plugin_api::{
    Packet,
    abi::{
        traits::{
            ANY_FORMAT, AbiSinkHandler, AbiSinkHandler_TO, AbiSourceHandler, AbiSourceHandler_TO,
        },
        types::AbiUpstream,
    },
};

use super::super::Source;
use super::*;

/// An element that gives out what it gets.
#[derive(Default)]
struct Lane {
    node: OnceLock<Arc<Node>>,
    source: OnceLock<Arc<Source>>,
    sink: OnceLock<Arc<Sink>>,
    formats: Log<u32>,
}

struct End(Weak<Lane>);

impl AbiSinkHandler for End {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        if let Some(lane) = self.0.upgrade() {
            lane.source.get().unwrap().push(packets.as_slice());
        }
    }

    fn format(&self, format: u32) {
        if let Some(lane) = self.0.upgrade() {
            lane.formats.add(format);
            lane.node().set_format(VIDEO, "default", format);
        }
    }
}

impl AbiSourceHandler for End {
    fn upstream(&self, message: AbiUpstream) {
        if let Some(lane) = self.0.upgrade() {
            lane.sink
                .get()
                .unwrap()
                .upstream(message.message().unwrap());
        }
    }

    fn consumers(&self, _: u32) {}
}

impl Lane {
    fn open(bench: &TestBench, name: &str) -> Arc<Self> {
        let lane = Arc::new(Self::default());
        let end = || RArc::new(End(Arc::downgrade(&lane)));
        let (node, _) = bench.node(name);
        let handler = AbiSourceHandler_TO::from_ptr(end(), TD_Opaque);
        let source = node.add_source(VIDEO, "default", handler).unwrap();
        let handler = AbiSinkHandler_TO::from_ptr(end(), TD_Opaque);
        let sink = node.add_sink(VIDEO, "default", handler, None, 0).unwrap();
        assert!(lane.source.set(source).is_ok() && lane.sink.set(sink).is_ok());
        node.set_accepted(VIDEO, "default", &[ANY_FORMAT]);
        assert!(lane.node.set(node).is_ok());
        lane
    }

    fn node(&self) -> &Arc<Node> {
        self.node.get().unwrap()
    }

    fn connect(&self, to: &Self) {
        self.node().connect(to.node(), VIDEO, "default", "default");
    }
}

/// A camera and elements behind it in a row.
struct Row {
    bench: TestBench,
    camera: Arc<Node>,
    source: Arc<Source>,
    lanes: Vec<Arc<Lane>>,
}

impl Row {
    fn of(count: usize) -> Self {
        let bench = TestBench::new();
        let (camera, _) = bench.node("camera");
        let source = camera
            .add_source(VIDEO, "default", source_handler(&Log::default()))
            .unwrap();
        let open = |number: usize| Lane::open(&bench, &number.to_string());
        let lanes: Vec<_> = (0..count).map(open).collect();
        camera.connect(lanes[0].node(), VIDEO, "default", "default");
        for pair in lanes.windows(2) {
            pair[0].connect(&pair[1]);
        }
        camera.set_format(VIDEO, "default", bench.vp8);
        Self {
            bench,
            camera,
            source,
            lanes,
        }
    }

    fn close(&self) {
        self.lanes.last().unwrap().connect(&self.lanes[0]);
    }

    fn formats(&self) -> Vec<u32> {
        let sources = self.lanes.iter().map(|lane| lane.source.get().unwrap());
        sources.map(|source| source.format()).collect()
    }
}

/// Fails instead of waiting for ever.
fn ends(what: &str, body: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        body();
        done.send(()).unwrap();
    });
    let in_time = is_done.recv_timeout(std::time::Duration::from_secs(20));
    assert!(
        !matches!(in_time, Err(mpsc::RecvTimeoutError::Timeout)),
        "{what} does not end"
    );
    thread.join().unwrap();
}

#[test]
fn a_format_ends_where_a_ring_is_closed() {
    for count in [1, 2, 3, 7] {
        ends("closing the ring", move || {
            let row = Row::of(count);
            row.source.push(&row.bench.packets(0..2, Some(0)));
            assert_eq!(row.formats(), vec![row.bench.vp8; count]);
            row.close();
            assert_eq!(row.formats(), vec![0; count]);
            row.camera
                .connect(row.lanes[0].node(), VIDEO, "default", "default");
            assert_eq!(row.formats(), vec![row.bench.vp8; count]);
            let last = row.lanes[count - 1].formats.all();
            assert_eq!(last, [row.bench.vp8, 0, row.bench.vp8]);
        });
    }
}

#[test]
fn a_ring_comes_to_rest_whatever_happens_around_it() {
    ends("a ring that is opened and closed", || {
        let row = Arc::new(Row::of(3));
        let threads: Vec<_> = (0..3)
            .map(|number| {
                let row = row.clone();
                std::thread::spawn(move || {
                    for round in 0..300 {
                        let first = row.lanes[0].node();
                        match (number, round % 2) {
                            (0, 0) => row.camera.connect(first, VIDEO, "default", "default"),
                            (0, _) => row.camera.disconnect(first, VIDEO, "default", "default"),
                            (1, _) => row.close(),
                            (_, 0) => row.camera.set_format(VIDEO, "default", row.bench.h264),
                            _ => row.camera.set_format(VIDEO, "default", row.bench.vp8),
                        }
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        let formats = row.formats();
        assert_eq!(formats, vec![formats[0]; 3]);
    });
}

#[test]
fn media_and_messages_in_a_ring_that_feeds_itself_get_lost() {
    ends("what runs round", || {
        let row = Row::of(2);
        row.close();
        // As long as it has a format the ring feeds itself.
        let source = row.lanes[0].source.get().unwrap();
        row.lanes[0]
            .node()
            .set_format(VIDEO, "default", row.bench.vp8);
        assert_eq!(row.formats(), vec![row.bench.vp8; 2]);
        source.push(&row.bench.packets(0..2, Some(0)));
        let sink = row.lanes[0].sink.get().unwrap();
        for message in [
            Upstream::Loss { fraction: 0.5 },
            Upstream::KeyframeRequest,
            Upstream::TargetBitrate {
                bits_per_second: 100_000,
            },
        ] {
            sink.upstream(message);
        }
    });
}
