//! Bursts on their way to a shard.

use std::{
    cell::Cell,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use mio::Waker;
use rivero_plugin_api::{MediaKind, Packet, SinkGroup, SinkSelection, host};
use serde_json::json;
use smallvec::SmallVec;

use super::coalescing::QueueState;

/// Packets that may wait for a shard; further ones are lost, and counted. At 500 packets a second of one
/// publisher this is what 30 of them send in a second: a shard that is later than that does not catch up.
const LIMIT: usize = 16_384;

thread_local! {
    /// The shard whose thread this is; 0 for none.
    static HERE: Cell<u64> = const { Cell::new(0) };
}

/// Packets of a burst at most, since each has a bit in the selections of its sinks.
const BURST: usize = u64::BITS as usize;

/// What waits for a shard. Taken as a whole; the memory goes back and forth.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    packets: Vec<Packet>,
    sinks: Vec<SinkSelection>,
    /// Ends of each burst in the two lists.
    bursts: Vec<(usize, usize)>,
}

/// Where a burst lies in the lists of [`Waiting`].
#[derive(Clone)]
struct Place {
    packets: Range<usize>,
    sinks: Range<usize>,
}

impl Waiting {
    /// The bursts in the order of their arrival.
    #[inline]
    pub(super) fn bursts(&self) -> impl Iterator<Item = (&[Packet], &[SinkSelection])> {
        self.places().map(|place| {
            (
                self.packets.get(place.packets).unwrap_or_default(),
                self.sinks.get(place.sinks).unwrap_or_default(),
            )
        })
    }

    #[inline]
    fn places(&self) -> impl Iterator<Item = Place> {
        let starts = std::iter::once(&(0, 0)).chain(&self.bursts);
        starts.zip(&self.bursts).map(|(start, end)| Place {
            packets: start.0..end.0,
            sinks: start.1..end.1,
        })
    }

    /// Makes one burst of those that follow each other and go to the same sinks: what came in
    /// parts can leave in one message for each viewer. A burst of others in between does not
    /// matter, since every sink gets its packets in their order.
    pub(super) fn join_bursts(&mut self) {
        if self.bursts.len() < 2 {
            return;
        }
        let mut joined: Vec<SmallVec<[Place; 4]>> = Vec::with_capacity(self.bursts.len());
        for place in self.places() {
            // The latest burst for the first sink is the only one that may be gone on with.
            let former = joined.iter_mut().rev().find(|parts| {
                let sinks = parts.first().map(|first| self.tokens(first));
                sinks.is_some_and(|mut sinks| sinks.next() == self.tokens(&place).next())
            });
            match former {
                Some(parts) if self.can_join(parts, &place) => parts.push(place),
                _ => joined.push(SmallVec::from_iter([place])),
            }
        }
        if joined.len() < self.bursts.len() {
            self.arrange(&joined);
        }
    }

    fn tokens(&self, place: &Place) -> impl Iterator<Item = u64> {
        let sinks = self.sinks.get(place.sinks.clone()).unwrap_or_default();
        sinks.iter().map(|sink| sink.token)
    }

    fn can_join(&self, parts: &[Place], place: &Place) -> bool {
        let packets: usize = parts.iter().map(|part| part.packets.len()).sum();
        let same = |first| self.tokens(first).eq(self.tokens(place));
        packets + place.packets.len() <= BURST && parts.first().is_some_and(same)
    }

    /// Brings the lists into the order of `joined`, each of which becomes one burst.
    fn arrange(&mut self, joined: &[SmallVec<[Place; 4]>]) {
        let mut arranged = Self {
            packets: Vec::with_capacity(self.packets.len()),
            sinks: Vec::with_capacity(self.sinks.len()),
            bursts: Vec::with_capacity(joined.len()),
        };
        for parts in joined {
            let (first_packet, first_sink) = (arranged.packets.len(), arranged.sinks.len());
            for part in parts {
                let before = arranged.packets.len() - first_packet;
                let packets = self.packets.get(part.packets.clone()).unwrap_or_default();
                let sinks = self.sinks.get(part.sinks.clone()).unwrap_or_default();
                arranged.packets.extend_from_slice(packets);
                if before == 0 {
                    arranged.sinks.extend_from_slice(sinks);
                }
                let present = arranged.sinks.get_mut(first_sink..).unwrap_or_default();
                for (present, sink) in present.iter_mut().zip(sinks) {
                    present.packets |= sink.packets << before;
                }
            }
            let ends = (arranged.packets.len(), arranged.sinks.len());
            arranged.bursts.push(ends);
        }
        *self = arranged;
    }

