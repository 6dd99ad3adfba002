//! Which input an output gets: a state machine without locks and clocks.

use rivero_plugin_api::Packet;

/// A keyframe that was asked for in vain is asked for again after this, ns: the request, or the keyframe,
/// was lost on its way. Browsers do not heed requests that follow each other within 300 ms.
const PATIENCE: i64 = 500_000_000;
/// What is shown in place of a new source that does not come is shown no longer than this, ns: a client
/// that switched away from somebody does not want to show them for ever.
const GRACE: i64 = 5_000_000_000;

/// What to do about a burst of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is for somebody else.
    Nothing,
    /// It is waited for, but it cannot begin here: a keyframe has to be asked for.
    Ask,
    /// It goes on.
    Pass,
    /// It takes the place of what was there before, beginning with this packet.
    Switch(usize),
}

/// The choice of one output, for one kind of media. Inputs are told apart by number.
#[derive(Debug)]
pub(crate) struct Selector {
    /// Video begins with a keyframe, and what was shown before stays until then. Sound begins and ends at
    /// once: nobody should be heard whom the client has switched away from.
    is_video: bool,
    shown: Option<u64>,
    wanted: Option<u64>,
    /// When it was wanted, and when a keyframe was asked for last, ns.
    since: i64,
    asked: i64,
}

impl Selector {
    pub(crate) fn new(is_video: bool) -> Self {
        Self {
            is_video,
            shown: None,
            wanted: None,
            since: 0,
            asked: 0,
        }
    }

    /// The client wants this input; `true` when a keyframe of it is needed.
    pub(crate) fn want(&mut self, input: u64, now: i64) -> bool {
        if self.shown == Some(input) {
            self.wanted = None;
            return false;
        }
        if self.wanted != Some(input) {
            self.since = now;
        }
        self.wanted = Some(input);
        self.asked = now;
        if !self.is_video {
            self.shown = None;
        }
        self.is_video
    }

    /// The client wants nothing.
    pub(crate) fn want_nothing(&mut self) {
        self.shown = None;
        self.wanted = None;
    }

    /// The input that the client wanted last.
    pub(crate) fn chosen(&self) -> Option<u64> {
        self.wanted.or(self.shown)
    }

    /// An input is gone; `true` when nothing is shown or wanted any more that was.
    pub(crate) fn forget(&mut self, input: u64) -> bool {
        let former = (self.shown, self.wanted);
        if self.wanted == Some(input) {
            // The client wanted to see it in place of what is shown, which so has to end, too.
            self.want_nothing();
        }
        self.shown.take_if(|shown| *shown == input);
        former != (None, None) && self.shown.is_none() && self.wanted.is_none()
    }

    /// The inputs whose packets it has to be shown.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = u64> {
        self.shown.into_iter().chain(self.wanted)
    }

    /// Whether what goes out now is that of this input, and will be.
    pub(crate) fn follows(&self, input: u64) -> bool {
        self.shown == Some(input) && self.wanted.is_none()
    }

    /// A burst of an input comes at `now`.
    pub(crate) fn step(&mut self, input: u64, packets: &[Packet], now: i64) -> Step {
        if self.wanted == Some(input) {
            let begin = match self.is_video {
                true => packets.iter().position(Packet::is_keyframe),
                false => Some(0),
            };
            if let Some(begin) = begin {
                self.shown = self.wanted.take();
                return Step::Switch(begin);
            }
            if now - self.asked < PATIENCE {
                return Step::Nothing;
            }
            self.asked = now;
            return Step::Ask;
        }
        if self.shown != Some(input) {
            return Step::Nothing;
        }
        if self.wanted.is_some() && now - self.since > GRACE {
            self.shown = None;
            return Step::Nothing;
        }
        Step::Pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivero_plugin_api::{Bytes, Layer, MediaKind, Rtp};

    const MS: i64 = 1_000_000;

    fn packet(flags: u8) -> Packet {
        Packet {
            bytes: Bytes::default(),
            format: 1,
            origin: 1,
            kind: MediaKind::Video,
            flags,
            layer: Layer::default(),
            presentation_time: 0,
            ingress_time: 0,
            duration: 0,
            rtp: Rtp::default(),
            ..Packet::default()
        }
    }

    fn delta() -> [Packet; 1] {
        [packet(0)]
    }

    fn key() -> [Packet; 2] {
        [packet(0), packet(Packet::KEYFRAME)]
    }

    #[test]
    fn what_was_shown_stays_until_the_new_source_has_a_keyframe() {
        let mut selector = Selector::new(true);
        assert!(selector.want(1, 0));
        assert_eq!(selector.step(1, &delta(), MS), Step::Nothing);
        assert_eq!(selector.step(1, &key(), 2 * MS), Step::Switch(1));
        assert_eq!(selector.step(1, &delta(), 3 * MS), Step::Pass);
        assert!(selector.want(2, 10 * MS));
        assert_eq!(selector.step(2, &delta(), 11 * MS), Step::Nothing);
        assert_eq!(selector.step(1, &delta(), 12 * MS), Step::Pass);
        assert_eq!(selector.step(2, &key(), 13 * MS), Step::Switch(1));
        assert_eq!(selector.step(1, &key(), 14 * MS), Step::Nothing);
    }

    #[test]
    fn a_keyframe_is_asked_for_again() {
        let mut selector = Selector::new(true);
        selector.want(1, 0);
        let asks =
            (1..=120).filter(|frame| selector.step(1, &delta(), frame * 10 * MS) == Step::Ask);
        assert_eq!(asks.count(), 2);
    }

    #[test]
    fn sound_goes_over_at_once_and_ends_at_once() {
        let mut selector = Selector::new(false);
        assert!(!selector.want(1, 0));
        assert_eq!(selector.step(1, &delta(), MS), Step::Switch(0));
        selector.want(2, 2 * MS);
        assert_eq!(selector.step(1, &delta(), 3 * MS), Step::Nothing);
        assert_eq!(selector.step(2, &delta(), 4 * MS), Step::Switch(0));
    }

    #[test]
    fn who_was_switched_away_from_is_not_shown_for_ever() {
        let mut selector = Selector::new(true);
        selector.want(1, 0);
        selector.step(1, &key(), 0);
        selector.want(2, MS);
        assert_eq!(selector.step(1, &delta(), GRACE), Step::Pass);
        assert_eq!(selector.step(1, &delta(), GRACE + 2 * MS), Step::Nothing);
        assert_eq!(selector.step(2, &key(), GRACE + 3 * MS), Step::Switch(1));
    }

    #[test]
    fn a_choice_that_is_taken_back_changes_nothing() {
        let mut selector = Selector::new(true);
        selector.want(1, 0);
        selector.step(1, &key(), 0);
        selector.want(2, MS);
        assert!(!selector.want(1, 2 * MS));
        assert_eq!(selector.step(2, &key(), 3 * MS), Step::Nothing);
        assert_eq!(selector.step(1, &delta(), 4 * MS), Step::Pass);
    }

    #[test]
    fn nothing_is_left_of_an_input_that_went() {
        let mut selector = Selector::new(true);
        selector.want(1, 0);
        selector.step(1, &key(), 0);
        assert!(!selector.forget(2));
        selector.want(2, MS);
        assert!(
            selector.forget(2),
            "its place is empty, and so is the former one's"
        );
        assert_eq!(selector.step(1, &key(), 2 * MS), Step::Nothing);
        selector.want(1, 3 * MS);
        selector.step(1, &key(), 3 * MS);
        assert!(selector.forget(1) && selector.inputs().next().is_none());
    }
}
