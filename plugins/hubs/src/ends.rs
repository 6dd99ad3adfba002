//! The pads of one port, where what comes out is made by the hub.

use std::sync::{
    OnceLock,
    atomic::{
        AtomicU32,
        Ordering::{AcqRel, Relaxed},
    },
};

use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, Format, MediaKind, Packet, Result, SinkHandler, SinkPad,
    SourceHandler, SourcePad, host,
};

use crate::common::{Common, Showing};

/// A way in and one out, for one kind of media.
#[derive(Default)]
pub(crate) struct Ends {
    source: OnceLock<SourcePad>,
    sink: OnceLock<SinkPad>,
    /// Who gets what comes out. It stands for itself, so relaxed is enough.
    consumers: AtomicU32,
    showing: Showing,
}

impl Ends {
    /// Opens both, whose packets have this format; `end` is told what happens.
    ///
    /// # Errors
    /// Why there are no such pads
    pub(crate) fn open(
        &self,
        port: &ElementContext,
        kind: MediaKind,
        format: &Format,
        end: impl SinkHandler + SourceHandler + Clone,
    ) -> Result<()> {
        let source = port.source_pad(kind, DEFAULT_DESCRIPTION, end.clone())?;
        let sink = port.sink_pad(kind, DEFAULT_DESCRIPTION, end)?;
        let source = self.source.get_or_init(|| source);
        let sink = self.sink.get_or_init(|| sink);
        if let Some(host) = host() {
            source.set_format(Some(host.format_id(format)));
            sink.set_accepted(&[host.format_id(format)]);
        }
        Ok(())
    }

    /// Somebody gets what is pushed here.
    pub(crate) fn has_consumers(&self) -> bool {
        self.consumers.load(Relaxed) > 0
    }

    /// Notes how many there are; whether the first one has come.
    pub(crate) fn count(&self, consumers: u32) -> bool {
        self.consumers.swap(consumers, AcqRel) == 0 && consumers > 0
    }

    pub(crate) fn push(&self, packet: Packet) {
        if let Some(source) = self.source.get() {
            let origin = source.id();
            source.push(&[Packet { origin, ..packet }]);
        }
    }

    /// Has the port show what all see or hear, or what is pushed here.
    pub(crate) fn show(&self, common: &Common, is_common: impl Fn() -> bool) {
        if let Some(source) = self.source.get() {
            self.showing.settle(source, common, is_common);
        }
    }
}
