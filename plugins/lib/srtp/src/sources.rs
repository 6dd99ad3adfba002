//! Replay protection of what one peer sends, by synchronisation source.

use std::collections::VecDeque;

use super::replay::ReplayWindow;
use crate::SrtpError;

/// Sources with a window. Simulcast with repair streams needs a handful per track; but browsers
/// take new SSRCs whenever a section is sent again.
pub(super) const MAX_PRESENT: usize = 128;
/// Sources that made room, of which only the highest index is known.
pub(super) const MAX_FORMER: usize = 1024;

/// The sources of one session and direction. State exists only after a packet of its source was
/// authenticated, so that forged packets cannot fill the tables: only the peer itself can.
///
/// A source beyond [`MAX_PRESENT`] takes the place of the one that was silent for longest. Of that
/// one the highest index stays known: what is newer is accepted, with the right roll-over counter,
/// and everything else counts as received. So no packet of the latest [`MAX_PRESENT`] +
/// [`MAX_FORMER`] sources is ever accepted twice. Earlier ones are forgotten: a recorded packet of
/// theirs would pass once more, if it came before the first roll-over of its source.
#[derive(Default)]
pub(super) struct Sources {
    present: Vec<Source>,
    /// SSRC and highest index, the latest last.
    former: VecDeque<(u32, u64)>,
    /// Packets accepted.
    accepted: u64,
}

struct Source {
    ssrc: u32,
    window: ReplayWindow,
    /// [`Sources::accepted`] at its latest packet.
    latest: u64,
}

/// Where a source is.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// At this position.
    Present(usize),
    /// It made room, with this highest index.
    Former(u64),
    New,
}

impl Sources {
    #[inline]
    pub(super) fn place(&self, ssrc: u32) -> Place {
        if let Some(position) = self.present.iter().position(|known| known.ssrc == ssrc) {
            return Place::Present(position);
        }
        let mut former = self.former.iter();
        match former.find(|(known, _)| *known == ssrc) {
            Some((_, highest)) => Place::Former(*highest),
            None => Place::New,
        }
    }

    /// The highest index so far.
    #[inline]
    pub(super) fn highest(&self, place: Place) -> Option<u64> {
        match place {
            Place::Present(position) => self.present.get(position)?.window.highest(),
            Place::Former(highest) => Some(highest),
            Place::New => None,
        }
    }

    /// The highest index of each source that is known.
    pub(super) fn all_highest(&self) -> Vec<(u32, u64)> {
        let present = self.present.iter();
        let present = present.filter_map(|source| Some((source.ssrc, source.window.highest()?)));
        present.chain(self.former.iter().copied()).collect()
    }

    /// Whether a packet with `index` may be new. Call before spending time on decryption.
    ///
    /// # Errors
    /// [`SrtpError::Replayed`] or [`SrtpError::TooOld`].
    #[inline]
    pub(super) fn check(&self, place: Place, index: u64) -> Result<(), SrtpError> {
        match place {
            Place::Present(position) => match self.present.get(position) {
                Some(source) => source.window.check(index),
                None => Ok(()),
            },
            Place::Former(highest) if index <= highest => Err(SrtpError::TooOld),
            Place::Former(_) | Place::New => Ok(()),
        }
    }

    /// Marks `index` as received, after its packet was authenticated. `place` is where the source
    /// was found for this packet.
    #[inline]
    pub(super) fn accept(&mut self, ssrc: u32, place: Place, index: u64) {
        self.accepted += 1;
        let position = match place {
            Place::Present(position) => position,
            Place::Former(_) | Place::New => self.add(ssrc, place),
        };
        if let Some(source) = self.present.get_mut(position) {
            source.window.accept(index);
            source.latest = self.accepted;
        }
    }

    #[cold]
    fn add(&mut self, ssrc: u32, place: Place) -> usize {
        self.make_room();
        let window = match place {
            Place::Former(highest) => ReplayWindow::after(highest),
            Place::Present(_) | Place::New => ReplayWindow::default(),
        };
        self.former.retain(|(known, _)| *known != ssrc);
        self.present.push(Source {
            ssrc,
            window,
            latest: self.accepted,
        });
        self.present.len() - 1
    }

    fn make_room(&mut self) {
        if self.present.len() < MAX_PRESENT {
            return;
        }
        let sources = self.present.iter().enumerate();
        let Some((position, _)) = sources.min_by_key(|(_, source)| source.latest) else {
            return;
        };
        let source = self.present.swap_remove(position);
        if self.former.len() >= MAX_FORMER {
            self.former.pop_front();
        }
        let highest = source.window.highest().unwrap_or(0);
        self.former.push_back((source.ssrc, highest));
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.present.is_empty() && self.former.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receive(sources: &mut Sources, ssrc: u32, index: u64) -> Result<(), SrtpError> {
        let place = sources.place(ssrc);
        sources.check(place, index)?;
        sources.accept(ssrc, place, index);
        Ok(())
    }

    #[test]
    fn the_one_silent_for_longest_makes_room() {
        let mut sources = Sources::default();
        for ssrc in 0..1000 {
            assert_eq!(receive(&mut sources, ssrc, 500), Ok(()));
            assert_eq!(
                receive(&mut sources, 5000, 2 * u64::from(ssrc)),
                Ok(()),
                "goes on"
            );
        }
        assert_eq!(sources.present.len(), MAX_PRESENT);
        assert_eq!(receive(&mut sources, 5000, 1997), Ok(()), "merely late");
        assert_eq!(receive(&mut sources, 999, 499), Ok(()), "merely late");
    }

    #[test]
    fn what_came_before_a_source_made_room_is_refused() {
        let mut sources = Sources::default();
        let highest = 3 << 16;
        assert_eq!(receive(&mut sources, 7, highest), Ok(()));
        for ssrc in 1000..1000 + 128 + 1023 {
            assert_eq!(receive(&mut sources, ssrc, 1), Ok(()));
        }
        let place = sources.place(7);
        assert_eq!(sources.highest(place), Some(highest), "its roll-overs");
        for index in [highest, highest - 1, highest - 1000, 0] {
            assert!(receive(&mut sources, 7, index).is_err(), "{index}");
        }
        assert_eq!(receive(&mut sources, 7, highest + 2), Ok(()));
        assert_eq!(receive(&mut sources, 7, highest + 1), Ok(()), "merely late");
        for index in [highest + 2, highest, highest - 1, highest - 1000] {
            assert!(receive(&mut sources, 7, index).is_err(), "{index}");
        }
    }

    #[test]
    fn state_is_bounded() {
        let mut sources = Sources::default();
        for ssrc in 0..10_000 {
            assert_eq!(receive(&mut sources, ssrc, 1), Ok(()));
        }
        assert_eq!(
            (sources.present.len(), sources.former.len()),
            (MAX_PRESENT, MAX_FORMER)
        );
    }
}
