//! A snapshot of a source's consumers, and the one loop that serves them.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rivero_plugin_api::{
    Packet, SinkSelection,
    abi::traits::{AbiSinkGroup_TO, SinkGroup},
};

use crate::{
    consumer::Consumer,
    cursor::{Burst, Selection},
    demand::ConsumerPath,
    layers::Budget,
    link::Link,
    traffic::Tally,
};

/// The active consumers of a source. Producers read it while control prepares the next one, so it
/// is replaced as a whole; a copy shares with the original what is not changed.
#[derive(Default)]
pub(crate) struct FanOut {
    groups: Vec<Group>,
    direct: Members,
    /// Some consumer has just joined and is to be shown what came since the last keyframe.
    ///
    /// Relaxed is enough: the flag is set before this snapshot is published, so who reads it sees
    /// it, and only the producer clears it. A copy may take over a flag that the producer clears
    /// meanwhile; then it is looked in vain, since each cursor knows whether its consumer has joined.
    joined: AtomicBool,
}

struct Group {
    handle: SinkGroup,
    number: u64,
    members: Members,
}

/// Consumers in pieces, so that one that comes or goes costs a copy of its piece only.
#[derive(Clone, Default)]
struct Members(Vec<Arc<Vec<Member>>>);

/// Consumers of a piece: with this many, an audience of some thousands is both some dozens of
/// pieces to list and some dozens of consumers to copy, whoever joins.
const PIECE: usize = 64;

#[derive(Clone)]
pub(crate) struct Member {
    link: Arc<Link>,
    consumer: Arc<Consumer>,
    /// The [start](crate::order::Order::start) at which the link became one of these.
    start: u32,
}

thread_local! {
    /// Reused, so that a burst allocates nothing.
    static SELECTIONS: RefCell<Vec<SinkSelection>> = const { RefCell::new(Vec::new()) };
}

impl Clone for FanOut {
    fn clone(&self) -> Self {
        Self {
            groups: self.groups.clone(),
            direct: self.direct.clone(),
            joined: self.joined.load(Relaxed).into(),
        }
    }
}

impl Clone for Group {
    fn clone(&self) -> Self {
        Self {
            handle: AbiSinkGroup_TO::from_sabi(self.handle.obj.shallow_clone()),
            number: self.number,
            members: self.members.clone(),
        }
    }
}

impl Members {
    fn add(&mut self, member: Member) {
        let has_room = |piece: &&mut Arc<Vec<Member>>| piece.len() < PIECE;
        match self.0.iter_mut().rev().find(has_room) {
            Some(piece) => Arc::make_mut(piece).push(member),
            None => self.0.push(Arc::new(vec![member])),
        }
    }

    /// `false` when the link is not among them.
    fn remove(&mut self, link: &Arc<Link>) -> bool {
        let of_link = |member: &Member| Arc::ptr_eq(&member.link, link);
        let pieces = self.0.iter().enumerate();
        let mut found = pieces.filter_map(|(piece, members)| {
            let position = members.iter().position(of_link)?;
            Some((piece, position))
        });
        let Some((piece, position)) = found.next() else {
            return false;
        };
        let Some(members) = self.0.get_mut(piece) else {
            return false;
        };
        if members.len() == 1 {
            self.0.remove(piece);
        } else {
            Arc::make_mut(members).remove(position);
        }
        true
    }

    fn len(&self) -> usize {
        self.0.iter().map(|piece| piece.len()).sum()
    }

    fn iter(&self) -> impl Iterator<Item = &Member> {
        self.0.iter().flat_map(|piece| piece.iter())
    }
}

impl FanOut {
    /// `is_new`: the link has just begun to carry video.
    pub(crate) fn add(&mut self, link: Arc<Link>, consumer: Arc<Consumer>, is_new: bool) {
        *self.joined.get_mut() |= is_new;
        let group = consumer.group();
        let start = link.order().start;
        let member = Member {
            link,
            consumer,
            start,
        };
        let Some(handle) = group else {
            return self.direct.add(member);
        };
        let number = handle.id();
        if let Some(known) = self.groups.iter_mut().find(|known| known.number == number) {
            known.members.add(member);
        } else {
            let mut members = Members::default();
            members.add(member);
            self.groups.push(Group {
                handle,
                number,
                members,
            });
        }
    }

    pub(crate) fn remove(&mut self, link: &Arc<Link>) {
        if self.direct.remove(link) {
            return;
        }
        for group in &mut self.groups {
            if group.members.remove(link) {
                break;
            }
        }
        self.groups.retain(|group| group.members.len() > 0);
    }

    /// Without consumers, but some of those to come may be new.
    pub(crate) fn emptied(&self) -> Self {
        Self {
            joined: self.joined.load(Relaxed).into(),
            ..Self::default()
        }
    }

    pub(crate) fn len(&self) -> usize {
        let grouped = self.groups.iter().map(|group| group.members.len());
        self.direct.len() + grouped.sum::<usize>()
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        let grouped = self.groups.iter().flat_map(|group| group.members.iter());
        grouped.chain(self.direct.iter())
    }

    /// Whether consumers joined since the last call.
    pub(crate) fn take_joined(&self) -> bool {
        // The load first: an exchange with every burst would take the cache line from all who read.
        self.joined.load(Relaxed) && self.joined.swap(false, Relaxed)
    }

