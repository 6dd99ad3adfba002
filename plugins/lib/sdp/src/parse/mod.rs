//! From text to a [`SessionDescription`].
//!
//! Structure (type letters, o=, c=, b=, m=) and the attributes that a negotiation depends on are
//! checked; an attribute that is only informative and ill-formed is kept as text. Kurento's parser
//! is just as forgiving, so hand-written descriptions that work there work here.

mod line;
mod media;
mod session;

use crate::{SdpError, SessionDescription};

/// Reads a session description.
///
/// Lines end with CRLF or LF; blank lines are skipped.
///
/// # Errors
/// [`SdpError::Empty`], [`SdpError::TooLarge`], or [`SdpError::Parse`] with the first offending
/// line.
pub fn parse(text: &str) -> Result<SessionDescription, SdpError> {
    let mut parser = session::SessionParser::default();
    for line in line::lines(text)? {
        let line = line?;
        parser.read(&line).map_err(|reason| SdpError::Parse {
            line: line.number,
            reason,
        })?;
    }
    let last_line = text.lines().count();
    parser.finish().map_err(|reason| SdpError::Parse {
        line: last_line,
        reason,
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
mod tests;
