//! Whether media flows: at once when it begins, within 2 to 4 s when it ends.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use rivero_plugin_api::MediaKind;

use super::connection::{NodeEvent, NodeObserver, PadKey};

const PERIOD: Duration = Duration::from_secs(2);

/// Which way media goes through a pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// Nobody listens: the pads of conversions are no element's.
pub(crate) struct Silent;

impl NodeObserver for Silent {
    fn notify(&self, _: NodeEvent) {}
}

/// The flow through one pad. Marking is wait-free; events are raised by the
/// monitor's thread.
pub(crate) struct Flow {
    key: PadKey,
    direction: Direction,
    observer: Arc<dyn NodeObserver>,
    packets: AtomicU64,
    seen: AtomicU64,
    flowing: AtomicBool,
    monitor: Sender<Arc<Flow>>,
}

impl Flow {
    /// Counts packets. One producer at a time.
    pub(crate) fn mark(self: &Arc<Self>, packets: u64) {
        self.packets
            .store(self.packets.load(Relaxed).wrapping_add(packets), Relaxed);
        if !self.flowing.load(Relaxed) && !self.flowing.swap(true, Relaxed) {
            // Without a monitor the server is going down.
            let _ = self.monitor.send(self.clone());
        }
    }

    pub(crate) fn is_flowing(&self) -> bool {
        self.flowing.load(Relaxed)
    }

    /// Packets that went through since the pad was opened.
    pub(crate) fn packets(&self) -> u64 {
        self.packets.load(Relaxed)
    }

    fn raise(&self, flowing: bool) {
        let (kind, description) = (self.key.kind, self.key.description.clone());
        if kind == MediaKind::Data {
            return;
        }
        self.observer.notify(match self.direction {
            Direction::In => NodeEvent::FlowIn {
                kind,
                description,
                flowing,
            },
            Direction::Out => NodeEvent::FlowOut {
                kind,
                description,
                flowing,
            },
        });
    }

    /// Ends the flow when nothing came since the last look.
    fn check(&self) {
        let packets = self.packets.load(Relaxed);
        let quiet = self.seen.swap(packets, Relaxed) == packets;
        if quiet && self.flowing.swap(false, Relaxed) {
            self.raise(false);
        }
    }
}

/// The thread that watches all flows. Ends when it is dropped.
pub(crate) struct FlowMonitor {
    sender: Mutex<Sender<Arc<Flow>>>,
    watched: Arc<Mutex<Vec<Weak<Flow>>>>,
}

impl FlowMonitor {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (sender, receiver) = mpsc::channel();
        let watched = Arc::new(Mutex::new(Vec::new()));
        let weak = Arc::downgrade(&watched);
        thread::Builder::new()
            .name("media-flow".to_owned())
            .spawn(move || watch(&receiver, &weak))?;
        Ok(Self {
            sender: Mutex::new(sender),
            watched,
        })
    }

    /// The flow of a new pad.
    pub(crate) fn open(
        &self,
        key: PadKey,
        direction: Direction,
        observer: Arc<dyn NodeObserver>,
    ) -> Arc<Flow> {
        let flow = Arc::new(Flow {
            key,
            direction,
            observer,
            packets: AtomicU64::new(0),
            seen: AtomicU64::new(0),
            flowing: AtomicBool::new(false),
            monitor: self
                .sender
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        });
        self.watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::downgrade(&flow));
        flow
    }
}

fn watch(started: &Receiver<Arc<Flow>>, watched: &Weak<Mutex<Vec<Weak<Flow>>>>) {
    let mut next = Instant::now() + PERIOD;
    loop {
        match started.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(flow) => flow.raise(true),
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some(watched) = watched.upgrade() else {
                    return;
                };
                check_all(&watched);
                next = Instant::now() + PERIOD;
            }
        }
    }
}

fn check_all(watched: &Mutex<Vec<Weak<Flow>>>) {
    let mut alive = Vec::new();
    watched
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .retain(|flow| {
            let flow = flow.upgrade();
            let keep = flow.is_some();
            alive.extend(flow);
            keep
        });
    alive.iter().for_each(|flow| flow.check());
}