    /// Gives those that have just joined what `since_keyframe` finds of the
    /// encoding they want.
    ///
    /// Returns what went to elements.
    pub(crate) fn catch_up(&self, since_keyframe: impl Fn(u8) -> Vec<Packet>) -> Tally {
        let tally = Tally::default();
        let joined = self.members().filter(|member| member.catches_up());
        let encodings: BTreeSet<u8> = joined.map(Member::encoding).collect();
        for encoding in encodings {
            for packets in since_keyframe(encoding).chunks(64) {
                let wants = |member: &Member| member.catches_up() && member.encoding() == encoding;
                let burst = Burst::new(packets);
                self.push_to(&burst, wants);
                tally.join(&burst.tally);
            }
        }
        let ready = self.members().filter(|member| member.consumer.is_ready());
        ready.for_each(|member| member.link.on_caught_up(member.start));
        tally
    }

    /// Serves everybody; `true` when somebody still waits for a keyframe.
    pub(crate) fn push(&self, burst: &Burst<'_>) -> bool {
        self.push_to(burst, |_| true)
    }

    /// Gives an event to those that accept its format. It is no media: nothing is selected of it, nor kept.
    pub(crate) fn push_event(&self, packets: &[Packet]) {
        let Some(format) = packets.first().map(|packet| packet.format) else {
            return;
        };
        let accepts =
            |member: &&Member| member.consumer.is_ready() && member.consumer.accepts(format);
        for member in self.direct.iter().filter(accepts) {
            member.consumer.push(packets);
        }
        for group in &self.groups {
            let members = group.members.iter().filter(accepts);
            let selections: Vec<SinkSelection> = members
                .map(|member| SinkSelection {
                    token: member.consumer.token(),
                    packets: u64::MAX >> 64_usize.saturating_sub(packets.len()),
                })
                .collect();
            if !selections.is_empty() {
                let handle = &group.handle;
                handle.push_batch(packets.into(), selections.as_slice().into());
            }
        }
    }

    fn push_to(&self, burst: &Burst<'_>, wants: impl Fn(&Member) -> bool) -> bool {
        let mut starved = false;
        for member in self.direct.iter().filter(|member| wants(member)) {
            starved |= member.push(burst);
        }
        if !self.groups.is_empty() {
            let mut selections = SELECTIONS.take();
            for group in &self.groups {
                starved |= group.push(burst, &wants, &mut selections);
            }
            SELECTIONS.set(selections);
        }
        starved
    }
}

impl Group {
    fn push(
        &self,
        burst: &Burst<'_>,
        wants: impl Fn(&Member) -> bool,
        selections: &mut Vec<SinkSelection>,
    ) -> bool {
        let mut starved = false;
        selections.clear();
        for piece in &self.members.0 {
            for member in piece.iter().filter(|member| wants(member)) {
                let selection = member.select(burst);
                if selection.is_told {
                    selections.push(SinkSelection {
                        token: member.consumer.token(),
                        packets: selection.packets,
                    });
                }
                starved |= selection.starved;
            }
        }
        if !selections.is_empty() {
            self.handle
                .push_batch(burst.packets.into(), selections.as_slice().into());
        }
        starved
    }
}

impl Member {
    pub(crate) fn link(&self) -> &Link {
        &self.link
    }

    /// Bit/s that the path to the consumer carries, `u64::MAX` where nothing limits.
    pub(crate) fn estimate(&self) -> u64 {
        self.consumer.estimate()
    }

    /// What its encoding is chosen by.
    pub(crate) fn budget(&self) -> Budget {
        self.consumer.budget()
    }

    pub(crate) fn path(&self) -> ConsumerPath {
        ConsumerPath {
            estimate: self.estimate(),
            takes_whole: self.link.order().whole,
        }
    }

    fn encoding(&self) -> u8 {
        self.link.choice().encoding
    }

    fn catches_up(&self) -> bool {
        self.consumer.is_ready() && self.link.catches_up(self.start)
    }

    /// Nothing as long as the module does not know the format: the link begins when it does.
    fn select(&self, burst: &Burst<'_>) -> Selection {
        if !self.consumer.is_ready() {
            return Selection::default();
        }
        let selection = self.link.select(self.start, self.estimate(), burst);
        if selection.packets != 0 {
            let packets = selection.packets.count_ones();
            let bytes = burst.bytes_of(selection.packets);
            self.consumer.on_packets(packets, bytes, burst.age);
            // What conversions take is on its way still.
            if self.consumer.owner().is_some() {
                burst.tally.add(packets.into(), bytes);
            }
        }
        selection
    }

    fn push(&self, burst: &Burst<'_>) -> bool {
        let selection = self.select(burst);
        self.push_runs(burst, selection.packets);
        selection.starved
    }

    /// Hands over runs of neighbours, so that a gap costs a call, not a copy.
    fn push_runs(&self, burst: &Burst<'_>, mut selection: u64) {
        let mut start = 0usize;
        while selection != 0 {
            let gap = selection.trailing_zeros();
            selection = selection.checked_shr(gap).unwrap_or(0);
            let run = selection.trailing_ones();
            selection = selection.checked_shr(run).unwrap_or(0);
            let from = start + gap as usize;
            start = from + run as usize;
            if let Some(packets) = burst.packets.get(from..start) {
                self.consumer.push(packets);
            }
        }
    }
}
