//! Where packets of a link end, as the media path sees it.
//!
//! A sink pad has two directions. This is the one that packets take: a source's snapshot of
//! consumers leads here. The other one, messages from the module towards what feeds it, is in
//! [`Sink`](crate::sink::Sink), which knows its source; so nothing on the media path knows the way
//! back.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use rivero_plugin_api::abi::traits::{ANY_FORMAT, AbiSinkGroup_TO, SinkGroup, SinkHandler};

use crate::{flow::Flow, latency::Latency, layers::Budget};

/// The receiving half of a sink pad.
pub(crate) struct Consumer {
    handler: SinkHandler,
    group: Option<SinkGroup>,
    token: u64,
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
}

impl Consumer {
    pub(crate) fn new(
        handler: SinkHandler,
        group: Option<SinkGroup>,
        token: u64,
        flow: Arc<Flow>,
    ) -> Self {
        Self {
            handler,
            group,
            token,
            flow,
            accepted: Mutex::new(Arc::new([])),
            estimate: AtomicU64::new(u64::MAX),
            start: AtomicU64::new(u64::MAX),
            latency: Latency::default(),
        }
    }

    pub(crate) fn handler(&self) -> &SinkHandler {
        &self.handler
    }

    pub(crate) fn group(&self) -> Option<SinkGroup> {
        self.group
            .as_ref()
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
        self.group.is_some()
    }

    pub(crate) fn token(&self) -> u64 {
        self.token
    }

    /// So many packets of a burst go to it; `age`: ns since they entered the server, if measured.
    pub(crate) fn on_packets(&self, packets: u32, age: Option<i64>) {
        self.flow.on_packets(u64::from(packets));
        if let Some(age) = age {
            self.latency.record(age);
        }
    }

    pub(crate) fn latency(&self) -> &Latency {
        &self.latency
    }

    pub(crate) fn flow(&self) -> &Arc<Flow> {
        &self.flow
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
        self.estimate.store(bits_per_second, Relaxed);
    }
}
