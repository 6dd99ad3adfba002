//! Where packets of a link end, as the media path sees it.
//!
//! A sink pad has two directions. This is the one that packets take: a source's snapshot of
//! consumers leads here. The other one, messages from the module towards what feeds it, is in
//! [`Sink`](crate::sink::Sink), which knows its source; so nothing on the media path knows the way
//! back.

use std::sync::{
    Arc, Mutex, OnceLock, PoisonError,
    atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use rivero_plugin_api::{
    MediaKind, Packaging, Packet,
    abi::traits::{ANY_FORMAT, AbiSinkGroup_TO, AbiSinkHandler_TO, SinkGroup, SinkHandler},
};

use crate::{
    flow::Flow,
    latency::Latency,
    layers::Budget,
    owner::Owner,
    ring::{End, Ring},
    traffic::Estimates,
};

/// What a pad is opened with.
pub(crate) struct Opening {
    pub(crate) handler: SinkHandler,
    pub(crate) group: Option<SinkGroup>,
    pub(crate) token: u64,
    /// Nobody for the pads of conversions.
    pub(crate) owner: Option<Arc<dyn Owner>>,
}

/// The receiving half of a sink pad.
pub(crate) struct Consumer {
    opening: Opening,
    /// What waits for a module that takes media on a thread of its own.
    ring: Option<Arc<Ring>>,
    /// The module knows the format that began to come, if media reaches it on the producer's thread.
    ///
    /// Set by who has told it, and read by the producer, which sees with it whatever the module has done
    /// when it was told.
    ready: AtomicBool,
    flow: Arc<Flow>,
    /// The formats that the module accepts, best first.
    accepted: Mutex<Arc<[u32]>>,
    /// Bit/s that the path beyond carries, whatever feeds it; `u64::MAX` where nothing limits.
    ///
    /// Relaxed is enough: the number stands for itself, and a burst that is selected by the former
    /// one is as it would have been a moment before.
    estimate: AtomicU64,
    /// The same as it is assumed before anything has shown a limit; `u64::MAX` where nothing is.
    start: AtomicU64,
    latency: Latency,
    /// Where the estimate is counted, if it is that of a path to a client.
    estimates: OnceLock<Arc<Estimates>>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.set_estimate(u64::MAX);
    }
}

impl Consumer {
    pub(crate) fn new(kind: MediaKind, opening: Opening, flow: Arc<Flow>) -> Self {
        // A message that comes before the module knows the format is not made up for by a keyframe: it
        // waits, whatever the module does with media.
        let waits = |owner: &&Arc<dyn Owner>| {
            kind == MediaKind::Data || opening.group.is_none() && !owner.is_inline()
        };
        let owner = opening.owner.as_ref().filter(waits);
        let ring = owner.map(|owner| {
            let end = match &opening.group {
                Some(group) => {
                    let group = AbiSinkGroup_TO::from_sabi(group.obj.shallow_clone());
                    End::Group(group, opening.token)
                }
                None => {
                    let handler = opening.handler.obj.shallow_clone();
                    End::Handler(AbiSinkHandler_TO::from_sabi(handler))
                }
            };
            Ring::new(kind, owner.clone(), end)
        });
        Self {
            opening,
            ring,
            ready: AtomicBool::new(true),
            flow,
            accepted: Mutex::new(Arc::new([])),
            estimate: AtomicU64::new(u64::MAX),
            start: AtomicU64::new(u64::MAX),
            latency: Latency::default(),
            estimates: OnceLock::new(),
        }
    }

    pub(crate) fn handler(&self) -> &SinkHandler {
        &self.opening.handler
    }

    pub(crate) fn owner(&self) -> Option<&Arc<dyn Owner>> {
        self.opening.owner.as_ref()
    }

    pub(crate) fn ring(&self) -> Option<&Arc<Ring>> {
        self.ring.as_ref()
    }

    /// Whether it can be given media at once. What waits in a ring need not be known to the module
    /// yet, and what hangs gets nothing.
    pub(crate) fn is_ready(&self) -> bool {
        if self.ring.is_some() {
            return true;
        }
        let is_cut = |owner: &Arc<dyn Owner>| owner.is_cut();
        self.ready.load(Acquire) && !self.opening.owner.as_ref().is_some_and(is_cut)
    }

