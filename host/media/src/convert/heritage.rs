//! What a conversion hands on beside the media: what packets are said to be, by their time.
//!
//! Converters make packets of their own, more or fewer than go in, and know nothing of levels, times of capture and
//! metadata. So these are noted when media goes in, and given to what comes out of the same time: to all
//! packets of a picture, or to the one frame that was made of many.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rivero_plugin_api::{AudioLevel, Details, Packet};

/// Times that are remembered: more than any converter keeps in it, and a second of pictures between which there
/// are others with nothing.
const SPANS: usize = 128;
/// Times are rounded on the way, to the clocks of RTP and of containers.
const TOLERANCE: i64 = 1_000_000;

/// Remembers what came with media that goes in.
#[derive(Default)]
pub(super) struct Heritage {
    /// Anything came at all. Relaxed: who misses the first is late by a packet.
    is_used: AtomicBool,
    spans: Mutex<VecDeque<Span>>,
}

/// What came with the media from one time to the beginning of another span.
#[derive(Debug)]
struct Span {
    begin: i64,
    audio_level: AudioLevel,
    details: Details,
}

impl Span {
    fn of(packet: &Packet) -> Self {
        Self {
            begin: packet.presentation_time,
            audio_level: packet.audio_level,
            details: packet.details.inherited_by(&Details::NONE),
        }
    }

    fn is_empty(&self) -> bool {
        self.audio_level == AudioLevel::UNKNOWN && self.details.is_none()
    }
}

impl Heritage {
    fn spans(&self) -> MutexGuard<'_, VecDeque<Span>> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Media goes in.
    pub(super) fn note(&self, packets: &[Packet]) {
        let has_any = |packet: &Packet| {
            packet.audio_level != AudioLevel::UNKNOWN || !packet.details.is_none()
        };
        // Most media has nothing: then nothing is locked.
        if !self.is_used.load(Relaxed) {
            if !packets.iter().any(has_any) {
                return;
            }
            self.is_used.store(true, Relaxed);
        }
        let mut spans = self.spans();
        for span in packets.iter().map(Span::of) {
            match spans.back_mut() {
                // Packets of one frame: what one of them has counts for it.
                Some(last) if last.begin == span.begin => {
                    if span.audio_level != AudioLevel::UNKNOWN {
                        last.audio_level = span.audio_level;
                    }
                    last.details = last.details.inherited_by(&span.details);
                }
                Some(last) if last.is_empty() && span.is_empty() => {}
                _ => spans.push_back(span),
            }
        }
        while spans.len() > SPANS {
            spans.pop_front();
        }
    }

    /// Media comes out.
    pub(super) fn give(&self, packet: &mut Packet) {
        if !self.is_used.load(Relaxed) {
            return;
        }
        let spans = self.spans();
        let time = packet.presentation_time.saturating_add(TOLERANCE);
        // Pictures go in in the order in which they are decoded: the last one need not be the latest.
        let begun = spans.iter().filter(|span| span.begin <= time);
        let Some(span) = begun.max_by_key(|span| span.begin) else {
            return;
        };
        if packet.audio_level == AudioLevel::UNKNOWN {
            packet.audio_level = span.audio_level;
        }
        if !span.details.is_none() {
            packet.details = span.details.inherited_by(&packet.details);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 40_000_000;

    fn at(frame: i64) -> Packet {
        Packet {
            presentation_time: frame * FRAME,
            ..Packet::default()
        }
    }

    fn with(frame: i64, value: &str) -> Packet {
        let mut packet = at(frame);
        packet.set_metadata("key", value.as_bytes()).unwrap();
        packet
    }

    fn given(heritage: &Heritage, time: i64) -> Option<String> {
        let mut packet = Packet {
            presentation_time: time,
            ..Packet::default()
        };
        heritage.give(&mut packet);
        let value = packet.metadata("key")?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    #[test]
    fn what_was_said_of_a_picture_is_said_of_what_it_becomes_and_of_no_other() {
        let heritage = Heritage::default();
        heritage.note(&[at(0)]);
        assert_eq!(given(&heritage, 0), None);
        heritage.note(&[with(1, "one"), at(1), at(2), at(3), with(4, "four")]);
        assert_eq!(given(&heritage, 0), None);
        let rounded = FRAME - 11_000;
        for time in [FRAME, rounded, FRAME + FRAME / 2] {
            assert_eq!(given(&heritage, time).as_deref(), Some("one"));
        }
        assert_eq!(given(&heritage, 2 * FRAME), None);
        assert_eq!(given(&heritage, 3 * FRAME), None);
        assert_eq!(given(&heritage, 4 * FRAME).as_deref(), Some("four"));
    }

    #[test]
    fn pictures_may_go_in_in_the_order_of_decoding() {
        let heritage = Heritage::default();
        heritage.note(&[
            with(1, "one"),
            with(4, "four"),
            with(2, "two"),
            with(3, "three"),
        ]);
        for (frame, value) in [(1, "one"), (2, "two"), (3, "three"), (4, "four")] {
            assert_eq!(given(&heritage, frame * FRAME).as_deref(), Some(value));
        }
    }

    #[test]
    fn levels_go_over_unless_the_converter_knows_better_and_nothing_grows() {
        let heritage = Heritage::default();
        let mut loud = at(1);
        loud.audio_level = AudioLevel::from_byte(5);
        heritage.note(&[loud]);
        let mut out = at(1);
        heritage.give(&mut out);
        assert_eq!(out.audio_level.byte(), Some(5));
        out.audio_level = AudioLevel::from_byte(9);
        heritage.give(&mut out);
        assert_eq!(out.audio_level.byte(), Some(9));
        for frame in 0..10_000 {
            heritage.note(&[with(frame, "x")]);
        }
        assert_eq!(heritage.spans().len(), SPANS);
    }
}
