//! Consumers come and go beside many others.

use std::sync::atomic::{AtomicUsize, Ordering};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RSlice},
};
use rivero_plugin_api::{
    Packet,
    abi::traits::{AbiSinkGroup, SinkGroup},
};

use super::*;

/// Counts how often it is looked at.
struct Counting(Arc<AtomicUsize>);

impl AbiSinkGroup for Counting {
    fn id(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed);
        1
    }
    fn push_batch(&self, _: RSlice<'_, Packet>, _: RSlice<'_, SinkSelection>) {}
}

fn share(group: &SinkGroup) -> Option<SinkGroup> {
    Some(AbiSinkGroup_TO::from_sabi(group.obj.shallow_clone()))
}

fn camera(bench: &TestBench) -> (Arc<Node>, Arc<crate::Source>, Log<NodeEvent>) {
    let (camera, events) = bench.node("camera");
    let source = camera
        .add_source(VIDEO, "default", source_handler(&Log::default()))
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    (camera, source, events)
}

fn viewer(bench: &TestBench, number: usize, camera: &Node, group: Option<SinkGroup>) -> Arc<Node> {
    let (viewer, _) = bench.node(&format!("viewer {number}"));
    let token = u64::try_from(number).unwrap();
    viewer
        .add_sink(
            VIDEO,
            "default",
            sink_handler(&Log::default()),
            group,
            token,
        )
        .unwrap();
    camera.connect(&viewer, VIDEO, "default", "default");
    viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
    viewer
}

#[test]
fn who_joins_and_leaves_is_looked_at_and_nobody_else() {
    const VIEWERS: usize = 300;
    let bench = TestBench::new();
    let (camera, _, _) = camera(&bench);
    let looks = Arc::new(AtomicUsize::new(0));
    let group = RArc::new(Counting(looks.clone()));
    let group: SinkGroup = AbiSinkGroup_TO::from_ptr(group, TD_Opaque);
    let viewers = (0..VIEWERS).map(|number| viewer(&bench, number, &camera, share(&group)));
    let mut viewers: Vec<_> = viewers.collect();
    assert!(looks.load(Ordering::Relaxed) <= 2 * VIEWERS);
    viewers.truncate(VIEWERS / 2);
    camera.release();
    assert!(looks.load(Ordering::Relaxed) <= 2 * VIEWERS);
}

#[test]
fn everybody_who_is_there_gets_every_packet_whoever_came_and_went() {
    let bench = TestBench::new();
    let (camera, source, _) = camera(&bench);
    let batches = Log::default();
    let shard = group(&batches);
    let mut viewers: Vec<Option<Arc<Node>>> = Vec::new();
    for number in 0..500 {
        viewers.push(Some(viewer(&bench, number, &camera, share(&shard))));
        if number % 3 == 0 {
            viewers[number / 2] = None;
        }
    }
    source.push(&bench.packets(0..1, Some(0)));
    let [Arrival::Batch(selections)] = &batches.all()[..] else {
        panic!("one batch for one shard");
    };
    let mut tokens: Vec<u64> = selections.iter().map(|selection| selection.token).collect();
    tokens.sort_unstable();
    let there = (0u64..)
        .zip(&viewers)
        .filter(|(_, viewer)| viewer.is_some());
    assert_eq!(tokens, there.map(|(token, _)| token).collect::<Vec<_>>());
    assert!(selections.iter().all(|selection| selection.packets == 1));
    viewers.clear();
    source.push(&bench.packets(1..2, Some(1)));
    assert_eq!(batches.all().len(), 1, "nobody is there any more");
}

#[test]
fn an_audience_follows_its_source_to_another_format() {
    let bench = TestBench::new();
    let (camera, source, _) = camera(&bench);
    let batches = Log::default();
    let shard = group(&batches);
    let viewers: Vec<_> = (0..70)
        .map(|number| viewer(&bench, number, &camera, share(&shard)))
        .collect();
    camera.set_format(VIDEO, "default", bench.h264);
    source.push(&bench.packets(0..1, Some(0)));
    assert!(batches.all().is_empty(), "nobody takes it");
    for viewer in &viewers[..65] {
        viewer.set_accepted(VIDEO, "default", &[bench.h264, bench.vp8]);
    }
    camera.set_format(VIDEO, "default", bench.vp8);
    source.push(&bench.packets(1..2, Some(1)));
    // The former packet was a keyframe, which is shown to them first.
    let [Arrival::Batch(shown), Arrival::Batch(selections)] = &batches.all()[..] else {
        panic!("{:?}", batches.all());
    };
    assert_eq!(shown.len(), 70);
    assert_eq!(selections.len(), 70);
}

/// Holds up whoever tells it something until it is let go.
struct Slow(Mutex<std::sync::mpsc::Receiver<()>>);

impl NodeObserver for Slow {
    fn notify(&self, _: NodeEvent) {
        let _ = self.0.lock().unwrap().recv_timeout(Duration::from_secs(10));
    }
}

/// As `destroy` does it: what has to be told of a released element comes before what is told of
/// its end, and is the same whichever thread tells it.
#[test]
fn the_end_of_an_element_is_told_the_same_whoever_tells_it() {
    for slow in [false, true] {
        let bench = TestBench::new();
        let (camera, _, events) = camera(&bench);
        let first = viewer(&bench, 1, &camera, None);
        let second = viewer(&bench, 2, &camera, None);
        let before = events.all().len();
        let (let_go, held) = std::sync::mpsc::channel();
        let busy = Node::new(
            "busy".into(),
            &bench.graph,
            Arc::new(Slow(Mutex::new(held))),
        );
        std::thread::scope(|scope| {
            let told = if slow {
                let (busy, first) = (busy.clone(), first.clone());
                Some(scope.spawn(move || busy.connect(&first, MediaKind::Data, "x", "x")))
            } else {
                None
            };
            while slow && busy.sink_connections(None, None).is_empty() {
                std::thread::yield_now();
            }
            second.release();
            let log = events.clone();
            let end = NodeEvent::Transcoding {
                kind: VIDEO,
                active: true,
                reason: None,
            };
            let marker = end.clone();
            bench.graph.after_deliveries(move || log.add(marker));
            camera.release();
            let_go.send(()).unwrap();
            if let Some(told) = told {
                told.join().unwrap();
            }
            let news = events.all().split_off(before);
            assert!(
                matches!(&news[..], [NodeEvent::Disconnected(cut), last]
                    if *cut.sink == *"viewer 2" && *last == end),
                "{news:?}"
            );
        });
    }
}
