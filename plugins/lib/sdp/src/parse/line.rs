//! Splitting a description into `<type>=<value>` lines (RFC 8866 §5).

use super::{IgnoredLine, shortened};
use crate::{
    SdpError,
    limits::MAX_BYTES,
    text::{is_blank, trimmed},
};

/// One line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    /// The type letter.
    pub(super) kind: char,
    /// Everything after the equals sign, without blanks around it.
    pub(super) value: &'a str,
}

/// The lines of a text that is neither empty nor too large. What is no line, such as the boundary
/// and the header fields of a MIME part, is an `Err` that says so.
pub(super) fn lines(
    text: &str,
) -> Result<impl Iterator<Item = Result<Line<'_>, IgnoredLine>>, SdpError> {
    if text.len() > MAX_BYTES {
        return Err(SdpError::TooLarge {
            bytes: text.len(),
            limit: MAX_BYTES,
        });
    }
    if trimmed(text).is_empty() {
        return Err(SdpError::Empty);
    }
    // RFC 8866 §9 ends lines with CRLF. LF alone, CR alone, CR CR LF, LF CR and the NUL of a C
    // string occur as well; each of these characters ends a line, and empty lines say nothing.
    // Numbers follow LF, which is what editors count.
    let numbered = text.split('\n').enumerate();
    let pieces = numbered.flat_map(|(index, line)| {
        let pieces = line.split(['\r', '\0']);
        pieces.map(move |piece| (index + 1, trimmed(piece)))
    });
    Ok(pieces
        .filter(|(_, piece)| !piece.is_empty())
        .map(|(number, piece)| split(number, piece)))
}

fn split(number: usize, line: &str) -> Result<Line<'_>, IgnoredLine> {
    let mut letters = line.chars();
    let kind = letters.next().filter(char::is_ascii_lowercase);
    let rest = letters.as_str().trim_start_matches(is_blank);
    match (kind, rest.strip_prefix('=')) {
        (Some(kind), Some(value)) => Ok(Line {
            number,
            kind,
            value: trimmed(value),
        }),
        _ => Err(IgnoredLine {
            number,
            reason: format!("'{}' is not <letter>=<value>", shortened(line)),
        }),
    }
}
