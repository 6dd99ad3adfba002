//! A link as its shard drives it.

use std::time::Instant;

use rivero_net::{
    Unframed,
    shard::{Arrival, Burst, Network, ShardSession},
};
use rivero_plugin_api::Upstream;

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
        let packed = self.packer.packs(packets).then(|| {
            let (session, outbound) = (&mut self.session, &mut self.outbound);
            let sound = session.relay_digits(now, packets, selection, outbound);
            self.packer.pack(packets, sound)
        });
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
        let due = [idle, self.session.poll_timeout()];
        due.into_iter().flatten().min()
    }

    fn on_timeout(&mut self, now: Instant) {
        self.session.on_timeout(now, &mut self.outbound);
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
        let digits = events.digits.into_iter();
        digits.for_each(|digit| self.observer.digit(digit));
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
