//! From text to a [`SessionDescription`].
//!
//! Descriptions are written by thousands of programs and changed on their way by others, and a
//! call is worth more than a line of them. So a line that is not understood is ignored, whether it
//! is ill-formed, misplaced, too long or of an unknown type: what it would have said is then
//! missing, and whether it is needed is for [`negotiate`](crate::negotiate) to find out. Kurento
//! reads through GStreamer's parser, which is as forgiving.
//!
//! An error is left for what is no description at all, and for what exceeds
//! [`limits`](crate::limits) where ignoring the rest would change the meaning (sections and formats
//! are referred to by number).

mod line;
mod media;
mod session;

use crate::{SdpError, SessionDescription};
use session::Unread;

/// A line of a description that has no effect because it was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredLine {
    /// Counted from 1.
    pub number: usize,
    /// What is wrong with the line, as a phrase.
    pub reason: String,
}

/// Reads a session description, and ignores the lines that are not understood.
///
/// Lines end with CRLF, LF or CR; blanks around them and blank lines are skipped.
///
/// # Errors
/// [`SdpError::Empty`], [`SdpError::TooLarge`], or [`SdpError::Parse`] for a text that has neither
/// a v= line nor an m= line, and for one with too many sections or formats.
pub fn parse(text: &str) -> Result<SessionDescription, SdpError> {
    parse_with(text, |_| ())
}

/// The same as [`parse`], and hands over each line that is ignored, for a log.
///
/// # Errors
/// As for [`parse`].
pub fn parse_with(
    text: &str,
    mut ignored: impl FnMut(IgnoredLine),
) -> Result<SessionDescription, SdpError> {
    let mut parser = session::SessionParser::default();
    let mut first_ignored = None;
    for line in line::lines(text)? {
        let unread = match line {
            Ok(line) => parser.read(&line).map_err(|unread| (line.number, unread)),
            Err(unread) => Err((unread.number, Unread::Line(unread.reason))),
        };
        match unread {
            Ok(()) => {}
            Err((line, Unread::Description(reason))) => {
                return Err(SdpError::Parse { line, reason });
            }
            Err((number, Unread::Line(reason))) => {
                let line = IgnoredLine { number, reason };
                first_ignored.get_or_insert_with(|| line.clone());
                ignored(line);
            }
        }
    }
    // The first line that is none says best what the text is instead.
    let reason = first_ignored.unwrap_or_else(|| IgnoredLine {
        number: 1,
        reason: "a session description starts with v=0".to_owned(),
    });
    parser.finish().ok_or(SdpError::Parse {
        line: reason.number,
        reason: reason.reason,
    })
}

/// The result of reading a part of a line; the error says what is wrong with it.
type Parsed<T> = Result<T, String>;

/// A decimal number, or an error naming the field.
fn number<T: std::str::FromStr>(text: &str, field: &str) -> Parsed<T> {
    text.trim()
        .parse()
        .map_err(|_| format!("{field} '{}' is not a valid number", shortened(text)))
}

/// At most 40 characters of a peer's text, for error messages.
fn shortened(text: &str) -> &str {
    match text.char_indices().nth(40) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

#[cfg(test)]
mod lenient_tests;
#[cfg(test)]
mod tests;
