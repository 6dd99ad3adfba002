//! Digits as RTP packets: telephone events (RFC 4733).

mod line;
mod receive;
mod send;

pub(crate) use line::DigitFormats;
pub(super) use line::{DigitLine, Queue};
use receive::DigitReceiver;
use send::DigitSender;

/// In the order of their numbers (RFC 4733 §3.2).
const DIGITS: &str = "0123456789*#ABCD";

/// A digit, and for how long it is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Digit {
    pub(crate) character: char,
    pub(crate) milliseconds: u32,
}

fn character(event: u8) -> Option<char> {
    DIGITS.chars().nth(usize::from(event))
}

/// The number of a digit; letters of either case.
pub(crate) fn event(character: char) -> Option<u8> {
    let wanted = character.to_ascii_uppercase();
    let position = DIGITS.chars().position(|digit| digit == wanted)?;
    u8::try_from(position).ok()
}
