//! Elements whose module has threads of its own, which here are those that a test lets run.

use std::{
    collections::VecDeque,
    sync::{
        OnceLock, Weak,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
};

use abi_stable::{
    sabi_trait::TD_Opaque,
    std_types::{RArc, RSlice},
};
use rivero_plugin_api::{
    Format, Packaging, Packet,
    abi::{
        traits::{
            ANY_FORMAT, AbiSinkHandler, AbiSinkHandler_TO, AbiSourceHandler, AbiSourceHandler_TO,
        },
        types::AbiUpstream,
    },
};

use super::{
    super::{Job, Owner, Source},
    *,
};

/// Collects what it is to run.
#[derive(Default)]
struct Module {
    jobs: Mutex<VecDeque<(Job, Option<Job>)>>,
    cut: AtomicBool,
    lost: AtomicU64,
    inline: bool,
}

impl Owner for Module {
    fn run(&self, job: Job, overdue: Option<Job>) {
        self.jobs.lock().unwrap().push_back((job, overdue));
    }

    fn is_cut(&self) -> bool {
        self.cut.load(SeqCst)
    }

    fn is_inline(&self) -> bool {
        self.inline
    }

    fn on_lost(&self, packets: u64) {
        self.lost.fetch_add(packets, Relaxed);
    }
}

impl Module {
    fn next(&self) -> Option<(Job, Option<Job>)> {
        self.jobs.lock().unwrap().pop_front()
    }

    /// Runs what there is, and what comes of it; gives how many jobs that were.
    fn run_all(&self) -> usize {
        std::iter::from_fn(|| self.next())
            .map(|(job, _)| job())
            .take(10_000)
            .count()
    }
}

/// A camera that sends VP8, and the messages it gets.
fn camera(bench: &TestBench) -> (Arc<Node>, Arc<Source>, Log<Option<Upstream>>) {
    let (camera, _) = bench.node("camera");
    let upstream = Log::default();
    let source = camera
        .add_source(VIDEO, "default", source_handler(&upstream))
        .unwrap();
    camera.set_format(VIDEO, "default", bench.vp8);
    (camera, source, upstream)
}

/// A viewer of a module, which takes VP8.
fn viewer(bench: &TestBench, name: &str, module: &Arc<Module>) -> (Arc<Node>, Log<Arrival>) {
    let (viewer, _) = bench.node(name);
    let arrivals = Log::default();
    viewer.set_owner(module.clone());
    viewer
        .add_sink(VIDEO, "default", sink_handler(&arrivals), None, 0)
        .unwrap();
    viewer.set_accepted(VIDEO, "default", &[bench.vp8]);
    (viewer, arrivals)
}

#[test]
fn packets_wait_for_the_thread_of_the_module_and_come_after_their_format() {
    let (bench, module) = (TestBench::new(), Arc::<Module>::default());
    let (camera, source, _) = camera(&bench);
    let (viewer, arrivals) = viewer(&bench, "viewer", &module);
    camera.connect(&viewer, VIDEO, "default", "default");
    source.push(&bench.packets(0..2, Some(0)));
    source.push(&bench.packets(2..3, None));
    assert_eq!(arrivals.all(), []);
    module.run_all();
    let expected = [Arrival::Format(bench.vp8), Arrival::Packets(vec![0, 1, 2])];
    assert_eq!(arrivals.all(), expected);
    source.push(&bench.packets(3..4, None));
    camera.disconnect(&viewer, VIDEO, "default", "default");
    module.run_all();
    let end = [Arrival::Packets(vec![3]), Arrival::Format(0)];
    assert_eq!(arrivals.all()[2..], end);
    assert_eq!(module.lost.load(Relaxed), 0);
}

#[test]
fn a_pad_that_takes_media_on_the_producers_thread_begins_when_it_knows_the_format() {
    let bench = TestBench::new();
    let module = Arc::new(Module {
        inline: true,
        ..Module::default()
    });
    let (camera, source, _) = camera(&bench);
    let (viewer, arrivals) = viewer(&bench, "viewer", &module);
    camera.connect(&viewer, VIDEO, "default", "default");
    source.push(&bench.packets(0..2, Some(0)));
    assert_eq!(arrivals.all(), []);
    module.run_all();
    assert_eq!(arrivals.all(), [Arrival::Format(bench.vp8)]);
    // It is shown what came since the keyframe, and goes on from there.
    source.push(&bench.packets(2..3, None));
    let media = [Arrival::Packets(vec![0, 1]), Arrival::Packets(vec![2])];
    assert_eq!(arrivals.all()[1..], media);

    // The frames of a file as well, which cannot be asked for a keyframe.
    let frames = bench.graph.plane().formats().id(Format {
        packaging: Packaging::Frame,
        ..Format::rtp("VP8", 90_000, 0)
    });
    camera.set_format(VIDEO, "default", 0);
    viewer.set_accepted(VIDEO, "default", &[frames]);
    module.run_all();
    let before = arrivals.all().len();
    camera.set_format(VIDEO, "default", frames);
    source.push(&bench.packets(3..4, Some(3)));
    source.push(&bench.packets(4..5, None));
    module.run_all();
    source.push(&bench.packets(5..6, None));
    let media = [
        Arrival::Format(frames),
        Arrival::Packets(vec![3, 4]),
        Arrival::Packets(vec![5]),
    ];
    assert_eq!(arrivals.all()[before..], media);
}

#[test]
fn a_call_that_hangs_keeps_nobody_else_and_misses_nothing_that_counts() {
    let bench = TestBench::new();
    let (hanging, other) = (Arc::<Module>::default(), Arc::<Module>::default());
    let (camera, source, upstream) = camera(&bench);
    let (first, first_arrivals) = viewer(&bench, "first", &hanging);
    let (second, second_arrivals) = viewer(&bench, "second", &other);
    camera.connect(&first, VIDEO, "default", "default");
    camera.connect(&second, VIDEO, "default", "default");
    let told = Log::default();
    let tell = told.clone();
    bench.graph.after_deliveries(move || tell.add(()));
    let (call, overdue) = hanging.next().unwrap();
    assert!(other.next().is_none() && told.all().is_empty(), "in order");

    hanging.cut.store(true, SeqCst);
    overdue.unwrap()();
    other.run_all();
    assert_eq!(told.all(), [()]);
    assert_eq!(second_arrivals.all(), [Arrival::Format(bench.vp8)]);
    source.push(&bench.packets(0..3, Some(0)));
    other.run_all();
    assert_eq!(second_arrivals.all().len(), 2);
    // What is told meanwhile is not even tried.
    camera.disconnect(&first, VIDEO, "default", "default");
    camera.connect(&first, VIDEO, "default", "default");
    assert!(hanging.next().is_none());
    assert_eq!(hanging.lost.load(Relaxed), 3);

    call();
    hanging.cut.store(false, SeqCst);
    let before = upstream.all().len();
    first.resume();
    hanging.run_all();
    source.push(&bench.packets(3..4, Some(3)));
    hanging.run_all();
    let expected = [
        Arrival::Format(bench.vp8),
        Arrival::Format(0),
        Arrival::Format(bench.vp8),
        // With what came since the keyframe, as for everybody who joins.
        Arrival::Packets(vec![0, 1, 2, 3]),
    ];
    assert_eq!(first_arrivals.all(), expected);
    let asked = upstream.wait_for(|all| all.len() > before);
    assert_eq!(asked.last(), Some(&Some(Upstream::KeyframeRequest)));
}

#[test]
fn what_a_module_without_threads_is_to_be_told_is_dropped() {
    let (bench, module) = (TestBench::new(), Arc::<Module>::default());
    let (camera, _, _) = camera(&bench);
    let (viewer, _) = viewer(&bench, "viewer", &module);
    camera.connect(&viewer, VIDEO, "default", "default");
    let told = Log::default();
    let tell = told.clone();
    bench.graph.after_deliveries(move || tell.add(()));
    assert_eq!(told.all(), []);
    drop(module.next());
    assert_eq!(told.all(), [()]);
}

#[test]
fn what_does_not_fit_is_lost_up_to_the_next_keyframe_which_is_asked_for() {
    let (bench, module) = (TestBench::new(), Arc::<Module>::default());
    let (camera, source, upstream) = camera(&bench);
    let (viewer, arrivals) = viewer(&bench, "viewer", &module);
    camera.connect(&viewer, VIDEO, "default", "default");
    module.run_all();
    let before = upstream.all().len();
    source.push(&bench.packets(0..16_386, Some(0)));
    assert_eq!(module.lost.load(Relaxed), 16_386);
    let asked = upstream.wait_for(|all| all.len() > before);
    assert_eq!(asked.last(), Some(&Some(Upstream::KeyframeRequest)));
    source.push(&bench.packets(20_000..20_002, Some(20_001)));
    module.run_all();
    let media = [Arrival::Packets(vec![20_001])];
    assert_eq!(arrivals.all()[1..], media);
}

/// An element that gives out what it gets, on the threads of its module.
#[derive(Default)]
struct Lane {
    node: OnceLock<Arc<Node>>,
    source: OnceLock<Arc<Source>>,
    sink: OnceLock<Arc<Sink>>,
}

struct End(Weak<Lane>);

impl AbiSinkHandler for End {
    fn packets(&self, packets: RSlice<'_, Packet>) {
        let lane = self.0.upgrade().unwrap();
        lane.source.get().unwrap().push(packets.as_slice());
    }

    fn format(&self, format: u32) {
        let lane = self.0.upgrade().unwrap();
        let node = lane.node.get().unwrap();
        node.set_format(VIDEO, "default", format);
    }
}

impl AbiSourceHandler for End {
    fn upstream(&self, message: AbiUpstream) {
        let lane = self.0.upgrade().unwrap();
        let sink = lane.sink.get().unwrap();
        sink.upstream(message.message().unwrap());
    }

    fn consumers(&self, _: u32) {}
}

fn lane(bench: &TestBench, name: &str, module: &Arc<Module>) -> Arc<Lane> {
    let lane = Arc::new(Lane::default());
    let end = || RArc::new(End(Arc::downgrade(&lane)));
    let (node, _) = bench.node(name);
    node.set_owner(module.clone());
    let handler = AbiSourceHandler_TO::from_ptr(end(), TD_Opaque);
    let source = node.add_source(VIDEO, "default", handler).unwrap();
    let handler = AbiSinkHandler_TO::from_ptr(end(), TD_Opaque);
    let sink = node.add_sink(VIDEO, "default", handler, None, 0).unwrap();
    assert!(lane.source.set(source).is_ok() && lane.sink.set(sink).is_ok());
    node.set_accepted(VIDEO, "default", &[ANY_FORMAT]);
    assert!(lane.node.set(node).is_ok());
    lane
}

#[test]
fn nothing_runs_round_for_ever_in_a_ring_of_elements_with_threads() {
    let (bench, module) = (TestBench::new(), Arc::<Module>::default());
    let (camera, source, _) = camera(&bench);
    let lanes = ["a", "b", "c"].map(|name| lane(&bench, name, &module));
    let node = |index: usize| lanes[index].node.get().unwrap();
    for (from, to) in [(0, 1), (1, 2)] {
        node(from).connect(node(to), VIDEO, "default", "default");
    }
    camera.connect(node(0), VIDEO, "default", "default");
    module.run_all();
    source.push(&bench.packets(0..1, Some(0)));
    // In place of the camera.
    node(2).connect(node(0), VIDEO, "default", "default");
    assert!(module.run_all() < 1_000, "formats and media come to an end");
    for lane in &lanes {
        let sink = lane.sink.get().unwrap();
        sink.upstream(Upstream::Loss { fraction: 0.5 });
        assert!(module.run_all() < 1_000, "messages, too");
        lane.source
            .get()
            .unwrap()
            .push(&bench.packets(1..2, Some(1)));
        assert!(module.run_all() < 1_000, "nor what is put in");
    }
}
