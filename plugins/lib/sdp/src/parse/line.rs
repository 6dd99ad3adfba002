//! Splitting a description into `<type>=<value>` lines (RFC 8866 §5).

use super::shortened;
use crate::{SdpError, limits::MAX_BYTES};

/// One line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'a> {
    /// Counted from 1.
    pub(super) number: usize,
    /// The type letter.
    pub(super) kind: char,
    /// Everything after the equals sign.
    pub(super) value: &'a str,
}

/// The lines of a text that is neither empty nor too large.
pub(super) fn lines(
    text: &str,
) -> Result<impl Iterator<Item = Result<Line<'_>, SdpError>>, SdpError> {
    if text.len() > MAX_BYTES {
        return Err(SdpError::TooLarge {
            bytes: text.len(),
            limit: MAX_BYTES,
        });
    }
    if text.trim().is_empty() {
        return Err(SdpError::Empty);
    }
    let lines = text.lines().enumerate();
    Ok(lines
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| split(index + 1, line)))
}

fn split(number: usize, line: &str) -> Result<Line<'_>, SdpError> {
    let error = |reason: String| SdpError::Parse {
        line: number,
        reason,
    };
    if line.contains(['\0', '\r']) {
        return Err(error("NUL or carriage return inside a line".to_owned()));
    }
    let mut letters = line.chars();
    match (letters.next(), letters.next()) {
        (Some(kind), Some('=')) if kind.is_ascii_lowercase() => Ok(Line {
            number,
            kind,
            value: letters.as_str(),
        }),
        _ => Err(error(format!(
            "'{}' is not <letter>=<value>",
            shortened(line)
        ))),
    }
}
