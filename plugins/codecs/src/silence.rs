//! Silence that Opus leaves out (DTX, RFC 6716 §2.1.9): after a packet that says so none come for up to
//! 400 ms, and the decoder makes up the noise between.
//!
//! What comes out of a decoder goes to encodings that cannot leave anything out. So it has to go on at
//! the pace of time: if all of a silence came when it ends, a listener's jitter buffer would take that
//! for a delay of the network, and keep it.

use std::time::Duration;

/// Silence is made up in pieces of this length, ns, as long as usual packets.
pub(crate) const PIECE: i64 = 20_000_000;
/// A piece is made up so long after a packet in its place would have been due, ns: that may have been
/// on its way for longer than those before it.
const LAG: i64 = 40_000_000;
/// Silence beyond this, ns, is none: in one somebody is heard of every 400 ms.
const LONGEST: i64 = 1_000_000_000;
/// Payloads of no more bytes have no sound in them.
const EMPTY: usize = 2;

/// What is known of the sound so far.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    /// Up to when there is sound, presentation time in ns.
    covered: i64,
    /// Of the packet with which the silence began: when it came, and its presentation time, ns.
    since: Option<(i64, i64)>,
}

/// What to do about a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// It goes on where the sound before it ended.
    Regular,
    /// So many pieces of silence are missing before it.
    After(i64),
    /// What it is in place of was made up already.
    Late,
}

impl Silence {
    /// A packet comes in at `now` that is presented at `time` and lasts for `duration`, ns, with a
    /// payload of so many bytes.
    pub(crate) fn on_packet(&mut self, now: i64, time: i64, duration: i64, size: usize) -> Arrival {
        let missing = time.saturating_sub(self.covered);
        let arrival = match self.since {
            Some(_) if (PIECE / 2..LONGEST).contains(&missing) => {
                Arrival::After((missing + PIECE / 2) / PIECE)
            }
            Some(_) if (-LONGEST..=-PIECE / 2).contains(&missing) => Arrival::Late,
            _ => Arrival::Regular,
        };
        let end = time.saturating_add(duration.max(1));
        if arrival != Arrival::Late {
            self.covered = end;
        }
        self.since = (size <= EMPTY).then_some((now, time));
        arrival
    }

    /// When the next piece of silence begins, presentation time in ns, if it is to be made up by now.
    pub(crate) fn piece(&mut self, now: i64) -> Option<i64> {
        if self.wait(now)? > 0 {
            return None;
        }
        let begin = self.covered;
        self.covered += PIECE;
        Some(begin)
    }

    /// How long to wait until then.
    pub(crate) fn next_look(&self, now: i64) -> Option<Duration> {
        let wait = u64::try_from(self.wait(now)?).unwrap_or(0);
        Some(Duration::from_nanos(wait))
    }

    /// Negative when it is overdue.
    fn wait(&self, now: i64) -> Option<i64> {
        let (came, time) = self.since?;
        let made_up = self.covered.saturating_sub(time);
        (made_up < LONGEST).then(|| came + made_up + PIECE + LAG - now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn silence_goes_on_at_the_pace_of_time_until_sound_comes() {
        let mut silence = Silence::default();
        let mut on =
            |now: i64, time: i64, size| silence.on_packet(now * MS, time * MS, PIECE, size);
        assert_eq!(on(1_000, 5_000, 80), Arrival::Regular);
        assert_eq!(on(1_020, 5_020, 1), Arrival::Regular);
        assert_eq!(
            silence.next_look(1_030 * MS),
            Some(Duration::from_millis(70))
        );
        assert_eq!(silence.piece(1_090 * MS), None);
        let pieces: Vec<i64> = (1_100..1_420)
            .filter_map(|now| silence.piece(now * MS))
            .collect();
        assert_eq!(pieces.len(), 16);
        assert_eq!(pieces[..2], [5_040 * MS, 5_060 * MS]);
        // Sound at its time: what is missing is what the lag has left.
        let arrival = silence.on_packet(1_430 * MS, 5_430 * MS, PIECE, 80);
        assert_eq!(arrival, Arrival::After(4));
        assert_eq!(silence.next_look(1_440 * MS), None);
        assert_eq!(
            silence.on_packet(1_450 * MS, 5_450 * MS, PIECE, 80),
            Arrival::Regular
        );
    }

    #[test]
    fn what_was_made_up_is_not_heard_twice() {
        let mut silence = Silence::default();
        silence.on_packet(0, 5_000 * MS, PIECE, 1);
        while silence.piece(300 * MS).is_some() {}
        let arrival = silence.on_packet(300 * MS, 5_200 * MS, PIECE, 80);
        assert_eq!(arrival, Arrival::Late);
        assert_eq!(
            silence.on_packet(310 * MS, 5_260 * MS, PIECE, 80),
            Arrival::Regular
        );
    }

    #[test]
    fn a_stream_that_has_ended_is_not_made_up_for_ever() {
        let mut silence = Silence::default();
        silence.on_packet(0, 5_000 * MS, PIECE, 2);
        let pieces = std::iter::from_fn(|| silence.piece(60_000 * MS)).count();
        assert!((40..=50).contains(&pieces), "{pieces}");
        assert_eq!(silence.next_look(60_000 * MS), None);
        // Another one, with other times.
        assert_eq!(
            silence.on_packet(61_000 * MS, 90_000 * MS, PIECE, 80),
            Arrival::Regular
        );
    }
}
