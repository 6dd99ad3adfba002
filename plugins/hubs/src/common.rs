//! What ports have in common: one pad of the hub, which the pads of the ports show.

use std::sync::{
    Arc, Mutex,
    atomic::{
        AtomicU32, AtomicU64,
        Ordering::{AcqRel, Acquire, Relaxed},
    },
};

use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, Format, MediaKind, Packet, Result, SourceHandler,
    SourcePad, host, supervise::lock,
};

/// The pad of a hub that several of its ports show, so that what they give out is encoded once.
pub(crate) struct Common {
    /// `None` once the hub is released.
    source: Mutex<Option<Arc<SourcePad>>>,
    consumers: Arc<Consumers>,
}

/// Those of all ports that show it.
struct Consumers {
    /// It stands for itself, so relaxed is enough.
    count: AtomicU32,
    /// Called when there are some again.
    wake: Box<dyn Fn() + Send + Sync>,
}

struct End(Arc<Consumers>);

impl SourceHandler for End {
    fn consumers(&self, count: u32) {
        if self.0.count.swap(count, AcqRel) == 0 && count > 0 {
            (self.0.wake)();
        }
    }
}

impl Common {
    /// Opens it among the pads of the hub, whose kind it alone has.
    ///
    /// # Errors
    /// Why there is no such pad
    pub(crate) fn open(
        hub: &ElementContext,
        kind: MediaKind,
        format: Format,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Arc<Self>> {
        let consumers = Arc::new(Consumers {
            count: AtomicU32::new(0),
            wake: Box::new(wake),
        });
        let source = hub.source_pad(kind, DEFAULT_DESCRIPTION, End(consumers.clone()))?;
        if let Some(host) = host() {
            source.set_format(Some(host.format_id(&format)));
        }
        Ok(Arc::new(Self {
            source: Mutex::new(Some(Arc::new(source))),
            consumers,
        }))
    }

    pub(crate) fn has_consumers(&self) -> bool {
        self.consumers.count.load(Relaxed) > 0
    }

    /// No lock is held while the host is called, which may call back.
    fn source(&self) -> Option<Arc<SourcePad>> {
        lock(&self.source).clone()
    }

    /// Has the pad of a port show this one, or itself.
    fn show_at(&self, port: &SourcePad, is_common: bool) {
        let source = self.source().filter(|_| is_common);
        if let Err(error) = port.show(source.as_deref()) {
            // It gives out what is pushed for it alone then.
            tracing::warn!(%error, "a port cannot show what others show");
        }
    }

    pub(crate) fn push(&self, packet: Packet) {
        if let Some(source) = self.source() {
            let origin = source.id();
            source.push(&[Packet { origin, ..packet }]);
        }
    }

    pub(crate) fn close(&self) {
        // Dropped when the lock is let go: a pad that closes calls into the host.
        let source = lock(&self.source).take();
        drop(source);
    }
}

/// What the pad of one port shows.
#[derive(Default)]
pub(crate) struct Showing {
    /// Changes that nobody has seen to.
    unsettled: AtomicU64,
}

impl Showing {
    /// Has a port show what it is to show now. The host is called, and may call back here, so no lock is held:
    /// whoever comes while somebody is at it leaves the rest to them.
    pub(crate) fn settle(&self, port: &SourcePad, common: &Common, is_common: impl Fn() -> bool) {
        if self.unsettled.fetch_add(1, AcqRel) > 0 {
            return;
        }
        loop {
            let seen = self.unsettled.load(Acquire);
            common.show_at(port, is_common());
            if self.unsettled.fetch_sub(seen, AcqRel) == seen {
                return;
            }
        }
    }
}
