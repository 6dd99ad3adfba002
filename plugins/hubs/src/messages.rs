//! Messages of data channels: what comes in at one port goes out at all others.

use std::sync::{Arc, Mutex, OnceLock, Weak};

use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, MediaKind, Packet, Result, SinkHandler, SinkPad,
    supervise::lock,
};

use crate::switch::Outlet;

/// The messages of one hub.
#[derive(Default)]
pub(crate) struct Messages {
    ports: Mutex<Vec<Arc<Port>>>,
}

struct Port {
    id: Box<str>,
    outlet: Outlet,
    sink: OnceLock<SinkPad>,
    /// The format of what comes in.
    format: Mutex<Option<u32>>,
    messages: Weak<Messages>,
}

impl Messages {
    /// A port came.
    ///
    /// # Errors
    /// Why its pads cannot be opened
    pub(crate) fn add_port(self: &Arc<Self>, id: &str, port: &ElementContext) -> Result<()> {
        let opened = Port::open(self, id, port)?;
        let mut ports = lock(&self.ports);
        let format = ports.iter().find_map(|port| *lock(&port.format));
        ports.push(opened.clone());
        drop(ports);
        if format.is_some() {
            opened.outlet.give(format, &[]);
        }
        Ok(())
    }

    pub(crate) fn remove_port(&self, id: &str) {
        let mut ports = lock(&self.ports);
        let place = ports.iter().position(|port| *port.id == *id);
        // Dropped when the lock is let go: a pad that closes calls into the host.
        let gone = place.map(|place| ports.remove(place));
        drop(ports);
        drop(gone);
    }

    /// The hub is released.
    pub(crate) fn close(&self) {
        let ports = std::mem::take(&mut *lock(&self.ports));
        drop(ports);
    }
}

impl Port {
    fn open(messages: &Arc<Messages>, id: &str, context: &ElementContext) -> Result<Arc<Self>> {
        let port = Arc::new(Self {
            id: id.into(),
            outlet: Outlet::new(false),
            sink: OnceLock::new(),
            format: Mutex::default(),
            messages: Arc::downgrade(messages),
        });
        let source = context.source_pad(MediaKind::Data, DEFAULT_DESCRIPTION, ())?;
        port.outlet.open(source);
        let end = End(Arc::downgrade(&port));
        let sink = context.sink_pad(MediaKind::Data, DEFAULT_DESCRIPTION, end)?;
        port.sink.get_or_init(|| sink).accept_any();
        Ok(port)
    }
}

/// The port as its pad knows it: it does not keep it alive.
struct End(Weak<Port>);

impl End {
    /// Gives packets to all other ports; none where only their format is known yet.
    fn give(&self, packets: &[Packet]) -> Option<()> {
        let port = self.0.upgrade()?;
        let messages = port.messages.upgrade()?;
        let format = *lock(&port.format);
        let others = lock(&messages.ports).clone();
        for other in others.iter().filter(|other| !Arc::ptr_eq(other, &port)) {
            other.outlet.give(Some(format?), packets);
        }
        Some(())
    }
}

impl SinkHandler for End {
    fn packets(&self, packets: &[Packet]) {
        self.give(packets);
    }

    fn format(&self, format: Option<u32>) {
        if let Some(port) = self.0.upgrade() {
            *lock(&port.format) = format;
        }
        // What goes out has it before the first message, so that none is lost while links begin.
        self.give(&[]);
    }
}
