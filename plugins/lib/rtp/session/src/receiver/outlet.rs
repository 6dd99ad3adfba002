//! The way from a receiver into its pad: bursts of one format.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use rivero_plugin_api::{Encoding, Packet};

use crate::pads::Deliver;

/// A peer may change its format as often as it likes, and each time the ways to all consumers
/// are planned anew: in the long run not more often than this…
const FORMAT_INTERVAL: Duration = Duration::from_millis(250);
/// …but so many times in a row, as one does that finds its codec while it begins: what has no place is
/// lost, and it may be the keyframe.
const FORMAT_CHANGES: u32 = 4;

/// Gathers what is received until it is pushed.
pub(super) struct Outlet {
    pad: Arc<dyn Deliver>,
    /// The pad's number, which each packet carries.
    origin: u32,
    format: Option<u32>,
    /// When the changes of late would have been due, one in each interval.
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
            let savings = FORMAT_INTERVAL * FORMAT_CHANGES;
            let earliest = now.checked_sub(savings).unwrap_or(now);
            let due = self.changed.map_or(earliest, |due| due.max(earliest));
            if due + FORMAT_INTERVAL > now {
                return;
            }
            self.changed = Some(due + FORMAT_INTERVAL);
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

    /// Pushes an event of the peer, which has a format of its own beside that of the media.
    pub(super) fn push_event(&mut self, mut event: Packet) {
        self.flush();
        event.origin = self.origin;
        self.pad.push(&[event]);
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
