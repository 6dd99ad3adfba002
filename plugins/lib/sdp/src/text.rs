//! Words of a peer's text.
//!
//! Descriptions pass through templates, mail-like bodies and C strings on their way. What those
//! leave around a word (blanks, tabs, NUL, other control characters, a byte order mark) belongs to
//! no field of RFC 8866, so it separates words wherever it stands. Reading and writing use the same
//! rule, which is what makes a description that was read and written read as the same again.

use base64::{Engine, alphabet, engine};

/// Base64 of keys and parameter sets, read with or without the `=` at the end, which some leave
/// out.
const BASE64: engine::GeneralPurpose = engine::GeneralPurpose::new(
    &alphabet::STANDARD,
    engine::GeneralPurposeConfig::new()
        .with_decode_padding_mode(engine::DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes of a base64 text.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// The base64 text of bytes.
pub(crate) fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Whether the character separates words and may stand around a line.
pub(crate) fn is_blank(character: char) -> bool {
    // A byte order mark is what editors put before the first line.
    character.is_whitespace() || character.is_control() || character == '\u{feff}'
}

/// The text without blanks around it.
pub(crate) fn trimmed(text: &str) -> &str {
    text.trim_matches(is_blank)
}

/// The words of a text, however many blanks are between them.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(is_blank).filter(|word| !word.is_empty())
}

/// The first word, and the rest without blanks around it; both are empty where there is none.
pub(crate) fn first_word(text: &str) -> (&str, &str) {
    let text = trimmed(text);
    match text.split_once(is_blank) {
        Some((word, rest)) => (word, trimmed(rest)),
        None => (text, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_of_every_kind_separate_words() {
        let text = "\u{feff} a\tb\u{a0}\0c  ";
        assert_eq!(words(text).collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(trimmed(text), "a\tb\u{a0}\0c");
        assert_eq!(first_word(text), ("a", "b\u{a0}\0c"));
        assert_eq!(first_word(" "), ("", ""));
    }
}