    /// The module does not know yet what comes from now on; no packaging: nothing. `begins`: it does not
    /// go on from what came before.
    pub(crate) fn hold(&self, begins: bool, packaging: Option<Packaging>) {
        match (&self.ring, packaging) {
            (Some(ring), Some(packaging)) => ring.hold(begins, packaging),
            // What was sent before the end is handed over.
            (Some(_), None) => {}
            // What goes on is not interrupted: packets say which format they have.
            (None, _) if begins => self.ready.store(false, Release),
            (None, _) => {}
        }
    }

    /// The module knows what comes; `true` when it waits for media that it was not given meanwhile.
    pub(crate) fn open(&self) -> bool {
        if let Some(ring) = &self.ring {
            ring.open();
            return false;
        }
        !self.ready.swap(true, Release)
    }

    /// Hands over what waits; for a thread without locks.
    pub(crate) fn go_on(&self) {
        if let Some(ring) = &self.ring {
            ring.go_on();
        }
    }

    /// Hands over packets.
    pub(crate) fn push(&self, packets: &[Packet]) {
        match &self.ring {
            Some(ring) => ring.push(packets),
            None => self.opening.handler.packets(packets.into()),
        }
    }

    /// The group by which it is served, unless what it gets waits in a ring.
    pub(crate) fn group(&self) -> Option<SinkGroup> {
        { self.opening.group.as_ref() }
            .filter(|_| self.ring.is_none())
            .map(|group| AbiSinkGroup_TO::from_sabi(group.obj.shallow_clone()))
    }

    /// `true` when it is a change.
    pub(crate) fn set_accepted(&self, formats: Arc<[u32]>) -> bool {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *accepted, formats.clone()) != formats
    }

    pub(crate) fn accepted(&self) -> Arc<[u32]> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.clone()
    }

    /// Whether packets of a format may go to it.
    pub(crate) fn accepts(&self, format: u32) -> bool {
        let accepted = self.accepted();
        accepted.contains(&format) || accepted.contains(&ANY_FORMAT)
    }

    /// Whether it is told what was left out of a burst.
    pub(crate) fn is_grouped(&self) -> bool {
        self.opening.group.is_some() && self.ring.is_none()
    }

    pub(crate) fn token(&self) -> u64 {
        self.opening.token
    }

    /// So many packets of a burst go to it; `age`: ns since they entered the server, if measured.
    pub(crate) fn on_packets(&self, packets: u32, bytes: u64, age: Option<i64>) {
        self.flow.on_packets(u64::from(packets), bytes);
        if let Some(age) = age {
            self.latency.record(age);
        }
    }

    /// Packets that its module did not take fast enough.
    pub(crate) fn lost(&self) -> u64 {
        self.ring.as_ref().map_or(0, |ring| ring.lost())
    }

    pub(crate) fn latency(&self) -> &Latency {
        &self.latency
    }

    pub(crate) fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// Has its estimates counted; before there is one.
    pub(crate) fn count_estimates(&self, estimates: &Arc<Estimates>) {
        let _ = self.estimates.set(estimates.clone());
    }

    /// What the module said last of the path beyond, bit/s.
    pub(crate) fn estimate(&self) -> u64 {
        self.estimate.load(Relaxed)
    }

    /// What encodings are chosen by.
    pub(crate) fn budget(&self) -> Budget {
        Budget {
            estimate: self.estimate(),
            start: self.start.load(Relaxed),
        }
    }

    /// What the path is assumed to carry, bit/s.
    pub(crate) fn set_start(&self, bits_per_second: u64) {
        self.start.store(bits_per_second, Relaxed);
    }

    pub(crate) fn set_estimate(&self, bits_per_second: u64) {
        let former = self.estimate.swap(bits_per_second, Relaxed);
        if let Some(estimates) = self.estimates.get() {
            estimates.change(former, bits_per_second);
        }
    }
}
