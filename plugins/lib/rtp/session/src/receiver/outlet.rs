//! The way from a receiver into its pad: bursts of one format.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{Encoding, Packet};

use crate::pads::Deliver;

/// A peer may change its format as often as it likes, and each time the ways to all consumers
/// are planned anew: not more often than this. A person who switches the codec does not notice.
const FORMAT_INTERVAL: Duration = Duration::from_millis(250);

/// Gathers what is received until it is pushed.
pub(super) struct Outlet {
    pad: Arc<dyn Deliver>,
    /// The pad's number, which each packet carries.
    origin: u32,
    format: Option<u32>,
    /// When `format` became what it is.
    changed: Option<Instant>,
    burst: Vec<Packet>,
}

impl Outlet {
    pub(super) fn new(pad: Arc<dyn Deliver>) -> Self {
        Self {
            origin: pad.id(),
            pad,
            format: None,
            changed: None,
            burst: Vec::new(),
        }
    }

    /// The number of the pad.
    #[inline]
    pub(super) fn origin(&self) -> u32 {
        self.origin
    }

    /// What was pushed last, or is about to be.
    pub(super) fn format(&self) -> Option<u32> {
        self.format
    }

    /// Adds a packet to the burst, which has one format. One of another format that comes too soon
    /// after a change has no place.
    #[inline]
    pub(super) fn add(&mut self, now: Instant, packet: Packet) {
        if self.format != Some(packet.format) {
            let since = |at| now.saturating_duration_since(at);
            if self.changed.is_some_and(|at| since(at) < FORMAT_INTERVAL) {
                return;
            }
            self.changed = Some(now);
            // In this order: no packet precedes its format, and none follows another one.
            self.flush();
            self.format = Some(packet.format);
            self.pad.set_format(self.format);
        }
        self.burst.push(packet);
    }

    /// Pushes the burst.
    #[inline]
    pub(super) fn flush(&mut self) {
        if !self.burst.is_empty() {
            self.pad.push(&self.burst);
            self.burst.clear();
        }
    }

    /// Ends the present format. Another one may begin at once then: this change is not the peer's doing.
    pub(super) fn end_format(&mut self) {
        (self.format, self.changed) = (None, None);
        self.pad.set_format(None);
    }

    pub(super) fn set_encodings(&self, encodings: &[Encoding]) {
        self.pad.set_encodings(encodings);
    }
}
