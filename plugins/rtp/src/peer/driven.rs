//! A link as its shard drives it.

use std::time::Instant;

use rivero_net::{
    Unframed,
    shard::{Arrival, Burst, Network, ShardSession},
};
use rivero_plugin_api::{Packet, Upstream};

use super::{Link, clock};
use crate::shard::LinkSocket;

impl ShardSession for Link {
    type SocketId = LinkSocket;

    const PLACE: &'static str = "an RTP transport";
    const END_PLACE: &'static str = "the end of an RTP transport";

    fn on_own_datagram(
        &mut self,
        now: Instant,
        socket: LinkSocket,
        arrival: Option<Arrival>,
        data: &mut [u8],
    ) -> bool {
        let Some(Arrival { remote, .. }) = arrival else {
            return false;
        };
        self.on_datagram(now, socket, remote, data)
    }

    fn on_own_socket_lost(&mut self, _: Instant, _: LinkSocket, _: &str) -> bool {
        // Sockets of UDP are not lost.
        false
    }

    #[inline]
    fn deliver(&mut self) {
        self.session.deliver();
    }

    fn forward(
        &mut self,
        now: Instant,
        burst: Burst<'_>,
        network: Network<'_, LinkSocket>,
    ) -> bool {
        if burst.packets.iter().any(Packet::is_event) {
            return self.forward_with_events(now, burst, network);
        }
        // Without an address, as on hold, the burst is lost.
        let Some(remote) = self.remote.rtp_target() else {
            return false;
        };
        let outgoing = network.outgoing_by(LinkSocket::Rtp, None, remote, Unframed);
        let Some(mut outgoing) = outgoing else {
            return false;
        };
        let Burst {
            track,
            packets,
            selection,
        } = burst;
        // While a digit sounds there is nothing else (RFC 4733 §2.5.1.2): the numbers close up behind it.
        let selection = match self.digits.is_busy() {
            true => 0,
            false => selection,
        };
        let packed = match self.packer.packs(packets) {
            true => Some(self.packer.pack(packets, selection)),
            false => None,
        };
        let (packets, selection) = match &packed {
            Some(packed) => (packed.as_slice(), u64::MAX),
            None => (packets, selection),
        };
        let (session, outbound) = (&mut self.session, &mut self.outbound);
        let more = session.forward(now, track, packets, selection, outbound, &mut outgoing);
        self.events.soft_limit |= self.outbound.take_soft_limit();
        more || self.events.soft_limit
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let idle = self.idle.poll_timeout();
        let idle = idle.map(|due| clock::pipeline_clock().coarse(due));
        let due = [
            idle,
            self.digits.poll_timeout(),
            self.session.poll_timeout(),
        ];
        due.into_iter().flatten().min()
    }

    fn on_timeout(&mut self, now: Instant) {
        self.session.on_timeout(now, &mut self.outbound);
        self.digits.on_timeout(now);
        self.write_digits(now);
        if self.idle.take_keyframe(now) {
            self.session.ask_video_source(Upstream::KeyframeRequest);
        }
        if self.idle.take_end(now) {
            self.events.silent_target = true;
            self.follow_target(now);
        }
        self.note_events();
    }

    /// Tells the observer what happened. Not while the link is in the middle of something: an observer
    /// that panics has then spoilt nothing.
    fn report(&mut self) {
        let events = std::mem::take(&mut self.events);
        events
            .media
            .iter()
            .for_each(|active| self.observer.media_active(*active));
        for digit in self.digits.take_heard() {
            self.observer.digit(digit);
        }
        if events.soft_limit {
            self.observer.key_soft_limit();
        }
        if events.silent_target {
            self.observer.target_is_silent();
        }
        if events.keyframe_missing {
            self.observer.keyframe_missing();
        }
    }

    fn close(&mut self, now: Instant) {
        self.session.say_goodbye(now, &mut self.outbound);
        self.session.close();
    }

    fn failure_observer(&self) -> Box<dyn FnOnce(&str)> {
        let observer = self.observer.clone();
        Box::new(move |reason| observer.failed(reason))
    }
}

impl Link {
    /// Dials what is dialled by whom the peer hears, and forwards the rest of the burst: the shard joins those that wait.
    fn forward_with_events(
        &mut self,
        now: Instant,
        burst: Burst<'_>,
        network: Network<'_, LinkSocket>,
    ) -> bool {
        let selected = burst.packets.iter().enumerate();
        let selected = selected.filter(|(bit, _)| burst.selection >> bit & 1 == 1);
        for (_, event) in selected.filter(|(_, packet)| packet.is_event()) {
            self.digits.relay(now, event);
        }
        self.write_digits(now);
        let (mut packets, mut selection) = (Vec::new(), 0);
        for (bit, packet) in burst.packets.iter().enumerate() {
            if !packet.is_event() {
                selection |= (burst.selection >> bit & 1) << packets.len();
                packets.push(packet.clone());
            }
        }
        if !packets.is_empty() {
            let media = Burst {
                track: burst.track,
                packets: &packets,
                selection,
            };
            self.forward(now, media, network);
        }
        // What is dialled waits to be sent.
        true
    }
}