    /// Whether the rest of a frame is still to come, of any stream that something waits of.
    fn has_unfinished_frame(&self) -> bool {
        let lasts = { self.bursts.iter() }.rev();
        let lasts = lasts.filter_map(|(end, _)| self.packets.get(end.checked_sub(1)?));
        let mut seen = SmallVec::<[(u32, u32); 8]>::new();
        for packet in lasts {
            let stream = (packet.origin, packet.rtp.ssrc);
            if seen.contains(&stream) {
                continue;
            }
            // The marker ends a frame of video (RFC 6184 §5.1, RFC 7741 §4.1); in sound it means
            // something else.
            if packet.kind == MediaKind::Video && !packet.rtp.marker {
                return true;
            }
            seen.push(stream);
        }
        false
    }

    /// How many times something is sent to a sink.
    pub(super) fn sends(&self) -> u32 {
        u32::try_from(self.sinks.len()).unwrap_or(u32::MAX)
    }

    /// Forgets everything but the memory.
    pub(super) fn clear(&mut self) {
        self.packets.clear();
        self.sinks.clear();
        self.bursts.clear();
    }
}

/// The queue between producers and a shard.
#[derive(Debug)]
pub(super) struct BurstQueue {
    shard: u64,
    waiting: Mutex<Waiting>,
    waker: Arc<Waker>,
}

impl BurstQueue {
    /// The queue of the shard with this number, which `waker` wakes.
    pub(super) fn new(shard: u64, waker: Arc<Waker>) -> Self {
        Self {
            shard,
            waiting: Mutex::default(),
            waker,
        }
    }

    /// Marks the calling thread as the shard's own, which needs no waking: it looks at the queue before it
    /// waits again.
    pub(super) fn enter_thread(&self) {
        HERE.set(self.shard);
    }

    /// Says in the metrics that the shard could not follow.
    fn count_lost(&self, packets: usize) {
        if let Some(host) = host() {
            let labels = json!({ "shard": self.shard.to_string() });
            host.count("packets_lost_before_shard_total", &labels, packets as f64);
        }
    }

    /// What there is to send.
    pub(super) fn state(&self) -> QueueState {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.bursts.is_empty() {
            true => QueueState::Empty,
            false if waiting.has_unfinished_frame() => QueueState::UnfinishedFrame {
                sinks: waiting.sends(),
                packets: waiting.packets.len(),
            },
            false => QueueState::Frames,
        }
    }

    /// Exchanges what waits against an empty list.
    pub(super) fn exchange(&self, empty: &mut Waiting) {
        std::mem::swap(
            &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner),
            empty,
        );
    }
}

/// The queue as producers see it.
#[derive(Debug)]
pub(super) struct ShardGroup(Arc<BurstQueue>);

impl ShardGroup {
    /// Those who push into this queue.
    pub(super) fn new(queue: Arc<BurstQueue>) -> Self {
        Self(queue)
    }
}

impl SinkGroup for ShardGroup {
    fn push_batch(&self, packets: &[Packet], sinks: &[SinkSelection]) {
        let queue = &self.0;
        let mut waiting = queue.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.packets.len() + packets.len() > LIMIT {
            drop(waiting);
            return queue.count_lost(packets.len());
        }
        let first = waiting.bursts.is_empty();
        waiting.packets.extend_from_slice(packets);
        waiting.sinks.extend_from_slice(sinks);
        let ends = (waiting.packets.len(), waiting.sinks.len());
        waiting.bursts.push(ends);
        drop(waiting);
        if first && HERE.get() != queue.shard {
            // The shard takes everything at once, so one call for each time that it was empty will do.
            if let Err(error) = queue.waker.wake() {
                tracing::error!(%error, "a shard cannot be woken");
            }
        }
    }
}
