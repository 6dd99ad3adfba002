//! Whether media flows: at once when it begins, within 2 to 4 s when it ends.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use rivero_plugin_api::{
    MediaKind,
    supervise::{contained, lasting_thread},
};

use crate::connection::{NodeEvent, NodeObserver, PadKey};

/// Of the thread.
const NAME: &str = "media-flow";
const PERIOD: Duration = Duration::from_secs(2);

/// Which way media goes through a pad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    In,
    Out,
}

/// Nobody listens: the pads of conversions are no element's, and those of hubs no client's.
pub(crate) struct Unobserved;

impl NodeObserver for Unobserved {
    fn notify(&self, _: NodeEvent) {}
}

/// The flow through one pad. Marking is wait-free; events are raised by the
/// monitor's thread.
pub(crate) struct Flow {
    key: PadKey,
    direction: Direction,
    observer: Arc<dyn NodeObserver>,
    packets: AtomicU64,
    bytes: AtomicU64,
    seen: AtomicU64,
    flowing: AtomicBool,
    monitor: Sender<Arc<Flow>>,
}

impl Flow {
    /// Counts packets and their bytes. One producer at a time.
    ///
    /// Relaxed accesses are enough: the counters have one writer, so a load and a store cost less than
    /// an addition that is atomic as a whole; and of two producers that pass the pad on to each
    /// other, the worst is a lost count. What has begun to flow reaches the monitor by its channel.
    pub(crate) fn on_packets(self: &Arc<Self>, packets: u64, bytes: u64) {
        for (counter, more) in [(&self.packets, packets), (&self.bytes, bytes)] {
            counter.store(counter.load(Relaxed).wrapping_add(more), Relaxed);
        }
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

    /// Their bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
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
        lasting_thread(NAME, move || watch(&receiver, &weak))?;
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
            bytes: AtomicU64::new(0),
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
            Ok(flow) => {
                contained(NAME, || flow.raise(true));
            }
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
    for flow in alive {
        contained(NAME, || flow.check());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Panics at every event.
    struct Panics;

    impl NodeObserver for Panics {
        fn notify(&self, _: NodeEvent) {
            panic!("on purpose")
        }
    }

    /// Counts its events.
    struct Tells(Mutex<Sender<()>>);

    impl NodeObserver for Tells {
        fn notify(&self, _: NodeEvent) {
            self.0.lock().unwrap().send(()).unwrap();
        }
    }

    #[test]
    fn an_observer_that_panics_costs_no_other_its_events() {
        let monitor = FlowMonitor::start().unwrap();
        let key = PadKey {
            kind: MediaKind::Video,
            description: "default".into(),
        };
        let (sender, heard) = mpsc::channel();
        let tells = Arc::new(Tells(Mutex::new(sender)));
        for _ in 0..3 {
            let broken = monitor.open(key.clone(), Direction::In, Arc::new(Panics));
            broken.on_packets(1, 1);
            monitor
                .open(key.clone(), Direction::In, tells.clone())
                .on_packets(1, 1);
            heard.recv_timeout(Duration::from_secs(20)).unwrap();
        }
    }
}
