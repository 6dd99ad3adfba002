//! A snapshot of a source's consumers, and the one loop that serves them.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rivero_plugin_api::{Packet, SinkSelection, abi::traits::SinkGroup};

use super::{
    link::{Burst, Link},
    sink::Sink,
};

/// The active consumers of a source. Replaced as a whole when they change.
#[derive(Default)]
pub(crate) struct FanOut {
    groups: Vec<Group>,
    direct: Vec<Member>,
    /// Some consumer has just joined and waits for its first keyframe.
    newcomers: AtomicBool,
}

struct Group {
    handle: SinkGroup,
    number: u64,
    members: Vec<Member>,
}

#[derive(Clone)]
struct Member {
    link: Arc<Link>,
    sink: Arc<Sink>,
}

thread_local! {
    /// Reused, so that a burst allocates nothing.
    static SELECTIONS: RefCell<Vec<SinkSelection>> = const { RefCell::new(Vec::new()) };
}

impl FanOut {
    pub(crate) fn add(&mut self, link: Arc<Link>, sink: Arc<Sink>) {
        *self.newcomers.get_mut() |= link.is_newcomer();
        let Some(group) = sink.group() else {
            self.direct.push(Member { link, sink });
            return;
        };
        let number = group.id();
        if let Some(known) = self.groups.iter_mut().find(|known| known.number == number) {
            known.members.push(Member { link, sink });
        } else {
            let handle = group;
            self.groups.push(Group {
                handle,
                number,
                members: vec![Member { link, sink }],
            });
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.direct.len()
            + self
                .groups
                .iter()
                .map(|group| group.members.len())
                .sum::<usize>()
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Arc<Link>> {
        let grouped = self.groups.iter().flat_map(|group| &group.members);
        grouped.chain(&self.direct).map(|member| &member.link)
    }

    /// Whether consumers joined since the last call.
    pub(crate) fn take_newcomers(&self) -> bool {
        self.newcomers.load(Relaxed) && self.newcomers.swap(false, Relaxed)
    }

    /// Gives those that have just joined what `since_keyframe` finds of the
    /// encoding they want.
    pub(crate) fn greet(&self, since_keyframe: impl Fn(u8) -> Vec<Packet>) {
        let newcomers = self.links().filter(|link| link.is_newcomer());
        let encodings: BTreeSet<u8> = newcomers.map(|link| link.wanted()).collect();
        for encoding in encodings {
            for packets in since_keyframe(encoding).chunks(64) {
                let wants = |link: &Link| link.is_newcomer() && link.wanted() == encoding;
                self.push_to(&Burst::new(packets), wants);
            }
        }
        self.links().for_each(|link| link.greeted());
    }

    /// Serves everybody; `true` when somebody still waits for a keyframe.
    pub(crate) fn push(&self, burst: &Burst<'_>) -> bool {
        self.push_to(burst, |_| true)
    }

    fn push_to(&self, burst: &Burst<'_>, wants: impl Fn(&Link) -> bool) -> bool {
        let mut starved = false;
        for member in self.direct.iter().filter(|member| wants(&member.link)) {
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
        wants: impl Fn(&Link) -> bool,
        selections: &mut Vec<SinkSelection>,
    ) -> bool {
        let mut starved = false;
        selections.clear();
        for Member { link, sink } in self.members.iter().filter(|member| wants(&member.link)) {
            let packets = link.select(burst);
            if packets != 0 {
                sink.mark(packets.count_ones(), burst.age);
            }
            if packets != 0 || link.leaves_out(burst) {
                selections.push(SinkSelection {
                    token: sink.token(),
                    packets,
                });
            }
            starved |= link.is_waiting();
        }
        if !selections.is_empty() {
            self.handle
                .push_batch(burst.packets.into(), selections.as_slice().into());
        }
        starved
    }
}

impl Member {
    fn push(&self, burst: &Burst<'_>) -> bool {
        let selection = self.link.select(burst);
        if selection != 0 {
            self.sink.mark(selection.count_ones(), burst.age);
            self.push_runs(burst, selection);
        }
        self.link.is_waiting()
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
                self.sink.handler().packets(packets.into());
            }
        }
    }
}
