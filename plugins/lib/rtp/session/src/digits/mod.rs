//! Digits as RTP packets: telephone events (RFC 4733).

use std::time::Duration;

mod line;
mod receive;
mod relay;
mod send;

pub use line::DigitFormats;
pub(crate) use line::DigitLine;
use receive::DigitReceiver;
pub use relay::{RELAYED_CLOCK_RATE, RELAYED_FORMAT};
use send::{DigitSender, Heard};

/// In the order of their numbers (RFC 4733 §3.2).
const DIGITS: &str = "0123456789*#ABCD";

/// A digit, and for how long it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digit {
    /// `0` to `9`, `*`, `#`, `A` to `D`.
    pub character: char,
    /// How long.
    pub milliseconds: u32,
}

/// A digit of which nothing more comes has ended: its last packet, sent three times, was lost each time
/// (RFC 4733 §2.5.1.4). Updates come every 50 ms.
const LOST: Duration = Duration::from_millis(250);

/// What an event is known by: all its packets have one timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Name {
    /// Of the pad that it came from, where it did not come from the peer itself.
    origin: u32,
    ssrc: u32,
    timestamp: u32,
}

impl Name {
    /// Whether it is of the same stream as another one, and comes before it.
    fn is_before(self, other: Self) -> bool {
        let is_older = other.timestamp.wrapping_sub(self.timestamp) < 1 << 31;
        (self.origin, self.ssrc) == (other.origin, other.ssrc) && is_older && self != other
    }
}

fn character(event: u8) -> Option<char> {
    DIGITS.chars().nth(usize::from(event))
}

/// The number of a digit; letters of either case. `None` for what is none.
#[must_use]
pub fn event(character: char) -> Option<u8> {
    let wanted = character.to_ascii_uppercase();
    let position = DIGITS.chars().position(|digit| digit == wanted)?;
    u8::try_from(position).ok()
}
