//! The data channels of a link.

use std::time::Instant;

use rivero_net::shard::ShardSession;
use rivero_plugin_api::Packet;

use super::{Link, clock};
use crate::data::DataTrack;

impl Link {
    /// The data channels of a negotiation; those that there are go on.
    pub(crate) fn set_data(&mut self, now: Instant, data: Option<DataTrack>) {
        match (&mut self.data, data) {
            (Some(present), None) => present.transport.end(),
            (Some(_), Some(_)) => {}
            (None, data) => self.data = data,
        }
        if let Some(data) = self.data.as_mut().filter(|_| self.connected) {
            data.transport.start(now);
        }
    }

    /// The data channels, if there are any.
    pub(crate) fn data(&mut self) -> Option<&mut DataTrack> {
        self.data.as_mut()
    }

    pub(super) fn remove_data(&mut self) {
        if let Some(data) = &mut self.data {
            data.transport.end();
        }
        // The end of the channels is told while there is somebody who tells it.
        self.report();
        self.data = None;
    }

    pub(super) fn set_data_connected(&mut self, now: Instant) {
        match &mut self.data {
            Some(data) if self.connected => data.transport.start(now),
            Some(data) => data.transport.end(),
            None => {}
        }
    }

    pub(super) fn forward_messages(&mut self, now: Instant, packets: &[Packet], selection: u64) {
        let Some(data) = &mut self.data else { return };
        for (bit, packet) in packets.iter().enumerate() {
            if selection >> bit & 1 == 1 {
                data.forward(now, packet);
            }
        }
    }

    /// Lets the peer encrypt one SCTP packet; `None` when there is none.
    pub(super) fn send_data(&mut self, now: Instant) -> Option<()> {
        let packet = self.data.as_mut()?.transport.poll_packet(now)?;
        if let Err(error) = self.peer.send_application_data(now, &packet) {
            tracing::debug!(%error, "an SCTP packet is lost");
        }
        Some(())
    }

    pub(super) fn report_data_events(&mut self) {
        if let Some(data) = &mut self.data {
            let now = clock::pipeline_clock().nanoseconds(Instant::now());
            while let Some(event) = data.poll_event(now) {
                self.observer.data_event(event);
            }
        }
    }
}
